"""One SELECT, compiled once: its text and what goes into each of its parameters."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Integer, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from schema.access import Principal, Role
from schema.select import parameter
from schema.where import moments_of

_DIALECT = sqlite.dialect(paramstyle="qmark")
Row = Sequence[Any]


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
        """Compile a SELECT."""
        compiled = select.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - a SELECT compiles to nothing else
        names = tuple(compiled.positiontup or ())
        return cls(compiled.string, names, dict(compiled.params), moments_of(names))

    def rows(self, connection: sqlite3.Connection, given: Mapping[str, Any]) -> list[Row]:
        """Run it with the given values."""
        fixed = self.fixed
        values = [given[name] if name in given else fixed[name] for name in self.names]
        return connection.execute(self.sql, values).fetchall()
