"""The expression tree of every filter, typed or as search text; schema/filter/where.py compiles it to SQL.

Times stay relative ("newer than 3 days"), so that a list's cursors stay valid while time passes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

Scalar = str | int | bool


class Op(enum.StrEnum):
    """How a field is compared; the names are those of the filters' input fields."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "notIn"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IS_NULL = "isNull"
    CONTAINS = "contains"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    HAS = "has"
    HAS_ANY = "hasAny"
    HAS_ALL = "hasAll"
    IS_EMPTY = "isEmpty"
    # Seconds before now.
    OLDER_THAN = "olderThan"
    NEWER_THAN = "newerThan"
    # An element is an address inside one of these networks; outside all of them.
    IN_NETWORK = "inNetwork"
    OUTSIDE = "outside"
    # A folded LIKE pattern; only from search text.
    MATCHES = "matches"
    # Less than, or at least, a number of seconds from now, past or future; only from search text.
    WITHIN = "within"
    BEYOND = "beyond"


class Quantifier(enum.StrEnum):
    """How many of the related rows must satisfy a condition."""

    SOME = "some"
    NONE = "none"
    EVERY = "every"


@dataclass(frozen=True)
class Compare:
    """One field compared with a value, or with several for IN, NOT_IN, HAS_ANY, HAS_ALL and the networks."""

    field: str
    op: Op
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class Related:
    """A condition on related rows: some, none or every one of them satisfies the part."""

    relation: str
    quantifier: Quantifier
    part: Expr


@dataclass(frozen=True)
class Count:
    """The number of rows of several relations together, compared by EQ, NE, LT, LTE, GT or GTE."""

    relations: tuple[str, ...]
    op: Op
    number: int


@dataclass(frozen=True)
class And:
    """True if every part is; without parts it matches everything."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True)
class Or:
    """True if any part is; without parts it matches nothing."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True)
class Not:
    """True if the part is not, also if the part compares a null."""

    part: Expr


Expr = Compare | Related | Count | And | Or | Not
EVERYTHING = And(())
NOTHING = Or(())


def exists(relation: str) -> Expr:
    """Return the condition that a relation has at least one row."""
    return Related(relation, Quantifier.SOME, EVERYTHING)


def either(parts: Iterable[Expr]) -> Expr:
    """Join parts by OR; merge those on some rows of the same relation into one."""
    flat: list[Expr] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Or) else [part])
    asked: dict[str, list[Expr]] = {}
    for part in flat:
        if isinstance(part, Related) and part.quantifier is Quantifier.SOME:
            asked.setdefault(part.relation, []).append(part.part)
    found: list[Expr] = []
    for part in flat:
        if not isinstance(part, Related) or part.quantifier is not Quantifier.SOME:
            found.append(part)
        elif inner := asked.pop(part.relation, None):
            # EVERYTHING includes the other parts.
            one = EVERYTHING if EVERYTHING in inner else inner[0] if len(inner) == 1 else either(inner)
            found.append(Related(part.relation, Quantifier.SOME, one))
    return found[0] if len(found) == 1 else Or(tuple(found))
