"""Reads lists: a page or a count is one statement, also for the lists of many parents at once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    RowMapping,
    Select,
    TableValuedAlias,
    func,
    select,
    true,
)

from schema.access import Principal
from schema.context import Context
from schema.field.registry import Noun
from schema.field.relations import are_unique
from schema.field.resolution import Pairs
from schema.field.rows import KEYS, asked_keys, keys_text, parameter, rows_of_keys
from schema.filter.access_path import NOTHING_KNOWN, Ways, select_keys
from schema.list.paging import CursorCodec, SortKey, Window, behind

CURSOR_PURPOSE = "cursor"


Attach = Callable[[FromClause, ColumnElement[bool]], FromClause]


@dataclass(frozen=True)
class Listing:
    """One list that a caller asked for: its rows and their order.

    Args:
        name: the connection type's name without its ending.
        place: distinguishes this list and filter from all others of the organization; does not include the parent.
        rows: selects the rows; in a nested list, those of one of the parents in `near`.
        key: the rows' unique key, which `rows` selects.
        columns: the columns to read; each sort key's field is the label of one.
        keys: the order; the last key is unique.
        near: the parents of a nested list.
        attach: joins the tables of `columns` to (parents and keys) by a condition.
        ways: the indexes that serve the filter, for a list that is not nested.
        is_walked: whether each parent's page is read along an index, without rows beyond the page.
        unknown: the terms of the search that nothing here can answer.
    """

    name: str
    place: Sequence[object]
    rows: Select[Any]
    key: ColumnElement[int]
    columns: Sequence[ColumnElement[Any]]
    keys: tuple[SortKey, ...]
    near: TableValuedAlias | None = None
    attach: Attach | None = None
    ways: Ways = NOTHING_KNOWN
    is_walked: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def identity(self) -> bytes:
        """The list's place and order, as bytes."""
        order = [key.identity for key in self.keys]
        return orjson.dumps([*self.place, order])


def codec_of(listing: Listing, organization_id: int, parent: int | None, key: bytes) -> CursorCodec:
    """Return the codec of a list's cursors."""
    scope = orjson.dumps([organization_id, parent]) + listing.identity
    return CursorCodec(key, hashlib.sha256(scope).digest(), len(listing.keys))


def nested(listing: Listing, pairs: Pairs, noun: Noun) -> Listing:
    """Restrict a list to the rows that a relation leads to from each parent; each row occurs once."""
    selected, near = pairs(), asked_keys("parents")
    listing = replace(listing, near=near, attach=partial(_outer, noun.table), ways=NOTHING_KNOWN)
    parent, target = (related := selected.subquery()).columns
    rows = listing.rows.join_from(noun.table, related, target == noun.key).where(parent == near.c.value)
    if not are_unique(selected):
        return replace(listing, rows=rows.group_by(noun.key))
    # Order by the pairs' own column: their index gives the order, so a page is read without the rest of its list.
    keys = tuple(replace(key, column=target) if key.column is noun.key else key for key in listing.keys)
    rows = rows.with_only_columns(target, maintain_column_froms=True)
    return replace(listing, rows=rows, keys=keys, is_walked=keys[0].column is target)


def _outer(table: FromClause, start: FromClause, on: ColumnElement[bool]) -> FromClause:
    # Use an outer join, so that the planner cannot start from the rows and compute the page again for each of them.
    return start.outerjoin(table, on)


def page_of(listing: Listing, keys: Sequence[SortKey], values: Sequence[Any] | None) -> Select[Any]:
    """Select the page after the row with these values, or the first page; `size` rows of each parent.

    The keys of a parent's page are selected first, then its rows are read by key. So a page of twenty rows reads twenty
    rows, however long the list is.
    """
    chosen = listing.rows if values is None else listing.rows.where(behind(keys, values))
    order, size = [key.term() for key in keys], parameter("size", Integer())
    page = chosen.order_by(*order).limit(size)
    if listing.near is None or listing.attach is None:
        paths = listing.ways.to_page(keys[0])
        if paths or len(keys) > 1:
            # Select the page's keys first, so that SQLite sorts keys and not whole rows.
            few = select_keys(chosen.order_by(*order), listing.key, paths, size) if paths else page
            page = select(listing.key).where(listing.key.in_(few)).order_by(*order)
        return page.with_only_columns(*listing.columns, maintain_column_froms=True)
    inner = page.correlate(listing.near).subquery("page")
    # Make a table of each parent's page by json_each: only a table-valued function may use columns of its neighbour.
    found = rows_of_keys(select(func.json_group_array(inner.columns[0])).scalar_subquery(), "found")
    joined = listing.attach(listing.near.join(found, true()), listing.key == found.c.value)
    statement = select(listing.near.c.value.label("parent"), *listing.columns).select_from(joined)
    return statement.order_by(listing.near.c.key, found.c.key)


def text_of(listing: Listing, values: Sequence[Any] | None) -> Select[Any]:
    """Select the page, of each parent, as one text: its rows' single column, which is a text, joined by commas.

    A nested page reads its rows where it selects their keys, which is fast only for a list that `is_walked`.
    """
    size = parameter("size", Integer())
    if listing.near is None:
        # Give the inner statement a limit of its own, so that the planner keeps its order.
        inner = page_of(listing, listing.keys, values).limit(size).subquery("page")
        return select(func.group_concat(inner.columns[0]))
    chosen = listing.rows if values is None else listing.rows.where(behind(listing.keys, values))
    page = chosen.order_by(*(key.term() for key in listing.keys)).limit(size)
    row = listing.columns[0].label("row")
    inner = page.with_only_columns(row, maintain_column_froms=True).correlate(listing.near).subquery("page")
    joined = select(func.group_concat(inner.c.row)).scalar_subquery()
    return select(listing.near.c.value.label("parent"), joined.label("page")).select_from(listing.near)


def count_of(listing: Listing) -> Select[Any]:
    """Select the number of rows of the whole list, of each parent."""
    number, near = func.count().label("number"), listing.near
    if paths := listing.ways.to_all():
        return select(number).select_from(select_keys(listing.rows, listing.key, paths).subquery())
    if near is None:
        return listing.rows.with_only_columns(number, maintain_column_froms=True)
    counted = select(number).select_from(listing.rows.correlate(near).subquery("page"))
    return select(near.c.value.label("parent"), counted.scalar_subquery().label("number"))


@dataclass(frozen=True)
class ParentList:
    """A list of one parent, and the function that makes nodes of its rows.

    Args:
        parent: the parent's key, if the list is nested.
        records: makes the nodes of a page's rows.
    """

    listing: Listing
    principal: Principal
    parent: int | None
    records: Callable[[Sequence[RowMapping]], Awaitable[list[Any]]]

    def codec(self, context: Context) -> CursorCodec:
        """Return the codec of this list's cursors."""
        return codec_of(
            self.listing, self.principal.organization_id, self.parent, context.runtime.vault.derive(CURSOR_PURPOSE)
        )


@dataclass(frozen=True)
class PageOfRows:
    """The rows of a page in the list's order, and whether more rows precede or follow it."""

    rows: list[RowMapping]
    has_next: bool
    has_previous: bool


async def read_rows(context: Context, listed: ParentList, page: Window, codec: CursorCodec) -> PageOfRows:
    """Read one page.

    Raises:
        BadCursor: the page's cursor belongs to another list.
    """
    keys = tuple(key.turned() for key in listed.listing.keys) if page.backwards else listed.listing.keys
    values = codec.decode(page.cursor, page.argument) if page.cursor is not None else None
    # Read one row more than the page has, to see whether the list continues.
    rows = await _read(context, listed, keys, page.size + 1, values)
    is_cut, has_cursor = len(rows) > page.size, values is not None
    rows = rows[: page.size]
    if page.backwards:
        return PageOfRows(rows[::-1], has_cursor, is_cut)
    return PageOfRows(rows, is_cut, has_cursor)


async def _read(
    context: Context, listed: ParentList, keys: tuple[SortKey, ...], size: int, values: Sequence[Any] | None
) -> list[RowMapping]:
    listing = listed.listing
    if listed.parent is None:
        return list(await context.fetch(page_of(listing, keys, values), {"size": size}))

    async def read_many(parents: list[int]) -> list[list[RowMapping]]:
        given = {"size": size, KEYS: keys_text(parents)}
        found: dict[int, list[RowMapping]] = {parent: [] for parent in parents}
        for row in await context.fetch(page_of(listing, keys, values), given):
            found[row["parent"]].append(row)
        return [found[parent] for parent in parents]

    is_turned = keys != listing.keys
    loader = context.loader((listing.identity, is_turned, size, repr(values)), read_many)
    rows: list[RowMapping] = await loader.load(listed.parent)
    return rows


async def count_rows(context: Context, listed: ParentList) -> int:
    """Count the rows of the whole list."""
    listing = listed.listing
    if listed.parent is None:
        return int((await context.fetch(count_of(listing)))[0]["number"])

    async def count_many(parents: list[int]) -> list[int]:
        rows = await context.fetch(count_of(listing), {KEYS: keys_text(parents)})
        found = {row["parent"]: row["number"] for row in rows}
        return [found[parent] for parent in parents]

    return int(await context.loader((listing.identity, "count"), count_many).load(listed.parent))
