"""A long life: thousands of runs and fifty times as many requests, and what they leave behind in the server's memory.

python -m bench.life        # ten thousand runs, some hours; `python -m bench.life 1000` for a first look
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench.engine import ENDED, TRIGGER
from bench.sync import QUIET, Tenant, memory_mb, stage
from server.demo.demo import Stage, sync
from sync.clock import SystemClock

# Large enough that its rows alone fill the page cache of each connection: what grows after that is a leak.
TENANT = Tenant(20_000, 10_000, 500)
RUNS, REQUESTS_A_RUN, POLL_S, TRIES = 10_000, 50, 0.02, 1_000
# What a user interface asks: each with another value now and then, so that not everything is an answer that was kept.
QUERIES = (
    "query($n: Int!) { assets(first: $n) { nodes { name os lastSeen owners(first: 3) { nodes { displayName } } } } }",
    "query($n: Int!) { users(first: $n, orderBy: [{field: DISPLAY_NAME}]) { nodes { displayName email } totalCount } }",
    "query($n: Int!) { groups(first: $n) { nodes { displayName members(first: 5) { nodes { __typename } } } } }",
    'query($n: Int!) { assets(search: "source:azuread AND NOT source:scan", first: $n) { nodes { id } totalCount } }',
)
# Reads every row, by the thread of the requests, by the lanes and by the executor.
WALK = (
    "query($after: String) { users(first: 1000, after: $after) { nodes { raw } pageInfo { hasNextPage endCursor } } }"
)
WHOLE = (
    '{ users(search: "mail:nobody OR name:nobody") { totalCount } }',
    '{ usersAggregate(groupBy: [{ attribute: { source: "azuread", name: "city" } }]) { groupCount } }',
)


@dataclass(frozen=True)
class Sample:
    """What the server's process held at some moment of its life."""

    runs: int
    requests: int
    resident_mb: float
    files: int

    def __str__(self) -> str:
        return f"{self.runs:,} runs, {self.requests:,} requests: {self.resident_mb:.1f} MB, {self.files} open files"


async def warm(place: Stage) -> None:
    """Ask for everything, so that the page caches are full before anything is measured."""
    for _ in range(3):
        after, more = None, True
        while more:
            page = (await place.client.ask(WALK, after=after))["users"]["pageInfo"]
            after, more = page["endCursor"], page["hasNextPage"]
        for query in WHOLE:
            await place.client.ask(query)


async def lived(place: Stage, runs: int, samples: int) -> AsyncIterator[Sample]:
    """Trigger a task so often, ask beside it, and tell what is held after each part of that life."""
    task, requests = (await place.client.ask("{ tasks { nodes { id } } }"))["tasks"]["nodes"][0]["id"], 0
    for number in range(1, runs + 1):
        run = (await place.client.ask(TRIGGER, task=task))["triggerTask"]["run"]["id"]
        for turn in range(1, REQUESTS_A_RUN):
            await place.client.ask(QUERIES[turn % len(QUERIES)], n=1 + (number + turn) % 50)
        requests += REQUESTS_A_RUN + await _ended(place, run)
        if number % (runs // samples) == 0:
            yield Sample(number, requests, memory_mb(place.server.pid, "VmRSS"), _files(place.server.pid))


async def _ended(place: Stage, run: str) -> int:
    for asked in range(1, TRIES + 1):
        if (await place.client.ask(ENDED, run=run))["taskRun"]["finishedAt"]:
            return asked
        await asyncio.sleep(POLL_S)
    raise TimeoutError("The run did not end.")


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def main(runs: int) -> None:
    """Live and tell."""
    with tempfile.TemporaryDirectory() as name:
        async with stage(TENANT, Path(name)) as place:
            await sync(place, SystemClock(), QUIET)
            await warm(place)
            async for sample in lived(place, runs, samples=10):
                print(sample, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
