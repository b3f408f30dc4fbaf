"""How a field gets its value, declared once: the resolver and the compiled plan are both made from it.

A field that is a column needs no form; the registry knows it. A field without either is answered by its own resolver,
and a document that selects it is not compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, get_type_hints

import strawberry
from sqlalchemy import ColumnElement, RowMapping, Select

from schema.field.arguments import accept

FORM = "form"
Pairs = Callable[[], Select[Any]]
# What a gathered field is made of: rows whose columns are known by name.
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Computed:
    """`compute(*needs)` of stored values of the record itself; `needs` names attributes of the record.

    `expected` is how many objects it usually is at most, if it is a list of objects.
    """

    needs: tuple[str, ...]
    compute: Callable[..., Any]
    expected: int | None = None


@dataclass(frozen=True)
class Gathered:
    """`compute(rows, *needs, **arguments)` of rows that one statement reads for many records.

    `rows` selects them in order, the key of the record they are gathered for in the column `parent`; `expected` is how
    many a record usually has at most.
    """

    rows: Pairs
    needs: tuple[str, ...]
    compute: Callable[..., Any]
    expected: int = 1


@dataclass(frozen=True)
class One:
    """The row of a noun whose key is the record's attribute `key`."""

    target: str
    key: str


@dataclass(frozen=True)
class Linked:
    """The one row of a noun that `pairs` leads to; the last, if it leads to several."""

    target: str
    pairs: Pairs


@dataclass(frozen=True)
class Every:
    """All rows of a noun that `pairs` leads to, by key: for relations that are short by nature.

    `expected` is how many they usually are at most; more are counted while they are read.
    """

    target: str
    pairs: Pairs
    expected: int


@dataclass(frozen=True)
class Many:
    """A connection: the rows of a noun that `pairs` leads to, or all of the caller's without it.

    `transitive` leads to them through other objects too, when the field's argument of that name asks for it.
    """

    target: str
    pairs: Pairs | None
    transitive: Pairs | None = None


@dataclass(frozen=True)
class Mixed:
    """A connection of directory objects, which rows of several nouns stand for.

    Args:
        name: of the connection type, without its ending.
        place: the field.
        kinds: the nouns besides what stands for every other object.
        pairs: selects (parent, object).
        transitive: selects them through other objects too, when the field's argument of that name asks for it.
        narrowed: the noun whose conditions and orders the field takes: one of `kinds`, or what is known of every
            object.
    """

    name: str
    place: str
    kinds: tuple[str, ...]
    pairs: Pairs
    transitive: Pairs | None = None
    narrowed: str = ""


@dataclass(frozen=True, eq=False)
class LookupKey:
    """What a row is looked up by: the name callers give it, and what holds for the row with the parameter `value`."""

    name: str
    holds: ColumnElement[bool]


@dataclass(frozen=True)
class Lookup:
    """One row of a noun by a key; `sought(arguments)` returns the key, always the same object, and its value."""

    target: str
    sought: Callable[..., tuple[LookupKey, Any]]


@dataclass(frozen=True)
class Named:
    """Rows of any noun by ids; `sought(arguments)` returns the noun and the key that each id names."""

    sought: Callable[..., list[tuple[str, int]]]
    is_many: bool


def computed(*needs: str, description: str, expected: int | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Declare a field that is a function of stored values of its record.

    Args:
        needs: the record's attributes, passed to the function in this order.
        description: a sentence for the reader of the schema.
        expected: how many objects it usually is at most, if it is a list of objects.
    """

    def declare(compute: Callable[..., Any]) -> Any:
        def resolve(root: Any) -> Any:
            return compute(*(vars(root)[name] for name in needs))

        resolve.__annotations__ = {"return": _hints(compute)["return"]}
        metadata = {FORM: Computed(needs, compute, expected)}
        return strawberry.field(resolver=resolve, description=description, metadata=metadata)

    return declare


def gathered(rows: Pairs, *needs: str, description: str, expected: int = 1) -> Callable[[Callable[..., Any]], Any]:
    """Declare a field that is a function of rows which one statement reads for all records of a level.

    Args:
        rows: selects them, labelled; the column `parent` is the key of the record.
        needs: the record's attributes, passed to the function behind the rows; its keyword arguments are the field's.
        description: a sentence for the reader of the schema.
        expected: how many rows a record usually has at most.
    """

    def declare(compute: Callable[..., Any]) -> Any:
        form = Gathered(rows, needs, compute, expected)

        async def resolve(root: Any, info: Any, **arguments: Any) -> Any:
            found: Sequence[RowMapping] = await info.context.gather(form, root.key)
            return compute(found, *(vars(root)[name] for name in needs), **arguments)

        hints = _hints(compute)
        own = {name: hints[name] for name, p in signature(compute).parameters.items() if p.kind is p.KEYWORD_ONLY}
        accept(resolve, hints["return"], own)
        return strawberry.field(resolver=resolve, description=description, metadata={FORM: form})

    return declare


def _hints(compute: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(compute, include_extras=True)
