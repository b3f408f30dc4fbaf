"""Connections in a plan: what their arguments mean, and how the pages of all parents are read and put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orjson import Fragment
from sqlalchemy import Boolean

from schema.field.rows import keys_text
from schema.list.listing import Listing, codec_of
from schema.list.paging import CursorCodec
from schema.plan.bound import BoundList
from schema.plan.level import PlanRun, Shows
from schema.plan.refusal import Gave
from schema.plan.statement import Row


@dataclass(slots=True)
class ParentPage:
    """The rows of one parent's page, and what they became: view → one value a row."""

    rows: list[Row]
    has_next: bool
    has_previous: bool
    parent: int | None
    bound: BoundList
    run: PlanRun
    shown: dict[int, Any] = field(default_factory=dict)
    count: int = 0

    def cursors(self, rows: Iterable[Row]) -> list[str]:
        """Write the cursors of some of the rows."""
        codec, width = _codec(self.run, self.bound.listing, self.parent), self.bound.width
        flags = [isinstance(key.column.type, Boolean) for key in self.bound.listing.keys]
        if not any(flags):
            return [codec.encode(row[width:]) for row in rows]
        return [
            codec.encode([v if v is None or not flag else v == 1 for v, flag in zip(row[width:], flags, strict=True)])
            for row in rows
        ]


def _keys(pages: list[ParentPage]) -> str:
    return keys_text([page.parent for page in pages])  # type: ignore[misc] # the parents of nested lists have keys


def _codec(run: PlanRun, listing: Listing, parent: int | None) -> CursorCodec:
    return codec_of(listing, run.organization, parent, run.cursor_key)


Part = Callable[[ParentPage], Any]


@dataclass(slots=True)
class ConnectionPlan:
    """What a document selects of a connection.

    Args:
        slot: where its arguments are bound.
        views: the selections on its nodes.
        parts: response name → what it is of a page.
        has_cursors: cursors are selected, so the columns of the order are read too.
        has_more: it is asked whether the list goes on, so one row more is read.
        has_rows: rows are read at all.
        has_count: the whole list is counted.
        is_text: nothing is made of the rows but one list, whose members the database writes.
    """

    slot: int
    views: list[Shows] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    has_cursors: bool = False
    has_more: bool = False
    has_rows: bool = False
    has_count: bool = False
    is_text: bool = False

    def whole(self, run: PlanRun) -> Any:
        """Return the connection of a list without parent."""
        return self.of(run, [None])[None]

    def of(self, run: PlanRun, parents: Sequence[int | None]) -> Mapping[int | None, Any]:
        """Return parent → connection."""
        bound = run.bounds[self.slot]
        assert isinstance(bound, BoundList)  # noqa: S101 - slots are handed out by kind
        pages = [ParentPage([], False, False, parent, bound, run) for parent in parents]
        if self.is_text and bound.fits_text:
            self._read_text(run, bound, pages)
        else:
            self._read(run, bound, pages)
            self._show(run, pages)
        if self.has_count:
            self._count(run, bound, pages)
        parts = self.parts.items()
        return {page.parent: {name: part(page) for name, part in parts} for page in pages}

    def _show(self, run: PlanRun, pages: list[ParentPage]) -> None:
        rows = [row for page in pages for row in page.rows] if len(pages) > 1 else pages[0].rows
        for number, view in enumerate(self.views):
            shown, start = view.show(run, rows), 0
            for page in pages:
                page.shown[number] = shown[start : start + len(page.rows)]
                start += len(page.rows)

    def _given(
        self, run: PlanRun, bound: BoundList, pages: list[ParentPage]
    ) -> tuple[list[Any] | None, dict[str, Any]]:
        """Return the values that the cursor holds, and what a page's statement takes."""
        window, values = bound.window, None
        if window.cursor is not None:
            # Another parent's cursor is an error at that parent only; the executor knows how to say so.
            if len(pages) != 1:
                raise Gave
            values = _codec(run, bound.listing, pages[0].parent).decode(window.cursor, window.argument)
        given = {f"cursor{number}": value for number, value in enumerate(values or ())}
        return values, given | {"size": window.size + self.has_more}

    def _read_text(self, run: PlanRun, bound: BoundList, pages: list[ParentPage]) -> None:
        values, given = self._given(run, bound, pages)
        statement, found = bound.page(values, is_text=True), dict[int | None, str | None]()
        if bound.listing.near is None:
            found[None] = run.rows(statement, **given)[0][0]
        else:
            found.update(run.rows(statement, **given, keys=_keys(pages)))  # type: ignore[arg-type]
        run.add(sum([len(text) for text in found.values() if text]), run.tally.written_bytes)
        for page in pages:
            page.shown[0] = Fragment(f"[{found[page.parent] or ''}]")

    def _read(self, run: PlanRun, bound: BoundList, pages: list[ParentPage]) -> None:
        window, (values, given) = bound.window, self._given(run, bound, pages)
        if not self.has_rows:
            return
        if bound.listing.near is None:
            pages[0].rows = run.rows(bound.page(values), **given)
        else:
            by_parent = {page.parent: page.rows for page in pages}
            for row in run.rows(bound.page(values), **given, keys=_keys(pages)):
                by_parent[row[0]].append(row)
        for page in pages:
            is_cut = len(page.rows) > window.size
            page.rows = page.rows[: window.size]
            page.has_next, page.has_previous = is_cut, values is not None
            if window.backwards:
                page.rows.reverse()
                page.has_next, page.has_previous = values is not None, is_cut

    def _count(self, run: PlanRun, bound: BoundList, pages: list[ParentPage]) -> None:
        if bound.listing.near is None:
            pages[0].count = run.rows(bound.count)[0][0]
            return
        counts: dict[Any, int] = dict(run.rows(bound.count, keys=_keys(pages)))  # type: ignore[arg-type]
        for page in pages:
            page.count = counts[page.parent]


@dataclass(frozen=True, slots=True)
class ManyRelation:
    """A connection of each row, whose key stands at `place`."""

    place: int
    connection: ConnectionPlan

    def load(self, run: PlanRun, rows: Sequence[Row]) -> Mapping[Any, Any]:
        """Return parent → connection."""
        place = self.place
        # The same row may hang on several; its list is read once.
        return self.connection.of(run, list(dict.fromkeys(row[place] for row in rows)))


def ordered(listing: Listing) -> Listing:
    """Read the columns of a list's order too, behind the others."""
    # Inside a page the key may be a column of the pairs; outside, only that of the rows can be read.
    own = [listing.key if key.field == "key" else key.column for key in listing.keys]
    return replace(listing, columns=[*listing.columns, *(column.label(None) for column in own)])
