"""Names that look like one that is not known: what an error suggests."""

from __future__ import annotations

from collections.abc import Iterable

NAMES_MAX = 3
_ALIKE_LEAST = 0.4
_CHARS_MAX, _SHOWN_CHARS_MAX = 80, 40


def pairs(name: str) -> frozenset[str]:
    """Return the pairs of neighbours in a name, its ends included: what two alike names share."""
    padded = f" {name.casefold().replace('_', '')} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))


def likest(name: str, spellings: Iterable[tuple[str, frozenset[str]]]) -> list[str]:
    """Return the names that look most like one, the likest first; each comes with its pairs."""
    own = pairs(name[:_CHARS_MAX])
    rated = sorted(
        ((2 * len(own & other) / (len(own) + len(other)), spelling) for spelling, other in spellings),
        key=lambda rating: (-rating[0], rating[1]),
    )
    return [spelling for rating, spelling in rated[:NAMES_MAX] if rating >= _ALIKE_LEAST]


class Suggestion(str):
    """A hint that names what there is: told to those alone who may ask for the schema."""

    __slots__ = ()


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> Suggestion:
    """Return a hint that names what was probably meant, or another one."""
    near = likest(name, [(known, pairs(known)) for known in sorted(names)])
    return Suggestion(f"Did you mean {' or '.join(near)}?" if near else otherwise)


def shown(name: str) -> str:
    """Return a name as an error quotes it: not longer than it helps."""
    return name if len(name) <= _SHOWN_CHARS_MAX else f"{name[:_SHOWN_CHARS_MAX]}…"
