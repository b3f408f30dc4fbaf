"""Runs that were cut off: by a stop, before they began, or by another worker; they go on and end equal."""

from __future__ import annotations

import asyncio

import pytest

from sync.tasks.run import Run
from tests.sync.fault import at_request
from tests.sync.installation import Installation
from tests.sync.truth import differences

# A whole first round asks some sixteen times: the device probe, three counts, two pages of users and of devices, and
# more of groups.
REQUESTS = range(1, 16, 2)


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
        assert row.counts[kind] == {"created": simulator.directory.count(kind)}


async def test_queued_run_is_taken_up_at_the_next_start(installation: Installation) -> None:
    """A run that was queued in a committed transaction survives a process that never started it."""
    await installation.close()
    await installation.open(run_tasks=False)
    run_id = await installation.trigger()
    await installation.close()
    await installation.open(run_tasks=False)
    assert (await installation.row(run_id)).status in ("QUEUED", "RUNNING", "SUCCEEDED")
    await installation.close()
    await installation.open()
    await installation.runtime.engine.idle()
    assert (await installation.row(run_id)).status == "SUCCEEDED"


async def test_worker_writes_nothing_more_when_another_took_its_run(installation: Installation) -> None:
    """A claim is checked with every page: after it is lost, no row changes and the run is the other's to end."""
    runtime = installation.runtime
    before: dict[str, object] = {}
    others: list[Run] = []

    async def take() -> None:
        others.append(await Run.claim(runtime.store, installation.clock, run_id))
        before.update(await installation.dump())

    installation.simulator.faults = at_request(6, take)
    run_id = await installation.trigger()
    await runtime.engine.idle()
    assert others
    assert await installation.dump() == before
    row = await installation.row(run_id)
    assert (row.status, row.attempt) == ("RUNNING", 2)


async def test_engine_starts_nothing_more_when_it_is_stopping(installation: Installation) -> None:
    """After stop a wake is ignored: the run stays queued for the next start."""
    await installation.runtime.engine.stop()
    run_id = await installation.trigger()
    await installation.runtime.engine.idle()
    assert (await installation.row(run_id)).status == "QUEUED"
