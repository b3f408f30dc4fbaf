"""How soon a triggered task asks the directory, and what a server costs that has nothing to do."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx

from bench.sync import QUIET, Tenant, cpu_used_s, stage
from server.demo.demo import Stage, sync
from sync.clock import SystemClock

TENANT = Tenant(200, 100, 10)
TRIGGERS, IDLE_S, POLL_S, PATIENCE_S, TRIES = 25, 30.0, 0.001, 30.0, 600
TRIGGER = "mutation($task: ID!) { triggerTask(input: {task: $task}) { run { id } errors { message } } }"
ENDED = "query($run: ID!) { taskRun(id: $run) { finishedAt } }"


async def engine_line() -> str:
    """Measure both on a small tenant, and say it in a sentence."""
    with tempfile.TemporaryDirectory() as name:
        async with stage(TENANT, Path(name)) as place:
            await sync(place, SystemClock(), QUIET)
            task = (await place.client.ask("{ tasks { nodes { id } } }"))["tasks"]["nodes"][0]["id"]
            context = ssl.create_default_context(cafile=place.tenant["caFile"])
            headers = {"Authorization": f"Bearer {place.tenant['adminKey']}"}
            async with httpx.AsyncClient(verify=context, headers=headers, base_url=place.tenant["origin"]) as door:
                waited_s = sorted([await _first_request_s(place, door, task) for _ in range(TRIGGERS)])
            await asyncio.sleep(2)
            before_s = cpu_used_s(place.server.pid)
            await asyncio.sleep(IDLE_S)
            idle = (cpu_used_s(place.server.pid) - before_s) / IDLE_S
    return (
        f"From a trigger to the first request of its run, sign-in included: {median(waited_s) * 1000:.0f} ms (p50 of "
        f"{TRIGGERS}), {waited_s[-1] * 1000:.0f} ms at most. A server with a task and nothing to do uses "
        f"{idle:.2%} of a core."
    )


async def _first_request_s(place: Stage, door: httpx.AsyncClient, task: str) -> float:
    await door.delete("/_simulator/requests")
    begun = perf_counter()
    run = (await place.client.ask(TRIGGER, task=task))["triggerTask"]["run"]["id"]
    while not (await door.get("/_simulator/requests")).json()["total"]:
        if perf_counter() - begun > PATIENCE_S:
            raise TimeoutError("The run asked nothing.")
        await asyncio.sleep(POLL_S)
    found_s = perf_counter() - begun
    for _ in range(TRIES):
        await asyncio.sleep(0.05)
        if (await place.client.ask(ENDED, run=run))["taskRun"]["finishedAt"]:
            return found_s
    raise TimeoutError("The run did not end.")
