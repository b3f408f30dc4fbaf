"""Parses the items of a delta page: columns, content hashes and edges; does not access the database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import orjson
from sqlalchemy import Boolean, Column, Integer

from sync.clock import timestamp
from sync.entra.diagnose import malformed
from sync.errors import BadResponse
from sync.inventory.directory.kind import GROUP, KINDS, Edge, Kind
from sync.store.statement.function import folded
from sync.store.tables.column import HOLDS, LOWER, OBJECT, OBJECTS, Json, Time, graph_columns
from sync.trim import trimmed

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
# Some Graph properties use this date for "never".
_NEVER = "0001-01-01"


def object_id(text: str) -> str:
    """Return the stored form of an id: Graph may send one id in either letter case."""
    return folded(text)


@dataclass
class ObjectChange:
    """What a page reports of one object: all its items, combined in order.

    `item` has its attributes; None if only a removal was reported. If the removal came last, `removed` is "deleted"
    (permanent) or "changed" (it may be restored). `is_new_life`: some item of the page deleted it permanently, so that
    earlier edges and attributes are void.
    """

    external_id: str
    item: dict[str, Any] | None = None
    removed: str | None = None
    is_new_life: bool = False
    # edge → {external id of the other end: its kind, None if Graph did not send it}; removed ends are in `unlinked`.
    linked: dict[Edge, dict[str, str | None]] = field(default_factory=dict)
    unlinked: dict[Edge, set[str]] = field(default_factory=dict)
    # To-one edges that got a new end: their previous edge is removed.
    replaced: set[Edge] = field(default_factory=set)
    # Properties that were missing and keep their earlier values.
    kept: frozenset[str] = frozenset()
    # External ids of ends → display names, if Graph sent them.
    named: dict[str, str] = field(default_factory=dict)

    def ends(self) -> Iterator[tuple[str, str | None]]:
        """Yield the objects that this one gets an edge to."""
        for targets in self.linked.values():
            yield from targets.items()

    def lacks(self, names: frozenset[str]) -> bool:
        """Tell whether an item misses one of the properties."""
        return self.item is not None and not names <= self.item.keys()

    def keep(self, names: frozenset[str], before: Mapping[str, Any]) -> None:
        """Take missing properties from the item received before."""
        item = self.item
        assert item is not None  # noqa: S101 - the caller asks
        for name in names.intersection(before).difference(item):
            item[name] = before[name]
            if before[name] is not None:
                self.kept |= {name}

    def unlinked_ends(self) -> Iterator[str]:
        """Yield the objects that this one loses its edge to."""
        for targets in self.unlinked.values():
            yield from targets


def changes(kind: Kind, items: Iterable[Mapping[str, Any]], *, minimal: bool = False) -> list[ObjectChange]:
    """Combine a page's items into one change for each object, in the order of the items.

    Graph repeats a large group with other members each time, and may replay any object. Attributes and removal come
    from the last item; edges accumulate. A removal for any reason but "deleted", or without one, is not permanent: the
    object keeps attributes and edges. Properties in `kind.always` are not lost if an item misses them.

    Args:
        minimal: items have only changed properties (Prefer: return=minimal), so that attributes accumulate too.
    """
    folded: dict[str, ObjectChange] = {}
    for item in items:
        external_id = object_id(item["id"])
        change = folded.get(external_id)
        if change is None:
            change = folded[external_id] = ObjectChange(external_id)
        if "@removed" in item:
            removal = item["@removed"]
            reason = removal.get("reason") if isinstance(removal, Mapping) else None
            if reason == "deleted":
                change.removed = "deleted"
                _end_life(change, folded.values())
            elif change.removed is None:  # A permanent deletion stays one.
                change.removed = "changed"
            continue
        said = attributes(item)
        said["id"] = external_id
        before = change.item if change.removed != "deleted" else None
        change.item = before | said if minimal and before else said
        if before:
            change.keep(kind.always, before)
        change.removed = None
        for relation, edge in kind.edges.items():
            if targets := item.get(f"{relation}@delta"):
                _fold_edges(change, edge, targets, single=edge in kind.single)
    return list(folded.values())


def _end_life(change: ObjectChange, others: Iterable[ObjectChange]) -> None:
    """Discard the edges, from and to the object, that the page reported before its deletion."""
    change.is_new_life = True
    change.linked, change.unlinked, change.replaced = {}, {}, set()
    for other in others:
        for targets in other.linked.values():
            targets.pop(change.external_id, None)


def _fold_edges(change: ObjectChange, edge: Edge, targets: Any, *, single: bool) -> None:
    """Add the edges of a relation.

    Raises:
        BadResponse: an entry has no id; leaving an edge out silently would make the inventory wrong.
    """
    linked, unlinked = change.linked.setdefault(edge, {}), change.unlinked.setdefault(edge, set())
    if not isinstance(targets, list):
        raise _unreadable()
    for target in targets:
        external_id = target.get("id") if isinstance(target, dict) else None
        if not external_id or not isinstance(external_id, str):
            raise _unreadable()
        external_id = object_id(external_id)
        if "@removed" in target:
            linked.pop(external_id, None)
            unlinked.add(external_id)
        else:
            if single:
                linked.clear()
                change.replaced.add(edge)
            unlinked.discard(external_id)
            linked[external_id] = kind_of(target)
            if isinstance(name := target.get("displayName"), str):
                change.named[external_id] = name


def _unreadable() -> BadResponse:
    return malformed("a relation without the ids of its ends")


def kind_of(item: Mapping[str, Any]) -> str | None:
    """Return the kind of a referenced object from its @odata.type (`#microsoft.graph.user`); None if it has none."""
    odata_type = item.get("@odata.type")
    return odata_type.rpartition(".")[2] if isinstance(odata_type, str) else None


def attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of an item, without annotations."""
    return {name: value for name, value in item.items() if "@" not in name}


def json_text(attributes: Mapping[str, Any]) -> bytes:
    """Serialize attributes as JSON; equal attributes give equal bytes."""
    return trimmed(orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS))


def content_hash(kind: Kind, text: bytes) -> bytes:
    """Hash the data of a row; if the hash is unchanged, the row need not be written.

    Args:
        text: the object's attributes, from `json_text`.
    """
    return hashlib.blake2b(_signature(kind.name) + text, digest_size=16).digest()


@cache
def _signature(name: str) -> bytes:
    return next(kind.signature() for kind in KINDS if kind.name == name)


def columns(kind: Kind, raw: Mapping[str, Any], unfit: list[str] | None = None) -> dict[str, Any]:
    """Map an object's attributes to the columns of its table; missing values and values of a wrong type become null.

    Args:
        unfit: the names of properties with a value of a wrong type are appended to it.
    """
    empty, readers = _readers(kind.name)
    values = empty.copy()
    for prop, value in raw.items():
        if value is not None and prop in readers:
            name, plain, read = readers[prop]
            if type(value) is plain:
                values[name] = value
            elif (stored := read(value)) is not UNFIT:
                values[name] = stored
            elif unfit is not None:
                unfit.append(prop)
    if kind is GROUP:
        values |= _group_columns(values)
    return values


def _group_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    types = values["group_types"] or ()
    if "Unified" in types:
        kind = "MICROSOFT_365"
    elif values["mail_enabled"]:
        kind = "MAIL_ENABLED_SECURITY" if values["security_enabled"] else "DISTRIBUTION"
    else:
        kind = "SECURITY"
    return {
        "kind": kind,
        "is_dynamic": "DynamicMembership" in types,
        "membership_known": values["visibility"] != "HiddenMembership",
    }


UNFIT = object()
"""A reader returns this for a value that its column cannot have."""

Reader = tuple[str, type | None, Callable[[Any], Any]]


@cache
def _readers(name: str) -> tuple[dict[str, Any], dict[str, Reader]]:
    """Return an empty row; and property → its column, the type that is stored unchanged, a reader for other types."""
    kind = next(kind for kind in KINDS if kind.name == name)
    mapped = list(graph_columns(kind.table))
    return dict.fromkeys(column.name for _, column in mapped), {
        prop: (column.name, *_reader(column)) for prop, column in mapped
    }


def _reader(column: Column[Any]) -> tuple[type | None, Callable[[Any], Any]]:
    if isinstance(column.type, Boolean):
        return bool, _refuse
    if isinstance(column.type, Integer):
        return None, _read_number
    if column.type is Time:
        return None, _read_time
    if column.info.get(LOWER):
        return None, lambda value: object_id(value) if isinstance(value, str) else UNFIT
    if column.type is Json:
        holds = column.info.get(HOLDS)
        return (dict, _refuse) if holds == OBJECT else (None, partial(_read_list, {dict if holds == OBJECTS else str}))
    return str, _refuse


def _refuse(_value: Any) -> object:
    return UNFIT


def _read_list(elements: set[type], value: Any) -> Any:
    return value if type(value) is list and elements.issuperset(map(type, value)) else UNFIT


def _read_number(value: Any) -> Any:
    """Accept integers of 32 bits: Graph's documented numbers all fit."""
    return value if type(value) is int and -(2**31) <= value < 2**31 else UNFIT


def read_time(value: Any) -> str | None:
    """Return a Graph time in the stored form; None if it is missing, `0001-01-01` (never) or not a time."""
    stored: str | None = None if (found := _read_time(value)) is UNFIT else found
    return stored


def _read_time(value: Any) -> Any:
    if not isinstance(value, str):
        return UNFIT
    if value.startswith(_NEVER):
        return None
    try:
        if match := _TIME.fullmatch(value):
            datetime.fromisoformat(match[1])  # refuses 30 February
            return f"{match[1]}.{(match[2] or '')[:3]:0<3}Z"
        moment = datetime.fromisoformat(value)
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return UNFIT
