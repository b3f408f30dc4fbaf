"""The columns that tables are made of: keys, times, JSON, and columns that mirror a Microsoft Graph property."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

# 64 bits everywhere; SQLite only makes INTEGER (not BIGINT) the rowid.
Key = BigInteger().with_variant(Integer(), "sqlite")
# Times are RFC 3339 text of fixed width (sync/clock.py), so both databases sort them the same way.
Time = Text()
# SQL NULL, never JSON null, means "no value".
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def key() -> Column[int]:
    """Make a surrogate primary key; the table must say `sqlite_autoincrement=True` so that ids are never reused."""
    return Column("id", Key, primary_key=True, autoincrement=True)


def refers(name: str, target: str, *, nullable: bool = False, ondelete: str | None = None) -> Column[int]:
    """Make a foreign key column to `target.id`."""
    return Column(name, Key, ForeignKey(f"{target}.id", ondelete=ondelete), nullable=nullable)


def graph(prop: str, type_: TypeEngine[Any] | None = None) -> Column[Any]:
    """Make the column of a Graph property: `userPrincipalName` becomes `user_principal_name`, always nullable.

    The property's name stays in `column.info["graph"]`: the request's $select, the mapping of an item and the
    description of the GraphQL field are all read from there.
    """
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", prop).lower()
    return Column(name, type_ or Text(), nullable=True, info={"graph": prop})


def graph_columns(table: Table) -> Iterator[tuple[str, Column[Any]]]:
    """Yield (Graph property, column) for each column that mirrors one."""
    for column in table.columns:
        if prop := column.info.get("graph"):
            yield prop, column
