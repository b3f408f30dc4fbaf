"""SQL expressions for the folded form and the sort key of texts (function.py).

Python functions make both, and one call costs as much as reading a few rows. Most texts need no call: a text with as
many bytes as characters is ASCII, which SQLite lowers by itself.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Text, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from sync.store.statement.function import version_key
from sync.store.tables.column import KEYED, LOWER, key_of


def folded_of(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the expression of a text's folded form."""
    if not isinstance(text, Column):
        # Use the expression only once: it may be a subquery.
        return func.fold(text, type_=Text())
    return text if text.info.get(LOWER) else _Folded(text)


def sort_key_of(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a text's sort key: the column that stores it, or the expression that makes it."""
    if (stored := key_of(text)) is not None:
        return stored
    if not isinstance(text, Column):
        return func.sort_key(text, type_=Text())
    return text if text.info.get(LOWER) else made_key(text)


def made_key(text: Column[Any]) -> ColumnElement[Any]:
    """Return the expression that makes the sort key of a text."""
    return func.version_key(text, type_=Text()) if text.info.get(KEYED) is version_key else _Sorted(text)


class _Folded(FunctionElement[str]):
    type = Text()
    inherit_cache = True


class _Sorted(FunctionElement[str]):
    type = Text()
    inherit_cache = True


@compiles(_Folded)
def _write_folded(found: _Folded, compiler: Any, **how: Any) -> str:
    return _written("fold", found, compiler, **how)


@compiles(_Sorted)
def _write_sorted(found: _Sorted, compiler: Any, **how: Any) -> str:
    return _written("sort_key", found, compiler, **how)


def _written(name: str, found: FunctionElement[str], compiler: Any, **how: Any) -> str:
    (text,) = (compiler.process(clause, **how) for clause in found.clauses)
    # For NULL both lengths are NULL, so that `lower` returns NULL.
    return f"CASE WHEN length(CAST({text} AS BLOB)) > length({text}) THEN {name}({text}) ELSE lower({text}) END"
