"""Finds the existing values of a field in the rows that a caller may see, with the number of rows of each.

An indexed field with few values is counted completely. For an indexed field with many values, the index gives those
that begin as typed. Other fields are sampled, so that no keystroke scans the inventory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from schema.context import Context
from schema.field.registry import ANY_MEMBER, Field, FieldKind, Noun
from schema.field.rows import is_indexed, rows_of
from schema.field.sort_key import sorting_of
from schema.filter.access_path import in_key_order, ways
from schema.filter.expr import Compare, Op
from sync.inventory.asset import source
from sync.store.statement.function import folded

SAMPLE_ROWS = 1_000
"""The most rows to read if no index counts the values."""
FACETS_MAX = 500
"""A field with an index and more values than this is completed by the beginnings of its values."""
BEGINNING_ROWS = 200
"""The most rows to read of those that begin as typed."""
_COUNTED = (FieldKind.TEXT, FieldKind.VERSION, FieldKind.ENUM, FieldKind.BOOL, FieldKind.SOURCES)
_EXPLODED = (FieldKind.LIST, FieldKind.ADDRESSES, FieldKind.NUMBERS)


@dataclass(frozen=True)
class ExistingValues:
    """Existing values, in the order to offer them.

    Args:
        counts: value → number of rows that have it; None if they were not counted.
        is_complete: whether these are all matching values.
    """

    counts: dict[str, int | None]
    is_complete: bool = True


async def existing(context: Context, noun: Noun, field: Field, typed: str) -> ExistingValues:
    """Find the values of a field that contain a text, in any letter case; those that begin with it come first."""
    if field.kind in _EXPLODED:
        return await _elements(context, noun, field, typed)
    if field.kind not in _COUNTED:
        return ExistingValues({}, is_complete=False)
    if not is_indexed(field.column):
        return await _sampled(context, noun, field, typed)
    rows = rows_of(noun, context.principal)
    keys = _keys(rows, field)
    number = select(func.count().label("number")).select_from(keys.limit(FACETS_MAX + 1).subquery())
    if (await context.fetch(number))[0]["number"] > FACETS_MAX:
        return await _beginning(context, rows, field, typed)
    return ExistingValues(dict(_fitting(field, await _counted(context, rows, field), typed)))


def _keys(rows: Select[Any], field: Field) -> Select[Any]:
    """Select the keys that a field is sorted by, each once: skip from one to the next along the index."""
    key = sorting_of(field)[0]
    first = rows.with_only_columns(key.label("key"), maintain_column_froms=True).order_by(key).limit(1)
    walk = select(first.where(key.is_not(None)).subquery().c.key).cte("walk", recursive=True)
    after = first.where(key > walk.c.key).correlate(walk).scalar_subquery()
    walk = walk.union_all(select(after).where(walk.c.key.is_not(None)))
    return select(walk.c.key).where(walk.c.key.is_not(None))


async def _counted(context: Context, rows: Select[Any], field: Field) -> list[tuple[Any, int]]:
    """Count the rows of each value: a range of the index for each key takes half the time of grouping all rows."""
    column, key, keys = field.column, sorting_of(field)[0], _keys(rows, field).subquery()
    alike = rows.where(key == keys.c.key).correlate(keys)
    least, most, number = (
        alike.with_only_columns(told).scalar_subquery()
        for told in (func.min(column, type_=column.type), func.max(column, type_=column.type), func.count())
    )
    asked = select(keys.c.key, least.label("least"), most.label("most"), number.label("number"))
    found = await context.fetch(asked)
    values = [(row["least"], row["number"]) for row in found if row["least"] == row["most"]]
    shared = [row["key"] for row in found if row["least"] != row["most"]]
    if not shared:
        return values
    # Several spellings have one key, such as Muller and Müller.
    told = (column.label("value"), func.count().label("number"))
    spelt = rows.where(key.in_(shared)).with_only_columns(*told, maintain_column_froms=True).group_by(key, column)
    return [*values, *((row["value"], row["number"]) for row in await context.fetch(spelt))]


async def _beginning(context: Context, rows: Select[Any], field: Field, typed: str) -> ExistingValues:
    """Read the values that begin with a text from the index."""
    key, form = sorting_of(field)
    wanted = form(typed) if form else typed
    within = rows.where(key >= wanted, key < wanted + "\U0010ffff").with_only_columns(field.column.label("value"))
    values = [row["value"] for row in await context.fetch(within.order_by(key).limit(BEGINNING_ROWS))]
    is_complete = len(values) < BEGINNING_ROWS
    counts: dict[str, int | None] = dict(Counter(values))
    if not is_complete:
        counts[values[-1]] = None  # Unread rows may have the last value too.
    return ExistingValues({value: count for value, count in counts.items() if value}, is_complete)


async def _sampled(context: Context, noun: Noun, field: Field, typed: str) -> ExistingValues:
    values, is_complete = await _read(context, noun, field, typed)
    return _of_sample(field, Counter(dict(values)), typed, is_complete)


async def _elements(context: Context, noun: Noun, field: Field, typed: str) -> ExistingValues:
    """Count the elements of lists, each once per row."""
    lists, is_complete = await _read(context, noun, field, typed)
    counts: Counter[Any] = Counter()
    for one, number in lists:
        for element in {*_members(field, one or [])}:
            counts[element] += number
    return _of_sample(field, counts, typed, is_complete)


def _members(field: Field, elements: Iterable[Any]) -> Iterable[Any]:
    """Return the compared values of a list: its elements, a member of each, or every text in them."""
    if field.element is None:
        return elements
    if field.element == ANY_MEMBER:
        texts = [text for one in elements if isinstance(one, dict) for text in one.values() if isinstance(text, str)]
        return [name for text in texts for name in (text, *(field.names or {}).get(text, ()))]
    name, value = field.only or (field.element, None)
    return (one.get(field.element) for one in elements if value is None or one.get(name) == value)


async def _read(context: Context, noun: Noun, field: Field, typed: str) -> tuple[list[tuple[Any, int]], bool]:
    """Read a column: of the rows that may contain a text if the index of parts of texts finds them, else of any rows.

    Returns:
        Each value with its number of rows, and whether these are all.
    """
    rows = in_key_order(noun, rows_of(noun, context.principal))
    if typed and field.kind is not FieldKind.NUMBERS:
        if parts := ways(noun, Compare(field.name, Op.CONTAINS, typed), context.viewpoint).parts:
            keys = parts(SAMPLE_ROWS).subquery()
            number = (await context.fetch(select(func.count().label("number")).select_from(keys)))[0]["number"]
            rows = rows.where(noun.key.in_(select(keys.c.id)))
            return await _values(context, rows, field), number < SAMPLE_ROWS
    values = await _values(context, rows, field)
    return values, sum(number for _, number in values) < SAMPLE_ROWS


async def _values(context: Context, rows: Select[Any], field: Field) -> list[tuple[Any, int]]:
    column = field.column.label("value")
    sample = rows.with_only_columns(column, maintain_column_froms=True).limit(SAMPLE_ROWS).subquery()
    statement = select(sample.c.value, func.count().label("number")).group_by(sample.c.value)
    return [(row["value"], row["number"]) for row in await context.fetch(statement)]


def _of_sample(field: Field, counts: Counter[Any], typed: str, is_complete: bool) -> ExistingValues:
    found = _fitting(field, counts.most_common(), typed)
    return ExistingValues({value: count if is_complete else None for value, count in found}, is_complete)


def _fitting(field: Field, counts: Iterable[tuple[Any, int]], typed: str) -> list[tuple[str, int]]:
    """Write values as in a search text, and keep those that contain the typed text."""
    counted: Counter[str] = Counter()
    for value, count in counts:
        for text in _texts(field, value):
            counted[text] += count
    wanted = folded(typed)
    found = [(text, count) for text, count in counted.items() if wanted in folded(text)]
    return sorted(found, key=lambda one: (not folded(one[0]).startswith(wanted), -one[1], one[0]))


def _texts(field: Field, value: Any) -> list[str]:
    if value is None or value == "":
        return []
    if field.kind is FieldKind.SOURCES:
        return source.names(value)
    if field.kind is FieldKind.BOOL:
        return ["true" if value else "false"]
    return [str(value).lower()] if field.kind is FieldKind.ENUM else [str(value)]
