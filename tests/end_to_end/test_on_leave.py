"""What the directory removes without saying that it is for good comes back as it was: with every edge, both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.simulator import Simulator
from server.simulator.tenant.relation import RELATIONS
from tests.end_to_end.fault import App
from tests.end_to_end.graphql import differences_told
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences
from tests.sync.entra.clock import FakeClock

DAY_S = 86_400
AWAY: dict[str, Callable[[Simulator], None]] = {
    "delta": lambda _: None,
    "full": lambda simulator: simulator.expire_delta(),
}


@asynccontextmanager
async def tenant(data_dir: Path, **more: object) -> AsyncIterator[Installation]:
    """Open an installation for a small tenant that has been read once."""
    simulator = Simulator(users=12, devices=10, groups=8, seed=5)
    simulator.variants.change(more)
    installation = Installation(simulator, data_dir)
    await installation.open()
    try:
        await installation.furnish()
        assert (await installation.run()).status == "SUCCEEDED"
        yield installation
    finally:
        await installation.close()


def restorable(simulator: Simulator, end: str) -> list[tuple[str, str]]:
    """Return an end of an edge of each relation, with its kind: what Entra ID can soft-delete."""
    directory, found = simulator.directory, dict[str, str]()
    for name in RELATIONS:
        for pair in directory.edges(name):
            object_id = pair[end == "target"]
            kind = str(directory.kind_of(object_id))
            if kind != "groups" or "Unified" in directory.values_of(object_id)["groupTypes"]:
                found[object_id] = kind
                break
    return [(kind, object_id) for object_id, kind in found.items()]


@pytest.mark.slow(cases=(1, 12))
@pytest.mark.parametrize("round_", AWAY)
@pytest.mark.parametrize("relations", ["shown", "ignored"])
@pytest.mark.parametrize("reasons", ["told", "absent", "unknown"])
@pytest.mark.parametrize("end", ["source", "target"])
async def test_object_comes_back_with_its_edges_when_it_was_away(
    data_dir: Path, end: str, reasons: str, relations: str, round_: str
) -> None:
    """Users, devices and groups, at either end of every relation; full rounds and daily passes leave them out."""
    variants = {"removal_reasons": reasons, "device_relations": relations, "links_on_leave": "left out"}
    async with tenant(data_dir, **variants) as installation:
        simulator, clock = installation.simulator, installation.clock
        assert isinstance(clock, FakeClock)
        before = await installation.dump("runs", "run_log", "cursors", "credentials", "objects", "raw")
        away = restorable(simulator, end)
        assert {kind for kind, _ in away} >= ({"users", "devices"} if end == "source" else {"users"})
        for kind, object_id in away:
            simulator.directory.delete(kind, object_id)
        for _ in range(2):
            AWAY[round_](simulator)
            clock.moved_s += DAY_S + 1
            assert (await installation.run()).status == "SUCCEEDED"
            assert await differences(installation) == []
        for kind, object_id in away:
            simulator.directory.restore(kind, object_id)
        assert (await installation.run()).status == "SUCCEEDED"
        assert await differences(installation) == []
        assert await differences_told(installation) == []
        after = await installation.dump()
        assert {row[:3] for row in after["edges"]} == {row[:3] for row in before["edges"]}


@pytest.mark.parametrize("late", ["users", "devices"])
async def test_edges_wait_for_what_became_of_their_ends_when_other_streams_are_slower(
    data_dir: Path, late: str
) -> None:
    """The groups are read first; that a member was removed, and may come back, is known only later."""
    async with tenant(data_dir, links_on_leave="left out") as installation:
        simulator = installation.simulator
        directory = simulator.directory
        members = {target for _, target in directory.edges("members") if directory.kind_of(target) == late}
        for object_id in members:
            directory.delete(late, object_id)
        simulator.expire_delta()
        groups = "/v1.0/groups/delta"

        async def slowly(scope, receive, send, app: App) -> None:  # type: ignore[no-untyped-def]
            if scope["path"] == f"/v1.0/{late}/delta" and b"deltatoken" not in scope["query_string"]:
                while not simulator.requests.count(template=groups, status=200):
                    await installation.clock.sleep(0)
            await app(scope, receive, send)

        simulator.faults = slowly
        assert (await installation.run()).status == "SUCCEEDED"
        simulator.faults = None
        for object_id in members:
            directory.restore(late, object_id)
        assert (await installation.run()).status == "SUCCEEDED"
        assert await differences(installation) == []


async def test_membership_alone_ends_when_a_group_tells_that_it_was_deleted(data_dir: Path) -> None:
    """`deleted` in `members@delta` is said of the membership: the member and its other edges stay."""
    async with tenant(data_dir) as installation:
        directory = installation.simulator.directory
        group, member = next(pair for pair in directory.edges("members") if len(list(directory.groups_of(pair[1]))) > 1)
        directory.unlink("members", group, member)
        run = await installation.run()
        assert (run.status, run.counts.get("memberships")) == ("SUCCEEDED", {"removed": 1})
        assert await differences(installation) == []
