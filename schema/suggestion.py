"""Suggests known names that resemble an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

NAMES_MAX = 3
_ALIKE_LEAST = 0.4
_CHARS_MAX, _SHOWN_CHARS_MAX = 80, 40


def pairs(name: str) -> frozenset[str]:
    """Return the pairs of adjacent characters in a name, its ends included; similar names share many."""
    padded = f" {name.casefold().replace('_', '')} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))


def likest(name: str, spellings: Iterable[tuple[str, frozenset[str]]]) -> list[str]:
    """Return the names most similar to `name`, the best first; `spellings` holds each name with its pairs."""
    own = pairs(name[:_CHARS_MAX])
    rated = sorted(
        ((2 * len(own & other) / (len(own) + len(other)), spelling) for spelling, other in spellings),
        key=lambda rating: (-rating[0], rating[1]),
    )
    return [spelling for rating, spelling in rated[:NAMES_MAX] if rating >= _ALIKE_LEAST]


class Suggestion(str):
    """A hint that contains names of the schema; it is sent only if introspection is allowed."""

    __slots__ = ()


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> Suggestion:
    """Return a hint with the most similar names, or `otherwise`."""
    near = likest(name, [(known, pairs(known)) for known in sorted(names)])
    return Suggestion(f"Did you mean {' or '.join(near)}?" if near else otherwise)


def shown(name: str) -> str:
    """Return a name for an error, shortened if it is long."""
    return name if len(name) <= _SHOWN_CHARS_MAX else f"{name[:_SHOWN_CHARS_MAX]}…"
