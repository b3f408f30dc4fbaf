"""Reads of a noun's rows: which columns, and always only the visible rows of one organization."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, LargeBinary, Select, Text, bindparam, column, func, select

from schema.access import Principal
from schema.fields import NOUNS, Noun
from schema.form import Pairs


@cache
def _columns(name: str) -> list[ColumnElement[Any]]:
    noun = NOUNS[name]
    # Sealed secrets and digests are binary: they are never read here.
    labels = {column.name: column for column in noun.table.columns if not isinstance(column.type, LargeBinary)}
    labels |= {entry.name: entry.column for entry in noun.fields.values()}
    labels.pop("id")
    return [noun.key.label("key"), *(column.label(label) for label, column in labels.items())]


def row_columns(noun: Noun) -> list[ColumnElement[Any]]:
    """List a noun's columns, labelled as its record's attributes."""
    return _columns(noun.name)


def rows_of(noun: Noun, principal: Principal) -> Select[Any]:
    """Select the rows of a noun that a caller may see."""
    return select(noun.key).where(noun.visible, noun.scope(principal))


def among(key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Compile "one of the keys in the parameter `keys`", a JSON array: one statement fits any number of them."""
    keys = func.json_each(bindparam("keys", type_=Text())).table_valued(column("value", Integer), name="keys")
    return key.in_(select(keys.c.value))


def tied(noun: Noun, principal: Principal, pairs: Pairs, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """Select the rows that a relation leads to from the parents in `keys`, by key; first the parent's, as `parent`."""
    parent, target = (related := pairs().subquery()).columns
    rows = rows_of(noun, principal).join_from(noun.table, related, target == noun.key)
    chosen = rows.with_only_columns(parent.label("parent"), *columns, maintain_column_froms=True)
    return chosen.where(among(parent)).order_by(noun.key)
