"""Rounds with faults: nothing is lost, nothing is removed too early, and a run never claims more than it read."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from sync.clock import timestamp
from sync.entra.graph.client import GraphClient
from sync.inventory.directory.kind import KINDS
from sync.runtime import Config, Runtime
from sync.store.tables import tasks
from sync.tasks.engine.engine import STORE_INTERVAL_S
from tests.end_to_end.commits import failing_commits
from tests.end_to_end.fault import App, From, Once, stream_of
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences
from tests.sync.entra.clock import FakeClock

STREAMS = tuple(kind.plural for kind in KINDS)


async def removed_rows(installation: Installation) -> int:
    """Count the tombstones of users, groups and devices."""
    async with installation.runtime.store.read() as tx:
        counts = [
            await tx.scalar(select(func.count()).select_from(kind.table).where(kind.table.c.deleted_at.is_not(None)))
            for kind in KINDS
        ]
    return sum(filter(None, counts))


def purge(installation: Installation, count: int = 5) -> None:
    """Delete objects of each kind for good, and make the directory forget that it could have said so."""
    directory = installation.simulator.directory
    for kind in STREAMS:
        for object_id in list(directory.ids(kind))[:count]:
            directory.delete(kind, object_id, permanently=True)
    installation.simulator.expire_delta()


async def test_expired_position_leads_to_a_full_round_that_sweeps(installation: Installation) -> None:
    """410 means: read everything again; what is not there any more is removed, the run still succeeds."""
    await installation.run()
    purge(installation)
    run = await installation.run()
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert await differences(installation) == []
    assert {run.counts[kind]["removed"] for kind in STREAMS} == {5}
    assert sum("Everything is read again" in line for line in await installation.log(run.id)) == 3


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("page", [1, 2])
async def test_full_round_removes_nothing_when_it_breaks_off(installation: Installation, page: int) -> None:
    """Whichever page of the enumeration fails, no row and no edge goes; the next complete round sweeps."""
    await installation.run()
    purge(installation)
    before = await installation.dump("runs", "run_log", "cursors", "credentials", "objects", "edges")
    edges = len((await installation.dump())["edges"])
    installation.simulator.faults = From(page, *STREAMS)
    run = await installation.run()
    assert run.status == "FAILED"
    assert await installation.dump("runs", "run_log", "cursors", "credentials", "objects", "edges") == before
    assert len((await installation.dump())["edges"]) == edges
    installation.simulator.faults = None
    assert (await installation.run()).status == "SUCCEEDED"
    assert await differences(installation) == []


async def test_stream_without_permission_fails_alone_and_names_it(installation: Installation) -> None:
    """403 on groups: the run is PARTIAL and says which permission is missing; users and devices are right."""
    simulator = installation.simulator
    simulator.registry.apps[simulator.secret_app.client_id].roles.discard("Group.Read.All")
    run = await installation.run()
    assert run.status == "PARTIAL"
    (error,) = run.errors
    assert (error["code"], error["resource"], error["retryable"]) == ("PERMISSION_DENIED", "groups", False)
    assert "Group.Read.All" in error["message"] and "API permissions" in error["hint"]
    assert any("Group.Read.All" in line for line in await installation.log(run.id))
    problems = await differences(installation)
    assert problems
    assert all(problem.startswith(("groups:", "edge MEMBER", "edge GROUP_OWNER")) for problem in problems)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_run_succeeds_when_every_address_is_refused_once(installation: Installation, status: int) -> None:
    """Passing faults of the service cost a wait each and nothing else."""
    installation.simulator.faults = Once(status)
    run = await installation.run()
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert run.requests["retries"] >= 8
    assert await differences(installation) == []


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("stream", STREAMS)
async def test_stream_keeps_its_place_when_it_breaks_off(installation: Installation, stream: str) -> None:
    """A lasting fault ends one stream; the others are complete, and the next run goes on at the page that failed."""
    installation.simulator.faults = From(2, stream)
    run = await installation.run()
    assert run.status == "PARTIAL"
    assert [(error["code"], error["resource"], error["retryable"]) for error in run.errors] == [
        ("UNAVAILABLE", stream, True)
    ]
    begun: list[str | None] = []

    async def note(scope: Any, receive: Any, send: Any, app: App) -> None:
        if b"select=" in scope["query_string"]:  # only the first request of a round selects
            begun.append(stream_of(scope))
        await app(scope, receive, send)

    installation.simulator.faults = note
    run = await installation.run()
    assert (run.status, begun) == ("SUCCEEDED", [])
    assert await differences(installation) == []


async def test_run_fails_when_no_stream_can_be_read(installation: Installation) -> None:
    """With nothing read a run is FAILED, not PARTIAL, and names each stream."""
    installation.simulator.faults = From(1, *STREAMS)
    run = await installation.run()
    assert run.status == "FAILED"
    assert sorted(error["resource"] for error in run.errors) == sorted(STREAMS)
    assert run.finished_at is not None


async def test_page_without_sense_ends_its_stream_only(installation: Installation) -> None:
    """A relation whose ends have no ids is not skipped in silence: the stream fails, typed; the others succeed."""

    async def garble(scope: Any, receive: Any, send: Any, app: App) -> None:
        async def damaged(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [(b"content-type", b"application/json")]
                await send(message | {"status": 200, "headers": headers})
            else:
                link = installation.simulator.origin.encode() + b"/v1.0/groups/delta?$deltatoken=x"
                page = b'{"value":[{"id":"g","members@delta":[{"nothing":1}]}],"@odata.deltaLink":"' + link + b'"}'
                await send({"type": "http.response.body", "body": page})

        await app(scope, receive, damaged if stream_of(scope) == "groups" else send)

    installation.simulator.faults = garble
    run = await installation.run()
    assert run.status == "PARTIAL"
    assert [(error["code"], error["resource"]) for error in run.errors] == [("BAD_RESPONSE", "groups")]


async def test_run_ends_failed_when_something_unforeseen_happens(installation: Installation) -> None:
    """A mistake in the program ends its run, says nothing of its inside, and the next run works."""

    def broken(*_: object) -> AbstractAsyncContextManager[GraphClient]:
        raise ZeroDivisionError("inner detail")

    await installation.close()
    config = installation.config()
    runtime = await Runtime.open(
        Config(config.data_dir, custom=config.custom, connect=broken), clock=installation.clock
    )
    installation.runtime = runtime
    run = await installation.run()
    await runtime.close()
    await installation.open()
    assert run.status == "FAILED"
    assert "inner detail" not in str(run.errors) + str(await installation.log(run.id))
    assert (await installation.run()).status == "SUCCEEDED"


@pytest.mark.slow(cases=0)
async def test_run_recovers_by_itself_when_the_disk_was_full(installation: Installation) -> None:
    """What the hint says: there is room for small writes and none for a page, and the same run goes on."""
    clock = installation.clock
    assert isinstance(clock, FakeClock)
    async with installation.runtime.store.write() as tx:
        pages = await tx.scalar(text("PRAGMA page_count"))
        await tx.execute(text(f"PRAGMA max_page_count = {pages + 12}"))
    run_id = await installation.trigger()
    while clock.slept.count(STORE_INTERVAL_S) < 3:
        assert (await installation.row(run_id)).status in ("QUEUED", "RUNNING")
    async with installation.runtime.store.write() as tx:
        await tx.execute(text("PRAGMA max_page_count = 1073741823"))
    await installation.runtime.engine.idle()
    run = await installation.row(run_id)
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert await differences(installation) == []


async def test_run_says_whether_the_task_is_run_again_when_it_fails(installation: Installation) -> None:
    """Nobody waits for what is not planned: with a schedule the time is named, without one it says so."""
    installation.simulator.faults = From(1, *STREAMS)
    failed = await installation.run()
    assert failed.status == "FAILED"
    assert "runs again when somebody triggers it or retries this run" in (await installation.log(failed.id))[-1]
    at = timestamp(installation.clock.now() + timedelta(days=1))
    async with installation.runtime.store.write() as tx:
        await tx.execute(update(tasks).where(tasks.c.id == installation.task_id).values(next_run_at=at))
    scheduled = await installation.run()
    assert f"The schedule starts the task again at {at}." in (await installation.log(scheduled.id))[-1]
    installation.simulator.faults = None
    good = await installation.run()
    assert good.status == "SUCCEEDED" and "again" not in (await installation.log(good.id))[-1]


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("written", [0, 1, 4, 8])
async def test_run_goes_on_by_itself_when_even_its_failure_could_not_be_written(
    installation: Installation, written: int
) -> None:
    """On a disk that is full at any moment of it, a run waits for space and then goes on from where it was."""
    run_id = await installation.trigger()
    # Space comes back once the run has waited for it three times.
    with failing_commits(lambda number: written < number <= written + 4):
        await installation.runtime.engine.idle()
    run = await installation.row(run_id)
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert await differences(installation) == []


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("number", range(4, 14, 3))
async def test_run_counts_what_was_committed_when_a_commit_fails(installation: Installation, number: int) -> None:
    """Whichever commit of a run fails, its page is written once, and counted once, when there is room again."""
    await installation.close()
    installation.rows_ahead = 0
    await installation.open()
    with failing_commits(lambda seen: seen == number):
        run = await installation.run()
    assert run.status == "SUCCEEDED"
    rows = await installation.dump()
    for kind in STREAMS:
        assert run.counts.get(kind, {}).get("created", 0) == len(rows[kind])
    assert await differences(installation) == []
