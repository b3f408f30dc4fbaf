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

# What `column.info` tells of a text: what makes the key it has (of function.py), of which column it is the key, that it
# is stored in lower case.
KEYED, KEY_OF, LOWER = "keyed", "key of", "lower"
# And of JSON: what it holds, a list of texts unless it is one of these.
HOLDS, OBJECT, OBJECTS = "holds", "an object", "a list of objects"


def key() -> Column[int]:
    """Make a surrogate primary key; the table must say `sqlite_autoincrement=True` so that ids are never reused."""
    return Column("id", Key, primary_key=True, autoincrement=True)


def refers(name: str, target: str, *, nullable: bool = False, ondelete: str | None = None) -> Column[int]:
    """Make a foreign key column to `target.id`."""
    return Column(name, Key, ForeignKey(f"{target}.id", ondelete=ondelete), nullable=nullable)


def graph(prop: str, type_: TypeEngine[Any] | None = None, *, info: Mapping[str, Any] | None = None) -> Column[Any]:
    """Make the column of a Graph property: `userPrincipalName` becomes `user_principal_name`, always nullable.

    The property's name stays in `column.info["graph"]`: the request's $select, the mapping of an item and the
    description of the GraphQL field are all read from there.

    Args:
        prop: the property.
        type_: of the values, text unless given.
        info: more of what stays there.
    """
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", prop).lower()
    return Column(name, type_ or Text(), nullable=True, info={"graph": prop, **(info or {})})


def lower(name: str, *, nullable: bool = False) -> Column[str]:
    """Make the column of an identifier that is the same in either letter case; its values are stored in lower case."""
    return Column(name, Text(), nullable=nullable, info={LOWER: True})


def with_keys(columns: Iterable[Any]) -> Iterator[Any]:
    """Yield columns, and behind each text that is sorted or looked up by an index (`info["keyed"]`) its sort key.

    The key is a column like any other, so that every program can read, sort and check it. Whoever writes the text
    writes the key: sync/store/statement/bulk.py does by itself, and so does an insert.
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
    """Return the column that holds a text's sort key, if there is one; of versions, see `version_key_of`."""
    return _key(column) if _made_by(column) is sort_key else None


def version_key_of(column: Any) -> Column[str] | None:
    """Return the column that holds a version's key, if there is one."""
    return _key(column) if _made_by(column) is version_key else None


def _made_by(column: Any) -> Any:
    return column.info.get(KEYED) if isinstance(column, Column) else None


def _key(column: Column[Any]) -> Column[str]:
    return column.table.c[f"{column.name}_key"]


def keyed_names(table: Table) -> dict[str, str]:
    """Return the columns of a table that hold sort keys → the texts they are made from."""
    return {column.name: column.info[KEY_OF] for column in table.columns if KEY_OF in column.info}


def graph_columns(table: Table) -> Iterator[tuple[str, Column[Any]]]:
    """Yield (Graph property, column) for each column that mirrors one."""
    for column in table.columns:
        if prop := column.info.get("graph"):
            yield prop, column
