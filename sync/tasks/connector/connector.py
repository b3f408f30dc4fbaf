"""A connector run: reads the three streams of a directory concurrently and writes their pages.

One transaction writes a page with its edges, assets, cursor and counters; a full round writes several pages at once. A
failing stream does not affect the others. An interrupted run continues from its cursors.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.entra.cloud import Cloud, endpoints
from sync.entra.graph.client import GraphClient
from sync.entra.graph.count import count
from sync.entra.graph.probe import device_relations
from sync.entra.graph.retry import put_off_s
from sync.entra.graph.stream import Complete, Page, is_dead_end, pages, prefetched
from sync.entra.outbound import DIRECT, Outbound
from sync.entra.signin.token import MsalTokens, SignIn
from sync.entra.transport import tls_context
from sync.errors import (
    ClaimLost,
    CursorExpired,
    EntraError,
    Interrupted,
    NotFound,
    RemovalHeld,
    RollcallError,
    StoreError,
    Throttled,
    UnknownProperty,
)
from sync.inventory.asset.link import UNKNOWN, LinkOptions, link_devices
from sync.inventory.directory.directory import Cursor, Directory, chunks, open_directory, save_cursor
from sync.inventory.directory.kind import DEVICE, GROUP, KINDS, USER, Kind
from sync.inventory.directory.page import Applied, apply_page
from sync.inventory.directory.sweep import sweep
from sync.secret.credentials import open_sign_in, usable_credential
from sync.store import AnyRow
from sync.store.tables import credentials, devices, tasks
from sync.tasks.connector import repair
from sync.tasks.connector.device_relations import DeviceRelations
from sync.tasks.connector.left_out import unknown_properties
from sync.tasks.connector.relink import relink_if_changed
from sync.tasks.connector.start_points import LinkOrigin, Planner, StreamPlan
from sync.tasks.connector.warnings import warn
from sync.tasks.engine.wait import unless_stopping
from sync.tasks.engine.workplace import Workplace
from sync.tasks.run.log import Level
from sync.tasks.run.progress import Progress, advance, begin
from sync.tasks.run.run import Counts, Run
from sync.tasks.run.state import RunPhase, RunStatus
from sync.tasks.run.total import added

T = TypeVar("T")
RESTARTS_MAX = 5
# Kind → kinds to read before its edges are swept: an end that was removed but may be restored keeps its edges.
LED_TO = {GROUP.plural: (USER, DEVICE), DEVICE.plural: (USER,)}


@asynccontextmanager
async def connect(sign_in: SignIn, clock: Clock, outbound: Outbound = DIRECT) -> AsyncIterator[GraphClient]:
    """Sign in and open a Graph client; leaving the block forgets the secret and the token."""
    # Not on the event loop: the first call reads the machine's certificate authorities, which takes long.
    await asyncio.to_thread(tls_context, sign_in.endpoints.ca_file, outbound)
    tokens = MsalTokens(sign_in, clock, outbound=outbound)
    try:
        async with GraphClient(sign_in.endpoints, tokens, clock, outbound=outbound) as client:
            await client.sign_in()
            yield client
    finally:
        tokens.close()


async def directory_of_task(tx: AsyncConnection, task_id: int) -> Hashable:
    """Return the directory that a task writes, as the lane of its runs: only one may write it at a time."""
    statement = select(tasks.c.site_id, credentials.c.cloud, credentials.c.tenant_id).outerjoin(
        credentials, credentials.c.id == tasks.c.credential_id
    )
    row = (await tx.execute(statement.where(tasks.c.id == task_id))).first()
    return tuple(row) if row else None


async def run_connector(place: Workplace, run: Run) -> RunStatus:
    """Execute a claimed connector run and return its new status: an ended, a waiting or a queued one.

    Raises:
        Interrupted: the process is stopping; the run stays RUNNING and is resumed at the next start.
        ClaimLost: another worker has claimed it.
        StoreError: the database cannot be written now; the run must be resumed.
    """
    try:
        status = await read_directory(place, run)
    except (Interrupted, ClaimLost):
        raise
    except RollcallError as error:
        if isinstance(error, StoreError) and error.retryable:
            raise  # Do not fail the run for a full disk or a busy database: it waits, as the error's hint says.
        if (seconds := put_off_s(error)) and run.may_be_put_off:
            await run.put_off(place.store, seconds)
            return RunStatus.QUEUED
        await run.fail(place.store, error)
        status = RunStatus.FAILED
    await run.finish(place.store, status)
    return status


async def read_directory(place: Workplace, run: Run, *, with_unknown: bool = False) -> RunStatus:
    """Sign in and read the directory of the run's task; return the outcome without changing the run's status.

    Args:
        place: the dependencies of the run.
        run: gets the progress, the counts and the errors of streams.
        with_unknown: also link unchanged devices that were left out as unknown.

    Raises:
        Interrupted, ClaimLost: see `run_connector`.
        RollcallError: nothing could be read, or Graph asked for a long wait.
    """
    task, credential, directory = await _prepare(place, run)
    sign_in = open_sign_in(credential, place.vault, place.custom)
    async with AsyncExitStack() as stack:
        connected = stack.enter_async_context(place.connect(sign_in, place.clock))
        client = await unless_stopping(place.stopping, connected)
        client.limiter = place.limiters.of(sign_in.endpoints.graph, sign_in.tenant_id, sign_in.client_id)
        run.client = client
        await _note_use(place, credential.id)
        await run.enter(place.store, RunPhase.CONNECTED, "Signed in.")
        connector = _Connector(place, run, client, task, credential, directory)
        status = await connector.read()
        if with_unknown:
            await connector.link_unknown()
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


class _End(enum.Enum):
    """How one stream of a run ended."""

    GOOD = "read to its end and written"
    FAILED = "kept on the run as an error"
    HELD = "waits for an administrator"


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
        self.rows_ahead = place.rows_ahead
        self.run, self.client, self.directory = run, client, directory
        self.options = LinkOptions(task.exclude_unknown, task.include_inactive)
        origin = endpoints(Cloud(credential.cloud), place.custom).graph
        identity = LinkOrigin(origin, credential.tenant_id, credential.client_id)
        self.planner = Planner(place.store, directory, identity)
        self.relations = DeviceRelations(place.store, place.clock, place.stopping, run, client, self.planner)
        # A stream whose last full round is older gets a full round in this run.
        days = place.full_round_days if task.full_round_days is None else task.full_round_days
        self.whole_since = repair.due_before(place.clock, asked_at=run.full_asked_at, days=days)
        # Set when a kind's stream has ended in this run, successfully or not.
        self.ended = {kind.plural: asyncio.Event() for kind in KINDS}

    async def read(self) -> RunStatus:
        await self.run.enter(self.store, RunPhase.PROCESSING, "Reading users, groups and devices.")
        await relink_if_changed(self.store, self.clock, self.run, self.directory, self.options, self.stopping)
        ends = [end for ends in await _all(self._read_kind(kind) for kind in KINDS) for end in ends]
        if _End.HELD in ends:
            return RunStatus.NEEDS_CONFIRMATION
        if _End.FAILED not in ends:
            return RunStatus.SUCCEEDED
        return RunStatus.PARTIAL if _End.GOOD in ends else RunStatus.FAILED

    async def link_unknown(self) -> None:
        """Link devices that were left out as unknown: a new asset may match them."""
        mine = (devices.c.directory_id == self.directory.id, devices.c.skipped == UNKNOWN)
        async with self.store.read() as tx:
            keys = list(await tx.scalars(select(devices.c.id).where(*mine).order_by(devices.c.id)))
        for part in chunks(keys):
            self.run.counts = await self.store.transact(partial(self._link_again, part))

    def _link_again(self, keys: Sequence[int], tx: Connection) -> Counts:
        linked = link_devices(tx, self.clock, self.directory, self.options, keys)
        # Devices that are still unknown were counted before.
        del linked["skippedUnknown"]
        counts = added(self.run.counts, DEVICE, Applied(), None, linked)
        self.run.save(tx, counts=counts)
        return counts

    async def _read_kind(self, kind: Kind) -> list[_End]:
        """Read a kind's stream and then, if delta does not report them, its relations."""
        try:
            ends = [await self._guarded(kind.plural, partial(self._read_stream, kind))]
        finally:
            self.ended[kind.plural].set()
        if kind is DEVICE and ends == [_End.GOOD]:
            await self._led_to(kind)
            due = await self.relations.due()
            ends += await _all(self._guarded(name, partial(self._pass, name)) for name in due)
        return ends

    async def _led_to(self, kind: Kind) -> None:
        """Wait until the kinds that the edges of this kind lead to have been read."""
        for other in LED_TO.get(kind.plural, ()):
            await self._unless_stopping(self.ended[other.plural].wait())

    async def _guarded(self, stream: str, read: Callable[[], Awaitable[None]]) -> _End:
        """Read one stream; an error of the directory is added to the run and ends only this stream."""
        try:
            await read()
        except RemovalHeld as error:
            await self.run.hold(self.store, error, stream)
            return _End.HELD
        except EntraError as error:
            if put_off_s(error) and self.run.may_be_put_off:
                raise
            if is_dead_end(error):
                await self.planner.forget(stream)
            await self.run.fail(self.store, error, stream)
            return _End.FAILED
        return _End.GOOD

    async def _read_stream(self, kind: Kind) -> None:
        client = self.client.stream(kind.plural)
        plan = await self.planner.plan(kind, lambda: self._unless_stopping(device_relations(client)))
        if kind is DEVICE:
            await self.relations.prepare(plan)
        restarts, is_whole = 0, False
        while True:
            try:
                await self._follow(client, plan)
            except CursorExpired as error:
                if restarts == RESTARTS_MAX:
                    raise
                restarts += 1
                await self._warn(f"{kind.plural}: {error.message} Everything is read again.", code=error.code)
                plan = await self.planner.again(plan)
                continue
            except UnknownProperty as error:
                plan = await self._without(client, plan, error)
                continue
            is_whole |= plan.round_.full
            if plan.resumes:
                # An earlier attempt began this round, which shows the state at its start: read the later changes too.
                plan = await self.planner.next(plan)
            elif not is_whole and await self.planner.is_whole_due(kind.plural, self.whole_since):
                plan = await self.planner.check(plan)
            else:
                return

    async def _without(self, client: GraphClient, plan: StreamPlan, error: UnknownProperty) -> StreamPlan:
        """Plan a round again without the properties that Graph refuses; raise the error if no property is the cause."""
        kind = plan.kind
        selected = self.planner.left_out.selected(kind, with_edges=plan.with_edges)
        names = await self._unless_stopping(unknown_properties(client, kind, selected, error))
        if not names:
            raise error
        told = f"Microsoft Graph does not provide {', '.join(names)} here; left out until the next full round."
        await self._warn(f"{kind.plural}: {told}", code=error.code)
        return await self.planner.without(plan, names)

    async def _pass(self, stream: str) -> None:
        """Read one relation of every device; restart if the position in the list has expired."""
        total = self.run.progress.get(DEVICE.plural, {}).get("total")
        for restarts in range(RESTARTS_MAX + 1):
            try:
                return await self.relations.read(stream, total, anew=restarts > 0)
            except CursorExpired as error:
                if restarts == RESTARTS_MAX:
                    raise
                await self._warn(f"{stream}: {error.message} Everything is read again.", code=error.code)

    async def _follow(self, client: GraphClient, plan: StreamPlan) -> None:
        await self._announce(client, plan)
        stream = pages(client, plan.start, first_number=plan.page_number)
        if plan.kind is DEVICE:
            if not (plan.with_edges or plan.round_.full):
                await self._led_to(DEVICE)
            stream = self.relations.completed(plan, stream)
        # Join pages in full rounds only: `relations.completed` compares each page of changes with the page before.
        async with prefetched(stream, self.rows_ahead if plan.round_.full else 0, plan.kind.edges) as ahead:
            while page := await self._unless_stopping(anext(ahead, None)):
                if _sweeps(plan, page):
                    await self._led_to(plan.kind)
                await self._write(plan, page)
                if self.stopping.is_set() and not page.ends:
                    raise Interrupted

    async def _announce(self, client: GraphClient, plan: StreamPlan) -> None:
        """Set the progress of the stream; only a full round from its first page starts at 0."""
        begins = plan.round_.full and plan.page_number == 1
        before = {} if begins else self.run.progress.get(plan.kind.plural, {})
        total = before.get("total")
        if plan.round_.full:  # A round of changes is usually one request: do not add another for the count.
            total = await self._unless_stopping(count(client, plan.kind.plural))
        mine = begin(self.clock.now(), before.get("done") or 0, total)
        self.run.progress = {**self.run.progress, plan.kind.plural: mine}

    async def _unless_stopping(self, answer: Awaitable[T]) -> T:
        return await unless_stopping(self.stopping, answer)

    async def _write(self, plan: StreamPlan, page: Page) -> None:
        """Write a page with its cursor, counters and progress in one transaction."""
        counts, progress = await self.store.transact(partial(self._write_page, plan, page))
        self.run.counts, self.run.progress[plan.kind.plural] = counts, progress

    def _write_page(self, plan: StreamPlan, page: Page, tx: Connection) -> tuple[Counts, Progress]:
        applied = apply_page(tx, self.clock, self.directory, plan.kind, page.items, self.planner.round_of(plan))
        removed = self._sweep(tx, plan, page)
        linked = self._link(tx, plan, [*applied.touched, *(removed.touched if removed else ())])
        save_cursor(tx, self.clock, self.directory, plan.kind.plural, self._cursor(plan, page))
        # Read the counters inside the transaction: other streams change them while this one waits for the writer.
        counts = added(self.run.counts, plan.kind, applied, removed, linked, checks=plan.checks)
        progress = advance(self.run.progress[plan.kind.plural], len(applied.seen))
        self.run.save(tx, counts=counts, progress={**self.run.progress, plan.kind.plural: progress})
        warn(tx, self.run, plan.kind, applied.flaws)
        if page.ends:
            self._log_end(tx, plan, counts)
        return counts, progress

    def _sweep(self, tx: Connection, plan: StreamPlan, page: Page) -> Applied | None:
        if not (isinstance(page.link, Complete) and _sweeps(plan, page)):
            return None
        generation, confirmed = plan.round_.generation, self.run.confirmed
        return sweep(tx, self.clock, self.directory, plan.swept, generation, page.link, confirmed)

    def _link(self, tx: Connection, plan: StreamPlan, keys: Sequence[int]) -> Counter[str]:
        return link_devices(tx, self.clock, self.directory, self.options, keys) if plan.kind is DEVICE else Counter()

    def _cursor(self, plan: StreamPlan, page: Page) -> Cursor:
        link = page.link.delta_link if isinstance(page.link, Complete) else page.link.url
        is_whole = page.ends and plan.round_.full
        full_at = timestamp(self.clock.now()) if is_whole else plan.full_at
        place = (link or "", page.ends, plan.round_.full, plan.round_.generation, page.number, plan.query_hash)
        return Cursor(*place, checks=plan.checks, full_at=full_at)

    def _log_end(self, tx: Connection, plan: StreamPlan, counts: Counts) -> None:
        numbers = counts.get(plan.kind.plural, Counter())
        text = ", ".join(f"{number} {what}" for what, number in sorted(numbers.items()) if number)
        what = "everything is read" if plan.round_.full else "changes are read"
        self.run.log(tx, Level.INFO, f"{plan.kind.plural}: {what}; in this run {text or 'no change'}.")
        if plan.checks:
            is_any, text = repair.told(plan.kind, counts)
            self.run.log(tx, Level.WARNING if is_any else Level.INFO, text)

    async def _warn(self, message: str, code: str | None = None) -> None:
        await self.store.transact(lambda tx: self.run.log(tx, Level.WARNING, message, code=code))


def _sweeps(plan: StreamPlan, page: Page) -> bool:
    return page.ends and plan.round_.full and plan.round_.generation > 1


async def _all(streams: Iterable[Awaitable[T]]) -> list[T]:
    """Read streams concurrently, all to their ends, then raise an error if one failed.

    A request to wait (Throttled) is raised only if no other stream has another error.
    """
    outcomes = await asyncio.gather(*streams, return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:
        raise min(failures, key=lambda failure: isinstance(failure, Throttled))
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
