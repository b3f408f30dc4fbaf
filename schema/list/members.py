"""Members and owners of a group: a list of directory objects, which are rows of several nouns.

A user or group is its own row, a device is its asset, and any other object is a `DirectoryObject`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Optional

import strawberry
from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    true,
)

from schema.access import Principal
from schema.field.arguments import ORDER_BY, PAGING, TRANSITIVE, accept, argument
from schema.field.registry import NOUNS, Noun, ending, related
from schema.field.relations import along, there
from schema.field.resolution import FORM, Mixed
from schema.field.rows import asked_keys
from schema.field.sort_key import sorting_of
from schema.field.transitive import members_of_groups
from schema.filter.conversion import converted
from schema.filter.expr import EVERYTHING, Expr
from schema.filter.where import Viewpoint, clause
from schema.generated import named
from schema.list.connection import DEFAULTS, read_page, sort_keys
from schema.list.listing import Listing, ParentList
from schema.list.narrowing import expression_of, narrowing, unknown_of
from schema.list.paging import SortKey
from sync.inventory.directory.kind import KINDS, USER, Edge
from sync.store.statement.text import sort_key_of
from sync.store.tables import devices, groups, objects, users

OTHER = "DirectoryObject"
_TABLES = {"User": users, "Group": groups, "Asset": devices}
# Microsoft Graph's names of the nouns.
_CALLED = {"User": "user", "Group": "group", "Asset": "device"}
MEMBERS = Mixed(
    "Member", "members", tuple(_TABLES), lambda: along(Edge.MEMBER), members_of_groups, narrowed="DirectoryObject"
)
OWNERS = Mixed("GroupOwner", "owners", ("User",), lambda: along(Edge.GROUP_OWNER), narrowed="User")


def members() -> Any:
    """Declare `Group.members`; the default order is that in which the objects were first read."""
    order_by: Any = Optional[list[named("DirectoryObjectOrder")]]  # type: ignore[misc]  # noqa: UP045
    arguments = PAGING | narrowing(OTHER) | {"order_by": argument(order_by, ORDER_BY)}
    arguments |= {"transitive": argument(bool, TRANSITIVE)}
    description = (
        "The members of every kind. Filter and sort them by the fields that every directory object has: its name, "
        "its kind (`user`, `group`, `device` …), its object id, its groups; `users`, `groups` and `assets` take the "
        "fields of one kind. `id` is that of a `DirectoryObject`."
    )
    return _declare(MEMBERS, description, arguments, ending(lambda: there(Edge.MEMBER, KINDS)))


def owners(others: str) -> Any:
    """Declare `Group.owners`; `others` is the relation to owners that are not users."""
    order_by: Any = Optional[list[named("UserOrder")]]  # type: ignore[misc]  # noqa: UP045
    arguments = PAGING | narrowing("User") | {"order_by": argument(order_by, ORDER_BY)}
    description = (
        "The owners of the group: users, and other objects, such as service principals. Filter and sort them by the "
        "fields of users; another object has a name, ids and groups, and its other fields are missing."
    )
    metadata = related("User", OWNERS.pairs, others=others) | ending(lambda: there(Edge.GROUP_OWNER, (USER,)))
    return _declare(OWNERS, description, arguments, metadata)


def _declare(form: Mixed, description: str, arguments: dict[str, Any], metadata: dict[str, Any]) -> Any:
    async def resolve(root: Any, info: Any, **given: Any) -> Any:
        context = info.context

        async def records(page: Sequence[RowMapping]) -> list[Any]:
            return await asyncio.gather(*(context.load(row["noun"], row["record"]) for row in page))

        listing = await context.prepared(
            info, given, lambda: _labelled(form, mixed_listing(form, context.viewpoint, given))
        )
        return await read_page(context, ParentList(listing, context.principal, root.key, records), given)

    accept(resolve, named(f"{form.name}Connection"), arguments, DEFAULTS)
    return strawberry.field(resolver=resolve, description=description, metadata={FORM: form} | metadata)


def _labelled(form: Mixed, listing: Listing) -> Listing:
    """Return the listing with the columns of its order, labelled with the names of the attributes."""
    noun = _compared(form)
    more = {key.field: _value(noun, key.field) for key in listing.keys if key.field != "key"}
    return replace(listing, columns=[*listing.columns, *(column.label(name) for name, column in more.items())])


def mixed_columns(form: Mixed) -> list[ColumnElement[Any]]:
    """Return the columns of each object: its own key, the noun of its row, and the key of that row."""
    rows = {name: _record(name) for name in form.kinds}
    kind = case(*((row.is_not(None), name) for name, row in rows.items()), else_=OTHER)
    record = func.coalesce(*rows.values(), objects.c.id)
    return [objects.c.id.label("key"), kind.label("noun"), record.label("record")]


def mixed_listing(form: Mixed, viewpoint: Viewpoint, arguments: Mapping[str, Any]) -> Listing:
    """Return the list of the objects that each parent's edges lead to.

    Raises:
        BadInput: `where`, `search` or `orderBy` cannot be used.
        Forbidden: a condition uses a field that the caller may not read.
    """
    is_transitive = bool(arguments.get("transitive"))
    pairs = form.transitive().distinct() if is_transitive and form.transitive else form.pairs()
    parent, end = (ties := pairs.subquery()).columns
    near, noun = asked_keys("parents"), _compared(form)
    expr, unknown = expression_of(noun, arguments), unknown_of(noun, arguments)
    keys = tuple(_key(noun, key, end) for key in sort_keys(noun, arguments.get("order_by", strawberry.UNSET)))
    # Join the objects only to compare or sort them; otherwise only objects without a row of another noun are read.
    is_plain = expr == EVERYTHING and len(keys) == 1
    start = ties if is_plain else ties.join(objects, objects.c.id == end)
    rows = _with_rows(form, start, end, viewpoint.principal)
    return Listing(
        name=form.name,
        place=("Group", form.place, is_transitive, repr(expr)),
        rows=select(end)
        .select_from(rows)
        .where(parent == near.c.value, _is_meant(form, expr, end, viewpoint, is_plain)),
        key=objects.c.id,
        columns=mixed_columns(form),
        keys=keys,
        near=near,
        unknown=unknown,
        attach=lambda start, on: _with_rows(form, start.outerjoin(objects, on), objects.c.id, viewpoint.principal),
    )


def _compared(form: Mixed) -> Noun:
    """Return the noun whose conditions and orders the list takes, with the columns of the joined rows."""
    return _any_object(form.kinds) if form.narrowed == OTHER else NOUNS[form.narrowed]


@cache
def _any_object(kinds: tuple[str, ...]) -> Noun:
    """Return a noun with the fields of every object, whichever noun its row has."""
    other = NOUNS[OTHER]
    there = [_TABLES[name].c.id.is_not(None) for name in kinds]
    made: dict[str, ColumnElement[Any]] = {
        "id": case((or_(*there), null()), else_=objects.c.id),
        "kind": _by_kind({name: literal(_CALLED[name]) for name in kinds}, objects.c.kind),
        "display_name": _by_kind(
            {name: _TABLES[name].c.display_name for name in kinds}, other.fields["display_name"].column
        ),
    }
    fields = {name: replace(field, column=made.get(name, field.column)) for name, field in other.fields.items()}
    return replace(other, fields=fields)


def _by_kind(values: Mapping[str, ColumnElement[Any]], otherwise: ColumnElement[Any]) -> ColumnElement[Any]:
    return case(*((_TABLES[name].c.id.is_not(None), value) for name, value in values.items()), else_=otherwise)


def _record(name: str) -> ColumnElement[Any]:
    return devices.c.asset_id if name == "Asset" else _TABLES[name].c.id


def _with_rows(form: Mixed, start: FromClause, end: ColumnElement[int], principal: Principal) -> FromClause:
    """Join the possible rows of objects, without deleted rows and rows of other organizations."""
    for table in map(_TABLES.__getitem__, form.kinds):
        is_there = (table.c.id == end) & table.c.deleted_at.is_(None)
        if table is devices:
            is_there &= devices.c.asset_id.is_not(None)
        start = start.outerjoin(table, is_there & (table.c.organization_id == principal.organization_id))
    return start


def _is_meant(
    form: Mixed, expr: Expr, end: ColumnElement[int], viewpoint: Viewpoint, is_plain: bool
) -> ColumnElement[bool]:
    """Return the condition that an object exists and matches; with a row of another noun, only that row is checked."""
    other = NOUNS[OTHER]
    seen = [other.visible, other.scope(viewpoint.principal)]
    found = [_record(name) for name in form.kinds]
    if is_plain:
        rest: ColumnElement[Any] = select(objects.c.id).where(objects.c.id == end, *seen).scalar_subquery()
        return func.coalesce(*found, rest).is_not(None)
    noun = _compared(form)
    if noun.name == OTHER:
        is_there = case((func.coalesce(*found).is_not(None), true()), else_=and_(*seen))
        return and_(is_there, clause(noun, expr, viewpoint))
    seen.append(clause(other, converted(other, noun, expr), viewpoint))
    return case((found[0].is_not(None), clause(noun, expr, viewpoint)), else_=and_(*seen))


def _key(noun: Noun, key: SortKey, end: ColumnElement[int]) -> SortKey:
    if key.field == "key":
        # The key is never null; choose the place of nulls so that the index of the edges gives the order.
        is_first = not key.is_descending if noun.name == OTHER else key.nulls_first
        return replace(key, column=end, nulls_first=is_first)
    value = _value(noun, key.field)
    if value is noun.fields[key.field].column and noun.name != OTHER:
        return key
    return replace(key, column=value if key.form is None else _sorted(noun, key.field))


def _value(noun: Noun, name: str) -> ColumnElement[Any]:
    """Return a field of the row, or of the object if it has no row of another noun."""
    own, other = noun.fields[name].column, NOUNS[OTHER].fields.get(name)
    return own if other is None or noun.name == OTHER else func.coalesce(own, other.column)


def _sorted(noun: Noun, name: str) -> ColumnElement[Any]:
    if noun.name == OTHER:
        if name != "display_name":
            return sorting_of(noun.fields[name])[0]
        return _by_kind(
            {kind: sort_key_of(table.c.display_name) for kind, table in _TABLES.items()},
            sorting_of(NOUNS[OTHER].fields[name])[0],
        )
    own, other = noun.fields[name], NOUNS[OTHER].fields[name]
    return func.coalesce(sorting_of(own)[0], sorting_of(other)[0])
