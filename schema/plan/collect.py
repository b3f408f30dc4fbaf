"""Which fields a selection has on one type: fragments opened, @skip and @include decided, equal names merged.

Source: spec.graphql.org/September2025, CollectFields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    is_abstract_type,
    visit,
)

from schema.plan.refusal import NotPlanned

# Response name → the nodes that ask for it; they have the same field and arguments, or validation had refused them.
Fields = dict[str, list[FieldNode]]


@dataclass(frozen=True)
class Collector:
    """Collects the fields of selections.

    Args:
        schema: the schema the document is valid against.
        fragments: the document's, by name.
        flags: the values of the variables that @skip and @include read; None for null.
    """

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    flags: Mapping[str, bool | None]

    def collect(self, type_: GraphQLObjectType, nodes: Iterable[OperationDefinitionNode | FieldNode]) -> Fields:
        """Collect what the nodes together select on a type.

        Raises:
            NotPlanned: a directive other than @skip and @include, or one of them without a value.
        """
        found: Fields = {}
        seen: set[str] = set()
        for node in nodes:
            self._add(type_, node.selection_set, found, seen)
        return found

    def _add(self, type_: GraphQLObjectType, selected: SelectionSetNode | None, found: Fields, seen: set[str]) -> None:
        for node in selected.selections if selected else ():
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self._fits(type_, node.type_condition.name.value):
                    self._add(type_, node.selection_set, found, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self.fragments[node.name.value]
                if fragment.directives:
                    raise NotPlanned
                if self._fits(type_, fragment.type_condition.name.value):
                    self._add(type_, fragment.selection_set, found, seen)

    def _fits(self, type_: GraphQLObjectType, condition: str) -> bool:
        if condition == type_.name:
            return True
        named = self.schema.type_map[condition]
        return is_abstract_type(named) and self.schema.is_sub_type(named, type_)

    def _is_included(self, node: SelectionNode) -> bool:
        return all(self._allows(directive) for directive in node.directives or ())

    def _allows(self, directive: DirectiveNode) -> bool:
        if directive.name.value not in ("skip", "include"):
            raise NotPlanned
        value = (directive.arguments or ())[0].value
        flag = self.flags[value.name.value] if isinstance(value, VariableNode) else _literal(value)
        if flag is None:
            # Null given in place of a default: an error, which the executor knows how to say.
            raise NotPlanned
        return flag == (directive.name.value == "include")


def _literal(value: object) -> bool:
    if not isinstance(value, BooleanValueNode):
        raise NotPlanned
    return value.value


def flag_names(document: DocumentNode) -> tuple[str, ...]:
    """List the variables that some @skip or @include of the document reads."""
    walk = _Flags()
    visit(document, walk)
    return tuple(sorted(walk.names))


class _Flags(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        if node.name.value in ("skip", "include"):
            self.names.update(
                argument.value.name.value
                for argument in node.arguments or ()
                if isinstance(argument.value, VariableNode)
            )
