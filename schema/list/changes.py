"""Changes of an inventory since a caller read it last, for copies that are kept up to date piece by piece.

Each row carries the organization's version that wrote it last, and a deleted row stays as its own tombstone. Changes
are read in the order of (version, id): a row that is written meanwhile moves to the end, so no page misses it.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, Optional, cast

import orjson
import strawberry
from sqlalchemy import RowMapping, and_, or_, select

from schema.context import Context
from schema.field.arguments import accept, argument
from schema.field.ids import encode_id
from schema.field.registry import NOUNS, Record
from schema.field.scalars import BigInt, DateTime
from schema.list.connection import given
from schema.list.listing import CURSOR_PURPOSE
from schema.list.paging import FIRST_DEFAULT, FIRST_MAX, CursorCodec, page_size
from sync.errors import BadCursor
from sync.store.tables import organizations

_INVENTORIES = {
    "ASSETS": strawberry.enum_value("Asset", description="Machines."),
    "USERS": strawberry.enum_value("User", description="Users of directories."),
    "GROUPS": strawberry.enum_value("Group", description="Groups of directories."),
}
ChangingInventory: Any = strawberry.enum(
    cast(Any, enum.Enum("ChangingInventory", _INVENTORIES)), description="What changes can be pulled of."
)


@strawberry.enum(description="What happened to a row.")
class ChangeKind(enum.Enum):
    CREATED = strawberry.enum_value("CREATED", description="It is new since the last complete pull.")
    UPDATED = strawberry.enum_value("UPDATED", description="It changed, or came back after it had been removed.")
    REMOVED = strawberry.enum_value("REMOVED", description="It is gone; `node` is null.")


@strawberry.type(description="What became of one row; several changes of it are one, the row as it is now.")
class Change:
    change: ChangeKind = strawberry.field(description="What happened to it.")
    id: strawberry.ID = strawberry.field(description="The id of the row.")
    node: Record | None = strawberry.field(description="The row as it is now; null if it is gone.")
    version: BigInt = strawberry.field(description="The organization's version that wrote it last.")
    changed_at: DateTime = strawberry.field(description="When it was written last.")


@strawberry.type(description="Where a page of changes ends.")
class ChangesPageInfo:
    has_next_page: bool = strawberry.field(description="Whether more changes are there now.")
    end_cursor: str = strawberry.field(description="What to pass as `after` next time, now or days later.")


@strawberry.type(description="A page of changes, the oldest first.")
class Changes:
    nodes: list[Change] = strawberry.field(description="The changes.")
    page_info: ChangesPageInfo = strawberry.field(description="Where the page ends.")


@dataclass(frozen=True)
class Position:
    """How far a caller has read.

    Args:
        since: the version at which its copy was complete for the last time; 0 if it never was.
        began: the version at which it began to read, if its copy never was complete.
        version: of the row read last.
        key: of the row read last.
    """

    since: int = 0
    began: int = 0
    version: int = 0
    key: int = 0

    @property
    def needs(self) -> int:
        """The version from which on removals must still be known."""
        # A first reading never showed what had been removed before it began.
        return self.version if self.since else self.began + 1


def changes() -> Any:
    """Declare `Query.changes`."""

    async def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        after, first = given(arguments.get("after")), given(arguments.get("first"))
        return await read_changes(info.context, arguments["inventory"].value, after, page_size(first))

    arguments = {
        "inventory": argument(ChangingInventory, "The inventory."),
        "after": argument(
            Optional[str],  # noqa: UP045 - Strawberry reads these at run time
            "The `endCursor` of the page before, of this organization and inventory; without it, everything there is "
            "comes as CREATED.",
        ),
        "first": argument(
            Optional[int],  # noqa: UP045
            f"How many changes, 1 to {FIRST_MAX:,}, {FIRST_DEFAULT} unless given.",
        ),
    }
    accept(resolve, Changes, arguments)
    text = "What was created, updated and removed since `after`; see docs/graphql.md for how to keep a copy."
    return strawberry.field(resolver=resolve, description=text)


async def read_changes(context: Context, noun: str, after: str | None, size: int) -> Changes:
    """Read one page of changes.

    Raises:
        BadCursor: `after` belongs elsewhere, or tombstones behind it are gone already.
    """
    organization_id = context.principal.organization_id
    scope = orjson.dumps(["changes", organization_id, noun])
    codec = CursorCodec(context.runtime.vault.derive(CURSOR_PURPOSE), scope, 4)
    where = organizations.c.id == organization_id
    (now,) = await context.fetch(select(organizations.c.version, organizations.c.purged_version).where(where))
    start = Position(began=now["version"])
    if after is not None:
        start = Position(*codec.decode(after, "after"))
        _check(start, now["version"], now["purged_version"])
    rows = await _rows(context, noun, start, size + 1)
    is_cut, rows = len(rows) > size, rows[:size]
    # Complete: all that has been committed is read, whatever inventory it was in.
    end = Position(now["version"], now["version"], now["version"] + 1)
    if is_cut:
        end = replace(start, version=rows[-1]["version"], key=rows[-1]["id"])
    return Changes(
        nodes=await asyncio.gather(*(_change(context, noun, row, start.since) for row in rows)),
        page_info=ChangesPageInfo(has_next_page=is_cut, end_cursor=codec.encode(astuple(end))),
    )


def _check(start: Position, version: int, purged: int) -> None:
    hint = "Read everything again: call without `after`, and drop what that does not name."
    if start.needs <= purged:
        raise BadCursor("The cursor is older than the removals that are still known.", hint=hint, path="after")
    if start.version > version + 1:
        raise BadCursor("The cursor is ahead of this server, which was restored.", hint=hint, path="after")


async def _rows(context: Context, noun: str, start: Position, limit: int) -> Sequence[RowMapping]:
    entry = NOUNS[noun]
    table = entry.table.c
    behind = or_(table.version > start.version, and_(table.version == start.version, table.id > start.key))
    statement = (
        select(table.id, table.version, table.created_version, table.updated_at, table.deleted_at)
        .where(entry.scope(context.principal), table.version >= start.version, behind)
        .order_by(table.version, table.id)
        .limit(limit)
    )
    if not start.version:
        # A first pull has no rows that could have been removed.
        statement = statement.where(entry.visible)
    return await context.fetch(statement)


async def _change(context: Context, noun: str, row: RowMapping, since: int) -> Change:
    kind = ChangeKind.CREATED if row["created_version"] > since else ChangeKind.UPDATED
    return Change(
        change=ChangeKind.REMOVED if row["deleted_at"] is not None else kind,
        id=strawberry.ID(encode_id(NOUNS[noun].prefix, row["id"])),
        node=None if row["deleted_at"] is not None else await context.load(noun, row["id"]),
        version=BigInt(row["version"]),
        changed_at=DateTime(row["updated_at"]),
    )
