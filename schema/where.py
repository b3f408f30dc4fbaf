"""An expression's meaning in SQL: two-valued, nulls included, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, false, func, not_, or_, select, true

from schema.expr import And, Compare, Expr, Not, Op, Or
from schema.fields import Field, Kind, Noun

_ESCAPE = "\\"


def clause(noun: Noun, expr: Expr) -> ColumnElement[bool]:
    """Compile an expression over a noun's fields."""
    match expr:
        case And(parts):
            return and_(true(), *(clause(noun, part) for part in parts))
        case Or(parts):
            return or_(false(), *(clause(noun, part) for part in parts))
        case Not(part):
            # A comparison with null is unknown in SQL; here it is false, and its negation true.
            return not_(func.coalesce(clause(noun, part), false()))
        case Compare(name, op, value):
            return _compare(noun.fields[name], op, value)


def _compare(field: Field, op: Op, value: Any) -> ColumnElement[bool]:
    column = field.column
    if field.kind is Kind.LIST:
        return _compare_list(column, op, value)
    if op in (Op.CONTAINS, Op.STARTS_WITH, Op.ENDS_WITH):
        return _like(column, op, value)
    return _PLAIN[op](column, value)


_PLAIN: dict[Op, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    Op.EQ: lambda column, value: column == value,
    Op.NE: lambda column, value: or_(column != value, column.is_(None)),
    Op.IN: lambda column, value: column.in_(value),
    Op.NOT_IN: lambda column, value: or_(column.not_in(value), column.is_(None)),
    Op.LT: lambda column, value: column < value,
    Op.LTE: lambda column, value: column <= value,
    Op.GT: lambda column, value: column > value,
    Op.GTE: lambda column, value: column >= value,
    Op.IS_NULL: lambda column, value: column.is_(None) if value else column.is_not(None),
}


def _like(column: ColumnElement[Any], op: Op, value: str) -> ColumnElement[bool]:
    text = value.replace(_ESCAPE, _ESCAPE * 2).replace("%", _ESCAPE + "%").replace("_", _ESCAPE + "_")
    pattern = {Op.CONTAINS: f"%{text}%", Op.STARTS_WITH: f"{text}%", Op.ENDS_WITH: f"%{text}"}[op]
    return func.fold(column).like(pattern.casefold(), escape=_ESCAPE)


def _compare_list(column: ColumnElement[Any], op: Op, value: Any) -> ColumnElement[bool]:
    if op is Op.IS_EMPTY:
        empty = or_(column.is_(None), func.json_array_length(column) == 0)
        return empty if value else not_(empty)
    wanted = {element.casefold() for element in ([value] if op is Op.HAS else value)}
    elements = func.json_each(column).table_valued("value", name=None)
    element = func.fold(cast(elements.c.value, Text))
    if op is Op.HAS_ALL:
        # Counted in one pass: a condition for each value would be deeper than the database allows.
        number = select(func.count(element.distinct())).select_from(elements).where(element.in_(wanted))
        return number.scalar_subquery() == len(wanted)
    return elements.select().where(element.in_(wanted)).exists()
