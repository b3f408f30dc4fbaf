"""One SELECT, compiled once: its text and what goes into each of its parameters."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Integer, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.compiler import SQLCompiler

from schema.access import Principal, Role
from schema.field.rows import parameter
from schema.filter.where import moments_of
from schema.lru import Recent

_DIALECT = sqlite.dialect(paramstyle="qmark")
Row = Sequence[Any]
# The shapes of statements whose text is kept; a shape takes some tens of kilobytes.
_SHAPES: Recent[SQLCompiler] = Recent(256)


def _compiled(select: Select[Any], key: CacheKey | None) -> SQLCompiler:
    return SQLCompiler(_DIALECT, select, cache_key=key, compile_kwargs={"render_postcompile": key is None})


def anyone(role: Role) -> Principal:
    """Return a principal of any organization, for statements that take its key as the parameter `organization`."""
    return Principal(0, cast(int, parameter("organization", Integer())), role, "")


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled SELECT.

    Args:
        sql: the text, with `?` for each parameter.
        names: what each parameter is called, in order.
        fixed: the values that are the same in every run.
        moments: the parameters that are times, and how many seconds from now each is.
    """

    sql: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]
    moments: Mapping[str, float]

    @classmethod
    def of(cls, select: Select[Any]) -> Statement:
        """Compile a SELECT; the text of one that differs only in its values is known already."""
        # As the engines of SQLAlchemy do: the cache key of a statement has no public name.
        key = select._generate_cache_key()
        if key is None:
            return cls._made(_compiled(select, None), None)
        known = _SHAPES.get(key.key, lambda: _compiled(select, key))
        # The text holds a place for each member of a list of values: it is made for its length.
        return cls._made(known, key) if not known.post_compile_params else cls._made(_compiled(select, None), None)

    @classmethod
    def _made(cls, compiled: SQLCompiler, key: CacheKey | None) -> Statement:
        names = tuple(compiled.positiontup or ())
        values = compiled.construct_params(extracted_parameters=key.bindparams if key else None, _check=False)
        return cls(compiled.string, names, values, moments_of(names))

    def start(self, connection: sqlite3.Connection, given: Mapping[str, Any]) -> sqlite3.Cursor:
        """Run it with the given values; the rows are read from what is returned."""
        fixed = self.fixed
        values = [given[name] if name in given else fixed[name] for name in self.names]
        return connection.execute(self.sql, values)
