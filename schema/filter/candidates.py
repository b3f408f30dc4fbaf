"""Finds the rows that can satisfy a filter, by the index of parts of texts (sync/store/gram.py).

The filter is still applied to these candidates, so the index never changes an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_network
from typing import Any

from sqlalchemy import Select

from schema.field.registry import LISTS, Noun
from schema.field.rows import is_indexed
from schema.filter.expr import NOTHING, And, Compare, Expr, Op, Or
from schema.filter.like import literals
from sync.store import gram

# Makes the statement that reads the candidates' keys, up to a number; None reads all.
Candidates = Callable[[int | None], Select[Any]]
_EQUAL = (Op.EQ, Op.IN)
# Limits of a condition that FTS5 parses quickly.
_CHARS_MAX, _NESTING_MAX = 4_000, 8


def candidates(noun: Noun, expr: Expr, organization_id: Any) -> Candidates | None:
    """Find the candidates for an expression; None if the index cannot narrow it."""
    wanted = _wanted(noun, expr, _NESTING_MAX)
    return partial(gram.candidates, noun.table, wanted, organization_id) if wanted else None


def _wanted(noun: Noun, expr: Expr, nesting: int) -> str | None:
    """Write the FTS5 condition that rows satisfying an expression meet; None if there is none."""
    match expr:
        case Compare(name, op, value):
            return _compared(noun, name, op, value)
        case And(parts) if nesting:
            found = (_wanted(noun, part, nesting - 1) for part in parts)
            return _joined(" AND ", [part for part in found if part])
        case Or(parts) if nesting:
            return _any(_wanted(noun, part, nesting - 1) for part in parts if part != NOTHING)
    return None


def _compared(noun: Noun, name: str, op: Op, value: Any) -> str | None:
    field = noun.condition(name)
    if field.element is not None:
        return None
    if op in _EQUAL and is_indexed(field.column):
        return None
    match op:
        case Op.EQ | Op.CONTAINS | Op.STARTS_WITH | Op.ENDS_WITH:
            return gram.match(field.column, [value])
        case Op.MATCHES:
            return gram.match(field.column, literals(value), are_folded=True)
        case Op.HAS if field.kind in LISTS:
            return gram.match(field.column, [value])
        case Op.HAS_ALL:
            return gram.match(field.column, value)
        case Op.IN | Op.HAS_ANY:
            return _any(gram.match(field.column, [one]) for one in value)
        case Op.IN_NETWORK:
            return _any(gram.match(field.column, [text]) for network in value for text in _address_parts(network))
    return None


def _address_parts(network: str) -> Iterable[str]:
    """Return texts, one of which is in every address of an IPv4 network; IPv6 has too many notations."""
    found = ip_network(network)
    if found.version == 6:
        return [""]
    whole = found.prefixlen // 8
    octets = str(found.network_address).split(".")[:whole]
    # Every notation of an IPv4 address mapped to IPv6 has `ffff:`.
    return [".".join(octets) + "." * (whole < 4), "ffff:"]


def _any(parts: Iterable[str | None]) -> str | None:
    found = list(parts)
    # If the index cannot narrow one part, any row may satisfy the whole.
    return _joined(" OR ", [part for part in found if part]) if all(found) else None


def _joined(operator: str, parts: list[str]) -> str | None:
    whole = operator.join(f"({part})" for part in parts) if len(parts) > 1 else "".join(parts)
    return whole if 0 < len(whole) <= _CHARS_MAX else None


def holds_parts(expr: Expr) -> bool:
    """Tell whether an expression compares parts of texts or elements of lists, not only whole texts."""
    match expr:
        case Compare():
            return expr.op not in _EQUAL
        case And(parts) | Or(parts):
            return any(map(holds_parts, parts))
    return False
