"""A condition on rows of one noun applied to rows of another: a field that is not there counts as missing."""

from __future__ import annotations

from collections.abc import Iterable

from schema.field.registry import Noun
from schema.filter.compare import NUMBERS
from schema.filter.expr import EVERYTHING, NOTHING, And, Compare, Count, Expr, Not, Op, Or, Quantifier, Related

# Operators that are true of a missing value; all others are false.
_HOLDS = {Op.NE, Op.NOT_IN}
_TOLD = {Op.IS_NULL, Op.IS_EMPTY}


def asked_of(other: Noun, noun: Noun, expr: Expr) -> Expr:
    """Return a condition of `noun` as one of `other`, which shares some fields and relations with it by name."""
    match expr:
        case And(parts):
            return _all(asked_of(other, noun, part) for part in parts)
        case Or(parts):
            return _any(asked_of(other, noun, part) for part in parts)
        case Not(part):
            return _not(asked_of(other, noun, part))
        case Compare(name, op, value):
            return _compared(other, name, op, value)
        case Related(name, quantifier, _):
            if name in other.relations and other.relations[name].target == noun.relations[name].target:
                return expr
            return NOTHING if quantifier is Quantifier.SOME else EVERYTHING
        case Count(relations, op, number):
            shared = tuple(name for name in relations if name in other.relations)
            return Count(shared, op, number) if shared else _told(bool(NUMBERS[op](0, number)))


def _compared(other: Noun, name: str, op: Op, value: object) -> Expr:
    if name == "id":
        # An id tells its noun: it is never that of a row of another.
        return _told(op in _HOLDS or (op in _TOLD and not value))
    if name in other.fields:
        return Compare(name, op, value)  # type: ignore[arg-type] # as it was
    return _told(op in _HOLDS or (op in _TOLD and bool(value)))


def _told(holds: bool) -> Expr:
    return EVERYTHING if holds else NOTHING


def _all(parts: Iterable[Expr]) -> Expr:
    found = tuple(part for part in parts if part != EVERYTHING)
    return NOTHING if NOTHING in found else found[0] if len(found) == 1 else And(found)


def _any(parts: Iterable[Expr]) -> Expr:
    found = tuple(part for part in parts if part != NOTHING)
    return EVERYTHING if EVERYTHING in found else found[0] if len(found) == 1 else Or(found)


def _not(part: Expr) -> Expr:
    return NOTHING if part == EVERYTHING else EVERYTHING if part == NOTHING else Not(part)
