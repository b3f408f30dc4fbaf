"""Compiles what a document selects of a connection: nodes, edges, cursors, the page's place, the count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLObjectType, get_named_type

from schema.field.registry import NOUNS
from schema.field.resolution import Many, Mixed
from schema.list.members import OTHER
from schema.plan.collect import Collector
from schema.plan.compile import Compiler, Nodes, PlanLevel
from schema.plan.level import Columns, LevelView, MixedView
from schema.plan.page import ConnectionPlan, ParentPage, Part
from schema.plan.refusal import NotPlanned

_KIND_PLACE, _RECORD_PLACE = 2, 3
# One part of an edge: (page) → its value at each of the page's rows.
Column = Callable[[ParentPage], list[Any]]


@dataclass
class Selection:
    """Compiles one connection's selection into it.

    Args:
        collector: collects its fields.
        compiler: compiles the selections on its nodes.
        connection: what is compiled.
        columns: what its level reads.
    """

    collector: Collector
    compiler: Compiler
    connection: ConnectionPlan
    columns: Columns
    _has_edges: bool = False

    def compile(self, parent: GraphQLObjectType, nodes: Nodes, form: Many | Mixed) -> None:
        """Compile the selection of a field of `parent`.

        Raises:
            NotPlanned: something in it has no form.
        """
        self._kinds = (*form.kinds, OTHER) if isinstance(form, Mixed) else ()
        self._level = PlanLevel(NOUNS[form.target] if isinstance(form, Many) else None, self.columns)
        type_ = _object(parent, nodes[0].name.value)
        for response, selected in self.collector.collect(type_, nodes).items():
            self.connection.parts[response] = self._part(type_, selected)
        self._level.is_open = self.connection.has_cursors
        self._level.finish()
        self.connection.is_text = self._is_text()

    def _part(self, type_: GraphQLObjectType, nodes: Nodes) -> Part:
        match nodes[0].name.value:
            case "__typename":
                return lambda _: type_.name
            case "totalCount":
                self.connection.has_count = True
                return lambda page: page.count
            case "unknownTerms":
                return lambda page: list(page.bound.listing.unknown)
            case "nodes":
                shown = self._nodes(nodes)
                return lambda page: page.shown[shown]
            case "edges":
                return self._edges(_object(type_, "edges"), nodes)
            case "pageInfo":
                return self._page_info(_object(type_, "pageInfo"), nodes)
        raise NotPlanned

    def _is_text(self) -> bool:
        """Tell whether one list is all that is made of the rows, and one text all that is read of each."""
        if self._has_edges or self.connection.has_cursors or self.connection.has_more:
            return False
        texts = [view.text for view in self.connection.views if isinstance(view, LevelView)]
        return len(texts) == len(self.columns.entries) == 1 and texts[0] is self.columns.entries[0]

    def _nodes(self, nodes: Nodes) -> int:
        self.connection.has_rows = True
        if self._level.noun is None:
            self.connection.views.append(self._mixed(nodes))
        else:
            type_ = self.collector.schema.type_map[self._level.noun.name]
            assert isinstance(type_, GraphQLObjectType)  # noqa: S101 - nouns are object types
            self.connection.views.append(self.compiler.view(self._level, type_, nodes))
        return len(self.connection.views) - 1

    def _mixed(self, nodes: Nodes) -> MixedView:
        relations = {name: self.compiler.by_key(name, nodes, _RECORD_PLACE) for name in self._kinds}
        return MixedView(relations, _KIND_PLACE, _RECORD_PLACE)

    def _edges(self, type_: GraphQLObjectType, nodes: Nodes) -> Part:
        self.connection.has_rows = self._has_edges = True
        columns: dict[str, Column] = {}
        for response, selected in self.collector.collect(type_, nodes).items():
            columns[response] = self._edge_column(type_, selected)
        if not columns:
            return lambda page: [{} for _ in page.rows]
        names = tuple(columns)

        def edges(page: ParentPage) -> list[Any]:
            values = zip(*(column(page) for column in columns.values()), strict=True)
            return [dict(zip(names, row, strict=True)) for row in values]

        return edges

    def _edge_column(self, type_: GraphQLObjectType, nodes: Nodes) -> Column:
        match nodes[0].name.value:
            case "__typename":
                return lambda page: [type_.name] * len(page.rows)
            case "node":
                shown = self._nodes(nodes)
                return lambda page: page.shown[shown]
            case "cursor":
                self.connection.has_cursors = True
                return lambda page: page.cursors(page.rows)
        raise NotPlanned

    def _page_info(self, type_: GraphQLObjectType, nodes: Nodes) -> Part:
        parts: dict[str, Part] = {}
        for response, selected in self.collector.collect(type_, nodes).items():
            match selected[0].name.value:
                case "__typename":
                    parts[response] = lambda _: type_.name
                case "hasNextPage":
                    parts[response] = lambda page: page.has_next
                case "hasPreviousPage":
                    parts[response] = lambda page: page.has_previous
                case "startCursor":
                    parts[response] = lambda page: next(iter(page.cursors(page.rows[:1])), None)
                case "endCursor":
                    parts[response] = lambda page: next(iter(page.cursors(page.rows[-1:])), None)
                case _:
                    raise NotPlanned
            self.connection.has_cursors |= selected[0].name.value in ("startCursor", "endCursor")
        self.connection.has_rows = self.connection.has_more = True
        return lambda page: {response: part(page) for response, part in parts.items()}


def _object(type_: GraphQLObjectType, name: str) -> GraphQLObjectType:
    named = get_named_type(type_.fields[name].type)
    assert isinstance(named, GraphQLObjectType)  # noqa: S101 - a connection, its edge and its page are object types
    return named
