"""The root lists of the schema and, for each, the rows it must show: read past the schema, chosen in plain Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import get_named_type
from sqlalchemy import Column, select

from schema import build_schema
from schema.access import Role
from schema.field.registry import NOUNS, Field, FieldKind, Noun
from sync.store import tables
from tests.api.caller import Caller
from tests.api.text import order as order_of
from tests.api.world import Row, World

SCHEMA = build_schema()._schema
# Noun → the root field that lists it.
LISTS: dict[str, str] = {
    get_named_type(field.type).name.removesuffix("Connection"): name
    for name, field in SCHEMA.query_type.fields.items()  # type: ignore[union-attr]
    if get_named_type(field.type).name.endswith("Connection")
}
FILTERABLE = [(noun, field.name) for noun in LISTS for field in NOUNS[noun].fields.values() if field.is_filterable]
ORDERABLE = [(noun, field.name) for noun in LISTS for field in NOUNS[noun].fields.values() if field.is_orderable]


def caller_for(world: World, noun: str, organization: int) -> Caller:
    """Return who lists a noun in the tests: a superuser for organizations, because others see only one."""
    return world.caller(Role.SUPERUSER if noun == "Organization" else Role.ADMINISTRATOR, organization)


async def visible(world: World, noun: str, caller: Caller) -> list[Row]:
    """Return the rows a caller must see in a noun's root list, by key."""
    table = NOUNS[noun].table
    rows = [row for row in await world.read(select(table).order_by(table.c.id)) if row.get("deleted_at") is None]
    if noun == "Organization":
        return rows
    mine = caller.principal.organization_id
    if noun == "DirectoryObject":
        return await without_row(world, rows, mine)
    rows = [{**row, **made_of(noun, row)} for row in rows]
    return [row for row in rows if row["organization_id"] == mine or row.get("is_global")]


async def without_row(world: World, rows: Sequence[Row], organization: int) -> list[Row]:
    """Return the objects of an organization that edges name and that are no user, group or device of an asset."""
    places = {row["id"]: row["organization_id"] for row in await world.read(select(tables.directories))}
    named = {row["to_id"] for row in await world.read(select(tables.edges))}
    kinds = (tables.users, tables.groups, tables.devices)
    known = {row["id"]: row for table in kinds for row in await world.read(select(table))}
    left_out = {
        key: row for key, row in known.items() if "asset_id" in row and not (row["asset_id"] or row["deleted_at"])
    }
    return [
        row | ({"display_name": left_out[row["id"]]["display_name"]} if row["id"] in left_out else {})
        for row in map(dict, rows)
        if places[row["directory_id"]] == organization
        and row["id"] in named
        and (row["id"] in left_out or (row["id"] not in known and row["generation"] >= 0))
    ]


def made_of(noun: str, row: Row) -> Row:
    """Return the values of fields that are no column, under the fields' names."""
    if noun != "User":
        return {}
    return {"password_never_expires": "disablepasswordexpiration" in (row["password_policies"] or "").lower()}


def id_of(noun: Noun | str, row: Row) -> str:
    """Return the id of a row as callers see it."""
    return f"{(NOUNS[noun] if isinstance(noun, str) else noun).prefix}_{row['id']}"


def value_of(field: Field, row: Row) -> Any:
    """Return the stored value of a field in a row."""
    return row[column_of(field)]


def column_of(field: Field) -> str:
    """Return the name of a field's column; one that is made of several has the field's own."""
    return field.column.name if isinstance(field.column, Column) else field.name


def in_order(noun: str, rows: Sequence[Row], orders: Sequence[Mapping[str, str]]) -> list[str]:
    """Sort rows as `orderBy` must, in plain Python, and return their ids.

    Args:
        orders: `field` is the field's attribute name; nulls count as the smallest value unless `nulls` says otherwise.
    """
    found = sorted(rows, key=lambda row: row["id"])
    for order in reversed(orders):
        field = NOUNS[noun].fields[order["field"]]
        is_descending = order.get("direction") == "DESC"
        nulls = order.get("nulls") or ("LAST" if is_descending else "FIRST")
        # What ties is sorted before: sorting is stable also in reverse.
        for read in (None, *_READ.get(field.kind, ())):
            values = {row["id"]: value_of(field, row) for row in found}
            if read:
                values = {key: None if value is None else read(value) for key, value in values.items()}
            missing = [row for row in found if values[row["id"]] is None]
            present = [row for row in found if values[row["id"]] is not None]
            present.sort(key=lambda row, values=values: values[row["id"]], reverse=is_descending)  # type: ignore[misc]
            found = missing + present if nulls == "FIRST" else present + missing
    return [id_of(noun, row) for row in found]


def version(text: str | None) -> list[int] | None:
    """Return a version's numbers without zeros at its end; None if there are none."""
    numbers = [int(number) for number in re.findall("[0-9]+", text or "")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers if re.search("[0-9]", text or "") else None


# What values are sorted by before they are sorted by themselves.
_READ: dict[FieldKind, tuple[Callable[[Any], Any], ...]] = {FieldKind.TEXT: (order_of,), FieldKind.VERSION: (version,)}


def as_argument(orders: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Write orders as the variable of `orderBy`."""
    return [{**order, "field": order["field"].upper()} for order in orders]
