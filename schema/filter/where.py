"""Compiles an expression to SQL: true or false for every row, nulls included; the same on SQLite and PostgreSQL.

A condition on related rows becomes a set of parent keys, which the database computes once. It covers only rows that
the caller may see, and only fields that the caller's role may read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    false,
    func,
    not_,
    or_,
    select,
    true,
    union,
    union_all,
)

from schema.access import Principal, least_role
from schema.field.registry import NOUNS, Ends, Noun, Relation
from schema.field.relations import are_unique
from schema.field.rows import parameter
from schema.filter.candidates import candidates
from schema.filter.compare import NUMBERS, compare
from schema.filter.expr import And, Compare, Count, Expr, Not, Or, Quantifier, Related
from sync.clock import timestamp
from sync.errors import Forbidden

_MOMENT = "now"


@dataclass(frozen=True)
class Viewpoint:
    """The caller and the time, on which the meaning of a filter depends.

    Args:
        principal: the caller.
        now: the base of relative times; None makes them parameters, which each run of the statement fills in
            (see `moments_of`).
    """

    principal: Principal
    now: datetime | None

    def moment(self, seconds: float) -> Any:
        """Return the time a number of seconds from now, or a parameter for it."""
        if self.now is None:
            return parameter(f"{_MOMENT}{seconds:+}", Text())
        return timestamp(self.now + timedelta(seconds=seconds))


def moments_of(names: Iterable[str]) -> dict[str, float]:
    """Return the parameters that are relative times → their seconds from now."""
    return {name: float(name.removeprefix(_MOMENT)) for name in names if name.startswith(_MOMENT)}


def clause(noun: Noun, expr: Expr, viewpoint: Viewpoint) -> ColumnElement[bool]:
    """Compile an expression over a noun's fields and relations.

    Raises:
        Forbidden: it compares a field that the caller may not read.
    """
    match expr:
        case And(parts):
            return and_(true(), *(clause(noun, part, viewpoint) for part in parts))
        case Or(parts):
            return or_(false(), *(clause(noun, part, viewpoint) for part in parts))
        case Not(part):
            # SQL makes a comparison with null null; treat it as false, so that NOT makes it true.
            return not_(func.coalesce(clause(noun, part, viewpoint), false()))
        case Compare(name, op, value):
            field = noun.condition(name)
            _check_access(noun, field.graphql_name, viewpoint)
            return compare(field, op, value, viewpoint.moment)
        case Related(name, (Quantifier.SOME | Quantifier.NONE) as quantifier, And(())) if name in noun.ends:
            found = _has_end(noun, noun.ends[name], viewpoint)
            return not_(found) if quantifier is Quantifier.NONE else found
        case Related(name, quantifier, part):
            return _related(noun, noun.relations[name], quantifier, part, viewpoint)
        case Count():
            return _counted(noun, expr, viewpoint)


def _check_access(noun: Noun, name: str, viewpoint: Viewpoint) -> None:
    """Refuse a filter by a field that the role may not read, since its results would reveal the values."""
    least, role = least_role(f"{noun.name}.{name}"), viewpoint.principal.role
    if least is None or not role.reaches(least):
        raise Forbidden(
            f"The role {role.name} may not filter by {noun.name}.{name}.",
            hint="Leave the condition out, or ask an administrator for another token.",
            coordinate=f"{noun.name}.{name}",
        )


def _has_end(noun: Noun, ends: Ends, viewpoint: Viewpoint) -> ColumnElement[bool]:
    """Compile "there is a related row of any noun"; check row by row, as the first edge usually decides."""
    _check_access(noun, ends.graphql_name, viewpoint)
    pairs = ends.pairs()
    return pairs.where(pairs.selected_columns[0] == noun.key).correlate(noun.table).exists()


def _related(
    noun: Noun, relation: Relation, quantifier: Quantifier, part: Expr, viewpoint: Viewpoint
) -> ColumnElement[bool]:
    if quantifier is Quantifier.EVERY:
        return not_(_has_related(noun, relation, Not(part), viewpoint))
    found = _has_related(noun, relation, part, viewpoint)
    return not_(found) if quantifier is Quantifier.NONE else found


def _has_related(noun: Noun, relation: Relation, part: Expr, viewpoint: Viewpoint) -> ColumnElement[bool]:
    """Compile "a related row satisfies the part"; never null."""
    if relation.column is None:
        return noun.key.in_(_set_of(parents_of(noun, relation, part, viewpoint)))
    target = NOUNS[relation.target]
    rows = select(target.key).where(*_visible(noun, relation, part, viewpoint))
    return func.coalesce(relation.column.in_(_set_of(rows)), false())


def _set_of(rows: Select[Any]) -> Select[Any]:
    """Put a set of keys into a CTE, because SQLite's parser limits nesting.

    Without correlation, so that the set may read other rows of the filtered table.
    """
    found = rows.correlate(None).cte()
    return select(*found.columns)


@cache
def _pairs_of(relation: Relation, *, once: bool = False) -> Subquery:
    """Return a relation's pairs as a subquery; cached, because a filter may use a relation many times.

    Args:
        relation: the relation.
        once: whether to remove duplicate pairs.
    """
    return (relation.pairs().distinct() if once else relation.pairs()).subquery()


def parents_of(noun: Noun, relation: Relation, part: Expr, viewpoint: Viewpoint) -> Select[Any]:
    """Select the parents' keys as `parent`, one row for each pair whose target satisfies the part."""
    target, pairs = NOUNS[relation.target], _pairs_of(relation)
    parent_key, target_key = pairs.columns
    rows = select(parent_key.label("parent")).join_from(pairs, target.table, target.key == target_key)
    return rows.where(parent_key.is_not(None), *_visible(noun, relation, part, viewpoint))


def _visible(noun: Noun, relation: Relation, part: Expr, viewpoint: Viewpoint) -> list[ColumnElement[bool]]:
    _check_access(noun, relation.graphql_name, viewpoint)
    target = NOUNS[relation.target]
    conditions = [target.visible, target.scope(viewpoint.principal), clause(target, part, viewpoint)]
    if found := candidates(target, part, viewpoint.principal.organization_id):
        conditions.append(target.key.in_(found(None)))
    return conditions


def _counted(noun: Noun, expr: Count, viewpoint: Viewpoint) -> ColumnElement[bool]:
    """Compile a comparison of the number of related rows; a row of several relations counts once."""
    ways: dict[str, list[Select[Any]]] = {}
    for ends in (noun.ends[name] for name in expr.relations if name in noun.ends):
        _check_access(noun, ends.graphql_name, viewpoint)
        pairs_of_ends = ends.pairs()
        once = pairs_of_ends if are_unique(pairs_of_ends) else pairs_of_ends.distinct()
        parent, end = once.subquery().columns
        ways[ends.name] = [select(parent.label("parent"), end.label("target"))]
    for relation in (noun.relations[name] for name in expr.relations if name not in noun.ends):
        ways.setdefault(relation.target, []).append(_pairs(noun, relation, viewpoint))
    # Remove duplicates within a noun only: rows of different nouns may have equal keys.
    each = [found[0] if len(found) == 1 else select(union(*found).subquery()) for found in ways.values()]
    pairs = union_all(*each).subquery()
    number = func.count()
    holds = NUMBERS[expr.op](number, expr.number)
    # A row without related rows is in no group: if zero matches, exclude the groups that do not match.
    zero_holds = bool(NUMBERS[expr.op](0, expr.number))
    groups = select(pairs.c.parent).group_by(pairs.c.parent).having(not_(holds) if zero_holds else holds)
    chosen = noun.key.in_(_set_of(groups))
    return not_(chosen) if zero_holds else chosen


def _pairs(noun: Noun, relation: Relation, viewpoint: Viewpoint) -> Select[Any]:
    """Select (parent, target), each pair once."""
    target, pairs = NOUNS[relation.target], _pairs_of(relation, once=True)
    parent_key, target_key = pairs.columns
    ends = (parent_key.label("parent"), target_key.label("target"))
    rows = select(*ends).join_from(pairs, target.table, target.key == target_key)
    return rows.where(parent_key.is_not(None), *_visible(noun, relation, And(()), viewpoint))
