"""One run as its worker sees it: claimed, told of progress page by page, finished; every write checks the claim."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, update

from sync.clock import Clock, timestamp
from sync.entra.client import RequestStats
from sync.errors import ClaimLost, NotFound, RollcallError
from sync.store import Store
from sync.store.tables import runs
from sync.tasks.log import Level, write_log
from sync.tasks.state import RunPhase, RunStatus, check_move

Counts = dict[str, Counter[str]]
Progress = dict[str, int | None]


class Run:
    """A claimed run. Counters are kept here and written whole, so that a repeated page counts once."""

    def __init__(self, run_id: int, owner: str, row: Mapping[str, Any], clock: Clock) -> None:
        self.id = run_id
        self.task_id: int = row["task_id"]
        self._owner = owner
        self._clock = clock
        self._status = RunStatus.RUNNING
        self.counts: Counts = {name: Counter(numbers) for name, numbers in row["counts"].items()}
        self.progress: dict[str, Progress] = dict(row["progress"])
        self.errors: list[dict[str, Any]] = list(row["errors"])
        # Requests of the attempts before this one.
        self._requests_before = Counter(row["requests"])
        self.stats: RequestStats | None = None

    @classmethod
    async def claim(cls, store: Store, clock: Clock, run_id: int) -> Run:
        """Take up a queued run, or one that its worker left behind.

        Raises:
            NotFound, IllegalMove: there is nothing to take up.
        """
        owner, now = secrets.token_hex(16), timestamp(clock.now())
        async with store.write() as tx:
            row = (await tx.execute(select(runs).where(runs.c.id == run_id))).mappings().first()
            if row is None:
                raise NotFound("There is no such run.")
            check_move(RunStatus(row["status"]), RunStatus.RUNNING)
            values = {
                "status": RunStatus.RUNNING,
                "phase": RunPhase.CONNECTING,
                "owner": owner,
                "started_at": row["started_at"] or now,
                "attempt": row["attempt"] + (row["status"] == RunStatus.RUNNING),
                "updated_at": now,
            }
            await tx.execute(update(runs).where(runs.c.id == run_id).values(values))
        return cls(run_id, owner, dict(row), clock)

    def save(self, tx: Connection, **values: object) -> None:
        """Write the counters and `values` in the caller's transaction.

        Raises:
            ClaimLost: another worker owns the run now; the caller's transaction must not commit.
        """
        statement = update(runs).where(runs.c.id == self.id, runs.c.owner == self._owner)
        now = {
            "counts": self.counts,
            "progress": self.progress,
            "requests": self._requests(),
            "errors": self.errors,
            "updated_at": timestamp(self._clock.now()),
        }
        if tx.execute(statement.values(now | values)).rowcount != 1:
            raise ClaimLost

    def log(self, tx: Connection, level: Level, message: str, **more: Any) -> None:
        """Add a row to the run's log in the caller's transaction."""
        write_log(tx, self._clock, self.id, level, message, **more)

    async def enter(self, store: Store, phase: RunPhase, message: str) -> None:
        """Begin a phase and say so in the log."""

        def write(tx: Connection) -> None:
            self.save(tx, phase=phase)
            self.log(tx, Level.INFO, message)

        await store.transact(write)

    async def fail(self, store: Store, error: RollcallError, resource: str | None = None) -> None:
        """Keep an error of this run, for the run and in its log."""
        await store.transact(partial(self._note, error, resource))

    def _note(self, error: RollcallError, resource: str | None, tx: Connection) -> None:
        entry = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "resource": resource,
            "retryable": error.retryable,
        }
        if entry not in self.errors:  # It may have been noted in a transaction that could not be committed.
            self.errors.append(entry)
        self.save(tx)
        text = f"{resource}: {error.message}" if resource else error.message
        facts = {"hint": error.hint, **{name: str(value) for name, value in error.facts.items()}}
        self.log(tx, Level.ERROR, text, code=error.code, facts=facts)

    async def finish(self, store: Store, status: RunStatus, error: RollcallError | None = None) -> None:
        """End the run, by an error if there is one; it is never claimed again."""
        check_move(self._status, status)

        def write(tx: Connection) -> None:
            if error:
                self._note(error, None, tx)
            self.save(tx, status=status, phase=None, finished_at=timestamp(self._clock.now()))
            self.log(tx, Level.INFO, f"The run ended: {status}.")

        await store.transact(write)
        self._status = status

    def _requests(self) -> dict[str, float]:
        if self.stats is None:
            return dict(self._requests_before)
        now = {
            "count": self.stats.requests,
            "retries": self.stats.retries,
            "throttledSeconds": round(self.stats.throttled_s, 3),
            "resourceUnits": self.stats.resource_units,
            "bytes": self.stats.bytes,
        }
        return {name: value + self._requests_before[name] for name, value in now.items()}
