"""What a filter means, in plain Python: the oracle that answers are compared with; knows nothing of SQL."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from schema.fields import Field, Kind, Noun
from sync.clock import SystemClock, timestamp
from tests.api.lists import value_of
from tests.api.world import Row

Where = Mapping[str, Any]


def matches(noun: Noun, where: Where, row: Row) -> bool:
    """Tell whether a row is among those a `where` asks for."""
    return all(_holds(noun, name, value, row) for name, value in where.items())


def _holds(noun: Noun, name: str, value: Any, row: Row) -> bool:
    if name in ("and", "or", "not"):
        return holds_together(name, value, lambda part: matches(noun, part, row))
    field = next(field for field in noun.fields.values() if field.graphql_name == name)
    found = value_of(field, row)
    if field.kind is Kind.ID:
        found = f"{noun.prefix}_{found}"
    return all(compare(field, op, found, wanted) for op, wanted in value.items())


def holds_together(name: str, value: Any, holds: Callable[[Any], bool]) -> bool:
    """Tell whether `and`, `or` or `not` holds."""
    if name == "not":
        return not holds(value)
    return all(map(holds, value)) if name == "and" else any(map(holds, value))


def compare(field: Field, op: str, found: Any, wanted: Any) -> bool:
    """Tell whether one condition holds for a stored value."""
    if op == "inNetwork":
        return any(inside(element, network) for element in found or [] for network in wanted)
    if field.kind in (Kind.LIST, Kind.ADDRESSES):
        return _LISTS[op]([str(element).casefold() for element in found or []], wanted)
    if op == "isNull":
        return (found is None) is bool(wanted)
    if op in ("ne", "notIn"):
        return found is None or (found != wanted if op == "ne" else found not in wanted)
    if found is not None and op in ("olderThan", "newerThan"):
        edge = timestamp(SystemClock().now() - DURATIONS[wanted])
        return bool(found < edge if op == "olderThan" else found > edge)
    if field.kind is Kind.VERSION and op in ("lt", "lte", "gt", "gte"):
        found, wanted = version(found), version(wanted)
    return found is not None and _PLAIN[op](found, wanted)


def inside(element: str, network: str) -> bool:
    """Tell whether a text is an address inside a network."""
    try:
        return ip_address(element) in ip_network(network)
    except ValueError:
        return False


def version(text: str | None) -> list[int] | None:
    """Return a version's numbers without zeros at its end; None if there are none."""
    numbers = [int(number) for number in re.findall("[0-9]+", text or "")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers if re.search("[0-9]", text or "") else None


DURATIONS = {
    "0s": timedelta(),
    "12h": timedelta(hours=12),
    "P30D": timedelta(days=30),
    "1y": timedelta(days=365),
    "300 days": timedelta(days=300),
    "1000y": timedelta(days=365_000),
}


COUNTS: dict[str, Callable[[int, int], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_PLAIN: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda found, wanted: bool(found == wanted),
    "in": lambda found, wanted: found in wanted,
    "lt": lambda found, wanted: bool(found < wanted),
    "lte": lambda found, wanted: bool(found <= wanted),
    "gt": lambda found, wanted: bool(found > wanted),
    "gte": lambda found, wanted: bool(found >= wanted),
    "contains": lambda found, wanted: wanted.casefold() in found.casefold(),
    "startsWith": lambda found, wanted: found.casefold().startswith(wanted.casefold()),
    "endsWith": lambda found, wanted: found.casefold().endswith(wanted.casefold()),
}
_LISTS: dict[str, Callable[[list[str], Any], bool]] = {
    "has": lambda found, wanted: wanted.casefold() in found,
    "hasAny": lambda found, wanted: any(element.casefold() in found for element in wanted),
    "hasAll": lambda found, wanted: all(element.casefold() in found for element in wanted),
    "isEmpty": lambda found, wanted: (not found) is bool(wanted),
}
