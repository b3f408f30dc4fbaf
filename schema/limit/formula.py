"""Formulas of costs: numbers, lengths that variables give, sums, products, and parts under conditions.

Each is made as small as it can be: what depends on no variable is one number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schema.list.paging import FIRST_DEFAULT


@dataclass(frozen=True)
class Flag:
    """A variable that has to be true, or false, for a field to be read."""

    variable: str
    is_true: bool

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Tell whether it is so; null leaves out what @include asks for, and is an error before anything is read."""
        return bool(values.get(self.variable)) is self.is_true


class Formula(ABC):
    """A number of rows, with the variables of one request."""

    @abstractmethod
    def of(self, values: Mapping[str, Any]) -> int:
        """Return the number with the coerced values of the variables."""


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
    """How long a list may be: the largest of what its variables and the document say, the usual if none says any."""

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
    """A sum of parts, and a number."""

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
    """One part if all flags of some guard hold, else the other."""

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
        """Return the part that counts."""
        holds = any(all(flag.holds(values) for flag in guard) for guard in self.guards)
        return (self.part if holds else self.otherwise).of(values)


def total(parts: Iterable[Formula]) -> Formula:
    """Add parts up."""
    number, left = 0, list[Formula]()
    for part in parts:
        if isinstance(part, Constant):
            number += part.number
        else:
            left.append(part)
    return Total(tuple(left), number) if left else Constant(number)


def greatest(parts: Sequence[Formula]) -> Formula:
    """Return the greatest of parts; of none, 0."""
    known = max((part.number for part in parts if isinstance(part, Constant)), default=0)
    left = tuple(dict.fromkeys(part for part in parts if not isinstance(part, Constant)))
    return Greatest((*left, Constant(known))) if left else Constant(known)


def _size(value: Any) -> int:
    """Read the length in a value; one that its field will refuse counts as nothing."""
    if isinstance(value, list):
        return len(value)
    return max(int(value), 0) if isinstance(value, int | float) else 1
