"""The columns that tables are made of: keys, times, JSON, and columns that mirror a Microsoft Graph property."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from sync.store.statement.function import sort_key, version_key

# 64 bits everywhere; SQLite only makes INTEGER (not BIGINT) the rowid.
Key = BigInteger().with_variant(Integer(), "sqlite")
# Times are RFC 3339 text of fixed width (sync/clock.py), so both databases sort them the same way.
Time = Text()
# SQL NULL, never JSON null, means "no value".
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# Keys of `column.info` for texts. KEYED: the function (of function.py) that makes the column's sort key. KEY_OF: the
# column is the sort key of this one. LOWER: values are stored in lower case.
KEYED, KEY_OF, LOWER = "keyed", "key of", "lower"
# For JSON. HOLDS: the shape of the value, OBJECT or OBJECTS; without it, a list of texts.
HOLDS, OBJECT, OBJECTS = "holds", "an object", "a list of objects"


def key() -> Column[int]:
    """Make a surrogate primary key; the table needs `sqlite_autoincrement=True`, so that ids are never reused."""
    return Column("id", Key, primary_key=True, autoincrement=True)


def refers(name: str, target: str, *, nullable: bool = False, ondelete: str | None = None) -> Column[int]:
    """Make a foreign key column to `target.id`."""
    return Column(name, Key, ForeignKey(f"{target}.id", ondelete=ondelete), nullable=nullable)


def graph(prop: str, type_: TypeEngine[Any] | None = None, *, info: Mapping[str, Any] | None = None) -> Column[Any]:
    """Make the column of a Graph property: `userPrincipalName` becomes `user_principal_name`, always nullable.

    `column.info["graph"]` keeps the property's name: it gives the request's $select, the mapping of an item and the
    description of the GraphQL field.

    Args:
        prop: the property.
        type_: the type of the values; text if None.
        info: further entries of `column.info`.
    """
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", prop).lower()
    return Column(name, type_ or Text(), nullable=True, info={"graph": prop, **(info or {})})


def lower(name: str, *, nullable: bool = False) -> Column[str]:
    """Make the column of a case-insensitive identifier; its values are stored in lower case."""
    return Column(name, Text(), nullable=nullable, info={LOWER: True})


def with_keys(columns: Iterable[Any]) -> Iterator[Any]:
    """Yield the columns; after each text with `info["keyed"]`, yield the column of its sort key.

    The key is an ordinary column, so that every program can read, sort and check it. A statement that writes the text
    must write the key: sync/store/statement/bulk.py and SQLAlchemy's inserts do so by themselves.
    """
    for column in columns:
        yield column
        if isinstance(column, Column) and column.info.get(KEYED):
            yield Column(
                f"{column.name}_key",
                Text(),
                default=_keyed(column.name, column.info[KEYED]),
                info={KEY_OF: column.name},
            )


def _keyed(name: str, make: Callable[[Any], str | None]) -> Any:
    return lambda context: make(context.get_current_parameters().get(name))


def key_of(column: Any) -> Column[str] | None:
    """Return the column of a text's sort key, if it has one; for versions, see `version_key_of`."""
    return _key(column) if _made_by(column) is sort_key else None


def version_key_of(column: Any) -> Column[str] | None:
    """Return the column of a version's sort key, if it has one."""
    return _key(column) if _made_by(column) is version_key else None


def _made_by(column: Any) -> Any:
    return column.info.get(KEYED) if isinstance(column, Column) else None


def _key(column: Column[Any]) -> Column[str]:
    return column.table.c[f"{column.name}_key"]


def keyed_names(table: Table) -> dict[str, str]:
    """Map the names of a table's sort key columns to the names of their texts."""
    return {column.name: column.info[KEY_OF] for column in table.columns if KEY_OF in column.info}


def graph_columns(table: Table) -> Iterator[tuple[str, Column[Any]]]:
    """Yield (Graph property, column) for each column that mirrors a property."""
    for column in table.columns:
        if prop := column.info.get("graph"):
            yield prop, column
