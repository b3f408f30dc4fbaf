"""A run for its worker: claims it, writes its progress with each page, finishes it; every write checks the claim."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, update

from sync.alert.outbox import announce
from sync.clock import Clock, timestamp
from sync.entra.graph.client import GraphClient, RequestStats
from sync.errors import ClaimLost, NotFound, RemovalHeld, RollcallError
from sync.events import RUN, note
from sync.store import Store
from sync.store.tables import runs, tasks
from sync.tasks.run.log import Level, write_log
from sync.tasks.run.progress import Progress
from sync.tasks.run.retry import plan_retry
from sync.tasks.run.state import RunPhase, RunStatus, TaskKind, check_move

Counts = dict[str, Counter[str]]
Numbers = dict[str, float]

ATTEMPTS_MAX = 50
"""A run with so many attempts is not postponed again: it ends with its results so far."""


class Run:
    """A claimed run. It keeps the counters and always writes all of them, so that a repeated page counts once."""

    def __init__(self, run_id: int, owner: str, row: Mapping[str, Any], clock: Clock, retries: int) -> None:
        self.id = run_id
        self.task_id: int = row["task_id"]
        self.kind = TaskKind(row["kind"])
        # A person stopped it while no worker had it.
        self.is_stopped = row["stop_asked_at"] is not None
        # When a person requested a full read; None if nobody did.
        self.full_asked_at: str | None = row["created_at"] if row["full"] else None
        self._owner = owner
        self._clock = clock
        self._retries = retries
        # The longest wait that Graph asked for with an error of this run.
        self._asked_s = 0.0
        self._status = RunStatus.RUNNING
        self.counts: Counts = {name: Counter(numbers) for name, numbers in row["counts"].items()}
        self.progress: dict[str, Progress] = dict(row["progress"])
        # Errors of this attempt; those of earlier attempts are in the log.
        self.errors: list[dict[str, Any]] = []
        self.removals: dict[str, dict[str, Any]] = dict(row["removals"] or {})
        self._attempt: int = row["attempt"]
        # Requests of earlier attempts.
        self._requests_before: dict[str, Any] = row["requests"]
        self.client: GraphClient | None = None

    @classmethod
    async def claim(cls, store: Store, clock: Clock, run_id: int, retries: int = 0) -> Run:
        """Claim a queued run, or one that another process left unfinished.

        Args:
            store: has the run.
            clock: gives the times that the run writes.
            run_id: the run's key.
            retries: the limit of automatic retries in a row.

        Raises:
            NotFound, IllegalMove: the run does not exist, or has ended.
        """
        owner, now = secrets.token_hex(16), timestamp(clock.now())
        async with store.write() as tx:
            found = select(runs, tasks.c.kind).join_from(runs, tasks, tasks.c.id == runs.c.task_id)
            row = (await tx.execute(found.where(runs.c.id == run_id))).mappings().first()
            if row is None:
                raise NotFound("There is no such run.")
            check_move(RunStatus(row["status"]), RunStatus.RUNNING)
            values: dict[str, Any] = {
                "status": RunStatus.RUNNING,
                "phase": RunPhase.CONNECTING,
                "owner": owner,
                "started_at": row["started_at"] or now,
                "not_before": None,
                "waits_for_id": None,
                "attempt": row["attempt"] + (row["started_at"] is not None),
                "updated_at": now,
            }
            await tx.execute(update(runs).where(runs.c.id == run_id).values(values))
            await tx.run_sync(note, RUN, run_id)
            if row["status"] == RunStatus.RUNNING:
                text = f"The run was interrupted; it continues with attempt {values['attempt']}."
                await tx.run_sync(write_log, clock, run_id, Level.WARNING, text)
        return cls(run_id, owner, {**row, **values}, clock, retries)

    def save(self, tx: Connection, **values: object) -> None:
        """Write the counters and `values` in the caller's transaction.

        Raises:
            ClaimLost: another worker has claimed the run; the caller must roll back the transaction.
        """
        statement = update(runs).where(runs.c.id == self.id, runs.c.owner == self._owner)
        now = {
            "counts": self.counts,
            "progress": self.progress,
            "requests": self._requests(),
            "errors": self.errors,
            "removals": self.removals,
            "updated_at": timestamp(self._clock.now()),
        }
        if tx.execute(statement.values(now | values)).rowcount != 1:
            raise ClaimLost
        note(tx, RUN, self.id)

    def log(self, tx: Connection, level: Level, message: str, **more: Any) -> None:
        """Add a row to the run's log in the caller's transaction."""
        write_log(tx, self._clock, self.id, level, message, **more)

    async def enter(self, store: Store, phase: RunPhase, message: str) -> None:
        """Enter a phase and log it."""

        def write(tx: Connection) -> None:
            self.save(tx, phase=phase)
            self.log(tx, Level.INFO, message)

        await store.transact(write)

    async def fail(self, store: Store, error: RollcallError, resource: str | None = None) -> None:
        """Add an error to the run and to its log."""
        asked_s = error.facts.get("retry_after_s")
        self._asked_s = max(self._asked_s, asked_s if isinstance(asked_s, float) else 0.0)
        await store.transact(partial(self._note, error, resource))

    def _note(self, error: RollcallError, resource: str | None, tx: Connection) -> None:
        entry = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "resource": resource,
            "retryable": error.retryable,
        }
        if entry not in self.errors:  # After a failed write this is called again with the same error.
            self.errors.append(entry)
        self.save(tx)
        text = f"{resource}: {error.message}" if resource else error.message
        facts = {"hint": error.hint, **{name: str(value) for name, value in error.facts.items()}}
        self.log(tx, Level.ERROR, text, code=error.code, facts=facts)

    async def hold(self, store: Store, error: RemovalHeld, resource: str) -> None:
        """Store the removals that a sweep held back, for an administrator to confirm."""
        held = {kind: {**numbers, "confirmed": False} for kind, numbers in error.removals.items()}
        self.removals = {**self.removals, **held}
        await self.fail(store, error, resource)

    def confirmed(self, resource: str) -> int:
        """Return the number of rows or edges of a kind whose removal an administrator has confirmed for this run."""
        held = self.removals.get(resource, {})
        return int(held["rows"]) if held.get("confirmed") else 0

    @property
    def may_be_put_off(self) -> bool:
        """Whether the run may be postponed once more."""
        return self._attempt < ATTEMPTS_MAX

    async def put_off(self, store: Store, seconds: float) -> None:
        """Put the run back into the queue, to be claimed after so many seconds."""
        # Add a second: the stored time is cut to milliseconds, and must not be earlier than asked.
        late_s = 1 + self._clock.chance()
        until = timestamp(self._clock.now() + timedelta(seconds=seconds + late_s))
        text = (
            f"Microsoft Graph asked for a long wait: the run continues from its present position, not before {until}."
        )
        await self._leave(store, RunStatus.QUEUED, Level.WARNING, text, not_before=until)

    async def interrupt(self, store: Store) -> RunStatus:
        """Interrupt the run: it ends if a person stopped it, or else continues at the next start; return its status."""
        asked = select(runs.c.stop_asked_at).where(runs.c.id == self.id)
        async with store.read() as tx:
            is_stopped = await tx.scalar(asked) is not None
        if is_stopped:
            await self.finish(store, RunStatus.STOPPED)
        return self._status

    async def finish(self, store: Store, status: RunStatus) -> None:
        """End the run, or let it wait for an administrator; a failed run may get a planned retry."""
        ends = None if status is RunStatus.NEEDS_CONFIRMATION else timestamp(self._clock.now())
        text = f"The run {'waits' if ends is None else 'ended'}: {status}."
        await self._leave(store, status, Level.INFO, text, finished_at=ends)

    async def _leave(self, store: Store, status: RunStatus, level: Level, message: str, **values: object) -> None:
        """Write the run's next status and release the claim."""
        check_move(self._status, status)

        def write(tx: Connection) -> None:
            self.save(tx, status=status, phase=None, owner=None, **values)
            text = message
            if status in (RunStatus.FAILED, RunStatus.PARTIAL):
                text += " " + plan_retry(tx, self._clock, self.id, retries=self._retries, asked_s=self._asked_s)
            self.log(tx, level, text)
            announce(tx, self._clock, self.id)

        await store.transact(write)
        self._status = status

    def _requests(self) -> dict[str, Any]:
        """Return the requests of all attempts: totals, and under `streams` those of each stream."""
        if self.client is None:
            return self._requests_before
        before: dict[str, Numbers] = self._requests_before.get("streams", {})
        streams = {
            name: _sum([before.get(name, {}), _numbers(stats)])
            for name, stats in ({name: RequestStats() for name in before} | self.client.streams).items()
        }
        total = {name: value for name, value in self._requests_before.items() if name != "streams"}
        asked = [_numbers(stats) for stats in (self.client.stats, *self.client.streams.values())]
        return {**_sum([total, *asked]), "streams": streams}


def _numbers(stats: RequestStats) -> Numbers:
    return {
        "count": stats.requests,
        "retries": stats.retries,
        "throttledSeconds": stats.throttled_s,
        "resourceUnits": stats.resource_units,
        "bytes": stats.bytes,
    }


def _sum(parts: Iterable[Mapping[str, float]]) -> Numbers:
    total: Numbers = dict.fromkeys(_numbers(RequestStats()), 0)
    for part in parts:
        for name, value in part.items():
            total[name] = round(total[name] + value, 3)
    return total
