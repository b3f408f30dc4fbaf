"""Reads one item of a delta page: its columns, its content hash and its edges; never touches the database."""

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
# Graph writes this date for "never" in places.
_NEVER = "0001-01-01"


def object_id(text: str) -> str:
    """Return an id as it is stored and compared: Graph may write the same one in either letter case."""
    return folded(text)


@dataclass
class ObjectChange:
    """All that a page says of one object, its items taken together in order.

    `item` holds its attributes, or None when only a removal was reported; if a removal was the last word, `removed` is
    "deleted" (gone for good) or else "changed" (it may come back). With `is_new_life` it was deleted at some place of
    the page: what was there before, edges and attributes, does not count any more.
    """

    external_id: str
    item: dict[str, Any] | None = None
    removed: str | None = None
    is_new_life: bool = False
    # edge → {external id of the other end: its kind, or None when Graph did not say; removed ends are in `unlinked`}
    linked: dict[Edge, dict[str, str | None]] = field(default_factory=dict)
    unlinked: dict[Edge, set[str]] = field(default_factory=dict)
    # To-one edges that were given a new end: whatever they led to before goes.
    replaced: set[Edge] = field(default_factory=set)
    # Properties that it came without, and that are kept as they are known from before.
    kept: frozenset[str] = frozenset()
    # External ids of ends → display names, where Graph gives them.
    named: dict[str, str] = field(default_factory=dict)

    def ends(self) -> Iterator[tuple[str, str | None]]:
        """Yield the objects that this one gets an edge to."""
        for targets in self.linked.values():
            yield from targets.items()

    def lacks(self, names: frozenset[str]) -> bool:
        """Tell whether it came without some property."""
        return self.item is not None and not names <= self.item.keys()

    def keep(self, names: frozenset[str], before: Mapping[str, Any]) -> None:
        """Take properties from what was received before, where it came without."""
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
    """Fold a page's items into one change an object: what the items say one after the other.

    A big group is repeated with other members each time, and any object may be replayed: attributes and removal are
    taken from the last item, edges add up in order. An object that is only on leave keeps both: one that was removed
    for any reason but "deleted", or for none that Graph tells. What every object has is not lost by an item without it.

    Args:
        minimal: an item holds only what changed (Prefer: return=minimal), so that attributes add up as well.
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
            elif change.removed is None:  # What is gone for good cannot go on leave.
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
    """Forget the edges, from and to it, that the page reported before the object was deleted."""
    change.is_new_life = True
    change.linked, change.unlinked, change.replaced = {}, {}, set()
    for other in others:
        for targets in other.linked.values():
            targets.pop(change.external_id, None)


def _fold_edges(change: ObjectChange, edge: Edge, targets: Any, *, single: bool) -> None:
    """Add what a relation says.

    Raises:
        BadResponse: it cannot be read: leaving an edge out in silence would be a wrong inventory.
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
    """Read the kind of a referenced object from its @odata.type, `#microsoft.graph.user`; None when it is absent."""
    odata_type = item.get("@odata.type")
    return odata_type.rpartition(".")[2] if isinstance(odata_type, str) else None


def attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item without annotations: what Graph says of the object itself."""
    return {name: value for name, value in item.items() if "@" not in name}


def json_text(attributes: Mapping[str, Any]) -> bytes:
    """Write attributes as JSON, the same text for the same attributes."""
    return trimmed(orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS))


def content_hash(kind: Kind, text: bytes) -> bytes:
    """Hash what a row is made from; equal hashes mean that the row need not be written.

    Args:
        text: the object's attributes, from `json_text`.
    """
    return hashlib.blake2b(_signature(kind.name) + text, digest_size=16).digest()


@cache
def _signature(name: str) -> bytes:
    return next(kind.signature() for kind in KINDS if kind.name == name)


def columns(kind: Kind, raw: Mapping[str, Any], unfit: list[str] | None = None) -> dict[str, Any]:
    """Map an object's attributes to the columns of its table; what is absent or does not fit the column is null.

    Args:
        unfit: gets the names of the properties that do not fit.
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
"""What a reader returns of a value that its column cannot have."""

Reader = tuple[str, type | None, Callable[[Any], Any]]


@cache
def _readers(name: str) -> tuple[dict[str, Any], dict[str, Reader]]:
    """Return a row without values; and by property its column, the type that is stored as it is, and a reader."""
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
    """Take a whole number that fits into 32 bits, as every number of Graph's does."""
    return value if type(value) is int and -(2**31) <= value < 2**31 else UNFIT


def read_time(value: Any) -> str | None:
    """Bring a Graph time to the stored width; None when it is absent, `0001-01-01` (never) or not a time."""
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
