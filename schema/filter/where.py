"""An expression's meaning in SQL: two-valued, nulls included, the same on SQLite and PostgreSQL.

A condition on related rows becomes a set of parent keys that the database computes once; the related rows are those
the caller may see, and a filter reaches no field that the caller's role does not.
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
    """What a filter means depends on who asks and when.

    Args:
        principal: who asks.
        now: what relative times are relative to; None leaves it to each run of the statement, as parameters that
            `moments_of` finds and fills in.
    """

    principal: Principal
    now: datetime | None

    def moment(self, seconds: float) -> Any:
        """Return the time so many seconds from now, or the parameter that will be it."""
        if self.now is None:
            return parameter(f"{_MOMENT}{seconds:+}", Text())
        return timestamp(self.now + timedelta(seconds=seconds))


def moments_of(names: Iterable[str]) -> dict[str, float]:
    """Return the parameters among these that are times → the seconds each is from now."""
    return {name: float(name.removeprefix(_MOMENT)) for name in names if name.startswith(_MOMENT)}


def clause(noun: Noun, expr: Expr, viewpoint: Viewpoint) -> ColumnElement[bool]:
    """Compile an expression over a noun's fields and relations.

    Raises:
        Forbidden: it compares what the caller may not read.
    """
    match expr:
        case And(parts):
            return and_(true(), *(clause(noun, part, viewpoint) for part in parts))
        case Or(parts):
            return or_(false(), *(clause(noun, part, viewpoint) for part in parts))
        case Not(part):
            # A comparison with null is unknown in SQL; here it is false, and its negation true.
            return not_(func.coalesce(clause(noun, part, viewpoint), false()))
        case Compare(name, op, value):
            field = noun.condition(name)
            _check_reach(noun, field.graphql_name, viewpoint)
            return compare(field, op, value, viewpoint.moment)
        case Related(name, (Quantifier.SOME | Quantifier.NONE) as quantifier, And(())) if name in noun.ends:
            found = _has_end(noun, noun.ends[name], viewpoint)
            return not_(found) if quantifier is Quantifier.NONE else found
        case Related(name, quantifier, part):
            return _related(noun, noun.relations[name], quantifier, part, viewpoint)
        case Count():
            return _counted(noun, expr, viewpoint)


def _check_reach(noun: Noun, name: str, viewpoint: Viewpoint) -> None:
    """Refuse what would answer by yes and no a question that the role may not ask outright."""
    least, role = least_role(f"{noun.name}.{name}"), viewpoint.principal.role
    if least is None or not role.reaches(least):
        raise Forbidden(
            f"The role {role.name} may not filter by {noun.name}.{name}.",
            hint="Leave the condition out, or ask an administrator for another token.",
            coordinate=f"{noun.name}.{name}",
        )


def _has_end(noun: Noun, ends: Ends, viewpoint: Viewpoint) -> ColumnElement[bool]:
    """Compile "there is an end"; each row is asked, because mostly its first edge is the answer."""
    _check_reach(noun, ends.graphql_name, viewpoint)
    pairs = ends.pairs()
    return pairs.where(pairs.selected_columns[0] == noun.key).correlate(noun.table).exists()


def _related(
    noun: Noun, relation: Relation, quantifier: Quantifier, part: Expr, viewpoint: Viewpoint
) -> ColumnElement[bool]:
    if quantifier is Quantifier.EVERY:
        return not_(_led_to(noun, relation, Not(part), viewpoint))
    found = _led_to(noun, relation, part, viewpoint)
    return not_(found) if quantifier is Quantifier.NONE else found


def _led_to(noun: Noun, relation: Relation, part: Expr, viewpoint: Viewpoint) -> ColumnElement[bool]:
    """Compile "the relation leads to a row that satisfies the part"; never null."""
    if relation.column is None:
        return noun.key.in_(_set_of(parents_of(noun, relation, part, viewpoint)))
    target = NOUNS[relation.target]
    rows = select(target.key).where(*_visible(noun, relation, part, viewpoint))
    return func.coalesce(relation.column.in_(_set_of(rows)), false())


def _set_of(rows: Select[Any]) -> Select[Any]:
    """Put a set of keys beside the statement, not inside it: SQLite's parser takes no deep nesting.

    There the table that is filtered may stand again, as other rows of it.
    """
    found = rows.correlate(None).cte()
    return select(*found.columns)


@cache
def _leading(relation: Relation, *, once: bool = False) -> Subquery:
    """Return a relation's pairs as something to join; made once, because a filter may cross a relation often.

    Args:
        relation: which.
        once: whether two ways to the same row make one pair.
    """
    return (relation.pairs().distinct() if once else relation.pairs()).subquery()


def parents_of(noun: Noun, relation: Relation, part: Expr, viewpoint: Viewpoint) -> Select[Any]:
    """Select the parents' keys as `parent`, one row for each pair whose target satisfies the part."""
    target, pairs = NOUNS[relation.target], _leading(relation)
    parent_key, target_key = pairs.columns
    rows = select(parent_key.label("parent")).join_from(pairs, target.table, target.key == target_key)
    return rows.where(parent_key.is_not(None), *_visible(noun, relation, part, viewpoint))


def _visible(noun: Noun, relation: Relation, part: Expr, viewpoint: Viewpoint) -> list[ColumnElement[bool]]:
    _check_reach(noun, relation.graphql_name, viewpoint)
    target = NOUNS[relation.target]
    conditions = [target.visible, target.scope(viewpoint.principal), clause(target, part, viewpoint)]
    if found := candidates(target, part, viewpoint.principal.organization_id):
        conditions.append(target.key.in_(found(None)))
    return conditions


def _counted(noun: Noun, expr: Count, viewpoint: Viewpoint) -> ColumnElement[bool]:
    """Compile a comparison of the number of related rows, each counted once, however many relations lead to it."""
    ways: dict[str, list[Select[Any]]] = {}
    for ends in (noun.ends[name] for name in expr.relations if name in noun.ends):
        _check_reach(noun, ends.graphql_name, viewpoint)
        pairs_of_ends = ends.pairs()
        once = pairs_of_ends if are_unique(pairs_of_ends) else pairs_of_ends.distinct()
        parent, end = once.subquery().columns
        ways[ends.name] = [select(parent.label("parent"), end.label("target"))]
    for relation in (noun.relations[name] for name in expr.relations if name not in noun.ends):
        ways.setdefault(relation.target, []).append(_pairs(noun, relation, viewpoint))
    # Two ways to the same row lead to one row; rows of different nouns may have equal keys.
    each = [found[0] if len(found) == 1 else select(union(*found).subquery()) for found in ways.values()]
    pairs = union_all(*each).subquery()
    number = func.count()
    holds = NUMBERS[expr.op](number, expr.number)
    # A row without any related one is in no group: when none is right, the others are left out instead.
    zero_holds = bool(NUMBERS[expr.op](0, expr.number))
    groups = select(pairs.c.parent).group_by(pairs.c.parent).having(not_(holds) if zero_holds else holds)
    chosen = noun.key.in_(_set_of(groups))
    return not_(chosen) if zero_holds else chosen


def _pairs(noun: Noun, relation: Relation, viewpoint: Viewpoint) -> Select[Any]:
    """Select (parent, target), each pair once."""
    target, pairs = NOUNS[relation.target], _leading(relation, once=True)
    parent_key, target_key = pairs.columns
    ends = (parent_key.label("parent"), target_key.label("target"))
    rows = select(*ends).join_from(pairs, target.table, target.key == target_key)
    return rows.where(parent_key.is_not(None), *_visible(noun, relation, And(()), viewpoint))
