"""Rows that the database writes as JSON itself: one text a row, which Python hands on without looking into it.

Only columns are written so, and only as the generated code would show them: what it would not show fails here too,
and the executor answers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import cache
from typing import Any

from graphql import GraphQLInt, GraphQLOutputType, get_named_type, is_enum_type, is_non_null_type
from sqlalchemy import Boolean, Column, ColumnElement, Integer, Text, case, func, literal, null, type_coerce

from schema.field.registry import Field, FieldKind
from schema.plan.emit import INT_MAX, INT_MIN, names_of
from sync.store.tables.column import Json

# SQLite takes 127 arguments in a call, and a field is two.
FIELDS_MAX = 60
_PROBE = "SELECT json_object('a', CASE WHEN 1 = ? THEN json('true') ELSE json('false') END, 'b', json('[1]'))"


@cache
def is_available() -> bool:
    """Tell whether this program's SQLite writes JSON as it is written here; without it rows are only slower."""
    connection = sqlite3.connect(":memory:")
    try:
        return bool(connection.execute(_PROBE, (1,)).fetchone() == ('{"a":true,"b":[1]}',))
    except sqlite3.Error:
        return False
    finally:
        connection.close()


def row_text(values: Mapping[str, ColumnElement[Any]]) -> ColumnElement[str]:
    """Write a row: response name → value."""
    return func.json_object(*(part for name, value in values.items() for part in (constant(name), value)), type_=Text())


def constant(text: str) -> ColumnElement[str]:
    """Write a text that is the same in every row."""
    return literal(text, Text())


def value_text(entry: Field, type_: GraphQLOutputType, prefix: str) -> ColumnElement[Any] | None:
    """Write a column's value as the response has it; None if only Python can."""
    column, named = entry.column, get_named_type(type_)
    if not isinstance(column, Column) or (column.nullable and is_non_null_type(type_)):
        return None
    if entry.kind is FieldKind.ID:
        return None if column.nullable else constant(f"{prefix}_").concat(column)
    if is_enum_type(named):
        return _checked(column, *((column == stored, constant(name)) for stored, name in names_of(named).items()))
    if isinstance(column.type, Boolean):
        is_true = type_coerce(column, Integer) == 1
        return case((column.is_(None), null()), (is_true, func.json("true")), else_=func.json("false"))
    if column.type is Json:
        return func.json(column)
    return _checked(column, (column.between(INT_MIN, INT_MAX), column)) if named is GraphQLInt else column


def _checked(column: Column[Any], *known: tuple[ColumnElement[bool], ColumnElement[Any]]) -> ColumnElement[Any]:
    """Write what a value is known to be; one that is not ends the statement, because no JSON looks like that."""
    return case((column.is_(None), null()), *known, else_=func.json(type_coerce(column, Text()).concat("!")))
