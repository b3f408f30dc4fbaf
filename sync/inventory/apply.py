"""Writes what one page says: objects, tombstones and edges; the caller's transaction adds the cursor and counters.

Applying a page twice changes nothing the second time. The rules are in docs/sync.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.inventory.directory import Directory, chunks, identify, stamp
from sync.inventory.edge import apply_edges, drop_edges
from sync.inventory.item import Change, attributes, changes, columns, content_hash
from sync.inventory.kind import Kind
from sync.inventory.source import AZUREAD
from sync.organizations import next_version
from sync.store import AnyRow
from sync.store import insert as insert_or
from sync.store.tables import objects, raw

SOFT, GONE, VANISHED = "SOFT", "GONE", "VANISHED"


@dataclass
class Applied:
    """What a page did. `touched` holds the keys of rows that were written or removed; `seen` of all it named."""

    counts: Counter[str] = field(default_factory=Counter)
    edge_counts: dict[str, Counter[str]] = field(default_factory=dict)
    touched: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Round:
    """The round a page belongs to: a full one stamps what it sees with its generation."""

    generation: int
    full: bool


async def apply_page(
    tx: AsyncConnection,
    clock: Clock,
    directory: Directory,
    kind: Kind,
    items: Sequence[Mapping[str, Any]],
    round_: Round,
) -> Applied:
    """Write one page of one kind.

    Args:
        tx: an open write transaction; never committed here.
        items: 0 to 999 items in Graph's order; an id may repeat, the last one wins and edges add up.
        round_: stamped on what the page shows, if the round is a full one.

    Returns:
        Rows created, updated, unchanged, removed and restored; they sum to the distinct ids in the page.

    Source: learn.microsoft.com/graph/delta-query-overview (replays), delta-query-groups (repeated groups)
    """
    folded = changes(kind, items)
    shown = {change.external_id: change for change in folded if change.item is not None}
    removed = {change.external_id: change for change in folded if change.item is None}
    wanted: dict[str, str | None] = {end: name for change in shown.values() for end, name in change.ends()}
    wanted.update(dict.fromkeys(shown, kind.name))
    keys = await identify(tx, directory, wanted)
    applied = Applied(seen=[keys[external_id] for external_id in shown])
    writer = _RowWriter(tx, timestamp(clock.now()), directory, kind)
    await writer.write(shown, keys, applied)
    if removed:
        await writer.remove(removed, applied)
    if round_.full:
        await stamp(tx, applied.seen, round_.generation)
    if kind.edges:
        await apply_edges(tx, directory, kind, shown.values(), keys, round_, applied.edge_counts)
    if writer.version is None and any(counter.total() for counter in applied.edge_counts.values()):
        await next_version(tx, directory.organization_id, kind.inventory)
    return applied


class _RowWriter:
    """Writes the rows of one page of one kind; asks for a data version only once something has to be written."""

    def __init__(self, tx: AsyncConnection, now: str, directory: Directory, kind: Kind) -> None:
        self.tx, self.now, self.directory, self.kind = tx, now, directory, kind
        self.table = kind.table
        self.version: int | None = None

    async def next_version(self) -> int:
        if self.version is None:
            self.version = await next_version(self.tx, self.directory.organization_id, self.kind.inventory)
        return self.version

    async def write(self, shown: Mapping[str, Change], keys: Mapping[str, int], applied: Applied) -> None:
        """Insert the new rows, update the changed ones, leave the unchanged ones alone."""
        present = await self._present([keys[external_id] for external_id in shown])
        created: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        raws: list[dict[str, Any]] = []
        for external_id, change in shown.items():
            assert change.item is not None  # noqa: S101 - `shown` holds only those
            key, item = keys[external_id], attributes(change.item)
            hashed = content_hash(self.kind, item)
            row = present.get(key)
            if row is not None and row.content_hash == hashed and row.deleted_at is None:
                applied.counts["unchanged"] += 1
                continue
            values = {**columns(self.kind, item), "content_hash": hashed, "updated_at": self.now}
            raws.append({"object_id": key, "item": item})
            applied.touched.append(key)
            if row is None:
                applied.counts["created"] += 1
                created.append({"id": key, "external_id": external_id, **values})
            else:
                applied.counts["restored" if row.deleted_at else "updated"] += 1
                updated.append({"key": key, **values})
        if raws:
            await self._insert(created)
            await self._update(updated)
            await self._keep_raw(raws)

    async def _present(self, keys: Sequence[int]) -> dict[int, AnyRow]:
        table, found = self.table, dict[int, AnyRow]()
        for chunk in chunks(keys):
            statement = select(table.c.id, table.c.content_hash, table.c.deleted_at).where(table.c.id.in_(chunk))
            found.update({row.id: row for row in await self.tx.execute(statement)})
        return found

    async def _insert(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        common = {
            "organization_id": self.directory.organization_id,
            "site_id": self.directory.site_id,
            "directory_id": self.directory.id,
            "source": AZUREAD,
            "version": (version := await self.next_version()),
            "created_version": version,
            "created_at": self.now,
        }
        await self.tx.execute(insert(self.table), [{**common, **row} for row in rows])

    async def _update(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        common = {"version": await self.next_version(), "deleted_at": None, "deletion": None}
        names = [name for name in {**common, **rows[0]} if name != "key"]
        statement = (
            update(self.table)
            .where(self.table.c.id == bindparam("key"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        parameters = [{"key": row["key"]} | {f"new_{name}": (common | row)[name] for name in names} for row in rows]
        await self.tx.execute(statement, parameters)

    async def _keep_raw(self, rows: list[dict[str, Any]]) -> None:
        statement = insert_or(self.tx, raw)
        await self.tx.execute(
            statement.on_conflict_do_update(index_elements=["object_id"], set_={"item": statement.excluded.item}),
            rows,
        )

    async def remove(self, removed: Mapping[str, Change], applied: Applied) -> None:
        """Turn rows into tombstones: SOFT ones may be restored by the directory, GONE ones lose their edges too."""
        table = self.table
        for chunk in chunks(list(removed)):
            statement = (
                select(table.c.id, table.c.external_id, table.c.deleted_at, table.c.deletion)
                .join_from(objects, table, table.c.id == objects.c.id)
                .where(objects.c.directory_id == self.directory.id, objects.c.external_id.in_(chunk))
            )
            rows = (await self.tx.execute(statement)).all()
            for deletion, reasons in ((SOFT, ("changed",)), (GONE, ("deleted",))):
                chosen = [row for row in rows if (removed[row.external_id].removed in reasons)]
                await self._bury([row.id for row in chosen if row.deletion != deletion], deletion)
                applied.counts["removed"] += sum(row.deleted_at is None for row in chosen)
                applied.touched.extend(row.id for row in chosen if row.deleted_at is None)
            applied.counts["unchanged"] += sum(row.deleted_at is not None for row in rows)
            applied.counts["unknown"] += len(chunk) - len(rows)

    async def _bury(self, keys: Sequence[int], deletion: str) -> None:
        if not keys:
            return
        values = {"deletion": deletion, "version": await self.next_version(), "updated_at": self.now}
        for chunk in chunks(keys):
            table = self.table
            await self.tx.execute(update(table).where(table.c.id.in_(chunk)).values(values))
            await self.tx.execute(
                update(table).where(table.c.id.in_(chunk), table.c.deleted_at.is_(None)).values(deleted_at=self.now)
            )
        if deletion == GONE:
            await drop_edges(self.tx, keys)
            for chunk in chunks(keys):
                await self.tx.execute(delete(raw).where(raw.c.object_id.in_(chunk)))
