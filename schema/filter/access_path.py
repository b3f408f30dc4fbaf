"""Which way to a page's rows is the shorter: through an index of its condition, or along the index of its order.

A list's order is walked until the page is full, which is soon when many rows are meant and takes all of them when few
are. So a statement first looks whether an index leads to few rows. Either way leads to the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, case, func, or_, select, union_all
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from schema.field.registry import Field, FieldKind, Noun
from schema.field.rows import is_indexed, rows_of
from schema.filter.candidates import Candidates, candidates, holds_parts
from schema.filter.compare import compare
from schema.filter.expr import And, Compare, Expr, Not, Op, Or, Quantifier, Related
from schema.filter.where import Viewpoint, parents_of
from schema.list.paging import SortKey
from sync.inventory.asset.source import BITS
from sync.store.statement.text import sort_key_of

# Up to so many candidates are looked at one by one where the alternative is to walk an index in the list's order,
# which is over soon when many rows are meant; and where the alternative is to look at every row.
WALK_MAX, SCAN_MAX = 5_000, 100_000
# Where they are one range of an index or have a text in common: what is walked in no time must not wait for long.
RANGE_MAX = 1_000
# Operators that an index answers with one range, or a few.
_RANGES = {
    *(Op.EQ, Op.IN, Op.LT, Op.LTE, Op.GT, Op.GTE),
    *(Op.IS_NULL, Op.OLDER_THAN, Op.NEWER_THAN, Op.WITHIN),
}


@dataclass(frozen=True)
class Lead:
    """A way to rows that can be meant.

    Args:
        is_short: whether it leads to few rows.
        keys: of those rows, all of them if it is short.
    """

    is_short: ColumnElement[bool]
    keys: Select[Any]


def led(rows: Select[Any], key: ColumnElement[Any], leads: Sequence[Lead], size: Any = -1) -> CompoundSelect[Any]:
    """Select the keys of rows by whichever way is shorter, which the statement finds out when it runs.

    Args:
        rows: with the whole filter, and their order if `size` is less than all.
        key: of the rows.
        leads: the ways besides the one that needs none of them.
        size: how many keys; -1 for all.
    """
    # Beside the statement, so that each is found out once.
    found = select(*(lead.is_short.label(f"short{n}") for n, lead in enumerate(leads))).cte()
    short = [select(column).scalar_subquery() for column in found.columns]
    known = [_unless(lead.keys, is_short).subquery() for lead, is_short in zip(leads, short, strict=True)]
    keys = rows.with_only_columns(key.label("id"), maintain_column_froms=True)
    # One of the two has a limit of nothing, so it does not even begin.
    few = keys.where(key.in_(union_all(*(select(one.c.id) for one in known)))).limit(case((or_(*short), size), else_=0))
    many = keys.limit(case((or_(*short), 0), else_=size))
    return select(few.subquery().c.id).union_all(select(many.subquery().c.id))


def _unless(keys: Select[Any], is_short: ColumnElement[bool]) -> Select[Any]:
    return keys.limit(case((is_short, -1), else_=0))


def as_they_lie(noun: Noun, rows: Select[Any]) -> Select[Any]:
    """Read rows in the order of their keys, whose index is the one that has something to say of this condition."""
    return rows.where(noun.key > 0)


def by_itself(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column's value, for which SQLite looks into no index.

    To group by several columns it likes to walk an index that has one of them: three times as long as row by row.
    """
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def by_parts(found: Candidates, most: int) -> Lead:
    """Return the way that the index of parts of texts knows."""
    known = found(most + 1).cte()
    number = select(func.count()).select_from(known).scalar_subquery()
    return Lead(number <= most, select(known.c.id))


def by_range(rows: Select[Any], most: int) -> Lead:
    """Return the way along an ordinary index."""
    one_more = rows.limit(1).offset(most).scalar_subquery()
    return Lead(one_more.is_(None), rows)


@dataclass(frozen=True)
class Ways:
    """What indexes know of a filter.

    Args:
        parts: leads to the rows that hold parts of texts, if the index of those says anything.
        walk_max: up to so many of them are looked at before the order is walked.
        ranges: column → the rows that satisfy a condition on it, as its index finds them.
    """

    parts: Candidates | None
    walk_max: int
    ranges: Mapping[ColumnElement[Any], Select[Any]]

    def to_page(self, order: SortKey) -> list[Lead]:
        """Return the ways that may be shorter than to a page's rows in an order; none if there is no choice."""
        if not _is_walked(order):
            return self.to_all()
        found = [by_parts(self.parts, self.walk_max)] if self.parts else []
        ranges = (rows for column, rows in self.ranges.items() if sort_key_of(column) is not order.column)
        return found + [by_range(rows, RANGE_MAX) for rows in ranges]

    def to_all(self) -> list[Lead]:
        """Return the ways that may be shorter than to look at every row."""
        return [by_parts(self.parts, SCAN_MAX)] if self.parts else []


NOTHING_KNOWN = Ways(None, 0, {})


def ways(noun: Noun, expr: Expr, viewpoint: Viewpoint) -> Ways:
    """Find what indexes know of an expression."""
    parts = candidates(noun, expr, viewpoint.principal.organization_id) or _also_related(noun, expr, viewpoint)
    return Ways(parts, WALK_MAX if holds_parts(expr) else RANGE_MAX, _ranges(noun, expr, viewpoint))


def _also_related(noun: Noun, expr: Expr, viewpoint: Viewpoint) -> Candidates | None:
    """Find what leads to the rows of a condition that the index knows but for what it asks of related rows."""
    for part in _conjuncts(expr):
        if not isinstance(part, Or):
            continue
        related = [one for one in part.parts if isinstance(one, Related) and one.quantifier is Quantifier.SOME]
        own = candidates(
            noun, Or(tuple(one for one in part.parts if one not in related)), viewpoint.principal.organization_id
        )
        if own and related:
            return partial(_united, noun, own, related, viewpoint)
    return None


def _united(
    noun: Noun, own: Candidates, related: Sequence[Related], viewpoint: Viewpoint, most: int | None
) -> Select[Any]:
    ways_ = [parents_of(noun, noun.relations[one.relation], one.part, viewpoint) for one in related]
    keys = [own(None).subquery(), *(way.subquery() for way in ways_)]
    return union_all(*(select(one.columns[0].label("id")) for one in keys)).limit(most)  # type: ignore[return-value]


def _is_walked(key: SortKey) -> bool:
    """Tell whether an index has an organization's rows in an order."""
    return (key.nulls_first is not key.is_descending or not key.column_is_nullable) and is_indexed(key.column)


def _ranges(noun: Noun, expr: Expr, viewpoint: Viewpoint) -> dict[ColumnElement[Any], Select[Any]]:
    """Find what the indexes of columns know of what every row must satisfy."""
    found: dict[ColumnElement[Any], Select[Any]] = {}
    for part in _conjuncts(expr):
        is_negated = isinstance(part, Not)
        compared = part.part if isinstance(part, Not) else part
        if not isinstance(compared, Compare) or not is_indexed(column := noun.condition(compared.field).column):
            continue
        condition = _condition(noun.condition(compared.field), compared, is_negated, viewpoint)
        if condition is not None:
            found[column] = found.get(column, rows_of(noun, viewpoint.principal)).where(condition)
    return found


def _conjuncts(expr: Expr) -> Iterator[Expr]:
    if isinstance(expr, And):
        for part in expr.parts:
            yield from _conjuncts(part)
    else:
        yield expr


def _condition(field: Field, compared: Compare, is_negated: bool, viewpoint: Viewpoint) -> ColumnElement[bool] | None:
    """Write a comparison, or its negation, as the index of its column can be asked; None if it cannot."""
    if field.kind is FieldKind.SOURCES:
        return field.column.in_([mask for mask in range(1 << len(BITS)) if _holds(compared, mask) is not is_negated])
    if is_negated or compared.op not in _RANGES or field.kind is FieldKind.VERSION:
        return None
    return compare(field, compared.op, compared.value, viewpoint.moment)


def _holds(compared: Compare, mask: int) -> bool:
    """Tell what a comparison of sources says of one of the few masks there are."""
    if compared.op is Op.IS_EMPTY:
        return (mask == 0) is bool(compared.value)
    names = compared.value if isinstance(compared.value, tuple) else (compared.value,)
    hits = [mask & BITS.get(str(name), 0) != 0 for name in names]
    return all(hits) if compared.op is Op.HAS_ALL else any(hits)
