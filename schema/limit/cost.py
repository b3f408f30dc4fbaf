"""The cost of an operation: the most rows that its lists may hold, multiplied where lists are nested.

The cost counts each list once. Fields are collected as in execution: a list in several fragments is one list, and
fields that @skip and @include leave out cost nothing. The cost of a valid document is found once. It is a number, or a
formula that each request evaluates with its variables.

docs/graphql.md publishes the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
)

from schema.limit.expected import Described, described, expected, is_list
from schema.limit.formula import ONE, ZERO, Constant, Flag, Formula, Length, Product, When, greatest, total
from schema.limit.size import INTROSPECTION

# Arguments that limit the length of a list.
SIZES = ("first", "last", "ids")
# Fields of a connection that cost no rows.
COUNTS = frozenset({"totalCount", "count", "groupCount", "unknownTerms", "__typename"})
# The flags that must all hold for a field to be read; a field with the guard under which it is selected.
_Guard = frozenset[Flag]
_Occurrence = tuple[_Guard, FieldNode]
_Always: _Guard = frozenset()


@dataclass(frozen=True)
class Cost:
    """The cost of one operation.

    Args:
        rows: rows of the inventory.
        described: parts of the schema that introspection describes.
    """

    rows: Formula
    described: Formula


def costs(schema: GraphQLSchema, document: DocumentNode) -> dict[str | None, Cost]:
    """Return the cost of each operation of a valid document, by the operation's name."""
    return {
        node.name.value if node.name else None: _cost(schema, document, node)
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    }


def _cost(schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode) -> Cost:
    root = schema.get_root_type(node.operation)
    if root is None:
        return Cost(ZERO, ZERO)
    weigh = _Weigh(schema, document)
    fields = weigh.collect(root, [(_Always, node.selection_set)])
    told = {name: found for name, found in fields.items() if found[0][1].name.value in INTROSPECTION}
    rows = weigh.fields(root, {name: found for name, found in fields.items() if name not in told})
    return Cost(rows, _Describe(weigh, described(schema)).root(told) if node.operation is OperationType.QUERY else ZERO)


class _Weigh:
    """Collects the fields of selections with their guards, and computes the cost of their lists."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self.schema = schema
        self.fragments = {n.name.value: n for n in document.definitions if isinstance(n, FragmentDefinitionNode)}

    def fields(
        self, parent: GraphQLObjectType, fields: Mapping[str, list[_Occurrence]], *, in_page: bool = False
    ) -> Formula:
        """Return the cost of the collected fields of an object."""
        return total(self._field(parent, found, in_page) for found in fields.values())

    def _field(self, parent: GraphQLObjectType, found: list[_Occurrence], in_page: bool) -> Formula:
        node = found[0][1]
        field = parent.fields.get(node.name.value)
        if field is None or node.selection_set is None:
            return ZERO
        is_sized = any(name in field.args for name in SIZES)
        # A page's lists `edges` and `nodes` cost nothing extra: the page's own arguments count their rows.
        below, reads = self._below(field, found, in_page=is_sized and not is_list(field.type))
        if is_sized:
            rows = When(reads, _length(node), ONE).made()
        elif is_list(field.type) and not in_page:
            rows = Constant(expected(field))
        else:
            return When(_any(found), below, ZERO).made()
        # Each row costs one, and the cost of its fields.
        return When(_any(found), Product(rows, total((ONE, below))).made(), ZERO).made()

    def _below(self, field: GraphQLField, found: list[_Occurrence], *, in_page: bool) -> tuple[Formula, list[_Guard]]:
        """Return the cost of a row's fields, and the guards of selected fields that read rows (all but COUNTS)."""
        named = get_named_type(field.type)
        sets = [(guard, node.selection_set) for guard, node in found if node.selection_set is not None]
        each: list[Formula] = []
        reads: list[_Guard] = []
        for type_ in self.types(named):
            fields = self.collect(type_, sets)
            each.append(self.fields(type_, fields, in_page=in_page))
            reads += [guard for one in fields.values() for guard, node in one if node.name.value not in COUNTS]
        # A row has one type: assume the most expensive.
        return greatest(each), reads

    def types(self, named: Any) -> list[GraphQLObjectType]:
        """Return the possible object types of a value."""
        if isinstance(named, GraphQLObjectType):
            return [named]
        return list(self.schema.get_possible_types(named)) if is_abstract_type(named) else []

    def collect(
        self, type_: GraphQLObjectType, sets: Iterable[tuple[_Guard, SelectionSetNode]]
    ) -> dict[str, list[_Occurrence]]:
        """Return the fields that selection sets select of a type, by response name, as in execution."""
        found: dict[str, list[_Occurrence]] = {}
        seen: set[tuple[str, _Guard]] = set()
        for guard, selected in sets:
            self._add(type_, selected, guard, found, seen)
        return found

    def _add(
        self,
        type_: GraphQLObjectType,
        selected: SelectionSetNode,
        guard: _Guard,
        found: dict[str, list[_Occurrence]],
        seen: set[tuple[str, _Guard]],
    ) -> None:
        for node in selected.selections:
            held = _guarded(node, guard)
            if held is None:
                continue
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append((held, node))
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self._fits(type_, node.type_condition.name.value):
                    self._add(type_, node.selection_set, held, found, seen)
            elif isinstance(node, FragmentSpreadNode) and (node.name.value, held) not in seen:
                seen.add((node.name.value, held))
                fragment = self.fragments[node.name.value]
                if self._fits(type_, fragment.type_condition.name.value):
                    self._add(type_, fragment.selection_set, held, found, seen)

    def _fits(self, type_: GraphQLObjectType, condition: str) -> bool:
        if condition == type_.name:
            return True
        named = self.schema.type_map[condition]
        return is_abstract_type(named) and self.schema.is_sub_type(named, type_)


class _Describe:
    """Weighs introspection: each described object costs one, and lists have the lengths of the real schema."""

    def __init__(self, weigh: _Weigh, sizes: Described) -> None:
        self._weigh, self._sizes = weigh, sizes

    def root(self, fields: Mapping[str, list[_Occurrence]]) -> Formula:
        """Return the cost of `__schema` and `__type` together."""
        return total(self._field("Query", found) for found in fields.values())

    def _field(self, parent: str, found: list[_Occurrence]) -> Formula:
        name = found[0][1].name.value
        type_ = self._sizes.type_of(parent, name)
        sets = [(guard, node.selection_set) for guard, node in found if node.selection_set is not None]
        if not is_object_type(type_) or not sets:
            return ZERO
        inner = self._weigh.collect(type_, sets)
        below = total((ONE, *(self._field(type_.name, one) for one in inner.values())))
        return When(_any(found), Product(Constant(self._sizes.length(parent, name)), below).made(), ZERO).made()


def _guarded(node: SelectionNode, guard: _Guard) -> _Guard | None:
    """Return a guard with the flags of a selection's @skip and @include; None if they always leave it out."""
    for directive in node.directives or ():
        if directive.name.value not in ("skip", "include"):
            continue
        wanted = directive.name.value == "include"
        value = (directive.arguments or ())[0].value
        if isinstance(value, BooleanValueNode):
            if value.value != wanted:
                return None
        elif isinstance(value, VariableNode):
            guard |= {Flag(value.name.value, wanted)}
    return guard


def _any(found: list[_Occurrence]) -> list[_Guard]:
    return [guard for guard, _ in found]


def _length(node: FieldNode) -> Formula:
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
    return Length(tuple(variables), fixed).made()
