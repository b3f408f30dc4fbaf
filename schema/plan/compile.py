"""Compiles a selection on a noun: which columns it reads, what hangs on them, and the code that makes its dicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, GraphQLObjectType, GraphQLOutputType, is_non_null_type
from sqlalchemy import ColumnElement, Select

from schema.access import Principal
from schema.field.registry import NOUNS, Noun
from schema.field.resolution import FORM, Computed, Every, Gathered, Linked, Many, Mixed, One
from schema.field.rows import among, rows_of, tied
from schema.plan.collect import Collector, Fields
from schema.plan.emit import GeneratedSource, literal
from schema.plan.level import Columns, GatheredRelation, LevelRelation, LevelView, OneRelation, TiedRelation
from schema.plan.page import ConnectionPlan, ManyRelation
from schema.plan.refusal import NotPlanned
from schema.plan.statement import Statement
from schema.plan.text import FIELDS_MAX, constant, is_available, row_text, value_text
from schema.plan.value import definition, project
from sync.store.tables.column import Json

Nodes = Sequence[FieldNode]


@dataclass
class PlanLevel:
    """The selections on one level's rows, until its columns are all known."""

    noun: Noun | None
    columns: Columns
    unfinished: list[Callable[[], None]] = field(default_factory=list)
    is_open: bool = False

    @property
    def key(self) -> int:
        """Where the key stands."""
        assert self.noun is not None  # noqa: S101 - only a noun's level has fields that ask for it
        return self.columns.index(self.noun.key)

    def finish(self) -> None:
        """Generate the code of every selection."""
        if not self.columns.entries and self.noun is not None:
            self.columns.index(self.noun.key)
        for generate in self.unfinished:
            generate()


# Makes the connection of a field: (the parent's type, its field node, pairs or None) → the connection.
Connect = Callable[[GraphQLObjectType, Nodes, Many | Mixed], ConnectionPlan]


@dataclass
class Compiler:
    """Compiles the selections of one operation.

    Args:
        collector: knows the operation's fragments and flags.
        principal: stands for the callers the plan is for.
        arguments: reads the arguments of a field that do not depend on variables; raises NotPlanned if some do.
        connect: compiles a connection.
    """

    collector: Collector
    principal: Principal
    arguments: Callable[[GraphQLObjectType, FieldNode], dict[str, Any]]
    connect: Connect

    def view(self, level: PlanLevel, type_: GraphQLObjectType, nodes: Nodes) -> LevelView:
        """Compile a selection on the level's rows.

        Raises:
            NotPlanned: something in it has no form.
        """
        source, view, selection = GeneratedSource(), LevelView(), self.collector.collect(type_, nodes)
        view.text = self._text(level, type_, selection)
        if view.text is not None:
            view.place = level.columns.index(view.text)
            shown = f"Fragment(r{view.place})"
        else:
            shown = literal(
                {
                    response: self._expression(level, type_, selected, source, view.relations)
                    for response, selected in selection.items()
                }
            )

        def generate() -> None:
            view.make = source.function(
                shown,
                width=level.columns.width,
                relations=len(view.relations),
                is_open=level.is_open,
            )

        level.unfinished.append(generate)
        return view

    def rows(self, target: str, nodes: Nodes) -> tuple[Columns, LevelView]:
        """Compile a selection on rows of a noun that are read by themselves; the key stands first in them."""
        noun, columns = NOUNS[target], Columns()
        columns.index(noun.key)
        level = PlanLevel(noun, columns)
        view = self.view(level, self._type(target), nodes)
        level.finish()
        return columns, view

    def statement(self, target: str, columns: Columns, condition: ColumnElement[bool]) -> Statement:
        """Compile the statement that reads the rows under a condition, in no order: by the index of the condition."""
        noun = NOUNS[target]
        rows = rows_of(noun, self.principal).with_only_columns(*columns.entries).where(condition)
        return Statement.of(rows)

    def by_key(self, target: str, nodes: Nodes, place: int) -> OneRelation:
        """Compile the rows of a noun that other rows name by key, at `place`."""
        columns, view = self.rows(target, nodes)
        return OneRelation(place, self.statement(target, columns, among(NOUNS[target].key)), view)

    def _type(self, name: str) -> GraphQLObjectType:
        type_ = self.collector.schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType)  # noqa: S101 - nouns are object types
        return type_

    def _text(self, level: PlanLevel, type_: GraphQLObjectType, selection: Fields) -> ColumnElement[str] | None:
        """Let the database write a selection of nothing but columns."""
        if not is_available() or not 0 < len(selection) <= FIELDS_MAX or level.noun is None:
            return None
        values: dict[str, ColumnElement[Any]] = {}
        for response, nodes in selection.items():
            value = self._value_text(level.noun, type_, nodes[0].name.value)
            if value is None:
                return None
            values[response] = value
        return row_text(values)

    def _value_text(self, noun: Noun, type_: GraphQLObjectType, name: str) -> ColumnElement[Any] | None:
        if name == "__typename":
            return constant(type_.name)
        entry = noun.fields.get(definition(type_, name).python_name)
        return None if entry is None else value_text(entry, type_.fields[name].type, noun.prefix)

    def _expression(
        self,
        level: PlanLevel,
        type_: GraphQLObjectType,
        nodes: Nodes,
        source: GeneratedSource,
        relations: list[LevelRelation],
    ) -> str:
        name = nodes[0].name.value
        if name == "__typename":
            return repr(type_.name)
        declared, returned, noun = definition(type_, name), type_.fields[name].type, level.noun
        assert noun is not None  # noqa: S101 - see PlanLevel.key
        entry = noun.fields.get(declared.python_name)
        if entry is not None:
            return source.leaf(entry, returned, noun.prefix, f"r{level.columns.index(entry.column)}")
        form = declared.metadata.get(FORM)
        if isinstance(form, Computed | Gathered):
            return self._value(level, type_, nodes, form, source, relations)
        relation, look_up, place = self._relation(level, type_, nodes, form, returned)
        relations.append(relation)
        table, cell = f"d{len(relations) - 1}", f"r{place}"
        return f"{table}[{cell}]" if look_up else f"{table}.get({cell})"

    def _relation(
        self, level: PlanLevel, type_: GraphQLObjectType, nodes: Nodes, form: object, returned: GraphQLOutputType
    ) -> tuple[LevelRelation, bool, int]:
        """Compile what hangs on the rows: the relation, whether each row must have it, and where its key stands."""
        assert level.noun is not None  # noqa: S101 - see PlanLevel.key
        match form:
            case One(target, key):
                place = level.columns.index(level.noun.table.c[key])
                return self.by_key(target, nodes, place), is_non_null_type(returned), place
            case Linked(target, pairs):
                statement, view = self._tied(target, pairs, nodes)
                return TiedRelation(level.key, statement, view, True), False, level.key
            case Every(target, pairs):
                statement, view = self._tied(target, pairs, nodes)
                return TiedRelation(level.key, statement, view, False), True, level.key
            case Many() | Mixed():
                return ManyRelation(level.key, self.connect(type_, nodes, form)), True, level.key
        raise NotPlanned

    def _tied(self, target: str, pairs: Callable[[], Select[Any]], nodes: Nodes) -> tuple[Statement, LevelView]:
        noun = NOUNS[target]
        level = PlanLevel(noun, Columns(offset=1))
        view = self.view(level, self._type(target), nodes)
        level.finish()
        return Statement.of(tied(noun, self.principal, pairs, level.columns.entries)), view

    def _value(
        self,
        level: PlanLevel,
        type_: GraphQLObjectType,
        nodes: Nodes,
        form: Computed | Gathered,
        source: GeneratedSource,
        relations: list[LevelRelation],
    ) -> str:
        assert level.noun is not None  # noqa: S101 - see PlanLevel.key
        shown = project(self.collector, type_.fields[nodes[0].name.value].type, nodes)
        arguments = self.arguments(type_, nodes[0])
        compute = form.compute
        value = source.bind(lambda *needs: shown(compute(*needs, **arguments)))
        cells = [source.argument(column, f"r{level.columns.index(column)}") for column in _needs(level.noun, form)]
        if isinstance(form, Gathered):
            relations.append(_gathered(form, level.key))
            cells.insert(0, f"d{len(relations) - 1}.get(r{level.key}, ())")
        return f"{value}({', '.join(cells)})"


def _needs(noun: Noun, form: Computed | Gathered) -> list[ColumnElement[Any]]:
    return [noun.fields[name].column if name in noun.fields else noun.table.c[name] for name in form.needs]


def _gathered(form: Gathered, place: int) -> GatheredRelation:
    rows = form.rows()
    parent = rows.selected_columns["parent"]
    names = [column.key for column in rows.selected_columns]
    assert names[0] == "parent"  # noqa: S101 - said where gathered rows are declared
    documents = frozenset(column.key or "" for column in rows.selected_columns if column.type is Json)
    return GatheredRelation(place, Statement.of(rows.where(among(parent))), tuple(map(str, names)), documents)
