"""Which rows can satisfy a filter at all, as the index of parts of texts tells (sync/store/gram.py).

The index leads to few rows or is left aside: what it leads to is compared all the same, so it never changes an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_network
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, case, func, select

from schema.expr import And, Compare, Expr, Op, Or
from schema.fields import LISTS, Noun
from sync.store import gram

# Reads (at most so many) keys of rows that may be meant; None reads them all.
Candidates = Callable[[int | None], Select[Any]]
# Up to so many candidates are looked at one by one where the alternative is to walk an index in the list's order,
# which is over soon when many rows are meant; and where the alternative is to look at every row.
WALK_MAX, SCAN_MAX = 5_000, 100_000
# What the index's own parser takes with ease.
_CHARS_MAX, _NESTING_MAX = 4_000, 8
_PIECES = re.compile(r"\\(.)|[%_]|[^\\%_]+", re.DOTALL)


def candidates(noun: Noun, expr: Expr, organization_id: Any) -> Candidates | None:
    """Find what leads to the rows that can satisfy an expression; None if the index says nothing of it."""
    wanted = _wanted(noun, expr, _NESTING_MAX)
    return partial(gram.candidates, noun.table, wanted, organization_id) if wanted else None


def led(
    rows: Select[Any], key: ColumnElement[Any], found: Candidates, most: int, size: Any = -1
) -> CompoundSelect[Any]:
    """Select the keys of rows by whichever way is shorter, which the statement finds out when it runs.

    Args:
        rows: with the whole filter, and their order if `size` is less than all.
        key: of the rows.
        found: leads to candidates.
        most: up to so many candidates are looked at one by one.
        size: how many keys; -1 for all.
    """
    known = found(most + 1).cte()
    number = select(func.count()).select_from(known).scalar_subquery()
    keys = rows.with_only_columns(key.label("id"), maintain_column_froms=True)
    # One of the two has a limit of nothing, so it does not even begin.
    few = keys.where(key.in_(select(known.c.id))).limit(case((number <= most, size), else_=0))
    many = keys.limit(case((number > most, size), else_=0))
    return select(few.subquery().c.id).union_all(select(many.subquery().c.id))


def _wanted(noun: Noun, expr: Expr, nesting: int) -> str | None:
    """Write what a row must hold to satisfy an expression."""
    match expr:
        case Compare(name, op, value):
            return _compared(noun, name, op, value)
        case And(parts) if nesting:
            found = (_wanted(noun, part, nesting - 1) for part in parts)
            return _joined(" AND ", [part for part in found if part])
        case Or(parts) if nesting:
            return _any(_wanted(noun, part, nesting - 1) for part in parts)
    return None


def _compared(noun: Noun, name: str, op: Op, value: Any) -> str | None:
    field = noun.condition(name)
    if field.element is not None:
        return None
    match op:
        case Op.CONTAINS | Op.STARTS_WITH | Op.ENDS_WITH:
            return gram.match(field.column, [value])
        case Op.MATCHES:
            return gram.match(field.column, _literals(value))
        case Op.HAS if field.kind in LISTS:
            return gram.match(field.column, [value])
        case Op.HAS_ALL:
            return gram.match(field.column, value)
        case Op.HAS_ANY:
            return _any(gram.match(field.column, [one]) for one in value)
        case Op.IN_NETWORK:
            return _any(gram.match(field.column, [text]) for network in value for text in _written(network))
    return None


def _written(network: str) -> Iterable[str]:
    """Return texts of which every address in an IPv4 network holds one; an IPv6 network has too many ways."""
    found = ip_network(network)
    if found.version == 6:
        return [""]
    whole = found.prefixlen // 8
    octets = str(found.network_address).split(".")[:whole]
    # An IPv4 address inside IPv6 is written in more ways than one, but each has this.
    return [".".join(octets) + "." * (whole < 4), "ffff:"]


def _any(parts: Iterable[str | None]) -> str | None:
    found = list(parts)
    # One that the index says nothing of may be true of any row.
    return _joined(" OR ", [part for part in found if part]) if all(found) else None


def _joined(operator: str, parts: list[str]) -> str | None:
    whole = operator.join(f"({part})" for part in parts) if len(parts) > 1 else "".join(parts)
    return whole if 0 < len(whole) <= _CHARS_MAX else None


def _literals(pattern: str) -> list[str]:
    """Return the texts between the wildcards of a pattern of LIKE."""
    found = [""]
    for piece in _PIECES.finditer(pattern):
        if piece[0] in ("%", "_"):
            found.append("")
        else:
            found[-1] += piece[1] or piece[0]
    return found
