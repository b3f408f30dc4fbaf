"""The tree that every filter becomes, whichever way it was written; see schema/where.py for its meaning in SQL."""

from __future__ import annotations

import enum
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


@dataclass(frozen=True)
class Compare:
    """One field compared with a value, or with several for IN, NOT_IN, HAS_ANY and HAS_ALL."""

    field: str
    op: Op
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class And:
    """True when every part is; without parts: everything."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True)
class Or:
    """True when some part is; without parts: nothing."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True)
class Not:
    """True when the part is not, also where the part compares a null."""

    part: Expr


Expr = Compare | And | Or | Not
EVERYTHING = And(())
