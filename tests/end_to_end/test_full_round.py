"""Full rounds on demand and by themselves: they repair what the changes missed, and the run says what."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from server.simulator import Simulator
from sync.inventory.directory.kind import KINDS, Edge
from sync.store.tables import edges, users
from sync.tasks.defaults import FULL_ROUND_DAYS
from tests.end_to_end.fault import App, refuse
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences
from tests.sync.entra.clock import FakeClock

DAY_S = 86_400
STREAMS = {kind.plural for kind in KINDS}


async def misses(installation: Installation) -> None:
    """Let the inventory be as if Graph had never told of a name and of a membership."""
    async with installation.runtime.store.write() as tx:
        first = await tx.scalar(select(func.min(users.c.id)))
        await tx.execute(update(users).where(users.c.id == first).values(display_name="stale", content_hash=b"stale"))
        row = (await tx.execute(edges.select().where(edges.c.kind == Edge.MEMBER).limit(1))).one()
        link = (edges.c.kind == row.kind) & (edges.c.from_id == row.from_id) & (edges.c.to_id == row.to_id)
        await tx.execute(delete(edges).where(link))


def full_streams(installation: Installation) -> set[str]:
    """Return the streams that were asked for from their start since the requests were reset."""
    log = installation.simulator.requests
    return {kind for kind in STREAMS if log.count(template=f"/v1.0/{kind}/delta") > 1}


async def test_full_round_repairs_what_the_changes_missed_when_a_person_asks(installation: Installation) -> None:
    """The run names what differed; an ordinary run does not see it, and the next one finds nothing more."""
    await installation.run()
    await misses(installation)
    assert not any((await installation.run()).counts.values()) and len(await differences(installation)) == 2
    installation.simulator.requests.reset()
    run = await installation.run(full=True)
    assert (run.status, await differences(installation)) == ("SUCCEEDED", [])
    assert full_streams(installation) == STREAMS
    assert (run.counts["users"]["repaired"], run.counts["memberships"]["repaired"]) == (1, 1)
    assert any(
        "repaired differences that no change had reported: 1 users" in line for line in await installation.log(run.id)
    )
    assert not any("repaired" in counts for counts in (await installation.run(full=True)).counts.values())


async def test_change_that_was_told_of_is_no_repair(installation: Installation) -> None:
    """A full round is preceded by a round of changes: what that brings, Graph has not missed."""
    await installation.run()
    directory = installation.simulator.directory
    directory.update("users", next(directory.ids("users")), displayName="told")
    run = await installation.run(full=True)
    assert run.counts["users"]["updated"] == 1
    assert not any("repaired" in counts for counts in run.counts.values())


@pytest.mark.slow(cases=2)
@pytest.mark.parametrize(
    ("server", "task", "days"), [(FULL_ROUND_DAYS, None, 7), (3, None, 3), (3, 2, 2), (3, 0, None), (0, None, None)]
)
async def test_full_round_comes_by_itself_when_the_last_one_is_old(
    data_dir: Path, server: int, task: int | None, days: int | None
) -> None:
    """After the days that the task says, or else the server; a run a second sooner reads changes only; 0 is never."""
    installation = Installation(Simulator(users=6, devices=4, groups=3, seed=1), data_dir)
    installation.full_round_days = server
    await installation.open()
    try:
        await installation.furnish(**({} if task is None else {"full_round_days": task}))
        await installation.run()
        assert isinstance(installation.clock, FakeClock)
        installation.simulator.variants.delta_lifetime_s = 400 * DAY_S
        for passed_s, is_due in (((days or 30) * DAY_S - 60, False), (120, days is not None)):
            installation.clock.moved_s += passed_s
            installation.simulator.requests.reset()
            assert (await installation.run()).status == "SUCCEEDED"
            assert full_streams(installation) == (STREAMS if is_due else set())
    finally:
        await installation.close()


async def test_full_round_goes_on_when_a_stream_of_it_failed(installation: Installation) -> None:
    """A later run makes up for the stream that failed; what was read whole is not read whole again."""
    await installation.run()

    async def no_groups(scope, receive, send, app: App) -> None:  # type: ignore[no-untyped-def]
        if scope["path"].endswith("/groups/delta") and b"select" in scope["query_string"]:
            await refuse(send, 403, "Authorization_RequestDenied")
        else:
            await app(scope, receive, send)

    assert isinstance(installation.clock, FakeClock)
    installation.clock.moved_s += FULL_ROUND_DAYS * DAY_S - 3_600
    await installation.run()
    installation.clock.moved_s += 7_200
    installation.simulator.faults = no_groups
    assert (await installation.run()).status == "PARTIAL"
    installation.simulator.faults = None
    installation.simulator.requests.reset()
    assert (await installation.run()).status == "SUCCEEDED"
    assert full_streams(installation) == {"groups"}
