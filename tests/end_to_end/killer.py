"""Kills syncing processes at random moments.

Run: `python -m tests.end_to_end.killer <data directory> <kills> <seed>`.

A process of its own, because it forks: everything is loaded once, and a child costs some milliseconds. After every
kill it looks into the file, beside the product; at the end it syncs once more and compares. It prints what it did.

The tenant is the same in every child: it follows from its seed and from how many runs have ended.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import select
import signal
import sqlite3
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from server.simulator import Simulator
from server.simulator.tenant.churn import Churn
from tests.end_to_end.fault import App
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences
from tests.sync.entra.clock import FakeClock

USERS, DEVICES, GROUPS = 120, 80, 12
PAGE_OBJECTS = 10
CHANGES = 120
REQUESTS_MAX, WAIT_S_MAX = 8, 0.02
CHECK_EVERY = 25
PLURALS = {"users": USERS, "devices": DEVICES, "groups": GROUPS}
COUNT = {
    "users": "SELECT count(*), count(DISTINCT external_id) FROM users",
    "devices": "SELECT count(*), count(DISTINCT external_id) FROM devices",
    "groups": "SELECT count(*), count(DISTINCT external_id) FROM groups",
}


def tenant(ended: int) -> Simulator:
    """Return the tenant as it is once so many runs have ended."""
    simulator = Simulator(users=USERS, devices=DEVICES, groups=GROUPS, seed=13, clock=FakeClock())
    simulator.variants.page_objects = PAGE_OBJECTS
    churn = Churn(simulator.directory, 5)
    for _ in range(ended):
        churn.apply(CHANGES)
    return simulator


def query(data_dir: Path, text: str) -> list[tuple[Any, ...]]:
    """Read the database as a kill left it."""
    with closing(sqlite3.connect(data_dir / "rollcall.db")) as database:
        return database.execute(text).fetchall()


def ended(data_dir: Path) -> int:
    """Count the runs that have ended; there is no table before the first start has ended."""
    try:
        return int(query(data_dir, "SELECT count(*) FROM runs WHERE finished_at IS NOT NULL")[0][0])
    except sqlite3.OperationalError:
        return 0


async def sync(data_dir: Path, told: int | None = None) -> list[str]:
    """Go on with the run that is there, or make a new one; return how the inventory differs in the end."""
    simulator = tenant(ended(data_dir))

    async def tell(scope: Any, receive: Any, send: Any, app: App) -> None:
        if told is not None:
            os.write(told, b".")
        await app(scope, receive, send)

    simulator.faults = tell
    installation = Installation(simulator, data_dir)
    installation.starts_anew = True
    await installation.open()
    try:
        await resume(installation)
        await installation.runtime.engine.idle()
        return await differences(installation)
    finally:
        await installation.close()


async def resume(installation: Installation) -> None:
    """Make what is missing: a kill may have come before the task, or before its run."""
    tasks = query(installation.data_dir, "SELECT id, organization_id FROM tasks")
    if tasks:
        ((installation.task_id, installation.organization_id),) = tasks
    else:
        await installation.furnish()
    if not query(installation.data_dir, "SELECT 1 FROM runs WHERE status IN ('QUEUED', 'RUNNING')"):
        await installation.trigger()


def live(data_dir: Path, random: Random) -> bool:
    """Fork a child that syncs, kill it some time after some request, and say whether it was killed."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        status = 1
        try:
            differing = asyncio.run(sync(data_dir, theirs))
            sys.stderr.write("\n".join(differing[:5]))
            sys.stderr.flush()
            status = int(bool(differing))
        finally:
            os._exit(status)  # nothing of the parent may run twice
    os.close(theirs)
    for _ in range(random.randint(0, REQUESTS_MAX)):
        if not os.read(ours, 1):
            break
    select.select([], [], [], random.uniform(0, WAIT_S_MAX))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(ours)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise AssertionError("A run that came to its end did not end equal.")
    return os.WIFSIGNALED(status)


def problems(data_dir: Path) -> list[str]:
    """List what is torn: rows that the counters or the cursor written with them do not know, or rows twice."""
    try:
        runs = query(data_dir, "SELECT counts FROM runs")
    except sqlite3.OperationalError:
        return []  # Killed before there were tables.
    created: Counter[str] = Counter()
    for (counts,) in runs:
        created.update({kind: numbers.get("created", 0) for kind, numbers in json.loads(counts).items()})
    # Of first rounds only: what a later one brings is counted, but not known by its page.
    pages = dict(query(data_dir, "SELECT stream, page_number FROM cursors WHERE full_round AND generation = 1"))
    found = []
    for kind, first in PLURALS.items():
        rows, distinct = query(data_dir, COUNT[kind])[0]
        if rows != distinct or rows != created[kind]:
            found.append(f"{rows} {kind}, {distinct} of them distinct, {created[kind]} counted")
        if kind in pages and kind != "groups" and rows != min(pages[kind] * PAGE_OBJECTS, first):
            found.append(f"{rows} {kind}, but the cursor stands after page {pages[kind]}")
    return found


def main(data_dir: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill so many children; raise when the file is not what it should be after one of them."""
    random, killed, whole = Random(seed), 0, 0  # noqa: S311 - repeatable test data, not a secret
    # Whatever a sync loads on its way is loaded once, here; its threads have ended before the first fork.
    asyncio.run(sync(data_dir.with_name("warm")))
    gc.freeze()
    assert threading.active_count() == 1, "only then a fork is safe"
    while killed < kills:
        if live(data_dir, random):
            killed += 1
        else:
            whole += 1
        if torn := problems(data_dir):
            raise AssertionError(f"after kill {killed}: {'; '.join(torn)}")
        if killed % CHECK_EVERY == 0 and query(data_dir, "PRAGMA integrity_check") != [("ok",)]:
            raise AssertionError(f"after kill {killed}: the file is damaged")
    if differing := asyncio.run(sync(data_dir)):
        raise AssertionError(f"not equal in the end: {differing[:5]}")
    return {"kills": killed, "left alone": whole, "runs": ended(data_dir)}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
