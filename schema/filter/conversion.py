"""Applies a condition on one noun to another noun: fields that the other noun lacks count as missing."""

from __future__ import annotations

from collections.abc import Iterable

from schema.field.registry import Noun
from schema.filter.compare import NUMBERS
from schema.filter.expr import EVERYTHING, NOTHING, And, Compare, Count, Expr, Not, Op, Or, Quantifier, Related

# Operators that are true of a missing value. All others are false, except those of `_MISSING`, which ask for one.
_NEGATED = {Op.NE, Op.NOT_IN}
_MISSING = {Op.IS_NULL, Op.IS_EMPTY}


def converted(other: Noun, noun: Noun, expr: Expr) -> Expr:
    """Convert a condition on `noun` to one on `other`, which shares some fields and relations by name."""
    match expr:
        case And(parts):
            return _all(converted(other, noun, part) for part in parts)
        case Or(parts):
            return _any(converted(other, noun, part) for part in parts)
        case Not(part):
            return _not(converted(other, noun, part))
        case Compare(name, op, value):
            return _compared(other, name, op, value)
        case Related(name, quantifier, _):
            if name in other.relations and other.relations[name].target == noun.relations[name].target:
                return expr
            return NOTHING if quantifier is Quantifier.SOME else EVERYTHING
        case Count(relations, op, number):
            shared = tuple(name for name in relations if name in other.relations)
            return Count(shared, op, number) if shared else _constant(bool(NUMBERS[op](0, number)))


def _compared(other: Noun, name: str, op: Op, value: object) -> Expr:
    if name == "id":
        # An id of one noun is never the id of another noun's row.
        return _constant(op in _NEGATED or (op in _MISSING and not value))
    if name in other.fields:
        return Compare(name, op, value)  # type: ignore[arg-type] # unchanged
    return _constant(op in _NEGATED or (op in _MISSING and bool(value)))


def _constant(holds: bool) -> Expr:
    return EVERYTHING if holds else NOTHING


def _all(parts: Iterable[Expr]) -> Expr:
    found = tuple(part for part in parts if part != EVERYTHING)
    return NOTHING if NOTHING in found else found[0] if len(found) == 1 else And(found)


def _any(parts: Iterable[Expr]) -> Expr:
    found = tuple(part for part in parts if part != NOTHING)
    return EVERYTHING if EVERYTHING in found else found[0] if len(found) == 1 else Or(found)


def _not(part: Expr) -> Expr:
    return NOTHING if part == EVERYTHING else EVERYTHING if part == NOTHING else Not(part)
