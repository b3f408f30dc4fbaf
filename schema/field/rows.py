"""Reads of a noun's rows: which columns, and always only the visible rows of one organization."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Table,
    TableValuedAlias,
    Text,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.types import TypeEngine

from schema.access import Principal
from schema.field.registry import NOUNS, Noun
from schema.field.resolution import Pairs
from sync.store.tables.column import key_of, keyed_names

KEYS = "keys"


@cache
def _columns(name: str) -> list[ColumnElement[Any]]:
    noun = NOUNS[name]
    # Sealed secrets and digests are binary: they are never read here. Sort keys are only ever sorted by.
    hidden = keyed_names(noun.table)
    labels: dict[str, ColumnElement[Any]]
    labels = {
        column.name: column
        for column in noun.table.columns
        if not isinstance(column.type, LargeBinary) and column.name not in hidden
    }
    labels |= {entry.name: entry.column for entry in noun.fields.values()}
    labels.pop("id")
    return [noun.key.label("key"), *(column.label(label) for label, column in labels.items())]


def row_columns(noun: Noun) -> list[ColumnElement[Any]]:
    """List a noun's columns, labelled as its record's attributes."""
    return _columns(noun.name)


def rows_of(noun: Noun, principal: Principal) -> Select[Any]:
    """Select the rows of a noun that a caller may see."""
    return select(noun.key).where(noun.visible, noun.scope(principal))


@cache
def is_indexed(column: ColumnElement[Any]) -> bool:
    """Tell whether an index has an organization's rows by a column alone; of a text with a sort key, by both."""
    table, name = getattr(column, "table", None), getattr(column, "name", "")
    if not isinstance(table, Table):
        return False
    text = keyed_names(table).get(name, name)
    key = key_of(table.c[text])
    wanted = ["organization_id", "deleted_at", *([text] if key is None else [key.name, text])]
    return any([one.name for one in index.columns] == wanted for index in table.indexes)


def parameter(name: str, type_: TypeEngine[Any]) -> Any:
    """Make a parameter whose value each run of a statement gives; compiling asks for none, lists of values or not."""
    return bindparam(name, type_=type_, required=False)


def asked_keys(name: str) -> TableValuedAlias:
    """Return the table of the keys in the parameter `keys`, a JSON array: one statement fits any number of them."""
    return rows_of_keys(parameter(KEYS, Text()), name)


def rows_of_keys(array: ColumnElement[Any], name: str) -> TableValuedAlias:
    """Return a JSON array of keys as a table: `value` in the order of `key`."""
    return func.json_each(array).table_valued(column("key", Integer), column("value", Integer), name=name)


def keys_text(keys: Sequence[int]) -> str:
    """Write keys as the JSON array that the parameter `keys` takes."""
    return orjson.dumps(keys).decode()


def among(key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Compile "one of the keys in the parameter `keys`"."""
    return key.in_(select(asked_keys("keys").c.value))


def tied(noun: Noun, principal: Principal, pairs: Pairs, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """Select the rows that a relation leads to from the parents in `keys`; first the parent's key, as `parent`.

    They are in the order of the pairs' third column, if there is one, else of their keys.
    """
    parent, target, *order = (related := pairs().subquery()).columns
    rows = rows_of(noun, principal).join_from(noun.table, related, target == noun.key)
    chosen = rows.with_only_columns(parent.label("parent"), *columns, maintain_column_froms=True)
    return chosen.where(among(parent)).order_by(*order, noun.key)
