"""Declares each limit of a document once; settings, `server { limits }` and refusals use these declarations.

A document is checked against them before it is validated, because validating a hostile document is slow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


def _limit(default: int, ceiling: int, description: str) -> Any:
    return dataclasses.field(default=default, metadata={"ceiling": ceiling, "description": description})


@dataclass(frozen=True)
class Limits:
    """The limits in force; `ceiling` in a field's metadata is the highest value that an operator may set."""

    chars: int = _limit(50_000, 100_000, "Characters of a document.")
    tokens: int = _limit(2_000, 4_000, "Tokens of a document; comments have the same limit.")
    operations: int = _limit(5, 20, "Operations in one document.")
    aliases: int = _limit(100, 400, "Aliases in a document.")
    directives: int = _limit(50, 200, "Directives in a document.")
    depth: int = _limit(12, 20, "Levels of nested fields; `edges`, `node` and `nodes` of a list do not count.")
    introspection_depth: int = _limit(20, 20, "Levels of nested fields below `__schema` and `__type`.")
    nesting: int = _limit(40, 60, "Levels of nested selection sets, with those of fragments.")
    fields: int = _limit(1_000, 2_000, "Fields of a document with its fragments expanded.")
    root_fields: int = _limit(20, 50, "Fields at the root of an operation.")
    repeats: int = _limit(20, 50, "Selections of the same response path.")
    cost: int = _limit(20_000, 200_000, "Rows in all lists of an operation together; nested lists are multiplied.")
    introspection_cost: int = _limit(
        50_000, 200_000, "Parts of the schema that `__schema` and `__type` describe; nested lists are multiplied."
    )


@dataclass(frozen=True)
class Bound:
    """One limit with its public name, value and description."""

    attribute: str
    name: str
    value: int
    ceiling: int
    description: str


def bounds(limits: Limits) -> Iterator[Bound]:
    """Yield the limits in the order of their declaration."""
    for field in dataclasses.fields(limits):
        value = getattr(limits, field.name)
        name, facts = public_name(field.name), field.metadata
        yield Bound(field.name, name, value, facts["ceiling"], facts["description"])


def public_name(attribute: str) -> str:
    """Return the camel-case name of a limit; Strawberry could do this, but reading settings must not load it."""
    first, *rest = attribute.split("_")
    return first + "".join(word.capitalize() for word in rest)
