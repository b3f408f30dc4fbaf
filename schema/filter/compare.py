"""Compiles the comparison of a field with a value to SQL; defines the meaning of every operator."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Select,
    String,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from schema.field.registry import ANY_MEMBER, Field, FieldKind
from schema.field.sort_key import is_folded, sorting_of
from schema.filter.expr import Op
from schema.filter.like import MEMBER, escaped, like, like_any, matcher
from sync.inventory.asset.source import BITS
from sync.store.statement.function import folded, sort_key, version_key
from sync.store.statement.text import folded_of, sort_key_of
from sync.store.tables.column import key_of

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
        field: the field to compare.
        op: an operator of the field's kind.
        value: in stored form; seconds for relative times.
        moment: returns the time that is a number of seconds from now.
    """
    column = field.column
    if field.kind is FieldKind.SOURCES:
        return _compare_mask(column, op, value)
    if field.kind in (FieldKind.LIST, FieldKind.ADDRESSES):
        return _compare_list(field, op, value)
    if field.kind is FieldKind.NUMBERS:
        return _compare_numbers(field, op, value)
    if op in _PATTERNS:
        return like(column, _pattern(op, value))
    if op in _RELATIVE:
        return _RELATIVE[op](column, moment, value)
    if field.kind is FieldKind.VERSION and op in _ORDERED:
        return _PLAIN[op](sorting_of(field)[0], version_key(value))
    if is_folded(field) and op is not Op.IS_EMPTY:
        return _compare_text(column, op, value)
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


def _compare_text(column: ColumnElement[Any], op: Op, value: Any) -> ColumnElement[bool]:
    """Compare texts in folded form, and their order by sort key."""
    key = key_of(column)
    if op is Op.IS_NULL:
        return _PLAIN[op](column if key is None else key, value)
    if op in _ORDERED:
        return _PLAIN[op](sort_key_of(column), sort_key(value))
    texts = value if op in (Op.IN, Op.NOT_IN) else [value]
    is_one: ColumnElement[bool] = (
        folded_of(column).in_({folded(text) for text in texts}) if len(texts) != 1 else _is(column, texts[0])
    )
    if op in (Op.NE, Op.NOT_IN):
        return or_(not_(is_one), column.is_(None))
    if key is None:
        return is_one
    # The index finds texts that are equal except for accents; it also contains the text, so that no row is read.
    keys = {sort_key(text) for text in texts}
    return and_(key.in_(keys) if len(keys) != 1 else key == keys.pop(), is_one)


def _is(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    equal = folded_of(column) == folded(value)
    # Compare the text first: usually it is equal without folding.
    return or_(column == value, equal) if key_of(column) is not None else equal


_RELATIVE: dict[Op, Callable[[ColumnElement[Any], Moment, Any], ColumnElement[bool]]] = {
    Op.OLDER_THAN: lambda column, moment, age: column < moment(-age),
    Op.NEWER_THAN: lambda column, moment, age: column > moment(-age),
    Op.WITHIN: lambda column, moment, span: and_(column > moment(-span), column < moment(span)),
    Op.BEYOND: lambda column, moment, span: or_(column <= moment(-span), column >= moment(span)),
}


# Cached, because a filter may compare the same field many times.
@cache
def _elements(field: Field) -> tuple[Select[Any], ColumnElement[Any], ColumnElement[Any]]:
    """Return a list's elements as rows, the compared text of each, and that text folded."""
    if field.element == ANY_MEMBER:
        members = func.json_tree(field.column).table_valued("value", "type", "path", name="member")
        value = cast(members.c.value, Text)
        return select(members).where(literal_column(MEMBER, Boolean())), value, func.fold(value)
    elements = func.json_each(field.column).table_valued("value", "type", name=None)
    inner: ColumnElement[Any] = elements.c.value
    if field.element is not None:
        # Take the member of objects only: json_extract of another element makes the statement fail.
        inner = case((elements.c.type == "object", func.json_extract(inner, f"$.{field.element}")))
    element = cast(inner, Text)
    return elements.select(), element, func.fold(element)


def _pattern(op: Op, value: str) -> str:
    return _PATTERNS[op].format(value if op is Op.MATCHES else escaped(folded(value)))


def _compare_list(field: Field, op: Op, value: Any) -> ColumnElement[bool]:
    column = field.column
    if op is Op.HAS_ALL and field.names:
        return and_(true(), *(_compare_list(field, Op.HAS, one) for one in value))
    known = _by_other_names(field, op, value)
    if op in _PATTERNS:
        found = like_any(column, field.element, _pattern(op, value))
        return or_(found, _compare_list(replace(field, names=None), Op.HAS_ANY, known)) if known else found
    rows, element, form = _elements(field)
    if op is Op.IS_EMPTY:
        empty = or_(column.is_(None), func.json_array_length(column) == 0)
        if field.element is not None:
            # The list is empty too if no object in it has the compared member.
            empty = not_(rows.where(element != "").exists())
        return empty if value else not_(empty)
    if op is Op.IN_NETWORK:
        return rows.where(func.in_networks(element, " ".join(value)) == true()).exists()
    if op is Op.OUTSIDE:
        return rows.where(func.in_networks(element, " ".join(value)) == false()).exists()
    wanted = {folded(text) for text in ([value] if op is Op.HAS else value)} | set(known)
    if op is Op.HAS_ALL:
        # Count in one pass: a condition for each value would exceed the nesting limit of SQLite.
        number = rows.where(form.in_(wanted)).with_only_columns(func.count(form.distinct()))
        return number.scalar_subquery() == len(wanted)
    return rows.where(form.in_(wanted)).exists()


def _by_other_names(field: Field, op: Op, value: Any) -> list[str]:
    """List the known values of a field that have another name which satisfies the comparison."""
    if not field.names or op is Op.IS_EMPTY:
        return []
    patterns = [_pattern(op, value)] if op in _PATTERNS else []
    texts = [] if patterns else [value] if isinstance(value, str) else value
    wanted = [matcher(pattern) for pattern in (*patterns, *(escaped(folded(text)) for text in texts))]
    return [
        known for known, names in field.names.items() if any(one.fullmatch(folded(n)) for one in wanted for n in names)
    ]


def _compare_numbers(field: Field, op: Op, value: Any) -> ColumnElement[bool]:
    """Compare the numbers in a list of objects: at least one must match."""
    elements = func.json_each(field.column).table_valued("value", "type", name=None)
    # Take the member of objects only: json_extract of another element makes the statement fail.
    number = case((elements.c.type == "object", func.json_extract(elements.c.value, f"$.{field.element}")))
    counted = elements.select()
    if field.only is not None:
        member, wanted = field.only
        counted = counted.where(func.json_extract(elements.c.value, f"$.{member}") == wanted)
    match op:
        case Op.IS_EMPTY:
            return not_(counted.exists()) if value else counted.exists()
        case Op.HAS_ALL:
            found = counted.where(number.in_(value)).with_only_columns(func.count(number.distinct()))
            return found.scalar_subquery() == len(set(value))
        case Op.HAS | Op.HAS_ANY:
            return counted.where(number.in_([value] if op is Op.HAS else value)).exists()
    return counted.where(NUMBERS[op](number, value)).exists()


def _compare_mask(column: ColumnElement[Any], op: Op, value: Any) -> ColumnElement[bool]:
    """Compare a bit mask of sources; an unknown source is in no mask."""
    if op is Op.IS_EMPTY:
        return column == 0 if value else column != 0
    wanted = [value] if op is Op.HAS else list(value)
    mask = sum({BITS.get(name, 0) for name in wanted})
    found = column.op("&")(mask)
    if op is Op.HAS_ALL:
        return found == mask if all(name in BITS for name in wanted) else false()
    return found != 0
