"""A scan run: scans its targets in batches, notes the hosts that no longer answer, and then runs its probes.

One transaction writes a batch: its hosts, their assets, the progress and the counters. An interrupted run continues
after its last batch. If a probe fails, the results of the scan stay.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, islice

from sqlalchemy import Connection, select

from sync.entra.graph.retry import put_off_s
from sync.errors import (
    BadInput,
    ClaimLost,
    HostsUnfinished,
    Interrupted,
    NotFound,
    RollcallError,
    StoreError,
    TargetsRefused,
)
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.scan.record import Host, Sightings, apply_scan, mark_silent
from sync.scan.options import ScanOptions
from sync.scan.scanner.choice import choose_scanner
from sync.scan.scanner.detail import with_details
from sync.scan.scanner.name import spans_of
from sync.scan.scanner.neighbour import read_neighbours
from sync.scan.scanner.own import own_addresses
from sync.scan.scanner.scanner import BATCH_HOSTS_MAX, BatchFindings, Scanner
from sync.scan.special import check_special, without_own
from sync.scan.target import Spans, check_scope, check_size, read_targets
from sync.store import AnyRow
from sync.store.statement.bulk import upsert_rows
from sync.store.tables import runs, scan_marks, sites, tasks
from sync.tasks.connector.connector import read_directory
from sync.tasks.engine.wait import unless_stopping
from sync.tasks.engine.workplace import Workplace
from sync.tasks.run.log import Level
from sync.tasks.run.progress import advance, begin
from sync.tasks.run.run import Run
from sync.tasks.run.state import RunPhase, RunStatus

HOSTS = "hosts"
"""The name under which a run stores progress, counts and errors of the scan itself."""
AZURE_AD = "azureAd"
NAMED_MAX = 50
"""Hosts that an error's message names; its facts have more."""


async def run_scan(place: Workplace, run: Run) -> RunStatus:
    """Execute a claimed scan run and return its new status: an ended, a waiting or a queued one.

    Raises:
        Interrupted: the run is being stopped; it stays RUNNING.
        ClaimLost: another worker has claimed it.
        StoreError: the database failed; the run must be resumed.
    """
    try:
        scan = await _prepare(place, run)
        await scan.discover()
        if scan.unfinished:
            await run.fail(place.store, _unfinished(scan.unfinished), HOSTS)
        status = await _probe(place, run, scan.options)
        if scan.unfinished and status is RunStatus.SUCCEEDED:
            status = RunStatus.PARTIAL
    except (Interrupted, ClaimLost, StoreError):
        raise
    except RollcallError as error:
        await run.fail(place.store, error, HOSTS)
        status = RunStatus.PARTIAL if run.progress.get(HOSTS, {}).get("done") else RunStatus.FAILED
    if status is not RunStatus.QUEUED:
        await run.finish(place.store, status)
    return status


def _unfinished(addresses: Iterable[str]) -> HostsUnfinished:
    """Return the error that names the hosts that a scanner gave up on."""
    listed = sorted(addresses)
    text = ", ".join(listed[:NAMED_MAX]) + (", ..." if len(listed) > NAMED_MAX else "")
    problem = f"The scanner gave up on {len(listed):,} hosts that took too long; their earlier results stay: {text}."
    hint = "Name fewer ports, raise the rate, or exclude these hosts."
    return HostsUnfinished(problem, hint=hint, hosts=listed[:1_000])


async def _probe(place: Workplace, run: Run, options: ScanOptions) -> RunStatus:
    """Read the directory, if the task's options say so, and link its devices to the hosts just found."""
    if not options.azure_ad:
        return RunStatus.SUCCEEDED
    await run.enter(place.store, RunPhase.CONNECTING, "The Azure AD probe begins.")
    try:
        status = await read_directory(place, run, with_unknown=True)
    except (Interrupted, ClaimLost, StoreError):
        raise
    except RollcallError as error:
        if (seconds := put_off_s(error)) and run.may_be_put_off:
            await run.put_off(place.store, seconds)
            return RunStatus.QUEUED
        await run.fail(place.store, error, AZURE_AD)
        return RunStatus.PARTIAL
    return RunStatus.PARTIAL if status is RunStatus.FAILED else status


async def _prepare(place: Workplace, run: Run) -> _Scan:
    statement = (
        select(tasks, sites.c.scope, runs.c.started_at)
        .join_from(runs, tasks, tasks.c.id == runs.c.task_id)
        .join(sites, sites.c.id == tasks.c.site_id)
    )
    async with place.store.read() as tx:
        task = (await tx.execute(statement.where(runs.c.id == run.id))).first()
        mark = (await tx.execute(select(scan_marks).where(scan_marks.c.run_id == run.id))).first()
    if task is None or task.scan is None:
        raise NotFound("The task has nothing to scan.")
    options = ScanOptions.load(task.scan)
    spans, own = await unless_stopping(place.stopping, _spans(options, task.scope))
    return _Scan(place, run, task, mark, options, spans, own)


async def _spans(options: ScanOptions, scope: Sequence[str] | None) -> tuple[Spans, Spans]:
    """Resolve names and return the addresses to scan, and those of this machine that are left out.

    All checks are made again: the site's scope and the addresses of names may have changed since the task was created.

    Raises:
        TargetsRefused: a name has no address, there are too many addresses, or some are outside the site's scope.
    """
    try:
        targets, excludes = read_targets(options.targets, "targets"), read_targets(options.excludes, "excludes")
        wanted = Spans.of([*targets.spans.spans, *(await spans_of(targets.names)).spans])
        left_out = Spans.of([*excludes.spans.spans, *(await spans_of(excludes.names)).spans])
        spans = wanted.without(left_out)
        check_size(spans, len(options.port_numbers()))
        check_scope(spans, scope)
        check_special(spans, scope)
    except BadInput as error:
        raise TargetsRefused(error.message, hint=error.hint) from None
    spans, own = without_own(spans, scope, own_addresses())
    if not spans.size:
        problem = f"The only address to scan is this server itself: {own}." if own.size else ""
        hint = "Change the task's targets, or ask an administrator to add the server to the site's scope."
        raise TargetsRefused(problem or "The excludes leave nothing to scan.", hint=hint)
    return spans, own


class _Scan:
    def __init__(
        self,
        place: Workplace,
        run: Run,
        task: AnyRow,
        mark: AnyRow | None,
        options: ScanOptions,
        spans: Spans,
        own: Spans,
    ) -> None:
        self.place, self.run, self.options, self.spans, self.own = place, run, options, spans, own
        self.site = AssetPlace(task.organization_id, task.site_id)
        self.ports = options.port_numbers()
        self.began_at: str = task.started_at
        self.digest = hashlib.blake2b(f"{spans} {self.ports}".encode(), digest_size=16).hexdigest()
        fits = mark is not None and mark.digest == self.digest
        self.done: int = mark.done if mark and fits else 0
        self.unlooked: set[str] = set(mark.unlooked) if mark and fits else set()
        self.unfinished: set[str] = set(mark.unfinished or ()) if mark and fits else set()
        self.sightings = Sightings()
        self.is_sealed = bool(mark and fits and mark.is_sealed)

    async def discover(self) -> None:
        """Scan every address that no earlier attempt has scanned, and note the hosts that did not answer."""
        if self.is_sealed:
            return
        if self.done:
            async with self.place.store.read() as tx:
                self.sightings = await tx.run_sync(Sightings.since, self.site, self.began_at)
        scanner = choose_scanner(self.options.scanner, self.place.clock)
        text = f"Scanning {self.spans.size:,} addresses, {len(self.ports):,} ports each, with {scanner.name}."
        if self.own.size:
            text += f" This server itself is left out, because the site's scope does not name it: {self.own}."
        mine = begin(self.place.clock.now(), self.done, self.spans.size)
        self.run.progress = {**self.run.progress, HOSTS: mine}
        await self.run.enter(self.place.store, RunPhase.SCANNING, text)
        for batch in self._batches():
            found = await unless_stopping(self.place.stopping, self._look(scanner, batch))
            counts = await self.place.store.transact(partial(self._write, found, len(batch)))
            self.done, self.run.counts = self.done + len(batch), counts
            self.unlooked |= found.unlooked
            self.unfinished |= found.unfinished
            if self.place.stopping.is_set():
                raise Interrupted
        await self.run.enter(self.place.store, RunPhase.PROCESSING, "Noting the hosts that did not answer.")
        self.run.counts = await self.place.store.transact(self._seal)

    def _batches(self) -> Iterator[list[str]]:
        """Yield the remaining addresses, in batches of one IP version."""
        left = islice(self.spans.addresses(), self.done, None)
        for _, addresses in groupby(left, key=lambda address: ":" in address):
            while batch := list(islice(addresses, BATCH_HOSTS_MAX)):
                yield batch

    async def _look(self, scanner: Scanner, batch: Sequence[str]) -> BatchFindings:
        found = await scanner.look(batch, self.ports, self.options.rate)
        return replace(found, hosts=await with_details(found.hosts, self.place.look_up, read_neighbours()))

    def _write(self, found: BatchFindings, looked: int, tx: Connection) -> dict[str, Counter[str]]:
        """Write one batch with its progress and counters."""
        hosts: list[Host] = found.hosts
        counted = apply_scan(tx, self.place.clock, self.site, hosts, self.sightings)
        done = self.done + looked
        counts = self._counts(counted)
        self._mark(tx, done, self.unlooked | found.unlooked, self.unfinished | found.unfinished, is_sealed=False)
        progress = {**self.run.progress, HOSTS: advance(self.run.progress[HOSTS], looked)}
        self.run.save(tx, counts=counts, progress=progress)
        self.run.progress = progress
        return counts

    def _seal(self, tx: Connection) -> dict[str, Counter[str]]:
        """Note the hosts that did not answer, and log the result of the scan."""
        unlooked, unfinished = self.unlooked, self.unfinished

        def silent_at(address: str) -> str | None:
            is_looked_at = self.spans.covers(address) and address not in unlooked and address not in unfinished
            return self.began_at if is_looked_at else None

        silent = mark_silent(tx, self.place.clock, self.site, silent_at)
        counts = self._counts(Counter(silent=silent))
        self._mark(tx, self.done, unlooked, unfinished, is_sealed=True)
        self.run.save(tx, counts=counts)
        mine = counts[HOSTS]
        text = f"hosts: complete; {mine['created']} new, {mine['merged']} known, {silent} no longer answer."
        self.run.log(tx, Level.INFO, text)
        if unlooked:
            text = (
                f"{len(unlooked):,} addresses could not be reached from here; nothing is concluded from their silence."
            )
            self.run.log(tx, Level.WARNING, text, facts={"addresses": sorted(unlooked)[:20]})
        return counts

    def _counts(self, more: Counter[str]) -> dict[str, Counter[str]]:
        return {**self.run.counts, HOSTS: self.run.counts.get(HOSTS, Counter()) + more}

    def _mark(self, tx: Connection, done: int, unlooked: set[str], unfinished: set[str], *, is_sealed: bool) -> None:
        row = {"run_id": self.run.id, "digest": self.digest, "done": done, "is_sealed": is_sealed}
        lists = {"unlooked": sorted(unlooked), "unfinished": sorted(unfinished)}
        upsert_rows(tx, scan_marks, [row | lists], key=("run_id",))
