"""Generates the function that makes values of a level's rows: one dict literal, filled from one unpacked row.

Nothing of a caller's text gets into the source but response names, which are GraphQL names, quoted by `repr`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLEnumType, GraphQLInt, GraphQLOutputType, get_named_type, is_enum_type, is_non_null_type
from sqlalchemy import Boolean, ColumnElement

from schema.field.registry import Field, FieldKind
from schema.plan.refusal import Gave
from sync.store.tables.column import Json

INT_MIN, INT_MAX = -(2**31), 2**31 - 1


def _missing() -> Any:
    raise Gave


@dataclass
class GeneratedSource:
    """The expressions of one function, and the objects they name."""

    names: dict[str, Any] = field(default_factory=lambda: {"Fragment": orjson.Fragment, "missing": _missing})

    def bind(self, value: Any) -> str:
        """Make an object known to the source and return its name there."""
        name = f"v{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, expression: str, *, width: int, relations: int, is_open: bool) -> Callable[..., list[Any]]:
        """Compile `make(rows, *relations)`, which returns the expression's value for each row.

        Args:
            expression: reads the row as r0, r1, … and the relations as d0, d1, ….
            width: columns of a row.
            relations: how many relations there are.
            is_open: whether rows may be longer.
        """
        row = "".join(f"r{number}, " for number in range(width)) + ("*_" if is_open else "")
        parameters = "".join(f", d{number}" for number in range(relations))
        text = f"def make(rows{parameters}):\n    return [{expression} for {row} in rows]\n"
        made: dict[str, Any] = dict(self.names)
        exec(compile(text, "<plan>", "exec"), made)  # noqa: S102 - the text is made of numbers and quoted names
        make: Callable[..., list[Any]] = made["make"]
        return make

    def leaf(self, entry: Field, type_: GraphQLOutputType, prefix: str, cell: str) -> str:
        """Write a column's value as the response has it."""
        if entry.kind is FieldKind.ID:
            return f"f'{prefix}_{{{cell}}}'"
        shown, column = self._shown(entry.column, type_, cell), entry.column
        if not getattr(column, "nullable", True):
            return shown
        if shown == cell and not is_non_null_type(type_):
            return cell
        return f"({'missing()' if is_non_null_type(type_) else 'None'} if {cell} is None else {shown})"

    def _shown(self, column: ColumnElement[Any], type_: GraphQLOutputType, cell: str) -> str:
        named = get_named_type(type_)
        if is_enum_type(named):
            return f"{self.bind(names_of(named))}[{cell}]"
        if isinstance(column.type, Boolean):
            return f"{cell} == 1"
        if column.type is Json:
            return f"Fragment({cell})"
        return f"({cell} if {INT_MIN} <= {cell} <= {INT_MAX} else missing())" if named is GraphQLInt else cell

    def argument(self, column: ColumnElement[Any], cell: str) -> str:
        """Write a column's value as a record has it, for a function that computes with it."""
        if isinstance(column.type, Boolean):
            return f"({cell} if {cell} is None else {cell} == 1)"
        if column.type is Json:
            return f"({cell} if {cell} is None else {self.bind(orjson.loads)}({cell}))"
        return cell


def names_of(enum: GraphQLEnumType) -> Mapping[Any, str]:
    """Map what is stored to an enum's names in the response."""
    return {getattr(value.value, "value", value.value): name for name, value in enum.values.items()}


def literal(entries: Mapping[str, str]) -> str:
    """Write a dict: response name → expression."""
    return "{" + ", ".join(f"{name!r}: {expression}" for name, expression in entries.items()) + "}"
