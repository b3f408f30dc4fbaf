"""One field compared with a value, in SQL; what stands here is the meaning of every operator."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    TableValuedAlias,
    Text,
    and_,
    cast,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from schema.expr import Op
from schema.fields import Field, Kind
from sync.inventory.source import BITS
from sync.store.function import version_key

_ESCAPE = "\\"
_REWRITTEN = re.compile(r'[\x00-\x1f"\\]')
_PIECES = re.compile(r"\\(.)|[%_]|[^\\%_]+", re.DOTALL)
Moment = Callable[[float], Any]
NUMBERS: dict[Op, Callable[[Any, Any], Any]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LTE: operator.le,
    Op.GT: operator.gt,
    Op.GTE: operator.ge,
}
_PATTERNS = {Op.CONTAINS: "%{}%", Op.STARTS_WITH: "{}%", Op.ENDS_WITH: "%{}", Op.MATCHES: "{}"}
_ORDERED = {Op.LT, Op.LTE, Op.GT, Op.GTE}


def compare(field: Field, op: Op, value: Any, moment: Moment) -> ColumnElement[bool]:
    """Compile one comparison.

    Args:
        field: what is compared.
        op: one of the operators its kind offers.
        value: in stored form; of relative times: seconds.
        moment: makes the time that is so many seconds from now.
    """
    column = field.column
    if field.kind is Kind.SOURCES:
        return _compare_mask(column, op, value)
    if field.kind in (Kind.LIST, Kind.ADDRESSES):
        return _compare_list(field, op, value)
    if op in _PATTERNS:
        return _like(_folded(field), op, value)
    if op in _RELATIVE:
        return _RELATIVE[op](column, moment, value)
    if field.kind is Kind.VERSION and op in _ORDERED:
        return _PLAIN[op](func.version_key(column), version_key(value))
    if op is Op.IS_EMPTY:
        empty = or_(column.is_(None), column == "") if isinstance(column.type, String) else column.is_(None)
        return empty if value else not_(empty)
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
_RELATIVE: dict[Op, Callable[[ColumnElement[Any], Moment, Any], ColumnElement[bool]]] = {
    Op.OLDER_THAN: lambda column, moment, age: column < moment(-age),
    Op.NEWER_THAN: lambda column, moment, age: column > moment(-age),
    Op.WITHIN: lambda column, moment, span: and_(column > moment(-span), column < moment(span)),
    Op.BEYOND: lambda column, moment, span: or_(column <= moment(-span), column >= moment(span)),
}


def literals(pattern: str) -> list[str]:
    """Return the texts between the wildcards of a pattern of LIKE."""
    found = [""]
    for piece in _PIECES.finditer(pattern):
        if piece[0] in ("%", "_"):
            found.append("")
        else:
            found[-1] += piece[1] or piece[0]
    return found


def escaped(text: str) -> str:
    """Return a text in the form that a pattern of LIKE takes for itself."""
    return text.replace(_ESCAPE, _ESCAPE * 2).replace("%", _ESCAPE + "%").replace("_", _ESCAPE + "_")


class _Alike(FunctionElement[str]):
    """What LIKE compares instead of a text to ignore its letter case, as it does by itself in plain ASCII.

    Folding is a call into Python, and most texts need none: one of as many bytes as characters is ASCII.
    """

    inherit_cache = True
    type = Text()


@compiles(_Alike)
def _write(alike: _Alike, compiler: Any, **how: Any) -> str:
    # Written by hand: a search has one of these for each word and column, and building them took half of its time.
    (text,) = (compiler.process(clause, **how) for clause in alike.clauses)
    return f"CASE WHEN length(CAST({text} AS BLOB)) = length({text}) THEN {text} ELSE fold({text}) END"


# Made once a field: a search of many words compares the same ones again and again.
@cache
def _folded(field: Field) -> ColumnElement[Any]:
    return _Alike(field.column)


@cache
def _elements(field: Field) -> tuple[TableValuedAlias, ColumnElement[Any], ColumnElement[Any]]:
    """Return a list's elements as rows, the text that is compared in each, and that text folded."""
    elements = func.json_each(field.column).table_valued("value", name=None)
    inner = elements.c.value if field.element is None else func.json_extract(elements.c.value, f"$.{field.element}")
    element = cast(inner, Text)
    return elements, element, func.fold(element)


def _like(folded: ColumnElement[Any], op: Op, value: str) -> ColumnElement[bool]:
    """Compile a comparison with part of a text, in any letter case."""
    text = value if op is Op.MATCHES else escaped(value.casefold())
    return folded.like(_PATTERNS[op].format(text), escape=_ESCAPE)


def _like_any(field: Field, op: Op, value: str) -> ColumnElement[bool]:
    """Compile a comparison with part of an element's text; a list that holds it nowhere is not taken apart."""
    elements, _, folded = _elements(field)
    compared = elements.select().where(_like(folded, op, value)).exists()
    parts = literals(value) if op is Op.MATCHES else [value.casefold()]
    # JSON writes these in another way.
    if any(_REWRITTEN.search(part) for part in parts):
        return compared
    whole = "%".join(["", *map(escaped, parts), ""])
    return and_(_folded(field).like(whole, escape=_ESCAPE), compared)


def _compare_list(field: Field, op: Op, value: Any) -> ColumnElement[bool]:
    column = field.column
    if op is Op.IS_EMPTY:
        empty = or_(column.is_(None), func.json_array_length(column) == 0)
        return empty if value else not_(empty)
    if op in _PATTERNS:
        return _like_any(field, op, value)
    elements, element, folded = _elements(field)
    if op is Op.IN_NETWORK:
        return elements.select().where(func.in_networks(element, " ".join(value)) == true()).exists()
    if op is Op.OUTSIDE:
        return elements.select().where(func.in_networks(element, " ".join(value)) == false()).exists()
    wanted = {text.casefold() for text in ([value] if op is Op.HAS else value)}
    if op is Op.HAS_ALL:
        # Counted in one pass: a condition for each value would be deeper than the database allows.
        number = select(func.count(folded.distinct())).select_from(elements).where(folded.in_(wanted))
        return number.scalar_subquery() == len(wanted)
    return elements.select().where(folded.in_(wanted)).exists()


def _compare_mask(column: ColumnElement[Any], op: Op, value: Any) -> ColumnElement[bool]:
    """Compare a bit mask of sources; a name that is no source is in none of them."""
    if op is Op.IS_EMPTY:
        return column == 0 if value else column != 0
    wanted = [value] if op is Op.HAS else list(value)
    mask = sum({BITS.get(name, 0) for name in wanted})
    found = column.op("&")(mask)
    if op is Op.HAS_ALL:
        return found == mask if all(name in BITS for name in wanted) else false()
    return found != 0
