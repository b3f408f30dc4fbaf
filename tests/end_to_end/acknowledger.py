"""Kills processes that acknowledge mutations.

Run: `python -m tests.end_to_end.acknowledger <data directory> <kills> <seed>`.

A process of its own, because it forks: everything is loaded once, and a child costs some milliseconds. A child says
each mutation's key when it would be answered; after the kill the file is asked for it, beside the product.
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
from contextlib import closing
from pathlib import Path
from random import Random

from schema import build_schema
from schema.access import Principal, Role
from schema.context import Context
from sync.runtime import Config, Runtime

WAIT_S_MAX, SITES_MAX = 0.06, 200
CHECK_EVERY = 50
TEXT = "mutation($name: String!) { createSite(input: {name: $name}) { site { id } errors { message } } }"
SCHEMA = build_schema()


async def work(data_dir: Path, told: int | None, first: int) -> None:
    """Make sites by GraphQL, and tell each one's number once it was answered."""
    runtime = await Runtime.open(Config(data_dir), run_tasks=False)
    try:
        for number in range(first, first + (SITES_MAX if told is not None else 1)):
            principal = Principal(1, 1, Role.ADMINISTRATOR, "killed")
            async with Context(runtime, principal, "request") as context:
                answer = await SCHEMA.execute(TEXT, variable_values={"name": f"s{number}"}, context_value=context)
            assert answer.errors is None and answer.data is not None
            made = answer.data["createSite"]
            assert made["errors"] == [], made
            if told is not None:
                os.write(told, number.to_bytes(4, "big"))
    finally:
        await runtime.close()


def live(data_dir: Path, random: Random, first: int) -> list[int]:
    """Fork a child that works, kill it soon after one of its answers, and return what it has acknowledged."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        try:
            asyncio.run(work(data_dir, theirs, first))
        finally:
            os._exit(0)  # nothing of the parent may run twice
    os.close(theirs)
    heard = os.read(ours, 4)
    select.select([], [], [], random.uniform(0, WAIT_S_MAX))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(ours, 65_536):
        heard += more
    os.close(ours)
    assert heard, "A child ended before its first answer."
    return [int.from_bytes(heard[at : at + 4], "big") for at in range(0, len(heard), 4)]


def main(data_dir: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill so many children; raise when something is gone that one of them has acknowledged."""
    random, acknowledged, first = Random(seed), 0, 0  # noqa: S311 - repeatable test data, not a secret
    asyncio.run(work(data_dir, None, 10**6))
    gc.freeze()
    # The drivers' threads end a moment after their connections are closed.
    for thread in set(threading.enumerate()) - {threading.current_thread()}:
        thread.join(10)
    assert threading.active_count() == 1, "only then a fork is safe"
    for kill in range(kills):
        told = live(data_dir, random, first)
        with closing(sqlite3.connect(data_dir / "rollcall.db")) as database:
            kept = {name for (name,) in database.execute("SELECT name FROM sites")}
            audited = {name for (name,) in database.execute("SELECT target FROM audit_events")}
            ids = {f"site_{key}" for (key,) in database.execute("SELECT id FROM sites WHERE name GLOB 's[0-9]*'")}
            if (kill + 1) % CHECK_EVERY == 0 and database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise AssertionError(f"after kill {kill}: the file is damaged")
        if lost := [number for number in told if f"s{number}" not in kept]:
            raise AssertionError(f"after kill {kill}: acknowledged and gone: {lost}")
        if torn := ids - audited:
            raise AssertionError(f"after kill {kill}: without the event of the same transaction: {torn}")
        acknowledged += len(told)
        # The one after the last may be there too: committed, and killed before it was told.
        first = told[-1] + 2
    return {"kills": kills, "acknowledged": acknowledged}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
