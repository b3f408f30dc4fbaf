"""Plans where each stream of a run starts: at its cursor if that fits, else with a full round."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import update

from sync.entra.graph.stream import Start, delta_url
from sync.errors import IllegalMove
from sync.inventory.directory.directory import Cursor, Directory, load_cursor
from sync.inventory.directory.kind import DEVICE, Kind
from sync.inventory.directory.round import Round
from sync.store import Store
from sync.store.tables import cursors
from sync.tasks.connector.left_out import LeftOut


@dataclass(frozen=True)
class LinkOrigin:
    """The server, tenant and app that links belong to; links of another one do not fit."""

    origin: str
    tenant_id: str
    client_id: str

    def query_hash(self, stream: str, selected: Sequence[str]) -> str:
        """Hash the query that a stream's link belongs to; if it differs, everything must be read again."""
        parts = (self.origin, self.tenant_id, self.client_id, stream, *selected)
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class StreamPlan:
    """Where one stream of this run starts: at `start`, in `round_`, with the page `page_number`."""

    kind: Kind
    start: Start | str
    round_: Round
    page_number: int
    query_hash: str
    # Whether delta reports the kind's edges; if not, separate streams read them.
    with_edges: bool
    # Whether a full round directly follows a round of changes: a difference it finds was missing from the changes.
    checks: bool = False
    # When the stream's last full round was complete.
    full_at: str | None = None

    @property
    def resumes(self) -> bool:
        """Whether it continues a round that an earlier attempt or run began."""
        return self.page_number > 1

    @property
    def swept(self) -> Kind:
        """The kind with only the edges that the round reads, and may therefore sweep."""
        return self.kind if self.with_edges else replace(self.kind, edges={})


class Planner:
    """Plans the streams of one run."""

    def __init__(self, store: Store, directory: Directory, identity: LinkOrigin) -> None:
        self._store, self.directory, self.identity = store, directory, identity
        self.left_out = LeftOut(store, directory)

    async def plan(self, kind: Kind, has_relations: Callable[[], Awaitable[bool]]) -> StreamPlan:
        """Plan a stream from its cursor, or a full round.

        Args:
            kind: the kind of the stream.
            has_relations: asks Graph whether the delta of devices reports their owners; called only if needed.
        """
        await self.left_out.load()
        cursor = await self.cursor(kind.plural)
        for with_edges in (True, False) if kind is DEVICE else (True,):
            hashed = self._query_hash(kind, with_edges)
            if cursor and cursor.query_hash == hashed:
                round_ = Round(cursor.generation, cursor.full_round and not cursor.complete)
                number = 1 if cursor.complete else cursor.page_number + 1
                checks = cursor.checks and round_.full
                return StreamPlan(kind, cursor.link, round_, number, hashed, with_edges, checks, cursor.full_at)
        # It is not documented which relations the device delta reports: ask before the first round.
        with_edges = kind is not DEVICE or await has_relations()
        await self.left_out.forget(kind)
        return self._full(kind, cursor, 0, with_edges)

    async def next(self, plan: StreamPlan) -> StreamPlan:
        """Plan the round of changes that follows a complete round."""
        cursor = await self.cursor(plan.kind.plural)
        if cursor is None or not cursor.complete:
            raise IllegalMove("The next round cannot start before the current one is complete.")
        round_ = Round(cursor.generation, full=False)
        return replace(plan, start=cursor.link, round_=round_, page_number=1, checks=False, full_at=cursor.full_at)

    async def again(self, plan: StreamPlan) -> StreamPlan:
        """Plan a full round because the stored link has expired; nothing is removed before it is complete."""
        cursor = await self.cursor(plan.kind.plural)
        await self.left_out.forget(plan.kind)
        full = self._full(plan.kind, cursor, plan.round_.generation, plan.with_edges)
        return replace(full, checks=plan.checks)

    async def check(self, plan: StreamPlan) -> StreamPlan:
        """Plan a full round that finds differences which the changes did not report.

        Without `full_at` differences do not count as repairs: an older version may have written the rows differently.
        """
        return replace(await self.again(plan), checks=plan.full_at is not None)

    async def is_whole_due(self, stream: str, moment: str) -> bool:
        """Tell whether the stream has had no complete full round since a time."""
        cursor = await self.cursor(stream)
        return cursor is None or cursor.full_at is None or cursor.full_at <= moment

    async def without(self, plan: StreamPlan, names: Collection[str]) -> StreamPlan:
        """Plan a round again from its start, without properties that Graph does not have."""
        await self.left_out.add(plan.kind, names)
        selected = self.left_out.selected(plan.kind, with_edges=plan.with_edges)
        start = Start(delta_url(plan.kind.plural, selected))
        return replace(plan, start=start, query_hash=self._query_hash(plan.kind, plan.with_edges))

    def round_of(self, plan: StreamPlan) -> Round:
        """Return a plan's round, with the properties that are left out now."""
        return replace(plan.round_, unasked=self.left_out.names(plan.kind))

    async def forget(self, stream: str) -> None:
        """Make the stream's next run read everything, because its link fails or loops."""
        mine = (cursors.c.directory_id == self.directory.id, cursors.c.stream == stream)
        async with self._store.write() as tx:
            await tx.execute(update(cursors).where(*mine).values(query_hash=""))

    async def cursor(self, stream: str) -> Cursor | None:
        """Return the position of a stream."""
        async with self._store.read() as tx:
            return await load_cursor(tx, self.directory, stream)

    def _full(self, kind: Kind, cursor: Cursor | None, generation: int, with_edges: bool) -> StreamPlan:
        generation = max(generation, cursor.generation if cursor else 0) + 1
        start = Start(delta_url(kind.plural, self.left_out.selected(kind, with_edges=with_edges)))
        hashed, full_at = self._query_hash(kind, with_edges), cursor.full_at if cursor else None
        return StreamPlan(kind, start, Round(generation, True), 1, hashed, with_edges, full_at=full_at)

    def _query_hash(self, kind: Kind, with_edges: bool) -> str:
        # Include the columns: a version with other columns reads everything again, and does not count it as repairs.
        selected = self.left_out.selected(kind, with_edges=with_edges)
        return self.identity.query_hash(kind.plural, [*selected, kind.signature().hex()])
