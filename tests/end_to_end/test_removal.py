"""Promise S4 in whole runs: a sweep that would remove unusually much removes nothing until somebody agrees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.simulator import Simulator
from sync.errors import Conflict, NotFound
from sync.inventory.directory.kind import Edge
from sync.tasks.run.queue import confirm_removal
from tests.end_to_end.fault import App, From
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences

UNTOUCHED = ("runs", "run_log", "cursors", "credentials", "objects", "edges", "organizations")


@pytest.fixture
async def large(data_dir: Path) -> AsyncIterator[Installation]:
    """Return an installation that has read a tenant of 505 users; 101 of them are a fifth and one row over 100."""
    installation = Installation(Simulator(users=505, devices=120, groups=20, seed=5), data_dir)
    await installation.open()
    try:
        await installation.furnish()
        assert (await installation.run()).status == "SUCCEEDED"
        yield installation
    finally:
        await installation.close()


def vanish(installation: Installation, kind: str, count: int) -> None:
    """Delete objects for good in a way that only a full round can notice."""
    directory = installation.simulator.directory
    for object_id in list(directory.ids(kind))[:count]:
        directory.delete(kind, object_id, permanently=True)
    installation.simulator.expire_delta()


async def confirm(installation: Installation, run_id: int) -> None:
    """Agree to a run's removals, as the mutation does, and let it go on."""
    async with installation.runtime.store.write() as tx:
        await confirm_removal(
            tx, installation.clock, organization_id=installation.organization_id, run_id=run_id, confirmed_by="boss"
        )
    installation.runtime.engine.wake(run_id)
    await installation.runtime.engine.idle()


async def test_sweep_asks_at_the_first_row_over_both_thresholds(large: Installation) -> None:
    """101 of 505 users are not more than a fifth and go; of the 404 that are left 101 are, and stay."""
    vanish(large, "users", 101)
    run = await large.run()
    assert (run.status, run.counts["users"]["removed"]) == ("SUCCEEDED", 101)
    vanish(large, "users", 101)
    before = await large.dump(*UNTOUCHED)
    run = await large.run()
    assert run.status == "NEEDS_CONFIRMATION"
    assert run.removals == {"users": {"rows": 101, "of": 404, "confirmed": False}}
    assert await large.dump(*UNTOUCHED) == before


async def test_held_run_tells_and_reads_on_only_the_last_page_when_it_is_confirmed(large: Installation) -> None:
    """The other streams are complete; confirmed, the run asks once for each stream and the inventory is equal."""
    vanish(large, "users", 300)
    run = await large.run()
    assert (run.status, run.finished_at, run.owner, run.phase) == ("NEEDS_CONFIRMATION", None, None, None)
    (error,) = run.errors
    assert (error["code"], error["resource"], error["retryable"]) == ("REMOVAL_HELD", "users", False)
    assert "300 of 505 users" in error["message"] and "confirmRemoval" in error["hint"]
    problems = await differences(large)
    assert len(problems) >= 300 and all(problem.startswith(("users:", "edge")) for problem in problems)
    asked = large.simulator.requests.total
    await confirm(large, run.id)
    after = await large.row(run.id)
    assert (after.status, after.errors, after.attempt) == ("SUCCEEDED", [], 2)
    assert after.counts["users"]["removed"] == 300
    # One page of users, which ends the round, their count, what came since, and an idle round of the other two.
    assert large.simulator.requests.total - asked == 5
    assert await differences(large) == []


async def test_confirmation_survives_a_restart(large: Installation) -> None:
    """What was agreed to is in the database: the process that takes the run up acts on it."""
    vanish(large, "users", 300)
    run = await large.run()
    await large.runtime.engine.stop()
    await confirm(large, run.id)
    assert (await large.row(run.id)).status == "QUEUED"
    await large.close()
    await large.open()
    await large.runtime.engine.idle()
    assert (await large.row(run.id)).status == "SUCCEEDED"
    assert await differences(large) == []


@pytest.mark.slow(cases=0)
async def test_held_run_asks_again_when_more_would_go_than_was_confirmed(large: Installation) -> None:
    """A confirmation is for a number of rows; the position may even be lost in between."""
    vanish(large, "users", 150)
    run = await large.run()
    vanish(large, "users", 50)
    await confirm(large, run.id)
    held = await large.row(run.id)
    assert held.status == "NEEDS_CONFIRMATION"
    assert held.removals == {"users": {"rows": 200, "of": 505, "confirmed": False}}
    await confirm(large, run.id)
    assert (await large.row(run.id)).status == "SUCCEEDED"
    assert await differences(large) == []


@pytest.mark.slow(cases=0)
async def test_new_run_takes_the_place_of_a_held_one(large: Installation) -> None:
    """Triggered again - the directory has its users back, say - nothing is removed and the old run is stopped."""
    vanish(large, "users", 300)
    held = await large.run()
    again = await large.run()
    assert again.status == "NEEDS_CONFIRMATION" and (await large.row(held.id)).status == "STOPPED"
    with pytest.raises(Conflict):
        await confirm(large, held.id)
    await confirm(large, again.id)
    assert await differences(large) == []


@pytest.mark.slow(cases=0)
async def test_several_kinds_are_held_and_confirmed_together(large: Installation) -> None:
    """Each kind has its own numbers; one confirmation is for all that the run told of."""
    vanish(large, "users", 400)
    vanish(large, "devices", 110)
    run = await large.run()
    assert {kind: held["rows"] for kind, held in run.removals.items()} == {"users": 400, "devices": 110}
    await confirm(large, run.id)
    assert (await large.row(run.id)).status == "SUCCEEDED"
    assert await differences(large) == []


@pytest.mark.slow(cases=0)
async def test_run_waits_for_confirmation_also_when_another_stream_failed(large: Installation) -> None:
    """What failed is told as well; after the confirmation it is tried again."""
    vanish(large, "users", 300)
    large.simulator.faults = From(1, "groups")
    run = await large.run()
    assert run.status == "NEEDS_CONFIRMATION"
    assert {error["code"] for error in run.errors} == {"REMOVAL_HELD", "UNAVAILABLE"}
    large.simulator.faults = None
    await confirm(large, run.id)
    assert (await large.row(run.id)).status == "SUCCEEDED"
    assert await differences(large) == []


async def test_confirmation_of_another_organization_finds_no_run(large: Installation) -> None:
    """A foreign run is a missing one."""
    vanish(large, "users", 300)
    run = await large.run()
    async with large.runtime.store.write() as tx:
        with pytest.raises(NotFound):
            await confirm_removal(
                tx, large.clock, organization_id=large.organization_id + 1, run_id=run.id, confirmed_by="x"
            )


async def test_run_asks_when_groups_come_without_their_members(large: Installation) -> None:
    """A full round that shows no member any more - a lost permission, say - empties no group until somebody agrees."""

    async def leave_out(scope: Any, receive: Any, send: Any, app: App) -> None:
        asked = scope["query_string"].replace(b",members,owners", b"")
        await app(scope | {"query_string": asked}, receive, send)

    large.simulator.faults = leave_out
    large.simulator.expire_delta()
    run = await large.run()
    assert (run.status, [error["resource"] for error in run.errors]) == ("NEEDS_CONFIRMATION", ["groups"])
    assert run.removals["memberships"]["rows"] == run.removals["memberships"]["of"] > 100
    assert await differences(large) == []
    await confirm(large, run.id)
    assert (await large.row(run.id)).status == "SUCCEEDED"
    assert not [pair for pair in (await large.dump())["edges"] if pair[0] == Edge.MEMBER]
