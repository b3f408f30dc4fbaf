"""Members of a group: a list of users, groups and assets together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import strawberry
from sqlalchemy import FromClause, RowMapping, Select, case, func, select

from schema.arguments import PAGING, TRANSITIVE, accept, argument
from schema.connection import given, read_page
from schema.context import Context
from schema.generated import named
from schema.listing import Listing
from schema.paging import SortKey
from schema.relations import along
from schema.transitive import members_of_groups
from sync.inventory.kind import Edge
from sync.store.tables import devices, groups, users

KIND = {"User": users, "Group": groups, "Asset": devices}


def members() -> Any:
    """Declare `Group.members`: the members that are there, in the order the directory objects came."""

    async def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        listing = _listing(info.context, root.key, is_transitive=bool(arguments.get("transitive")))
        return await read_page(info.context, listing, *(given(arguments.get(name)) for name in PAGING))

    arguments = PAGING | {"transitive": argument(bool, TRANSITIVE)}
    accept(resolve, named("MemberConnection"), arguments, {"transitive": False})
    return strawberry.field(resolver=resolve, description="The members of every kind.")


def _rows(organization_id: int, ties: FromClause) -> Select[Any]:
    """Select each member's own key, its kind, and the key of the record that shows it; `ties` are (group, member)."""
    _, member = ties.columns
    kind = case(*((table.c.id.is_not(None), name) for name, table in KIND.items()))
    record = func.coalesce(users.c.id, groups.c.id, devices.c.asset_id)
    joined: FromClause = ties
    for table in KIND.values():
        is_there = (table.c.id == member) & table.c.deleted_at.is_(None)
        if table is devices:
            is_there &= devices.c.asset_id.is_not(None)
        joined = joined.outerjoin(table, is_there & (table.c.organization_id == organization_id))
    columns = (member.label("key"), kind.label("kind"), record.label("record"))
    return select(*columns).select_from(joined).where(record.is_not(None))


def _listing(context: Context, group: int, *, is_transitive: bool) -> Listing:
    async def records(page: Sequence[RowMapping]) -> list[Any]:
        return await asyncio.gather(*(context.load(row["kind"], row["record"]) for row in page))

    ties = members_of_groups().distinct().subquery() if is_transitive else along(Edge.MEMBER).subquery()
    rows = _rows(context.principal.organization_id, ties)
    parent, member = ties.columns
    return Listing(
        name="Member",
        place=("Group", "members", is_transitive),
        rows=rows,
        columns=list(rows.selected_columns),
        keys=(SortKey("key", member, False, True),),
        records=records,
        parent=group,
        parent_column=parent,
    )
