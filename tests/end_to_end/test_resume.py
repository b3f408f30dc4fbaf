"""Runs that were cut off: by a stop, before they began, or by another worker; they go on and end equal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.simulator import Simulator
from sync.clock import SystemClock
from sync.store.tables import run_log
from sync.tasks.run.run import Run
from tests.end_to_end.fault import App, From, at_request
from tests.end_to_end.installation import Dump, Installation
from tests.end_to_end.truth import differences
from tests.patience import PATIENCE_S

# A whole first round asks ten times: the device probe, three counts and two pages of each stream.
REQUESTS = range(1, 11)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("number", REQUESTS)
async def test_run_goes_on_from_its_cursors_when_the_process_was_stopped(
    installation: Installation, number: int
) -> None:
    """Closed at any request, the run stays RUNNING; opened again it ends SUCCEEDED and equal, reading no page twice."""
    simulator, runtime = installation.simulator, installation.runtime
    closing: list[asyncio.Task[None]] = []

    async def stop() -> None:
        closing.append(asyncio.create_task(runtime.engine.stop()))
        await asyncio.sleep(0)

    simulator.faults = at_request(number, stop)
    run_id = await installation.trigger()
    await runtime.engine.idle()
    await asyncio.gather(*closing)
    assert closing
    assert (await installation.row(run_id)).status == "RUNNING"
    await installation.close()
    simulator.faults = None
    await installation.open()
    await installation.runtime.engine.idle()
    row = await installation.row(run_id)
    assert row.status == "SUCCEEDED"
    assert await differences(installation) == []
    for kind in ("users", "devices"):
        number = simulator.directory.count(kind)
        assert row.counts[kind] == {"created": number}
        assert row.progress[kind]["done"] == row.progress[kind]["total"] == number


async def test_stop_does_not_wait_when_the_directory_asked_to_wait(simulator: Simulator, data_dir: Path) -> None:
    """Stopped in the middle of a long Retry-After the process ends at once, and the next one goes on."""

    throttled = asyncio.Event()

    async def throttle(scope: Any, receive: Any, send: Any, app: App) -> None:
        if b"skiptoken" not in scope["query_string"]:
            await app(scope, receive, send)
            return
        throttled.set()
        headers = [(b"content-type", b"application/json"), (b"retry-after", b"250")]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    installation = Installation(simulator, data_dir, SystemClock())
    simulator.faults = throttle
    await installation.open()
    try:
        await installation.furnish()
        run_id = await installation.trigger()
        await asyncio.wait_for(throttled.wait(), PATIENCE_S)
        await asyncio.sleep(0.5)  # enough to write the first pages; what one stream was told holds back all three
        async with asyncio.timeout(PATIENCE_S):
            await installation.close()
        simulator.faults = None
        await installation.open()
        await installation.runtime.engine.idle()
        assert (await installation.row(run_id)).status == "SUCCEEDED"
        assert await differences(installation) == []
    finally:
        await installation.close()


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("second", ["same credential", "other credential"])
async def test_runs_of_one_directory_wait_for_each_other(installation: Installation, second: str) -> None:
    """Two tasks that read the same tenant into the same site never write it at once, whatever they sign in with."""
    credential_id = installation.credential_id
    if second == "other credential":
        app = installation.simulator.password_app
        credential_id = await installation.add_credential(installation.credential("Second", client_id=app.client_id))
    other = await installation.add_task("Second", credential_id=credential_id)
    run_ids = [await installation.trigger(), await installation.trigger(other)]
    await installation.runtime.engine.idle()
    one, two = [await installation.row(run_id) for run_id in run_ids]
    assert (one.status, two.status) == ("SUCCEEDED", "SUCCEEDED")
    async with installation.runtime.store.read() as tx:
        rows = (await tx.execute(select(run_log.c.run_id, run_log.c.code).order_by(run_log.c.id))).all()
    # The second run may say at any time that it waits; all it does comes behind the first.
    order = [row.run_id for row in rows if row.code != "WAITING"]
    assert order == sorted(order) and {row.run_id for row in rows if row.code == "WAITING"} <= {run_ids[1]}
    assert await differences(installation) == []


async def test_queued_run_is_taken_up_at_the_next_start(installation: Installation) -> None:
    """A stopping engine starts nothing more; the run, committed as queued, begins with the next process."""
    await installation.runtime.engine.stop()
    run_id = await installation.trigger()
    await installation.runtime.engine.idle()
    assert (await installation.row(run_id)).status == "QUEUED"
    await installation.close()
    await installation.open()
    await installation.runtime.engine.idle()
    assert (await installation.row(run_id)).status == "SUCCEEDED"


async def test_worker_writes_nothing_more_when_another_took_its_run(installation: Installation) -> None:
    """A claim is checked with every page: after it is lost, no row changes and the run is the other's to end."""
    runtime = installation.runtime
    taken: list[asyncio.Task[Dump]] = []

    async def take() -> Dump:
        await Run.claim(runtime.store, installation.clock, run_id)
        return await installation.dump()

    async def begin_to_take() -> None:
        # The worker may drop the request it is in as soon as it notices; taking the run must not end with it.
        taken.append(asyncio.create_task(take()))
        await asyncio.wait(taken)

    installation.simulator.faults = at_request(6, begin_to_take)
    run_id = await installation.trigger()
    await runtime.engine.idle()
    assert await installation.dump() == await taken[0]
    row = await installation.row(run_id)
    assert (row.status, row.attempt) == ("RUNNING", 2)


async def test_run_reads_what_came_since_when_it_ends_a_round_of_an_earlier_run(installation: Installation) -> None:
    """A round shows what there was when it began: ending an old one is not yet success."""
    directory = installation.simulator.directory
    installation.simulator.faults = From(2, "users", "groups", "devices")
    assert (await installation.run()).status == "FAILED"
    installation.simulator.faults = None
    for kind in ("users", "groups", "devices"):
        directory.create(kind, displayName="came since")
        directory.update(kind, next(iter(directory.ids(kind))), displayName="changed since")
    assert (await installation.run()).status == "SUCCEEDED"
    assert await differences(installation) == []
