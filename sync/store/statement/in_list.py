"""A condition on a list that is bound as one parameter: the SQL, compiled once, does not depend on its length."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Dialect,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    column,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class _Listed(TypeDecorator[Any]):
    """A list of numbers or texts, sent as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return orjson.dumps(list(value)).decode()


class _Elements(GenericFunction[Any]):
    """The elements of a JSON list, as a table."""

    name = "json_elements"
    inherit_cache = True


@compiles(_Elements, "sqlite")
def _on_sqlite(element: _Elements, compiler: SQLCompiler, **more: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **more)})"


@compiles(_Elements, "postgresql")
def _on_postgresql(element: _Elements, compiler: SQLCompiler, **more: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **more)} AS JSON))"


def elements(name: str) -> TableValuedAlias:
    """Return the list of texts that is bound as `name`, as a table with the column `value`."""
    return _Elements(bindparam(name, type_=_Listed)).table_valued(column("value", Text), name=f"{name}_elements")


def among(tested: Column[Any], name: str) -> ColumnElement[bool]:
    """Tell whether a column has one of the values in the list that is bound as `name`."""
    listed = _Elements(bindparam(name, type_=_Listed)).table_valued(column("value"), name=f"{name}_listed")
    return tested.in_(select(cast(listed.c.value, tested.type)))
