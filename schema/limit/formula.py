"""Formulas of costs: numbers, lengths from variables, sums, products and conditions.

`made` simplifies a formula; without variables it becomes a number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schema.list.paging import FIRST_DEFAULT


@dataclass(frozen=True)
class Flag:
    """A variable that must be true, or false, for a field to be read."""

    variable: str
    is_true: bool

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the variable has the value; null counts as false, and is an error before anything is read."""
        return bool(values.get(self.variable)) is self.is_true


class Formula(ABC):
    """A number of rows that may depend on the variables of a request."""

    @abstractmethod
    def of(self, values: Mapping[str, Any]) -> int:
        """Return the number for the coerced values of the variables."""


@dataclass(frozen=True)
class Constant(Formula):
    """A number that no variable changes."""

    number: int

    def of(self, values: Mapping[str, Any]) -> int:
        """Return the number."""
        return self.number


ZERO, ONE = Constant(0), Constant(1)


@dataclass(frozen=True)
class Length(Formula):
    """The length of a list: the largest of its variables and of the document's number; without any, the default."""

    variables: tuple[str, ...]
    fixed: int | None

    def made(self) -> Formula:
        """Return the smallest formula that says the same."""
        return self if self.variables else Constant(self.of({}))

    def of(self, values: Mapping[str, Any]) -> int:
        """Return the length."""
        given = [_size(values[name]) for name in self.variables if values.get(name) is not None]
        given += [self.fixed] if self.fixed is not None else []
        return max(given, default=FIRST_DEFAULT)


@dataclass(frozen=True)
class Product(Formula):
    """A product."""

    one: Formula
    other: Formula

    def made(self) -> Formula:
        """Return the smallest formula that says the same."""
        if isinstance(self.one, Constant) and isinstance(self.other, Constant):
            return Constant(self.one.number * self.other.number)
        return ZERO if ZERO in (self.one, self.other) else self

    def of(self, values: Mapping[str, Any]) -> int:
        """Return the product."""
        return self.one.of(values) * self.other.of(values)


@dataclass(frozen=True)
class Total(Formula):
    """The sum of some parts and a number."""

    parts: tuple[Formula, ...]
    number: int

    def of(self, values: Mapping[str, Any]) -> int:
        """Return the sum."""
        return self.number + sum(part.of(values) for part in self.parts)


@dataclass(frozen=True)
class Greatest(Formula):
    """The greatest of some parts."""

    parts: tuple[Formula, ...]

    def of(self, values: Mapping[str, Any]) -> int:
        """Return the greatest."""
        return max(part.of(values) for part in self.parts)


@dataclass(frozen=True)
class When(Formula):
    """`part` if all flags of at least one guard hold, otherwise `otherwise`."""

    guards: Sequence[frozenset[Flag]]
    part: Formula
    otherwise: Formula

    def made(self) -> Formula:
        """Return the smallest formula that says the same."""
        if self.part == self.otherwise:
            return self.part
        if any(not guard for guard in self.guards):
            return self.part
        return When(tuple(set(self.guards)), self.part, self.otherwise) if self.guards else self.otherwise

    def of(self, values: Mapping[str, Any]) -> int:
        """Return the number of the part that applies."""
        holds = any(all(flag.holds(values) for flag in guard) for guard in self.guards)
        return (self.part if holds else self.otherwise).of(values)


def total(parts: Iterable[Formula]) -> Formula:
    """Return the sum of parts."""
    number, left = 0, list[Formula]()
    for part in parts:
        if isinstance(part, Constant):
            number += part.number
        else:
            left.append(part)
    return Total(tuple(left), number) if left else Constant(number)


def greatest(parts: Sequence[Formula]) -> Formula:
    """Return the greatest of parts; 0 without parts."""
    known = max((part.number for part in parts if isinstance(part, Constant)), default=0)
    left = tuple(dict.fromkeys(part for part in parts if not isinstance(part, Constant)))
    return Greatest((*left, Constant(known))) if left else Constant(known)


def _size(value: Any) -> int:
    """Return the length that a value gives; a negative number, which its field refuses, counts as 0."""
    if isinstance(value, list):
        return len(value)
    return max(int(value), 0) if isinstance(value, int | float) else 1
