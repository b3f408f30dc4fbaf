"""An optional argument that is null means the same as one that is left out: clients send null for what is unset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    is_non_null_type,
    is_object_type,
    is_required_argument,
    is_union_type,
)

from schema import build_schema
from tests.api.lists import LISTS
from tests.api.world import World

SCHEMA = build_schema()._schema
# Required arguments of the fields that have any.
REQUIRED = {
    "changes": "inventory: ASSETS",
    "completeSearch": 'inventory: ASSETS, text: "os:"',
    "parseSearch": 'inventory: ASSETS, text: "os:x"',
}
# What is answered anew each time.
APART = {("retentionPreview", "input")}


def selection(returned: GraphQLOutputType) -> str:
    """Select something small of what a field returns."""
    type_ = get_named_type(returned)
    if not isinstance(type_, GraphQLObjectType):
        return "{ __typename }" if is_union_type(type_) else ""
    names = [name for name in ("totalCount", "count", "endCursor", "nodes", "changes", "items") if name in type_.fields]
    parts = [f"{name} {selection_of_rows(type_.fields[name])}" for name in names]
    return f"{{ {' '.join(parts) or '__typename'} }}"


def selection_of_rows(field: GraphQLField) -> str:
    """Select the ids of rows, in order; nothing of a number."""
    type_ = get_named_type(field.type)
    has_id = is_object_type(type_) and "id" in type_.fields
    return "{ id }" if has_id else "{ __typename }" if hasattr(type_, "fields") or is_union_type(type_) else ""


def optional() -> Iterator[tuple[str, str, str]]:
    """List noun, field and argument; the noun is Query for a root field."""
    for noun in ("Query", *LISTS):
        type_ = SCHEMA.get_type(noun)
        assert isinstance(type_, GraphQLObjectType)
        for name, field in type_.fields.items():
            required = [one for one, told in field.args.items() if is_required_argument(told)]
            is_askable = all(one in REQUIRED.get(name, "") for one in required)
            for one, told in field.args.items():
                if not is_non_null_type(told.type) and is_askable and (name, one) not in APART:
                    yield noun, name, one


def document(noun: str, field: str, more: str, declared: str = "") -> str:
    """Ask for a field with one more argument."""
    type_ = SCHEMA.get_type(noun)
    assert isinstance(type_, GraphQLObjectType)
    arguments = ", ".join(part for part in (REQUIRED.get(field, ""), more) if part)
    asked = f"{field}{f'({arguments})' if arguments else ''} {selection(type_.fields[field].type)}"
    return f"query{declared} {{ {asked if noun == 'Query' else f'{LISTS[noun]}(first: 3) {{ nodes {{ {asked} }} }}'} }}"


@pytest.mark.parametrize(("noun", "field", "argument"), list(optional()))
async def test_null_is_the_same_as_an_argument_that_is_left_out(
    world: World, noun: str, field: str, argument: str
) -> None:
    """As a literal, as a variable that is null, and as a variable that is not sent."""
    caller = world.caller()
    type_ = SCHEMA.get_type(noun)
    assert isinstance(type_, GraphQLObjectType)
    declared = f"($v: {type_.fields[field].args[argument].type})"
    expected = await caller.data(document(noun, field, ""))
    by_variable = document(noun, field, f"{argument}: $v", declared)
    unset: dict[str, Any] = {"v": None}
    assert await caller.data(document(noun, field, f"{argument}: null")) == expected
    assert await caller.data(by_variable, **unset) == expected
    assert await caller.data(by_variable) == expected
