"""What an operation costs, known before it runs: how many rows its lists may hold, nested ones multiplied.

A cost is a polynomial over the variables that say how long a list may be, made once for a document that is valid, so
that each request only puts its own variables in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from graphql.utilities import value_from_ast_untyped

from schema.paging import FIRST_DEFAULT

# Arguments that say how long a list may be.
SIZES = ("first", "last", "ids")
# What a list tells without reading its rows.
COUNTS = frozenset({"totalCount", "count", "groupCount", "__typename"})


@dataclass(frozen=True)
class Length:
    """How long a list may be, where variables decide: the largest of theirs and of what stands in the document."""

    variables: tuple[str, ...]
    fixed: int | None

    def of(self, values: Mapping[str, Any]) -> int:
        """Return the length with the values of the variables."""
        given = [_size(values[name]) for name in self.variables if values.get(name) is not None]
        given += [self.fixed] if self.fixed is not None else []
        return max(given, default=FIRST_DEFAULT)


# Lengths multiplied with each other → how often.
_Terms = Counter[tuple[Length, ...]]


@dataclass(frozen=True)
class Cost:
    """The cost of one operation."""

    terms: Mapping[tuple[Length, ...], int]
    defaults: Mapping[str, Any]

    def of(self, variables: Mapping[str, Any]) -> int:
        """Return the number of rows with the variables of one request."""
        values = {**self.defaults, **variables}
        return sum(times * prod(length.of(values) for length in lengths) for lengths, times in self.terms.items())


def costs(schema: GraphQLSchema, document: DocumentNode) -> dict[str | None, Cost]:
    """Make the cost of each operation of a valid document, by the operation's name."""
    weigh = _Weigh(schema, document)
    return {
        node.name.value if node.name else None: Cost(weigh.operation(node), _defaults(node))
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    }


def _size(value: Any) -> int:
    """Read the length in a value; one that its field will refuse counts as nothing."""
    if isinstance(value, list):
        return len(value)
    return max(int(value), 0) if isinstance(value, int | float) else 1


def _defaults(node: OperationDefinitionNode) -> dict[str, Any]:
    return {
        variable.variable.name.value: value_from_ast_untyped(variable.default_value)
        for variable in node.variable_definitions or ()
        if variable.default_value is not None
    }


class _Weigh:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self.schema = schema
        self.fragments = {n.name.value: n for n in document.definitions if isinstance(n, FragmentDefinitionNode)}
        self.weighed: dict[str, tuple[_Terms, bool]] = {}

    def operation(self, node: OperationDefinitionNode) -> _Terms:
        """Weigh one operation."""
        root = self.schema.get_root_type(node.operation)
        return self._selections(node.selection_set, root)[0] if root else Counter()

    def _selections(self, node: SelectionSetNode, parent: GraphQLCompositeType) -> tuple[_Terms, bool]:
        """Return what a selection set costs, and whether it asks for more than counts."""
        terms: _Terms = Counter()
        reads = False
        for selection in node.selections:
            found: _Terms = Counter()
            more = False
            if isinstance(selection, FieldNode):
                found, more = self._field(selection, parent), selection.name.value not in COUNTS
            elif isinstance(selection, FragmentSpreadNode):
                found, more = self._fragment(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._type(condition.name.value) if condition else parent
                found, more = self._selections(selection.selection_set, inner)
            terms.update(found)
            reads |= more
        return terms, reads

    def _fragment(self, name: str) -> tuple[_Terms, bool]:
        if name not in self.weighed:
            node = self.fragments[name]
            self.weighed[name] = self._selections(node.selection_set, self._type(node.type_condition.name.value))
        return self.weighed[name]

    def _field(self, node: FieldNode, parent: GraphQLCompositeType) -> _Terms:
        if node.selection_set is None or not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return Counter()
        field = parent.fields.get(node.name.value)
        if field is None:
            return Counter()  # introspection
        below, reads = self._selections(node.selection_set, get_named_type(field.type))
        if not any(name in field.args for name in SIZES):
            return below
        length = _length(node) if reads else Length((), 1)
        # The rows of this list, and for each of them what lies below.
        below[()] += 1
        if length.variables:
            return Counter({(*inner, length): times for inner, times in below.items()})
        return Counter({inner: times * length.of({}) for inner, times in below.items()})

    def _type(self, name: str) -> GraphQLCompositeType:
        return self.schema.type_map[name]  # type: ignore[return-value] # of a valid document


def _length(node: FieldNode) -> Length:
    variables: list[str] = []
    fixed: int | None = None
    for argument in node.arguments or ():
        value = argument.value
        if argument.name.value not in SIZES:
            continue
        if isinstance(value, VariableNode):
            variables.append(value.name.value)
        elif isinstance(value, IntValueNode | ListValueNode):
            fixed = max(fixed or 0, len(value.values) if isinstance(value, ListValueNode) else int(value.value))
    return Length(tuple(variables), fixed)
