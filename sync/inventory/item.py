"""Reads one item of a delta page: its columns, its content hash and its edges; never touches the database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Boolean, Column, Integer

from sync.clock import timestamp
from sync.entra.diagnose import malformed
from sync.inventory.kind import GROUP, Edge, Kind
from sync.store.column import Json, Time, graph_columns

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
# What Graph sends for "never" in places.
_NEVER = "0001-01-01"


@dataclass
class Change:
    """All that a page says of one object, its items taken together in order.

    `item` is None when only the object's removal was reported; `removed` is Graph's reason for it, "changed" (it may
    come back) or "deleted".
    """

    external_id: str
    item: Mapping[str, Any] | None = None
    removed: str | None = None
    # edge → {external id of the other end: its kind, or None when Graph did not say; removed ends are in `unlinked`}
    linked: dict[Edge, dict[str, str | None]] = field(default_factory=dict)
    unlinked: dict[Edge, set[str]] = field(default_factory=dict)

    def ends(self) -> Iterator[tuple[str, str | None]]:
        """Yield the objects that this one gets an edge to."""
        for targets in self.linked.values():
            yield from targets.items()


def changes(kind: Kind, items: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Fold a page's items into one change an object.

    A big group is repeated with other members each time, and any object may be replayed: attributes and removal are
    taken from the last item, edges add up in order.
    """
    folded: dict[str, Change] = {}
    for item in items:
        external_id = item["id"]
        change = folded.setdefault(external_id, Change(external_id))
        if "@removed" in item:
            removal = item["@removed"]
            reason = removal.get("reason") if isinstance(removal, Mapping) else None
            change.removed = "changed" if reason == "changed" else "deleted"
            change.item = None
            continue
        change.item, change.removed = item, None
        for relation, edge in kind.edges.items():
            if targets := item.get(f"{relation}@delta"):
                _fold_edges(change, edge, _checked(targets), single=edge in kind.single)
    return list(folded.values())


def _checked(targets: Any) -> Iterable[Mapping[str, Any]]:
    """Refuse a relation that cannot be read: leaving an edge out in silence would be a wrong inventory."""
    if isinstance(targets, list) and all(
        isinstance(target, Mapping) and isinstance(target.get("id"), str) and target["id"] for target in targets
    ):
        return targets
    raise malformed("a relation without the ids of its ends")


def _fold_edges(change: Change, edge: Edge, targets: Iterable[Mapping[str, Any]], *, single: bool) -> None:
    linked, unlinked = change.linked.setdefault(edge, {}), change.unlinked.setdefault(edge, set())
    for target in targets:
        external_id = target["id"]
        if "@removed" in target:
            linked.pop(external_id, None)
            unlinked.add(external_id)
        else:
            if single:
                linked.clear()
            unlinked.discard(external_id)
            linked[external_id] = kind_of(target)


def kind_of(item: Mapping[str, Any]) -> str | None:
    """Read the kind of a referenced object from its @odata.type, `#microsoft.graph.user`; None when it is absent."""
    odata_type = item.get("@odata.type")
    return odata_type.rpartition(".")[2] if isinstance(odata_type, str) else None


def attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item without annotations: what Graph says of the object itself."""
    return {name: value for name, value in item.items() if "@" not in name}


def content_hash(kind: Kind, raw: Mapping[str, Any]) -> bytes:
    """Hash what a row is made from; equal hashes mean that the row need not be written."""
    text = orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(kind.signature() + text, digest_size=16).digest()


def columns(kind: Kind, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Map an item's properties to the columns of its table; on a default round an absent property is null."""
    values = {column.name: read(raw.get(prop)) for prop, column, read in _readers(kind)}
    if kind is GROUP:
        values |= _group_columns(raw)
    return values


def _group_columns(raw: Mapping[str, Any]) -> dict[str, Any]:
    found = raw.get("groupTypes")
    types = found if isinstance(found, list) else []
    if "Unified" in types:
        kind = "MICROSOFT_365"
    elif raw.get("mailEnabled"):
        kind = "MAIL_ENABLED_SECURITY" if raw.get("securityEnabled") else "DISTRIBUTION"
    else:
        kind = "SECURITY"
    return {
        "kind": kind,
        "is_dynamic": "DynamicMembership" in types,
        "membership_known": raw.get("visibility") != "HiddenMembership",
    }


_READERS: dict[str, list[tuple[str, Column[Any], Any]]] = {}


def _readers(kind: Kind) -> list[tuple[str, Column[Any], Any]]:
    if kind.name not in _READERS:
        _READERS[kind.name] = [(prop, column, _reader(column)) for prop, column in graph_columns(kind.table)]
    return _READERS[kind.name]


def _reader(column: Column[Any]) -> Any:
    if isinstance(column.type, Boolean):
        return lambda value: value if isinstance(value, bool) else None
    if isinstance(column.type, Integer):
        return _read_number
    if column.type is Time:
        return read_time
    if column.type is Json:
        return lambda value: value
    return _read_text


def _read_text(value: Any) -> str | None:
    """Take text as it is; a property that changed its type upstream is kept readable rather than lost."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _read_number(value: Any) -> int | None:
    """Take a whole number that fits into 32 bits, as every number of Graph's does."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31:
        return value
    return None


def read_time(value: Any) -> str | None:
    """Bring a Graph time to the stored width; None when it is absent, `0001-01-01` (never) or not a time."""
    if not isinstance(value, str) or value.startswith(_NEVER):
        return None
    try:
        if match := _TIME.fullmatch(value):
            datetime.fromisoformat(match[1])  # refuses 30 February
            return f"{match[1]}.{(match[2] or '')[:3]:0<3}Z"
        moment = datetime.fromisoformat(value)
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
