"""The two forms of texts (function.py) as elements of a statement: what texts are compared by, and sorted by.

Both forms are made by Python, and a call into it costs as much as reading some rows. Most texts need none: one of as
many bytes as characters is ASCII, whose letter case SQLite knows by itself.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Text, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from sync.store.statement.function import version_key
from sync.store.tables.column import KEYED, LOWER, key_of


def folded_of(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """Compile the form of a text that texts are compared in."""
    if not isinstance(text, Column):
        # Written once: it may be a statement of its own.
        return func.fold(text, type_=Text())
    return text if text.info.get(LOWER) else _Folded(text)


def sort_key_of(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """Compile what a text is sorted by: the column that holds it, or else how it is made."""
    if (stored := key_of(text)) is not None:
        return stored
    if not isinstance(text, Column):
        return func.sort_key(text, type_=Text())
    return text if text.info.get(LOWER) else made_key(text)


def made_key(text: Column[Any]) -> ColumnElement[Any]:
    """Compile how the sort key of a text is made."""
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
    # Of no text both lengths are unknown, and its lower case is none.
    return f"CASE WHEN length(CAST({text} AS BLOB)) > length({text}) THEN {name}({text}) ELSE lower({text}) END"
