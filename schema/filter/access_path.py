"""Chooses the access path to a page of rows: an index of the filter, or the index of the list's order.

Walking the order until the page is full is quick if many rows match, and reads the whole index if few do. So each
statement first checks whether an index of the filter finds only few rows. Both paths return the same rows.
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

# The most candidates to check one by one, if the alternative is to walk the order, or to scan every row.
WALK_MAX, SCAN_MAX = 5_000, 100_000
# The most for a range of an index, or for equal texts. It is lower, because walking the order is often quick then.
RANGE_MAX = 1_000
# Operators that an index answers with one or a few ranges.
_RANGES = {
    *(Op.EQ, Op.IN, Op.LT, Op.LTE, Op.GT, Op.GTE),
    *(Op.IS_NULL, Op.OLDER_THAN, Op.NEWER_THAN, Op.WITHIN),
}


@dataclass(frozen=True)
class AccessPath:
    """A way to find the candidates for a filter by an index.

    Args:
        is_short: whether it finds only few rows.
        keys: the keys of these rows; complete if the path is short.
    """

    is_short: ColumnElement[bool]
    keys: Select[Any]


def select_keys(
    rows: Select[Any], key: ColumnElement[Any], paths: Sequence[AccessPath], size: Any = -1
) -> CompoundSelect[Any]:
    """Select the keys of rows by the shortest path, which the statement chooses when it runs.

    Args:
        rows: with the whole filter; ordered if `size` is not -1.
        key: of the rows.
        paths: the alternatives to reading `rows` directly.
        size: the number of keys; -1 for all.
    """
    # Use a CTE, so that each check runs once.
    found = select(*(path.is_short.label(f"short{n}") for n, path in enumerate(paths))).cte()
    short = [select(column).scalar_subquery() for column in found.columns]
    known = [_if_short(path.keys, is_short).subquery() for path, is_short in zip(paths, short, strict=True)]
    keys = rows.with_only_columns(key.label("id"), maintain_column_froms=True)
    # One of the two has the limit 0, so SQLite skips it.
    few = keys.where(key.in_(union_all(*(select(one.c.id) for one in known)))).limit(case((or_(*short), size), else_=0))
    many = keys.limit(case((or_(*short), 0), else_=size))
    return select(few.subquery().c.id).union_all(select(many.subquery().c.id))


def _if_short(keys: Select[Any], is_short: ColumnElement[bool]) -> Select[Any]:
    return keys.limit(case((is_short, -1), else_=0))


def in_key_order(noun: Noun, rows: Select[Any]) -> Select[Any]:
    """Read rows in the order of their keys: the condition on the key makes SQLite choose the key's index."""
    return rows.where(noun.key > 0)


def without_index(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column's value as an expression, for which SQLite uses no index.

    To group by several columns, SQLite may walk an index on one of them: this takes three times as long as a scan.
    """
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def by_parts(found: Candidates, most: int) -> AccessPath:
    """Return the path through the index of parts of texts; short up to `most` rows."""
    known = found(most + 1).cte()
    number = select(func.count()).select_from(known).scalar_subquery()
    return AccessPath(number <= most, select(known.c.id))


def by_range(rows: Select[Any], most: int) -> AccessPath:
    """Return the path along an ordinary index; short up to `most` rows."""
    one_more = rows.limit(1).offset(most).scalar_subquery()
    return AccessPath(one_more.is_(None), rows)


@dataclass(frozen=True)
class Ways:
    """The ways to find candidates for a filter by indexes.

    Args:
        parts: the candidates by the index of parts of texts, if it narrows the filter.
        walk_max: the most of them to check one by one, instead of walking the order.
        ranges: column → the rows that its index finds for the conditions on it.
    """

    parts: Candidates | None
    walk_max: int
    ranges: Mapping[ColumnElement[Any], Select[Any]]

    def to_page(self, order: SortKey) -> list[AccessPath]:
        """Return the paths that may be shorter than walking an order to fill a page."""
        if not _is_walked(order):
            return self.to_all()
        found = [by_parts(self.parts, self.walk_max)] if self.parts else []
        ranges = (rows for column, rows in self.ranges.items() if sort_key_of(column) is not order.column)
        return found + [by_range(rows, RANGE_MAX) for rows in ranges]

    def to_all(self) -> list[AccessPath]:
        """Return the paths that may be shorter than scanning every row."""
        return [by_parts(self.parts, SCAN_MAX)] if self.parts else []


NOTHING_KNOWN = Ways(None, 0, {})


def ways(noun: Noun, expr: Expr, viewpoint: Viewpoint) -> Ways:
    """Find the ways to an expression's candidates by indexes."""
    parts = candidates(noun, expr, viewpoint.principal.organization_id) or _also_related(noun, expr, viewpoint)
    return Ways(parts, WALK_MAX if holds_parts(expr) else RANGE_MAX, _ranges(noun, expr, viewpoint))


def _also_related(noun: Noun, expr: Expr, viewpoint: Viewpoint) -> Candidates | None:
    """Find candidates for an OR of conditions that the index narrows and of conditions on related rows."""
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
    """Tell whether an index has an organization's rows in this order."""
    return (key.nulls_first is not key.is_descending or not key.column_is_nullable) and is_indexed(key.column)


def _ranges(noun: Noun, expr: Expr, viewpoint: Viewpoint) -> dict[ColumnElement[Any], Select[Any]]:
    """Find the rows by column index, for the conditions that every row must satisfy."""
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
    """Write a comparison, or its negation, as a condition that a column index answers; None if there is none."""
    if field.kind is FieldKind.SOURCES:
        return field.column.in_([mask for mask in range(1 << len(BITS)) if _holds(compared, mask) is not is_negated])
    if is_negated or compared.op not in _RANGES or field.kind is FieldKind.VERSION:
        return None
    return compare(field, compared.op, compared.value, viewpoint.moment)


def _holds(compared: Compare, mask: int) -> bool:
    """Tell whether a comparison of sources holds for a mask."""
    if compared.op is Op.IS_EMPTY:
        return (mask == 0) is bool(compared.value)
    names = compared.value if isinstance(compared.value, tuple) else (compared.value,)
    hits = [mask & BITS.get(str(name), 0) != 0 for name in names]
    return all(hits) if compared.op is Op.HAS_ALL else any(hits)
