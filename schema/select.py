"""Reads of a noun's rows: which columns, and always only the visible rows of one organization."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Select, select

from schema.access import Principal
from schema.fields import NOUNS, Noun


@cache
def _columns(name: str) -> list[ColumnElement[Any]]:
    noun = NOUNS[name]
    # Sealed secrets and digests are binary: they are never read here.
    labels: dict[str, ColumnElement[Any]]
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
