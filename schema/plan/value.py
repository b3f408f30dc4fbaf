"""Computed values in a plan: leaves as the response has them, objects as the selection asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from strawberry.types.field import StrawberryField

from schema.plan.collect import Collector
from schema.plan.refusal import Gave, NotPlanned

Project = Callable[[Any], Any]
DEFINITION = "strawberry-definition"


def definition(type_: GraphQLObjectType, name: str) -> StrawberryField:
    """Return the declaration of a field."""
    found: StrawberryField = type_.fields[name].extensions[DEFINITION]
    return found


def project(collector: Collector, type_: GraphQLOutputType, nodes: Sequence[FieldNode]) -> Project:
    """Return the function that brings a value of a type into the form of the response.

    Raises:
        NotPlanned: the selection reaches a field that a resolver answers.
    """
    if is_non_null_type(type_):
        return _required(_project(collector, type_.of_type, nodes))
    return _nullable(_project(collector, type_, nodes))


def _project(collector: Collector, type_: Any, nodes: Sequence[FieldNode]) -> Project:
    if is_list_type(type_):
        inner = project(collector, type_.of_type, nodes)
        return lambda values: [inner(value) for value in values]
    if is_leaf_type(type_):
        serialize: Project = type_.coerce_output_value
        return serialize
    if is_object_type(type_):
        return _object(collector, type_, nodes)
    raise NotPlanned


def _object(collector: Collector, type_: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Project:
    parts: list[tuple[str, str, Project]] = []
    for response, selected in collector.collect(type_, nodes).items():
        name = selected[0].name.value
        if name == "__typename":
            typename = type_.name
            parts.append((response, "__class__", lambda _, typename=typename: typename))  # type: ignore[misc]
            continue
        declared = definition(type_, name)
        if declared.base_resolver is not None:
            raise NotPlanned
        parts.append((response, declared.python_name, project(collector, type_.fields[name].type, selected)))
    return lambda value: {response: inner(getattr(value, name)) for response, name, inner in parts}


def _required(inner: Project) -> Project:
    def checked(value: Any) -> Any:
        if value is None:
            raise Gave
        return inner(value)

    return checked


def _nullable(inner: Project) -> Project:
    return lambda value: None if value is None else inner(value)
