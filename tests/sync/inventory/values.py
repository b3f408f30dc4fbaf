"""Values that fit a column and values of every type of JSON, told by Microsoft's types and not by the mapping."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Integer

from sync.store.tables.column import HOLDS, OBJECT, OBJECTS, Json, Time

HUGE = 2**65
# One of each type of JSON, and what lists hold at worst.
ANY_TYPE: dict[str, Any] = {
    "text": "Wrong",
    "time": "2026-01-02T03:04:05.678Z",
    "number": 7,
    "fraction": 1.5,
    "bool": True,
    "object": {"a": 1},
    "list": ["a"],
    "empty list": [],
    "list of null": [None],
    "list of numbers": ["a", 7],
    "list of objects": [{"a": 1}],
    "beyond 32 bits": 2**40,
    "beyond 64 bits": HUGE,
    "negative beyond 64 bits": -HUGE,
    "list of huge": [HUGE],
}


def values_of(prop: str, column: Column[Any]) -> tuple[Any, Any]:
    """Return two values that the column stores as they are."""
    if column.type is Time:
        return "2026-01-02T03:04:05.678Z", "2026-02-03T04:05:06.789Z"
    if column.type is Json:
        lists = {OBJECT: ({"a": None}, {"b": 7}), OBJECTS: ([{"a": 7}], [{"b": None}])}
        return lists.get(column.info.get(HOLDS, ""), (["a"], ["b", "c"]))
    if isinstance(column.type, Boolean):
        return True, False
    return (7, 8) if isinstance(column.type, Integer) else (f"{prop} é🔑", f"{prop} other")


def fits(column: Column[Any], value: Any) -> bool:
    """Tell whether a value is one of the column's type."""
    if isinstance(column.type, Boolean):
        return isinstance(value, bool)
    if isinstance(column.type, Integer):
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    if column.type is Time:
        return bool(value == ANY_TYPE["time"])
    if column.type is not Json:
        return isinstance(value, str)
    holds = column.info.get(HOLDS)
    if holds == OBJECT:
        return isinstance(value, dict)
    return isinstance(value, list) and all(isinstance(one, dict if holds == OBJECTS else str) for one in value)
