"""Writes the objects, tombstones and edges of one page; the caller's transaction adds the cursor and counters.

Applying a page twice changes nothing the second time. The rules are in docs/sync.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, select

from sync.clock import Clock, timestamp
from sync.inventory.asset.source import AZUREAD
from sync.inventory.directory.directory import FORGOTTEN, Directory, Mention, hide, identify
from sync.inventory.directory.edges import apply_edges
from sync.inventory.directory.flaw import Flaw, Flaws
from sync.inventory.directory.item import ObjectChange, changes, columns, content_hash, json_text
from sync.inventory.directory.kind import GONE, KINDS, SOFT, Kind
from sync.inventory.directory.round import Round
from sync.organization.organizations import next_version
from sync.store import AnyRow
from sync.store.statement.bulk import delete_rows, update_rows, upsert_rows
from sync.store.statement.in_list import among
from sync.store.tables import objects, raw

_DELETIONS = {None: None, "changed": SOFT, "deleted": GONE}
# Columns that are written only when the row is created.
_KEPT = ("organization_id", "site_id", "directory_id", "source", "external_id", "created_version", "created_at")


@dataclass
class Applied:
    """The result of a page. `touched`: keys of rows that were written or removed; `seen`: keys of all its objects.

    `flaws`: properties of a wrong type in written records, and missing properties that kept their earlier values.
    """

    counts: Counter[str] = field(default_factory=Counter)
    edge_counts: dict[str, Counter[str]] = field(default_factory=dict)
    touched: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    flaws: Flaws = field(default_factory=Counter)


def apply_page(
    tx: Connection,
    clock: Clock,
    directory: Directory,
    kind: Kind,
    items: Sequence[Mapping[str, Any]],
    round_: Round,
) -> Applied:
    """Write one page of one kind, or several joined pages.

    Args:
        tx: an open write transaction; not committed here.
        items: any number of items in Graph's order; if an id repeats, the last item wins and edges accumulate.
        round_: decides what a missing property means, and which generation is stamped on the page's objects. A missing
            property keeps its value if every object has it (`Kind.always`) or if it was not requested.

    Returns:
        Rows created, updated, unchanged, removed, restored and unknown (a removal of an object that was never stored);
        their sum is the number of distinct ids in the page.

    Source: learn.microsoft.com/graph/delta-query-overview (replays), delta-query-groups (repeated groups)
    """
    applied, folded = Applied(), changes(kind, items, minimal=round_.minimal)
    if not folded:
        return applied
    mentions = _mentions(kind, folded, round_)
    asked = {*mentions, *(change.external_id for change in folded)}
    asked.update(end for change in folded for end in change.unlinked_ends())
    known = stored(tx, directory, kind, asked)
    keys = identify(tx, directory, mentions, known)
    applied.seen = [keys[change.external_id] for change in folded if change.item is not None]
    if round_.minimal:
        _complete(tx, folded, known)
    else:
        _keep(tx, kind.always | round_.unasked, folded, known)
    for change in folded:
        if lost := change.kept - round_.unasked:
            applied.flaws.update((Flaw.MISSING, name) for name in lost)
    rows = _Rows(timestamp(clock.now()), directory, kind, keys, known, applied)
    for change in folded:
        rows.add(change)
    is_changed = rows.write(tx)
    is_changed |= _retell(tx, folded, mentions, known, keys)
    is_changed |= apply_edges(tx, kind, folded, keys, round_, applied.edge_counts)
    if is_changed and not applied.touched:
        next_version(tx, directory.organization_id, kind.inventory)
    return applied


def _mentions(kind: Kind, folded: Iterable[ObjectChange], round_: Round) -> dict[str, Mention]:
    """List the objects that need a key: those of the page, and the ends of their edges."""
    mention = cache(Mention)
    mentions = {end: mention(name) for change in folded for end, name in change.ends()}
    shown = Mention(kind.name, round_.generation if round_.full else 0)
    for change in folded:
        for end, name in change.named.items():
            if end in mentions:
                mentions[end] = replace(mentions[end], name=name)
    mentions.update((change.external_id, shown) for change in folded if change.item is not None)
    return mentions


def _retell(
    tx: Connection,
    folded: Iterable[ObjectChange],
    mentions: Mapping[str, Mention],
    known: Mapping[str, AnyRow],
    keys: Mapping[str, int],
) -> bool:
    """Hide objects that were removed before they were read; return whether an object without a row has changed."""
    gone = []
    for change in folded:
        if change.item is None and (key := keys.get(change.external_id)) is not None:
            row = known.get(change.external_id)
            if row is None or (row.content_hash is None and row.generation != FORGOTTEN):
                gone.append(key)
    hide(tx, gone)
    named = {end for change in folded for end in change.named if end in mentions}
    return bool(gone) or any(
        end in known and mentions[end].name not in (None, known[end].display_name) for end in named
    )


def stored(tx: Connection, directory: Directory, kind: Kind, external_ids: Iterable[str]) -> dict[str, AnyRow]:
    """Read the stored state of objects; `content_hash` is None if an object has no row of the kind."""
    values = {"directory": directory.id, "external_ids": external_ids}
    return {row.external_id: row for row in tx.execute(_known_statement(kind.name), values).all()}


@cache
def _known_statement(name: str) -> Select[Any]:
    table = next(kind.table for kind in KINDS if kind.name == name)
    return (
        select(
            objects.c.id,
            objects.c.external_id,
            objects.c.kind,
            objects.c.generation,
            objects.c.display_name,
            table.c.content_hash,
            table.c.deleted_at,
            table.c.deletion,
        )
        .join_from(objects, table, table.c.id == objects.c.id, isouter=True)
        .where(and_(objects.c.directory_id == bindparam("directory"), among(objects.c.external_id, "external_ids")))
    )


def _complete(tx: Connection, folded: Iterable[ObjectChange], known: Mapping[str, AnyRow]) -> None:
    """Complete minimal items with the properties received before."""
    for change, item in _received(tx, folded, known):
        change.item = item | (change.item or {})


def _keep(tx: Connection, names: frozenset[str], folded: Iterable[ObjectChange], known: Mapping[str, AnyRow]) -> None:
    """Keep the earlier values of missing properties whose absence is no change."""
    if lacking := [change for change in folded if change.lacks(names)]:
        for change, item in _received(tx, lacking, known):
            change.keep(names, item)


def _received(
    tx: Connection, some: Iterable[ObjectChange], known: Mapping[str, AnyRow]
) -> Iterator[tuple[ObjectChange, dict[str, Any]]]:
    """Yield changes with the item received before, for objects that have one."""
    mine = {
        known[change.external_id].id: change
        for change in some
        if change.item is not None and change.external_id in known and not change.is_new_life
    }
    statement = select(raw.c.object_id, raw.c.item).where(among(raw.c.object_id, "keys"))
    for key, item in tx.execute(statement, {"keys": mine}):
        yield mine[key], item


class _Rows:
    """Collects the rows of one page of one kind, so that a page without changes writes nothing."""

    def __init__(
        self,
        now: str,
        directory: Directory,
        kind: Kind,
        keys: Mapping[str, int],
        known: Mapping[str, AnyRow],
        applied: Applied,
    ) -> None:
        self._now, self._kind, self._keys, self._known, self._applied = now, kind, keys, known, applied
        self._organization_id = directory.organization_id
        self._places = {
            "organization_id": directory.organization_id,
            "site_id": directory.site_id,
            "directory_id": directory.id,
            "source": AZUREAD,
        }
        self._fresh: list[dict[str, Any]] = []
        self._buried: list[dict[str, Any]] = []
        self._raws: list[dict[str, Any]] = []
        self._without_raw: list[dict[str, Any]] = []

    def add(self, change: ObjectChange) -> None:
        """Compare a change with the stored row; collect what must be written, and count the outcome."""
        row, deletion = self._known.get(change.external_id), _DELETIONS[change.removed]
        known = row if row is not None and row.content_hash is not None else None
        self._applied.counts[self._outcome(change, known, deletion)] += 1

    def _outcome(self, change: ObjectChange, row: AnyRow | None, deletion: str | None) -> str:
        if change.item is None:
            if row is None:
                return "unknown"
            if row.deletion in (deletion, GONE):
                return "unchanged"
            self._bury(row, deletion)
            return "unchanged" if row.deletion else "removed"
        text = json_text(change.item)
        hashed = content_hash(self._kind, text)
        if row is not None and row.content_hash == hashed and row.deletion == deletion:
            return "unchanged"
        self._renew(change, row, deletion, text, hashed)
        if row is None:
            return "unknown" if deletion else "created"
        if deletion:
            return "unchanged" if row.deletion else "removed"
        return "restored" if row.deletion else "updated"

    def _bury(self, row: AnyRow, deletion: str | None) -> None:
        """Turn a row into a tombstone; the directory may restore a SOFT one."""
        self._applied.touched.append(row.id)
        buried = {"id": row.id, "deletion": deletion, "deleted_at": row.deleted_at or self._now}
        self._buried.append({**buried, "updated_at": self._now})
        if deletion == GONE:
            self._without_raw.append({"object_id": row.id})

    def _renew(
        self, change: ObjectChange, row: AnyRow | None, deletion: str | None, text: bytes, hashed: bytes
    ) -> None:
        assert change.item is not None  # noqa: S101 - the caller asks
        key = self._keys[change.external_id]
        self._applied.touched.append(key)
        unfit: list[str] = []
        values = columns(self._kind, change.item, unfit)
        if unfit:
            self._applied.flaws.update((Flaw.WRONG_TYPE, prop) for prop in unfit)
        self._fresh.append(
            {
                "id": key,
                "external_id": change.external_id,
                **self._places,
                **values,
                "content_hash": hashed,
                "deletion": deletion,
                "deleted_at": ((row and row.deleted_at) or self._now) if deletion else None,
                "created_at": self._now,
                "updated_at": self._now,
            }
        )
        if deletion == GONE:
            self._without_raw.append({"object_id": key})
        else:
            self._raws.append({"object_id": key, "item": text})

    def write(self, tx: Connection) -> bool:
        """Write the collected rows under a new data version; return False, and write nothing, if there are none."""
        if not self._applied.touched:
            return False
        version = next_version(tx, self._organization_id, self._kind.inventory)
        for row in (*self._fresh, *self._buried):
            row["version"] = version
        for row in self._fresh:
            row["created_version"] = version
        upsert_rows(tx, self._kind.table, self._fresh, key=("id",), keep=_KEPT)
        update_rows(tx, self._kind.table, self._buried)
        upsert_rows(tx, raw, self._raws, key=("object_id",))
        delete_rows(tx, raw, self._without_raw)
        return True
