"""A connector run: reads a directory's three streams side by side and writes them page by page.

One page is one transaction: its objects, edges, assets, cursor and counters. A stream that fails leaves the others
alone; a run that was cut off goes on from its cursors.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.credentials import open_sign_in, usable_credential
from sync.entra.client import GraphClient
from sync.entra.cloud import Cloud, Endpoints, endpoints
from sync.entra.count import count
from sync.entra.probe import device_relations
from sync.entra.stream import Complete, Page, Start, delta_url, pages, prefetched
from sync.entra.token import MsalTokens, SignIn
from sync.errors import ClaimLost, CursorExpired, EntraError, Interrupted, NotFound, RollcallError
from sync.inventory.apply import Applied, Round, apply_page
from sync.inventory.directory import Cursor, Directory, load_cursor, open_directory, save_cursor
from sync.inventory.kind import DEVICE, KINDS, Kind
from sync.inventory.link import LinkOptions, link_devices
from sync.inventory.relink import relink_devices
from sync.inventory.sweep import sweep
from sync.store import AnyRow, Store
from sync.store.tables import credentials, directories, tasks
from sync.tasks.log import Level
from sync.tasks.run import Run
from sync.tasks.state import RunPhase, RunStatus
from sync.vault import Vault

T = TypeVar("T")
RESTARTS_MAX = 5

Connect = Callable[[SignIn, Clock], AbstractAsyncContextManager[GraphClient]]


@asynccontextmanager
async def connect(sign_in: SignIn, clock: Clock) -> AsyncIterator[GraphClient]:
    """Sign in and open a Graph client; the secret and the token are forgotten when the block ends."""
    tokens = MsalTokens(sign_in, clock)
    try:
        await tokens.token()
        async with GraphClient(sign_in.endpoints, tokens, clock) as client:
            yield client
    finally:
        tokens.close()


@dataclass(frozen=True)
class Workplace:
    """What a run works with."""

    store: Store
    clock: Clock
    vault: Vault
    custom: Endpoints | None
    connect: Connect
    # Set when the process is about to stop: a run ends after the page in hand.
    stopping: asyncio.Event


@dataclass(frozen=True)
class _Plan:
    """How one stream of this run begins: from `start`, in `round_`, its first page being `page_number`."""

    kind: Kind
    start: Start | str
    round_: Round
    page_number: int
    query_hash: str


async def run_connector(place: Workplace, run: Run) -> RunStatus:
    """Execute a claimed connector run and return the status it ended with.

    Raises:
        Interrupted: the process is stopping; the run stays RUNNING and is taken up at the next start.
        ClaimLost: another worker has taken it up.
    """
    try:
        task, credential, directory = await _prepare(place, run)
        sign_in = open_sign_in(credential, place.vault, place.custom)
        async with place.connect(sign_in, place.clock) as client:
            run.stats = client.stats
            await _note_use(place, credential.id)
            await run.enter(place.store, RunPhase.CONNECTED, "Signed in.")
            status = await _Connector(place, run, client, task, credential, directory).read()
    except (Interrupted, ClaimLost):
        raise
    except RollcallError as error:
        await run.fail(place.store, error)
        status = RunStatus.FAILED
    await run.finish(place.store, status)
    return status


async def _prepare(place: Workplace, run: Run) -> tuple[AnyRow, AnyRow, Directory]:
    async with place.store.write() as tx:
        task = (await tx.execute(select(tasks).where(tasks.c.id == run.task_id))).first()
        if task is None or task.credential_id is None:
            raise NotFound("The task has no credential.", hint="Give it one with updateTask.")
        credential = await usable_credential(tx, task.organization_id, task.credential_id)
        directory = await open_directory(
            tx,
            place.clock,
            organization_id=task.organization_id,
            site_id=task.site_id,
            cloud=credential.cloud,
            tenant_id=credential.tenant_id,
        )
        return task, credential, directory


async def _note_use(place: Workplace, credential_id: int) -> None:
    async with place.store.write() as tx:
        now = timestamp(place.clock.now())
        await tx.execute(update(credentials).where(credentials.c.id == credential_id).values(last_used_at=now))


class _Connector:
    def __init__(
        self,
        place: Workplace,
        run: Run,
        client: GraphClient,
        task: AnyRow,
        credential: AnyRow,
        directory: Directory,
    ) -> None:
        self.store, self.clock, self.stopping = place.store, place.clock, place.stopping
        self.run, self.client, self.credential, self.directory = run, client, credential, directory
        self.custom = place.custom
        self.options = LinkOptions(task.exclude_unknown, task.include_inactive)

    async def read(self) -> RunStatus:
        await self.run.enter(self.store, RunPhase.PROCESSING, "Reading users, groups and devices.")
        await self._relink_if_options_changed()
        outcomes = await asyncio.gather(*(self._read_stream(kind) for kind in KINDS), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        good = sum(outcome is True for outcome in outcomes)
        if good == len(KINDS):
            return RunStatus.SUCCEEDED
        return RunStatus.PARTIAL if good else RunStatus.FAILED

    async def _read_stream(self, kind: Kind) -> bool:
        """Read one stream to its end; an error of the directory is kept on the run and ends only this stream."""
        try:
            plan = await self._plan(kind)
            for _ in range(RESTARTS_MAX):
                try:
                    await self._follow(plan)
                    return True
                except CursorExpired as error:
                    plan = await self._restart(plan, error)
            await self._follow(plan)
            return True
        except EntraError as error:
            await self.run.fail(self.store, error, kind.plural)
            return False

    async def _plan(self, kind: Kind) -> _Plan:
        async with self.store.read() as tx:
            cursor = await load_cursor(tx, self.directory, kind.plural)
        selects = [kind.select()] if kind is not DEVICE else [kind.select(), kind.select(with_edges=False)]
        hashes = [self._query_hash(kind, select_) for select_ in selects]
        if cursor and cursor.query_hash in hashes:
            round_ = Round(cursor.generation, cursor.full_round and not cursor.complete)
            number = 1 if cursor.complete else cursor.page_number + 1
            return _Plan(kind, cursor.link, round_, number, cursor.query_hash)
        # Which relations a device delta carries is not documented: ask before the first round.
        plain = kind is DEVICE and not await self._unless_stopping(device_relations(self.client))
        if plain:
            await self._warn("devices: this tenant reports no owners or users of devices in delta rounds.")
        generation = cursor.generation + 1 if cursor else 1
        start = Start(delta_url(kind.plural, selects[plain]))
        return _Plan(kind, start, Round(generation, True), 1, hashes[plain])

    async def _restart(self, plan: _Plan, error: CursorExpired) -> _Plan:
        """Begin a full round because Graph no longer knows our link; nothing is removed before it is complete."""
        await self._warn(f"{plan.kind.plural}: {error.message} Everything is read again.", code=error.code)
        async with self.store.read() as tx:
            cursor = await load_cursor(tx, self.directory, plan.kind.plural)
        generation = max(plan.round_.generation, cursor.generation if cursor else 0) + 1
        select_ = plan.kind.select()
        if self._query_hash(plan.kind, select_) != plan.query_hash:
            select_ = plan.kind.select(with_edges=False)
        start = Start(delta_url(plan.kind.plural, select_))
        return replace(plan, start=start, round_=Round(generation, True), page_number=1)

    def _query_hash(self, kind: Kind, select_: Sequence[str]) -> str:
        """Name what a link was made for: with another server, app, tenant or selection it would not fit."""
        credential, origin = self.credential, endpoints(Cloud(self.credential.cloud), self.custom).graph
        parts = (origin, credential.tenant_id, credential.client_id, kind.plural, *select_)
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

    async def _follow(self, plan: _Plan) -> None:
        await self._announce(plan)
        stream = pages(self.client, plan.start, first_number=plan.page_number)
        async with prefetched(stream) as ahead:
            while page := await self._unless_stopping(anext(ahead, None)):
                await self._write(plan, page)
                if self.stopping.is_set() and not page.ends:
                    raise Interrupted

    async def _announce(self, plan: _Plan) -> None:
        """Tell how far the stream is; only a round that reads everything from the start begins at nothing."""
        begins = plan.round_.full and plan.page_number == 1
        before = {} if begins else self.run.progress.get(plan.kind.plural, {})
        total = before.get("total")
        if plan.round_.full:  # An idle round is one request a stream: it is not worth counting for.
            total = await self._unless_stopping(count(self.client, plan.kind.plural))
        mine = {"done": before.get("done") or 0, "total": total}
        self.run.progress = {**self.run.progress, plan.kind.plural: mine}

    async def _unless_stopping(self, answer: Awaitable[T]) -> T:
        """Wait for Graph, but not when the process is stopping: an answer, or a Retry-After, may take minutes."""
        asked, stopped = asyncio.ensure_future(answer), asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                return asked.result()
            raise Interrupted
        finally:
            stopped.cancel()
            asked.cancel()
            await asyncio.wait({asked, stopped})

    async def _write(self, plan: _Plan, page: Page) -> None:
        """Write one page with everything that belongs to it, together or not at all."""
        before = None
        try:
            async with self.store.write() as tx:
                # Not sooner: other streams count while this one waits for its turn.
                before = self.run.counts, self.run.progress.get(plan.kind.plural, {})
                applied = await apply_page(tx, self.clock, self.directory, plan.kind, page.items, plan.round_)
                removed = await self._sweep(tx, plan, page)
                linked = await self._link(tx, plan, [*applied.touched, *(removed.touched if removed else ())])
                await save_cursor(tx, self.clock, self.directory, plan.kind.plural, self._cursor(plan, page))
                self.run.counts = _sum(self.run.counts, plan.kind, applied, removed, linked)
                self.run.progress = _advance(self.run.progress, plan.kind, len(applied.seen))
                await self.run.save(tx)
                if page.ends:
                    await self._log_end(tx, plan)
        except BaseException:
            if before:
                self.run.counts, mine = before
                self.run.progress = {**self.run.progress, plan.kind.plural: mine}
            raise

    async def _sweep(self, tx: AsyncConnection, plan: _Plan, page: Page) -> Applied | None:
        if not (isinstance(page.link, Complete) and plan.round_.full and plan.round_.generation > 1):
            return None
        return await sweep(tx, self.clock, self.directory, plan.kind, plan.round_.generation, page.link)

    async def _link(self, tx: AsyncConnection, plan: _Plan, keys: Sequence[int]) -> Counter[str]:
        if plan.kind is not DEVICE:
            return Counter()
        return await link_devices(tx, self.clock, self.directory, self.options, keys)

    def _cursor(self, plan: _Plan, page: Page) -> Cursor:
        link = page.link.delta_link if isinstance(page.link, Complete) else page.link.url
        return Cursor(link or "", page.ends, plan.round_.full, plan.round_.generation, page.number, plan.query_hash)

    async def _log_end(self, tx: AsyncConnection, plan: _Plan) -> None:
        numbers = self.run.counts.get(plan.kind.plural, Counter())
        text = ", ".join(f"{number} {what}" for what, number in sorted(numbers.items()) if number)
        await self.run.log(tx, Level.INFO, f"{plan.kind.plural}: complete; {text or 'no change'}.")

    async def _warn(self, message: str, code: str | None = None) -> None:
        async with self.store.write() as tx:
            await self.run.log(tx, Level.WARNING, message, code=code)

    async def _relink_if_options_changed(self) -> None:
        """Bring devices that were read earlier in line with options that were changed since."""
        now = {"exclude_unknown": self.options.exclude_unknown, "include_inactive": self.options.include_inactive}
        mine = directories.c.id == self.directory.id
        async with self.store.write() as tx:
            row = (await tx.execute(select(directories).where(mine))).mappings().one()
            before = {name: row[name] for name in now}
            if before == now:
                return
            if None not in before.values():
                linked = await relink_devices(tx, self.clock, self.directory, self.options)
                self.run.counts = _sum(self.run.counts, DEVICE, Applied(), None, linked)
                await self.run.save(tx)
            await tx.execute(update(directories).where(mine).values(now))


def _sum(
    counts: dict[str, Counter[str]], kind: Kind, applied: Applied, removed: Applied | None, linked: Counter[str]
) -> dict[str, Counter[str]]:
    total = {name: Counter(counter) for name, counter in counts.items()}
    for part in filter(None, (applied, removed)):
        total.setdefault(kind.plural, Counter()).update(part.counts)
        for name, counter in part.edge_counts.items():
            total.setdefault(name, Counter()).update(counter)
    if linked:
        total.setdefault("assets", Counter()).update(linked)
    return total


def _advance(progress: dict[str, dict[str, int | None]], kind: Kind, seen: int) -> dict[str, dict[str, int | None]]:
    mine = progress.get(kind.plural, {"done": 0, "total": None})
    done, total = (mine["done"] or 0) + seen, mine["total"]
    # A big group comes on several pages and the count lags: neither may show more than everything.
    return {**progress, kind.plural: {"done": done if total is None else min(done, total), "total": total}}
