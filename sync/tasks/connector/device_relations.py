"""Owners and users of devices, for tenants whose device delta does not report them.

Each relation has its own stream: one pass over all devices after every full round of devices, and then one a day,
because a change of owner need not change the device. In between, only the devices of a delta page are read, twenty in
a request, before that page is written: its edges are committed with it.

Source: learn.microsoft.com/graph/api/device-list, learn.microsoft.com/graph/query-parameters (expand)
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, select

from sync.clock import Clock, timestamp
from sync.entra.diagnose import malformed
from sync.entra.graph.batch import related
from sync.entra.graph.client import GraphClient
from sync.entra.graph.stream import Complete, Page, Start, pages, prefetched
from sync.errors import Interrupted
from sync.inventory.directory.directory import Cursor, Directory, save_cursor
from sync.inventory.directory.kind import DEVICE, EDGE_COUNTS
from sync.inventory.directory.relation import Targets, linked, replace_edges
from sync.store import Store
from sync.store.tables import cursors
from sync.tasks.connector.start_points import Planner, StreamPlan
from sync.tasks.engine.wait import unless_stopping
from sync.tasks.run.progress import Progress, advance, begin
from sync.tasks.run.run import Counts, Run

EXPAND_MAX = 20
"""Graph returns at most so many related objects inside a list, without a link to the rest."""

PASS_EVERY = timedelta(days=1)
"""The maximum age of the last complete pass."""

RELATIONS = {EDGE_COUNTS[edge]: relation for relation, edge in DEVICE.edges.items()}
"""Name of a stream → the relation that it reads."""

Told = dict[tuple[str, str], set[str]]


class _State(enum.Enum):
    FRESH = "the last pass is complete and recent"
    BEGUN = "a recent pass is incomplete and can be resumed"
    DUE = "a new pass is needed"


class DeviceRelations:
    """The streams of one run that read relations of devices."""

    def __init__(
        self, store: Store, clock: Clock, stopping: asyncio.Event, run: Run, client: GraphClient, planner: Planner
    ) -> None:
        self._store, self._clock, self._stopping = store, clock, stopping
        self._run, self._client, self._planner = run, client, planner
        self._needed = False
        self._followed: tuple[str, ...] = ()

    @property
    def _directory(self) -> Directory:
        return self._planner.directory

    async def prepare(self, plan: StreamPlan) -> None:
        """Decide how to read relations; called before the run reads devices."""
        self._needed = not plan.with_edges
        if self._needed:
            states = {name: await self._state(name, plan.round_.generation) for name in RELATIONS}
            # A pass that starts after the devices were read sees their changes; other relations need them page by page.
            self._followed = tuple(name for name, state in states.items() if state is not _State.DUE)

    async def due(self) -> list[str]:
        """Return the streams to read after the devices."""
        if not self._needed:
            return []
        generation = await self._generation()
        return [name for name in RELATIONS if await self._state(name, generation) is not _State.FRESH]

    def completed(self, plan: StreamPlan, stream: AsyncGenerator[Page, None]) -> AsyncGenerator[Page, None]:
        """Add the relations to the pages of device changes; after a full round a pass reads them instead."""
        if self._followed and not plan.round_.full:
            return self._completed(stream)
        return stream

    async def _completed(self, stream: AsyncGenerator[Page, None]) -> AsyncGenerator[Page, None]:
        client = self._client.stream(DEVICE.plural)
        # (relation, device) → targets in the previous page, the only one that may not be written yet (`prefetched`).
        before: Told = {}
        async with aclosing(stream):
            async for page in stream:
                ids = list(dict.fromkeys(item["id"] for item in page.items if "@removed" not in item))
                extra: dict[str, dict[str, Any]] = {external_id: {} for external_id in ids}
                told: Told = {}
                for name in self._followed:
                    for external_id, entries in (await self._entries(client, name, ids, before, told)).items():
                        extra[external_id][f"{RELATIONS[name]}@delta"] = entries
                before = told
                yield replace(page, items=tuple(_more(item, extra) for item in page.items))

    async def _entries(
        self, client: GraphClient, name: str, ids: list[str], unwritten: Told, told: Told
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Return a relation as delta pages report relations: the targets of each device, and its removed targets."""
        lists = await self._whole(client, RELATIONS[name], ids)
        async with self._store.read() as tx:
            written = await tx.run_sync(linked, self._directory, DEVICE.edges[RELATIONS[name]], lists)
        found: dict[str, list[Mapping[str, Any]]] = {}
        for external_id, targets in lists.items():
            now = {target["id"] for target in targets}
            gone = (written.get(external_id, set()) | unwritten.get((name, external_id), set())) - now
            told[name, external_id] = now
            lost = [{"id": target_id, "@removed": {"reason": "deleted"}} for target_id in sorted(gone)]
            found[external_id] = [*targets, *lost]
        return found

    async def _whole(self, client: GraphClient, relation: str, ids: list[str]) -> dict[str, Targets]:
        """Read the whole lists of some devices; devices that were deleted meanwhile are left out."""
        paths = {
            f"/devices/{quote(external_id, safe='')}/{relation}?$select=id&$top=999": external_id for external_id in ids
        }
        lists = await related(client, list(paths))
        return {paths[path]: targets for path, targets in lists.items() if targets is not None}

    async def read(self, name: str, total: int | None, *, anew: bool) -> None:
        """Read one relation of all devices, page by page, from the position of the last attempt, or with `anew` from 0.

        Raises:
            CursorExpired: the position in the list has expired; call again with `anew`.
            Interrupted: the process is stopping; the current page is written.
            EntraError: the list cannot be read.
        """
        relation, client, generation = RELATIONS[name], self._client.stream(name), await self._generation()
        path, cursor = _path(name), await self._planner.cursor(name)
        begun = not anew and cursor is not None and await self._state(name, generation) is _State.BEGUN
        start: Start | str = cursor.link if begun and cursor else Start(path)
        number = cursor.page_number + 1 if begun and cursor else 1
        done = self._run.progress.get(name, {}).get("done") if begun else 0
        self._run.progress = {**self._run.progress, name: begin(self._clock.now(), done or 0, total)}
        stream = pages(client, start, first_number=number, is_delta=False)
        async with prefetched(stream) as ahead:
            while page := await unless_stopping(self._stopping, anext(ahead, None)):
                lists = await unless_stopping(self._stopping, self._lists(client, relation, page))
                await self._write(name, page, lists, generation)
                if self._stopping.is_set() and not page.ends:
                    raise Interrupted

    async def _lists(self, client: GraphClient, relation: str, page: Page) -> dict[str, Targets]:
        lists: dict[str, Targets] = {item["id"]: _targets(item, relation) for item in page.items}
        cut = [external_id for external_id, targets in lists.items() if len(targets) >= EXPAND_MAX]
        if cut:
            whole = await self._whole(client, relation, cut)
            lists = {external_id: whole.get(external_id, targets) for external_id, targets in lists.items()}
        return lists

    async def _write(self, name: str, page: Page, lists: Mapping[str, Targets], generation: int) -> None:
        edge, run = DEVICE.edges[RELATIONS[name]], self._run
        link = page.link.delta_link if isinstance(page.link, Complete) else page.link.url
        cursor = Cursor(link or "", page.ends, True, generation, page.number, self._hash(name))

        def write(tx: Connection) -> tuple[Counts, Progress]:
            written = replace_edges(tx, self._directory, DEVICE, edge, lists, generation)
            save_cursor(tx, self._clock, self._directory, name, cursor)
            # Read the counters inside the transaction: other streams change them while this one waits for the writer.
            changed = {what: run.counts.get(what, Counter()) + counter for what, counter in written.items()}
            counts = {**run.counts, **{what: counter for what, counter in changed.items() if counter}}
            progress = advance(run.progress[name], len(lists))
            run.save(tx, counts=counts, progress={**run.progress, name: progress})
            return counts, progress

        run.counts, run.progress[name] = await self._store.transact(write)

    async def _generation(self) -> int:
        """Return the generation of the devices' last full round, which a pass must follow."""
        devices = await self._planner.cursor(DEVICE.plural)
        return devices.generation if devices else 0

    async def _state(self, name: str, generation: int) -> _State:
        cursor = await self._planner.cursor(name)
        if cursor is None or cursor.query_hash != self._hash(name) or cursor.generation != generation:
            return _State.DUE
        mine = (cursors.c.directory_id == self._directory.id, cursors.c.stream == name)
        async with self._store.read() as tx:
            written_at = await tx.scalar(select(cursors.c.updated_at).where(*mine))
        oldest = timestamp(self._clock.now() - PASS_EVERY)
        if not written_at or written_at <= oldest:
            return _State.DUE  # Complete or not, its first pages are too old.
        return _State.FRESH if cursor.complete else _State.BEGUN

    def _hash(self, name: str) -> str:
        return self._planner.identity.query_hash(name, (_path(name),))


def _path(name: str) -> str:
    return f"/devices?$select=id&$expand={RELATIONS[name]}($select=id)&$top=999"


def _more(item: Mapping[str, Any], extra: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return item if "@removed" in item else {**item, **extra[item["id"]]}


def _targets(item: Mapping[str, Any], relation: str) -> Targets:
    """Return the related objects of a device; refuse a device without the list, which is not an empty list."""
    targets = item.get(relation)
    if isinstance(targets, list) and all(
        isinstance(target, Mapping) and isinstance(target.get("id"), str) and target["id"] for target in targets
    ):
        return targets
    raise malformed("a device without the related objects that were asked for")
