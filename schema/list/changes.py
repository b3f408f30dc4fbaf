"""Changes of an inventory since a caller's last call, for callers that keep a copy up to date.

Each row has the organization's version of its last write, and a deleted row stays as its own tombstone. Changes are
read in the order of (version, id). A row that is written meanwhile moves to the end, so no page misses it.
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
from schema.field.arguments import accept, argument, given
from schema.field.ids import encode_id
from schema.field.registry import NOUNS, Record
from schema.field.scalars import BigInt, DateTime
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
    cast(Any, enum.Enum("ChangingInventory", _INVENTORIES)), description="The inventories whose changes can be read."
)


@strawberry.enum(description="What happened to a row.")
class ChangeKind(enum.Enum):
    CREATED = strawberry.enum_value("CREATED", description="The row is new since the last complete reading.")
    UPDATED = strawberry.enum_value("UPDATED", description="The row changed, or was restored after its removal.")
    REMOVED = strawberry.enum_value("REMOVED", description="The row was removed; `node` is null.")


@strawberry.type(description="A changed row; several changes of a row are one entry with its present state.")
class Change:
    change: ChangeKind = strawberry.field(description="What happened to the row.")
    id: strawberry.ID = strawberry.field(description="The id of the row.")
    node: Record | None = strawberry.field(description="The present row; null if it was removed.")
    version: BigInt = strawberry.field(description="The organization's version of the row's last write.")
    changed_at: DateTime = strawberry.field(description="When the row was last written.")


@strawberry.type(description="Where a page of changes ends.")
class ChangesPageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are more changes now.")
    end_cursor: str = strawberry.field(description="The value of `after` for the next call, now or days later.")


@strawberry.type(description="A page of changes, the oldest first.")
class Changes:
    nodes: list[Change] = strawberry.field(description="The changes.")
    page_info: ChangesPageInfo = strawberry.field(description="Where the page ends.")


@dataclass(frozen=True)
class Position:
    """A caller's position in the changes.

    Args:
        since: the version at which the caller's copy was last complete; 0 if it never was.
        began: the version at which the first reading began, if the copy never was complete.
        version: the version of the last row read.
        key: the key of the last row read.
    """

    since: int = 0
    began: int = 0
    version: int = 0
    key: int = 0

    @property
    def needs(self) -> int:
        """The first version whose removals must still be known."""
        # A first reading needs no removals from before its begin, because it never showed those rows.
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
            "The `endCursor` of the page before, of this organization and inventory; without it, every row "
            "comes as CREATED.",
        ),
        "first": argument(
            Optional[int],  # noqa: UP045
            f"The number of changes, 1 to {FIRST_MAX:,}; {FIRST_DEFAULT} by default.",
        ),
    }
    accept(resolve, Changes, arguments)
    text = "The rows created, updated and removed since `after`; docs/graphql.md shows how to keep a copy."
    return strawberry.field(resolver=resolve, description=text)


async def read_changes(context: Context, noun: str, after: str | None, size: int) -> Changes:
    """Read one page of changes.

    Raises:
        BadCursor: `after` belongs to another list, or tombstones since then have been purged.
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
    # The reading is complete up to the present version; the next one begins with the version after it.
    end = Position(now["version"], now["version"], now["version"] + 1)
    if is_cut:
        end = replace(start, version=rows[-1]["version"], key=rows[-1]["id"])
    return Changes(
        nodes=await asyncio.gather(*(_change(context, noun, row, start.since) for row in rows)),
        page_info=ChangesPageInfo(has_next_page=is_cut, end_cursor=codec.encode(astuple(end))),
    )


def _check(start: Position, version: int, purged: int) -> None:
    hint = "Read everything again: call without `after`, and delete rows that this does not return."
    if start.needs <= purged:
        raise BadCursor("The cursor is too old: removals since then have been purged.", hint=hint, path="after")
    if start.version > version + 1:
        raise BadCursor("The cursor is newer than the inventory, which was restored.", hint=hint, path="after")


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
        # A first reading needs no tombstones.
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
