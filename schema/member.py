"""Members of a group: a list of users, groups and assets together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import strawberry
from sqlalchemy import FromClause, RowMapping, Select, case, func, select
from strawberry.types import Info

from schema.arguments import PAGING
from schema.connection import given, read_page
from schema.context import Context
from schema.generated import named
from schema.listing import Listing
from schema.paging import SortKey
from sync.inventory.kind import Edge
from sync.store.tables import devices, edges, groups, users

KIND = {"User": users, "Group": groups, "Asset": devices}


def members() -> Any:
    """Declare `Group.members`: the direct members that are there, in the order the directory objects came."""

    async def resolve(
        root: Any,
        info: Any,
        first: Any = strawberry.UNSET,
        last: Any = strawberry.UNSET,
        after: Any = strawberry.UNSET,
        before: Any = strawberry.UNSET,
    ) -> Any:
        return await read_page(
            info.context, _listing(info.context, root.key), *map(given, (first, last, after, before))
        )

    resolve.__annotations__ = {
        "info": Info,
        **PAGING,
        "return": named("MemberConnection"),
    }
    return strawberry.field(resolver=resolve, description="The direct members of every kind.")


def _rows(organization_id: int) -> Select[Any]:
    """Select each member's own key, its kind, and the key of the record that shows it."""
    kind = case(*((table.c.id.is_not(None), name) for name, table in KIND.items()))
    record = func.coalesce(users.c.id, groups.c.id, devices.c.asset_id)
    joined: FromClause = edges
    for table in KIND.values():
        is_there = (table.c.id == edges.c.to_id) & table.c.deleted_at.is_(None)
        if table is devices:
            is_there &= devices.c.asset_id.is_not(None)
        joined = joined.outerjoin(table, is_there & (table.c.organization_id == organization_id))
    columns = (edges.c.to_id.label("key"), kind.label("kind"), record.label("record"))
    return select(*columns).select_from(joined).where(edges.c.kind == Edge.MEMBER, record.is_not(None))


def _listing(context: Context, group: int) -> Listing:
    async def records(page: Sequence[RowMapping]) -> list[Any]:
        return await asyncio.gather(*(context.load(row["kind"], row["record"]) for row in page))

    rows = _rows(context.principal.organization_id)
    return Listing(
        name="Member",
        place=("Group", "members"),
        rows=rows,
        columns=list(rows.selected_columns),
        keys=(SortKey("key", edges.c.to_id, False, True),),
        records=records,
        parent=group,
        parent_column=edges.c.from_id,
    )
