"""The keys that texts and versions are sorted and compared by, instead of their stored values."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Text, func

from schema.field.registry import Field, FieldKind
from sync.store.statement.function import sort_key, version_key
from sync.store.statement.text import sort_key_of
from sync.store.tables.column import LOWER, version_key_of


def is_folded(field: Field) -> bool:
    """Tell whether a field's values are texts that people write, which are compared in folded form."""
    return field.kind in (FieldKind.TEXT, FieldKind.VERSION)


# The same object each time, so that a statement compiled for it is found again.
@cache
def sorting_of(field: Field) -> tuple[ColumnElement[Any], Callable[[Any], Any] | None]:
    """Return what rows are sorted by first, and how that is made of the value; None if it is the value."""
    column = field.column
    if field.kind is FieldKind.VERSION:
        stored = version_key_of(column)
        return func.version_key(column, type_=Text()) if stored is None else stored, version_key
    if field.kind is not FieldKind.TEXT or getattr(column, "info", {}).get(LOWER):
        return column, None
    return sort_key_of(column), sort_key
