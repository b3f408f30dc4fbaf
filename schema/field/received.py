"""The JSON that a record was received as, for what has no column of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Table, Text, func, literal, select
from strawberry import UNSET

from schema.field.attribute import source_of
from schema.field.registry import ANY_MEMBER, Field, FieldKind, condition
from schema.field.relations import received
from schema.field.resolution import Pairs, Rows, gathered
from schema.field.scalars import JSON
from sync.store.tables import raw
from sync.store.tables.column import Json

SOURCE = strawberry.argument(description="Only of this source, by its name or an alias.")
PREFIX = strawberry.argument(description="Only those whose name begins so, in this letter case.")


@strawberry.type(description="One attribute that a source gives.")
class Attribute:
    source: str = strawberry.field(description="The source, such as `azuread`.")
    name: str = strawberry.field(description="The source's own name; nested values are joined by dots.")
    value: JSON = strawberry.field(description="The value as the source gave it.")


def received_list(
    table: Table,
    prop: str,
    description: str,
    *,
    keyword: str = "",
    names: Mapping[str, tuple[str, ...]] | None = None,
) -> Field:
    """Declare a list of objects that lies in the received JSON alone as something to filter by: by any of their texts.

    Args:
        table: of the noun.
        prop: the property of Graph.
        description: what they are, a sentence without its full stop.
        keyword: its name in search texts; by default the noun's.
        names: what else the values are called, by value.
    """
    text = f"{description}: any text of an element. Graph property: `{prop}`."
    aliases = (prop,) if keyword else ()
    # As JSON, also where it is no list: SQLite refuses to read a bare text as one, and the statement with it.
    value = _in_raw(table, raw.c.item.op("->", return_type=Json)(literal(f"$.{prop}", Text())))
    more: dict[str, Any] = {"element": ANY_MEMBER, "names": names, "received_as": prop}
    return condition(value, FieldKind.LIST, text, keyword=keyword, aliases=aliases, **more)


def received_text(table: Table, path: str, description: str) -> Field:
    """Declare a text that lies in the received JSON alone, at a path such as `employeeOrgData.division`, likewise."""
    # Spelled out: SQLAlchemy's own way to a part of JSON converts the path when it runs, which a plan does not.
    value = func.json_extract(raw.c.item, f"$.{path}", type_=Text())
    text = f"{description}. Graph property: `{path}`."
    return condition(_in_raw(table, value), FieldKind.TEXT, text, received_as=path)


def _in_raw(table: Table, value: ColumnElement[Any]) -> ColumnElement[Any]:
    return select(value).where(raw.c.object_id == table.c.id).correlate(table).scalar_subquery()


def received_item() -> Any:
    """Declare the field `raw` of a noun whose key is that of a directory object."""

    @gathered(received, description="The object as it was received from Graph.")
    def item(rows: Rows) -> JSON | None:
        """Read the received JSON."""
        return JSON(rows[0]["item"]) if rows else None

    return item


def received_attributes(rows: Pairs, *, expected: int = 1) -> Any:
    """Declare the field `attributes`; the rows have the columns `source` and `item`, `expected` at most of a record."""

    @gathered(rows, description="Everything its sources say of it, as they named it.", expected=expected)
    def attributes(
        rows: Rows,
        *,
        source: Annotated[str | None, SOURCE] = UNSET,
        prefix: Annotated[str | None, PREFIX] = UNSET,
    ) -> list[Attribute]:
        """Flatten the received JSON of every record."""
        wanted = source_of(source, "source") if isinstance(source, str) else None
        return [
            Attribute(source=row["source"], name=name, value=JSON(value))
            for row in rows
            if wanted in (None, row["source"])
            for name, value in _flat(row["item"])
            if name.startswith(prefix or "")
        ]

    return attributes


def _flat(item: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in item.items():
        if isinstance(value, Mapping):
            found.extend(_flat(value, f"{prefix}{name}."))
        elif value is not None:
            found.append((prefix + name, value))
    return found
