"""How a list is read: one page, and its count, in one statement each, also for the lists of many parents at once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, RowMapping, Select, func, select

from schema.context import Context
from schema.paging import CursorCodec, SortKey, Window, behind
from schema.transitive import KEYS

CURSOR_PURPOSE = "cursor"


@dataclass(frozen=True)
class Listing:
    """One list as a caller asked for it: which rows, in which order, and what becomes of them.

    Args:
        name: of the connection type, without its ending.
        place: tells this list, filter and order from any other of the organization, its parent aside.
        rows: selects the rows; of every parent, if there is one.
        columns: what is read; each sort key's field is the label of one.
        keys: the order; the last one is unique.
        records: makes the nodes of a page's rows.
        parent: the key of the object whose list this is, if it is nested.
        parent_column: where `rows` has that key.
    """

    name: str
    place: Sequence[object]
    rows: Select[Any]
    columns: Sequence[ColumnElement[Any]]
    keys: tuple[SortKey, ...]
    records: Callable[[Sequence[RowMapping]], Awaitable[list[Any]]]
    parent: int | None = None
    parent_column: ColumnElement[int] | None = None

    @property
    def identity(self) -> bytes:
        """The list's place and order."""
        order = [(key.field, key.is_descending, key.nulls_first) for key in self.keys]
        return orjson.dumps([*self.place, order])

    def codec(self, context: Context) -> CursorCodec:
        """Make the codec of this list's cursors."""
        scope = orjson.dumps([context.principal.organization_id, self.parent]) + self.identity
        return CursorCodec(context.runtime.vault.derive(CURSOR_PURPOSE), hashlib.sha256(scope).digest(), len(self.keys))


@dataclass(frozen=True)
class PageOfRows:
    """The rows of a page in the list's order, and whether more lie beyond it on either side."""

    rows: list[RowMapping]
    has_next: bool
    has_previous: bool


async def read_rows(context: Context, listing: Listing, page: Window, codec: CursorCodec) -> PageOfRows:
    """Read one page.

    Raises:
        BadCursor: the page's cursor belongs to another list.
    """
    keys = tuple(key.turned() for key in listing.keys) if page.backwards else listing.keys
    values = codec.decode(page.cursor, page.argument) if page.cursor is not None else None
    # One row more than asked for tells whether the list goes on.
    statement = listing.rows if values is None else listing.rows.where(behind(keys, values))
    rows = await _read(context, listing, statement, keys, page.size + 1, values)
    is_cut, has_cursor = len(rows) > page.size, values is not None
    rows = rows[: page.size]
    if page.backwards:
        return PageOfRows(rows[::-1], has_cursor, is_cut)
    return PageOfRows(rows, is_cut, has_cursor)


async def _read(
    context: Context, listing: Listing, rows: Select[Any], keys: tuple[SortKey, ...], size: int, values: object
) -> list[RowMapping]:
    terms = [key.term() for key in keys]
    if listing.parent_column is None:
        statement = rows.with_only_columns(*listing.columns, maintain_column_froms=True).order_by(*terms).limit(size)
        return list(await context.fetch(statement))
    column = listing.parent_column

    async def read_many(parents: list[int]) -> list[list[RowMapping]]:
        return await _read_nested(context, listing, rows, terms, size, column, parents)

    is_turned = keys != listing.keys
    loader = context.loader((listing.identity, is_turned, size, repr(values)), read_many)
    found: list[RowMapping] = await loader.load(listing.parent or 0)
    return found


async def _read_nested(
    context: Context,
    listing: Listing,
    rows: Select[Any],
    terms: Sequence[ColumnElement[Any]],
    size: int,
    column: ColumnElement[int],
    parents: list[int],
) -> list[list[RowMapping]]:
    """Read the first `size` rows of each parent's list."""
    columns = [*listing.columns, column.label("parent")]
    chosen = rows.with_only_columns(*columns, maintain_column_froms=True).where(column.in_(parents))
    if len(parents) == 1:
        statement = chosen.order_by(*terms).limit(size)
    else:
        rank = func.row_number().over(partition_by=column, order_by=terms).label("rank")
        ranked = chosen.add_columns(rank).subquery()
        statement = select(ranked).where(ranked.c.rank <= size).order_by(ranked.c.parent, ranked.c.rank)
    found: dict[int, list[RowMapping]] = {parent: [] for parent in parents}
    for row in await context.fetch(statement, keys_of(parents)):
        found[row["parent"]].append(row)
    return [found[parent] for parent in parents]


def keys_of(parents: Sequence[int]) -> dict[str, Any]:
    """Make the parameter of relations that are walked from their parents (schema/transitive.py)."""
    return {KEYS: orjson.dumps(parents).decode()}


async def count_rows(context: Context, listing: Listing) -> int:
    """Count the rows of the whole list."""
    number = func.count().label("number")
    column = listing.parent_column
    if column is None:
        rows = await context.fetch(listing.rows.with_only_columns(number, maintain_column_froms=True))
        return int(rows[0]["number"])

    async def count_many(parents: list[int]) -> list[int]:
        counted = listing.rows.with_only_columns(column.label("parent"), number, maintain_column_froms=True)
        statement = counted.where(column.in_(parents)).group_by(column)
        found = {row["parent"]: row["number"] for row in await context.fetch(statement, keys_of(parents))}
        return [found.get(parent, 0) for parent in parents]

    return int(await context.loader((listing.identity, "count"), count_many).load(listing.parent or 0))
