"""What a filter means, in plain Python: the oracle that answers are compared with; knows nothing of SQL."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from schema.field.registry import Field, FieldKind, Noun
from sync.clock import SystemClock, timestamp
from tests.api.lists import value_of, version
from tests.api.text import fold, order
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
    if field.kind is FieldKind.ID:
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
    if field.kind in (FieldKind.LIST, FieldKind.ADDRESSES):
        return _LISTS[op]([fold(str(element)) for element in found or []], wanted)
    if op == "isNull":
        return (found is None) is bool(wanted)
    if field.kind in (FieldKind.TEXT, FieldKind.VERSION) and op in ("eq", "ne", "in", "notIn"):
        found = None if found is None else fold(found)
        wanted = fold(wanted) if isinstance(wanted, str) else [fold(one) for one in wanted]
    if op in ("ne", "notIn"):
        return found is None or (found != wanted if op == "ne" else found not in wanted)
    if found is not None and op in ("olderThan", "newerThan"):
        edge = timestamp(SystemClock().now() - DURATIONS[wanted])
        return bool(found < edge if op == "olderThan" else found > edge)
    if field.kind is FieldKind.VERSION and op in ("lt", "lte", "gt", "gte"):
        found, wanted = version(found), version(wanted)
    if field.kind is FieldKind.TEXT and found is not None and op in ("lt", "lte", "gt", "gte"):
        found, wanted = order(found), order(wanted)
    return found is not None and _PLAIN[op](found, wanted)


def inside(element: str, network: str) -> bool:
    """Tell whether a text is an address inside a network."""
    try:
        return ip_address(element) in ip_network(network)
    except ValueError:
        return False


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
    "contains": lambda found, wanted: fold(wanted) in fold(found),
    "startsWith": lambda found, wanted: fold(found).startswith(fold(wanted)),
    "endsWith": lambda found, wanted: fold(found).endswith(fold(wanted)),
}
_LISTS: dict[str, Callable[[list[str], Any], bool]] = {
    "has": lambda found, wanted: fold(wanted) in found,
    "hasAny": lambda found, wanted: any(fold(element) in found for element in wanted),
    "hasAll": lambda found, wanted: all(fold(element) in found for element in wanted),
    "isEmpty": lambda found, wanted: (not found) is bool(wanted),
}
