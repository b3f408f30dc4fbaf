"""Members of a group: a list of users, groups and assets together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, FromClause, RowMapping, case, func, select

from schema.access import Principal
from schema.arguments import PAGING, TRANSITIVE, accept, argument
from schema.connection import read_page
from schema.context import Context
from schema.form import FORM, Members
from schema.generated import named
from schema.listing import Listed, Listing
from schema.paging import SortKey
from schema.relations import along
from schema.select import asked_keys
from schema.transitive import members_of_groups
from sync.inventory.kind import Edge
from sync.store.tables import devices, groups, objects, users

KIND = {"User": users, "Group": groups, "Asset": devices}


def members() -> Any:
    """Declare `Group.members`: the members that are there, in the order the directory objects came."""

    async def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        context: Context = info.context

        async def records(page: Sequence[RowMapping]) -> list[Any]:
            return await asyncio.gather(*(context.load(row["kind"], row["record"]) for row in page))

        listed = Listed(member_listing(context.principal, arguments), context.principal, root.key, records)
        return await read_page(context, listed, arguments)

    arguments = PAGING | {"transitive": argument(bool, TRANSITIVE)}
    accept(resolve, named("MemberConnection"), arguments, {"transitive": False})
    return strawberry.field(resolver=resolve, description="The members of every kind.", metadata={FORM: Members()})


def member_listing(principal: Principal, arguments: Mapping[str, Any]) -> Listing:
    """Make the list of members of each parent: each member's own key, its noun, and the key of the record of it."""
    is_transitive = bool(arguments.get("transitive"))
    organization_id, near = principal.organization_id, asked_keys("parents")
    ties = (members_of_groups().distinct() if is_transitive else along(Edge.MEMBER)).subquery()
    parent, member = ties.columns
    kind = case(*((table.c.id.is_not(None), name) for name, table in KIND.items()))
    record = func.coalesce(users.c.id, groups.c.id, devices.c.asset_id)
    there = _with_records(ties, member, organization_id)
    return Listing(
        name="Member",
        place=("Group", "members", is_transitive),
        rows=select(member).select_from(there).where(parent == near.c.value, record.is_not(None)),
        key=objects.c.id,
        columns=[objects.c.id.label("key"), kind.label("kind"), record.label("record")],
        keys=(SortKey("key", member, False, True),),
        near=near,
        attach=lambda start, on: _with_records(start.outerjoin(objects, on), objects.c.id, organization_id),
    )


def _with_records(start: FromClause, member: ColumnElement[int], organization_id: int) -> FromClause:
    """Join to members what may be their rows; only those that are there and the caller's."""
    for table in KIND.values():
        is_there = (table.c.id == member) & table.c.deleted_at.is_(None)
        if table is devices:
            is_there &= devices.c.asset_id.is_not(None)
        start = start.outerjoin(table, is_there & (table.c.organization_id == organization_id))
    return start
