"""One night of a small tenant, drawn from a seed: what changes, what goes wrong, when the process dies.

The seed gives the tenant, its changes, the faults, the switches and the place of every crash. How the three streams
take turns is the machine's, so a crash counts requests and statements as they happen.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import Engine, event, select
from starlette.types import ASGIApp, Receive, Scope, Send

from server.simulator import FaultPlan, Rule, Simulator
from server.simulator.fault import find, rows
from server.simulator.fault.plan import POSITIONS
from server.simulator.graph.route import STREAMS
from server.simulator.tenant.churn import Churn
from sync.clock import Clock
from sync.entra.graph.client import BodyLimits, GraphClient
from sync.entra.signin.token import SignIn, StaticToken
from sync.inventory.directory.kind import KINDS
from sync.runtime import DATABASE_FILE, KEY_FILE
from sync.store.tables import edges
from sync.tasks.engine.workplace import ROWS_AHEAD
from tests.end_to_end.installation import Installation
from tests.server.simulator.transport import InProcess
from tests.sync.entra.clock import FakeClock

DAY_S = 86_400.0
LIMITS = BodyLimits(body_bytes=256 * 1024)
# A page that says what is not so: the row stays wrong until everything is read again.
UNTRUE = frozenset({"hostile-text", "unknown-enum", "missing-property"})
FAULTS = tuple(row for row in rows() if not row.startswith("aadsts"))  # nobody signs in here
# Mostly few requests and statements: a crash that comes too late happens in the next run.
REQUESTS, STATEMENTS = 14, 160


class Shown(NamedTuple):
    """Which objects there are, by id, and which edges between them."""

    ids: set[str]
    links: set[tuple[int, str, str]]

    def lacks(self, before: Shown, real: Shown) -> list[object]:
        """List what was there before and is real, but has gone."""
        return [*((before.ids & real.ids) - self.ids), *((before.links & real.links) - self.links)]


@dataclass
class Draft:
    """What one round of a night brings."""

    changes: int
    expired: str | None
    passed_s: float
    plan: FaultPlan
    dies_at: list[tuple[str, int]] = field(default_factory=list)
    # Whether a person asks for a full round.
    full: bool = False

    @property
    def is_lagging(self) -> bool:
        """Say whether the tenant tells of its changes later than they happen."""
        return bool(self.plan.variants["lag_s"])


def draw_rule(random: Random) -> Rule:
    """Draw one fault: of any kind, once or twice, or from then on where it makes no sense alone."""
    row = random.choice(FAULTS)
    page = random.choice((None, *POSITIONS, 2, 3))
    times = None if find(row)[0].lasting or random.random() < 0.2 else random.randint(1, 3)
    request = random.randint(1, 20) if random.random() < 0.2 else None
    return Rule(row, random.choice(STREAMS[:4]), page, request, 0 if times is None else times)


def draw_variants(random: Random) -> dict[str, Any]:
    """Draw how the tenant behaves: nothing here is a fault."""
    return {
        "shuffled": random.random() < 0.5,
        "replays": random.choice((0, 0, 1, 5)),
        "empty_pages": random.choice((0, 0, 0, 1)),
        "page_objects": random.choice((4, 8, 200)),
        "page_links": random.choice((4, 20, 1_000)),
        "quota": random.choice((1.0, 1.0, 1.0, 0.01)),
        "lag_s": random.choice((0.0, 0.0, 0.0, 60.0)),
        "removal_reasons": random.choice(("told", "told", "absent", "unknown")),
        "links_on_leave": random.choice(("listed", "listed", "listed", "left out")),
    }


def draw_round(random: Random) -> Draft:
    """Draw a round: some are quiet, most are not."""
    rules = [draw_rule(random) for _ in range(random.choice((0, 1, 2, 4)))]
    places = (("request", REQUESTS), ("statement", STATEMENTS))
    deaths = [random.choice(places) for _ in range(random.choice((0, 0, 1, 2)))]
    return Draft(
        changes=random.choice((0, 3, 10, 30)),
        expired=random.choice((None, None, None, "delta", "tokens")),
        passed_s=random.choice((0.0, 60.0, 0.6 * DAY_S, 8 * DAY_S)),
        plan=FaultPlan(rules, draw_variants(random)),
        dies_at=[(what, random.randint(1, most)) for what, most in deaths],
        full=random.random() < 0.2,
    )


class Seeded(Installation):
    """An installation, its tenant and the night that a seed gives them."""

    clock: FakeClock

    def __init__(self, seed: int, data_dir: Path) -> None:
        self.seed, self.random = seed, Random(seed)  # noqa: S311 - repeatable test data, not a secret
        clock, random = FakeClock(self.random.random()), self.random
        simulator = Simulator(
            users=random.randint(1, 14),
            devices=random.randint(0, 9),
            groups=random.randint(0, 12),
            seed=random.randrange(1_000),
            clock=clock,
        )
        simulator.variants.device_relations = random.choice(("shown", "shown", "shown", "refused", "ignored"))
        super().__init__(simulator, data_dir, clock)
        self.churn = Churn(simulator.directory, random.randrange(1 << 32))
        # Page by page, some pages at once, and as many as there are.
        self.rows_ahead = (0, 5, ROWS_AHEAD)[seed % 3]
        self.was_lied_to = False
        self._deaths = 0

    @asynccontextmanager
    async def connect(self, sign_in: SignIn, clock: Clock) -> AsyncIterator[GraphClient]:
        """Open a Graph client whose requests go into the simulator, cuts and silence included."""
        tokens, transport = StaticToken(self.simulator.issue_token), InProcess(self.simulator)
        async with GraphClient(sign_in.endpoints, tokens, clock, transport=transport, limits=LIMITS) as client:
            yield client

    async def open(self, *, run_tasks: bool = True) -> None:
        """Open the product; the disk is not waited for, because here it is processes that die and not the machine."""
        await super().open(run_tasks=run_tasks)
        async with self.runtime.store._writer.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.execute("PRAGMA synchronous=OFF")

    @property
    def reports_relations(self) -> bool:
        """Say whether delta tells of owners of devices; else a change of them alone shows within a day."""
        return self.simulator.variants.device_relations == "shown"

    def prepare(self, draft: Draft) -> None:
        """Let happen what happens between two runs, and set the faults of the next one."""
        self.note_lies()
        simulator = self.simulator
        simulator.use(FaultPlan(draft.plan.rules, draft.plan.variants))
        self.churn.apply(draft.changes)
        self.clock.moved_s += draft.passed_s
        if draft.expired:
            {"delta": simulator.expire_delta, "tokens": simulator.expire_tokens}[draft.expired]()

    def calm(self) -> None:
        """End all faults; what a lying page or an unreported relation left behind is due to be read again."""
        self.note_lies()
        self.simulator.faults = None
        self.simulator.variants.change({"lag_s": 0.0, "quota": 1.0})
        if not self.reports_relations:
            self.clock.moved_s += 2 * DAY_S
        if self.was_lied_to:
            self.simulator.expire_delta()
            self.was_lied_to = False

    def note_lies(self) -> None:
        """Remember whether a page of the plan said what is not so, or left out what nothing else tells of."""
        # A link that was made and whose end went before we read of it: a full round that leaves it out is all we read.
        self.was_lied_to |= self.simulator.variants.links_on_leave == "left out"
        plan = self.simulator.faults
        if isinstance(plan, FaultPlan):
            told = zip(plan.rules, plan.happened, strict=True)
            self.was_lied_to |= any(times and find(rule.fault)[0].name in UNTRUE for rule, times in told)

    async def live_through(self, draft: Draft) -> int:
        """Run the task; whenever the process dies, another one takes up what it left. Return the run's key."""
        run_id, deaths = await self.queue(full=draft.full), list(draft.dies_at)
        self.runtime.engine.wake(run_id)
        while deaths:
            with self._dying(*deaths.pop(0)) as death:
                if not await death.comes(self.runtime.engine.idle()):
                    break
                await self._bury()
            self.data_dir = death.left
            await self.open()
        await self.runtime.engine.idle()
        return run_id

    async def finish(self) -> str:
        """Run once more without faults and return how that ended."""
        self.calm()
        return str((await self.run()).status)

    @contextmanager
    def _dying(self, what: str, number: int) -> Iterator[Death]:
        """Count requests or statements while the block lasts, and keep the database as it is at that number."""
        self._deaths += 1
        death = Death(number, self.data_dir, self.data_dir.with_name(f"data-{self._deaths}"))
        plan = self.simulator.faults

        async def counted(scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
            death.count()
            await (plan(scope, receive, send, app) if plan else app(scope, receive, send))

        def statement(*_: Any) -> None:
            death.count()

        if what == "request":
            self.simulator.faults = counted
        else:
            event.listen(Engine, "before_cursor_execute", statement)
        try:
            yield death
        finally:
            self.simulator.faults = plan
            if what != "request":
                event.remove(Engine, "before_cursor_execute", statement)

    async def _bury(self) -> None:
        """End the old process; whatever it still writes goes into files that nobody reads any more."""
        tasks = list(self.runtime.engine._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.close()

    async def shown(self) -> Shown:
        """Return the ids of all visible objects, and the edges between them."""
        live: dict[int, str] = {}
        async with self.runtime.store.read() as tx:
            for kind in KINDS:
                columns = kind.table.c
                found = await tx.execute(select(columns.id, columns.external_id).where(columns.deleted_at.is_(None)))
                live |= {row.id: row.external_id for row in found}
            links = (await tx.execute(select(edges.c.kind, edges.c.from_id, edges.c.to_id))).all()
        ends = {(kind, live[one], live[two]) for kind, one, two in links if one in live and two in live}
        return Shown(set(live.values()), ends)


class Death:
    """A process that dies at the n-th step: what is committed then is all that the next one finds.

    Args:
        number: of the step.
        data_dir: where the process works.
        left: where the next one will: made when it dies.
    """

    def __init__(self, number: int, data_dir: Path, left: Path) -> None:
        self.left = left
        self._data_dir, self._steps_left = data_dir, number
        self._come = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def count(self) -> None:
        """Note a step, in whichever thread it happens."""
        self._steps_left -= 1
        if self._steps_left == 0:
            self.left.mkdir(mode=0o700)
            shutil.copy2(self._data_dir / KEY_FILE, self.left)
            # A second connection sees what is committed, which is what recovery after a kill leaves.
            with closing(sqlite3.connect(self._data_dir / DATABASE_FILE)) as live:
                with closing(sqlite3.connect(self.left / DATABASE_FILE)) as copy:
                    live.backup(copy)
            self._loop.call_soon_threadsafe(self._come.set)

    async def comes(self, idle: Coroutine[Any, Any, None]) -> bool:
        """Wait until the process dies or has nothing left to do; say whether it died."""
        done, died = asyncio.create_task(idle), asyncio.create_task(self._come.wait())
        await asyncio.wait((done, died), return_when=asyncio.FIRST_COMPLETED)
        for task in (done, died):
            task.cancel()
        await asyncio.gather(done, died, return_exceptions=True)
        return self._come.is_set()
