"""A compiled operation: what it does at its root, and what the arguments of its lists and look-ups mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import ArgumentNode, FieldNode, GraphQLObjectType, OperationDefinitionNode, Visitor, visit
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.types.arguments import convert_arguments

from schema.access import Principal
from schema.field.registry import NOUNS
from schema.field.resolution import FORM, Lookup, Many, Mixed, Named
from schema.filter.where import Viewpoint
from schema.list.connection import listing_of, window_of
from schema.list.members import mixed_columns, mixed_listing
from schema.list.node import is_open
from schema.lru import Recent
from schema.plan.bound import Bound, BoundList, BoundLookup, BoundNames
from schema.plan.collect import Collector
from schema.plan.compile import Compiler, Nodes
from schema.plan.level import Columns, PlanRun
from schema.plan.page import ConnectionPlan, ordered
from schema.plan.refusal import Gave, NotPlanned
from schema.plan.selection import Selection
from schema.plan.statement import Statement
from schema.plan.value import definition

# Filters, orders and cursor shapes that a program keeps statements for.
STATEMENTS_MAX = 64

Bind = Callable[[VariableValues], Bound]
Root = Callable[[PlanRun], Any]


@dataclass
class Program:
    """An operation that can be run.

    Args:
        binds: what reads the arguments of each slot.
        roots: response name → its value.
    """

    binds: list[Bind] = field(default_factory=list)
    roots: dict[str, Root] = field(default_factory=dict)

    def slot(self, bind: Bind) -> int:
        """Take the place of what `bind` reads, before anything nested is compiled: that takes places of its own."""
        self.binds.append(bind)
        return len(self.binds) - 1

    def bind(self, variables: VariableValues) -> tuple[Bound, ...]:
        """Read every argument.

        Raises:
            BadInput: one cannot be used.
        """
        return tuple(bind(variables) for bind in self.binds)

    def run(self, run: PlanRun) -> dict[str, Any]:
        """Return the operation's data."""
        return {name: root(run) for name, root in self.roots.items()}


class ProgramCompiler:
    """Compiles one operation.

    Args:
        schema: gives the types, and converts arguments as its own executor does.
        collector: knows the operation's fragments and flags.
        principal: stands for the callers the program is for.
    """

    def __init__(self, schema: strawberry.Schema, collector: Collector, principal: Principal) -> None:
        self._schema, self._collector, self._principal = schema, collector, principal
        self._viewpoint = Viewpoint(principal, None)
        self._compiler = Compiler(collector, principal, self._constant, self._connect)
        self._program = Program()

    def compile(self, operation: OperationDefinitionNode) -> Program:
        """Compile an operation.

        Raises:
            NotPlanned: something in it has no form.
        """
        query = self._collector.schema.query_type
        assert query is not None  # noqa: S101 - the schema has one
        for response, nodes in self._collector.collect(query, [operation]).items():
            self._program.roots[response] = self._root(query, nodes)
        return self._program

    def _root(self, query: GraphQLObjectType, nodes: Nodes) -> Root:
        name = nodes[0].name.value
        if name == "__typename":
            return lambda _: query.name
        if name not in query.fields:
            raise NotPlanned
        match definition(query, name).metadata.get(FORM):
            case Many() as form:
                return self._connect(query, nodes, form).whole
            case Lookup() as form:
                return self._lookup(query, nodes, form)
            case Named() as form:
                return self._named(query, nodes, form)
        raise NotPlanned

    def _lookup(self, query: GraphQLObjectType, nodes: Nodes, form: Lookup) -> Root:
        statements = dict[Any, Statement]()

        def bind(variables: VariableValues) -> Bound:
            key, value = form.sought(**self._arguments(query, nodes[0], variables))
            if key not in statements:
                statements[key] = self._compiler.statement(form.target, columns, key.holds)
            return BoundLookup(statements[key], value)

        slot = self._program.slot(bind)
        columns, view = self._compiler.rows(form.target, nodes)

        def find(run: PlanRun) -> Any:
            bound = run.bounds[slot]
            assert isinstance(bound, BoundLookup)  # noqa: S101 - slots are handed out by kind
            rows = run.rows(bound.statement, value=bound.value)
            if len(rows) > 1:
                raise Gave
            return view.show(run, rows)[0] if rows else None

        return find

    def _named(self, query: GraphQLObjectType, nodes: Nodes, form: Named) -> Root:
        role = self._principal.role
        slot = self._program.slot(
            lambda variables: BoundNames(form.sought(**self._arguments(query, nodes[0], variables)))
        )
        rows = {noun: self._compiler.by_key(noun, nodes, 0) for noun in NOUNS if is_open(noun, role)}

        def find(run: PlanRun) -> Any:
            bound = run.bounds[slot]
            assert isinstance(bound, BoundNames)  # noqa: S101 - slots are handed out by kind
            keys: dict[str, set[int]] = {noun: set() for noun in rows}
            written = run.tally.written_bytes
            for noun, key in bound.sought:
                if noun in keys:
                    keys[noun].add(key)
            # One statement a noun; of one that no id names nothing is read.
            found = {noun: rows[noun].of_keys(run, wanted) for noun, wanted in keys.items()}
            # An id may be sent many times, and what it names is in the answer as often.
            shown, _ = run.write([found.get(noun, {}).get(key) for noun, key in bound.sought], written)
            return shown if form.is_many else shown[0]

        return find

    def _connect(self, parent: GraphQLObjectType, nodes: Nodes, form: Many | Mixed) -> ConnectionPlan:
        columns = Columns(offset=0 if isinstance(form, Many) and not form.pairs else 1)
        if isinstance(form, Mixed):
            columns.entries.extend(mixed_columns(form))
        place = (parent.name, nodes[0].name.value)
        known: Recent[dict[tuple[Any, ...], Statement]] = Recent(STATEMENTS_MAX)

        def bind(variables: VariableValues) -> Bound:
            arguments = self._arguments(parent, nodes[0], variables)
            if isinstance(form, Mixed):
                listing = mixed_listing(form, self._viewpoint, arguments)
            else:
                listing = listing_of(form, self._viewpoint, columns.entries, place, arguments)
            listing = ordered(listing) if connection.has_cursors else listing
            return BoundList(listing, window_of(arguments), columns.width, known.get(listing.identity, dict))

        connection = ConnectionPlan(self._program.slot(bind))
        Selection(self._collector, self._compiler, connection, columns).compile(parent, nodes, form)
        return connection

    def _constant(self, type_: GraphQLObjectType, node: FieldNode) -> dict[str, Any]:
        if any(_reads_variables(argument) for argument in node.arguments or ()):
            raise NotPlanned
        return self._arguments(type_, node, VariableValues({}, {}))

    def _arguments(self, type_: GraphQLObjectType, node: FieldNode, variables: VariableValues) -> dict[str, Any]:
        """Read a field's arguments as the executor would hand them to its resolver."""
        name = node.name.value
        values = get_argument_values(type_.fields[name], node, variables)
        registry = self._schema.schema_converter.scalar_registry
        declared = definition(type_, name)
        return convert_arguments(values, declared.arguments, scalar_registry=registry, config=self._schema.config)


def _reads_variables(node: ArgumentNode) -> bool:
    walk = _Variables()
    visit(node, walk)
    return walk.is_found


class _Variables(Visitor):
    is_found = False

    def enter_variable(self, *_: object) -> None:
        self.is_found = True
