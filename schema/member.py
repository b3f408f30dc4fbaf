"""Members of a group: a list of users, groups and assets together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import strawberry
from sqlalchemy import FromClause, RowMapping, case, func, select

from schema.access import Principal
from schema.connection import PAGING, read_page
from schema.context import Context
from schema.form import FORM, Members, accept
from schema.generated import named
from schema.listing import Listed, Listing, parents
from schema.paging import SortKey
from sync.inventory.kind import Edge
from sync.store.tables import devices, edges, groups, users

KIND = {"User": users, "Group": groups, "Asset": devices}


def members() -> Any:
    """Declare `Group.members`: the direct members that are there, in the order the directory objects came."""

    async def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        context: Context = info.context

        async def records(page: Sequence[RowMapping]) -> list[Any]:
            return await asyncio.gather(*(context.load(row["kind"], row["record"]) for row in page))

        listed = Listed(member_listing(context.principal), context.principal, root.key, records)
        return await read_page(context, listed, arguments)

    accept(resolve, named("MemberConnection"), PAGING)
    description = "The direct members of every kind."
    return strawberry.field(resolver=resolve, description=description, metadata={FORM: Members()})


def _with_records(start: FromClause, organization_id: int) -> FromClause:
    """Join to members what may be their rows; only those that are there and the caller's."""
    for table in KIND.values():
        is_there = (table.c.id == edges.c.to_id) & table.c.deleted_at.is_(None)
        if table is devices:
            is_there &= devices.c.asset_id.is_not(None)
        start = start.outerjoin(table, is_there & (table.c.organization_id == organization_id))
    return start


def member_listing(principal: Principal) -> Listing:
    """Make the list of members of each parent: each member's own key, its noun, and the key of the record of it."""
    kind = case(*((table.c.id.is_not(None), name) for name, table in KIND.items()))
    record = func.coalesce(users.c.id, groups.c.id, devices.c.asset_id)
    organization_id, near = principal.organization_id, parents()
    tie = (edges.c.kind == Edge.MEMBER) & (edges.c.from_id == near.c.value)
    return Listing(
        name="Member",
        place=("Group", "members"),
        rows=select(edges.c.to_id).select_from(_with_records(edges, organization_id)).where(tie, record.is_not(None)),
        key=edges.c.to_id,
        columns=[edges.c.to_id.label("key"), kind.label("kind"), record.label("record")],
        keys=(SortKey("key", edges.c.to_id, False, True),),
        near=near,
        attach=lambda start, on: _with_records(start.outerjoin(edges, tie & on), organization_id),
    )
