"""The limits of a document, each declared once: settings, `server { limits }` and their refusals are made from here.

A document is held against them before it is validated, because validation is what a hostile one would make slow.
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
    """The limits in force; `ceiling` in a field's metadata is as far as an operator may raise it."""

    chars: int = _limit(50_000, 100_000, "Characters of a document.")
    tokens: int = _limit(2_000, 4_000, "Tokens of a document, and comments.")
    operations: int = _limit(5, 20, "Operations sent in one document.")
    aliases: int = _limit(100, 400, "Aliases in a document.")
    directives: int = _limit(50, 200, "Directives in a document.")
    depth: int = _limit(12, 20, "Fields inside each other; `edges`, `node` and `nodes` of a list do not count.")
    introspection_depth: int = _limit(20, 20, "Fields inside each other below `__schema` and `__type`.")
    nesting: int = _limit(40, 60, "Selection sets inside each other, those of fragments included.")
    fields: int = _limit(1_000, 2_000, "Fields of a document once its fragments are expanded.")
    root_fields: int = _limit(20, 50, "Fields at the root of an operation.")
    repeats: int = _limit(20, 50, "Times that one response path is selected.")
    cost: int = _limit(20_000, 200_000, "Rows that an operation's lists may hold together, nested ones multiplied.")
    introspection_cost: int = _limit(
        50_000, 200_000, "Parts of the schema that `__schema` and `__type` may tell of, nested ones multiplied."
    )


@dataclass(frozen=True)
class Bound:
    """One limit as callers and operators see it."""

    attribute: str
    name: str
    value: int
    ceiling: int
    description: str


def bounds(limits: Limits) -> Iterator[Bound]:
    """List the limits in the order of their declaration."""
    for field in dataclasses.fields(limits):
        value = getattr(limits, field.name)
        name, facts = public_name(field.name), field.metadata
        yield Bound(field.name, name, value, facts["ceiling"], facts["description"])


def public_name(attribute: str) -> str:
    """Return what callers see a limit called; Strawberry can tell, but is slow to load for who only reads settings."""
    first, *rest = attribute.split("_")
    return first + "".join(word.capitalize() for word in rest)
