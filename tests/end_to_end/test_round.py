"""Rounds without faults: the inventory equals the directory, and an idle round costs three requests and no row."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from server.simulator import Simulator
from server.simulator.tenant.churn import Churn
from sync.store.tables import device_keys, devices, directories, run_log
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences
from tests.sync.entra.clock import FakeClock


async def test_first_round_makes_the_inventory_equal_to_the_directory(installation: Installation) -> None:
    """Every field of every object, every edge of the five kinds, and an asset for each active device."""
    run = await installation.run()
    assert (run.status, run.phase, run.errors) == ("SUCCEEDED", None, [])
    assert await differences(installation) == []
    directory = installation.simulator.directory
    for kind in ("users", "groups", "devices"):
        assert run.counts[kind] == {"created": directory.count(kind)}
        assert run.progress[kind]["done"] == run.progress[kind]["total"] == directory.count(kind)


async def test_second_round_asks_three_times_and_writes_nothing_when_nothing_changed(
    installation: Installation,
) -> None:
    """An idle round is one request a stream; no row is written, no version raised, no updated_at moved."""
    await installation.run()
    without = ("runs", "run_log", "cursors", "credentials")
    before = await installation.dump(*without)
    installation.simulator.requests.reset()
    assert isinstance(installation.clock, FakeClock)
    installation.clock.moved_s += 3_600
    run = await installation.run()
    assert run.status == "SUCCEEDED"
    assert installation.simulator.requests.total == 3
    assert run.requests["count"] == 3
    assert await installation.dump(*without) == before
    assert not any(number for name in run.counts.values() for number in name.values())


@pytest.mark.slow(cases=(2, 12))
@pytest.mark.parametrize("seed", range(30))
async def test_inventory_follows_the_directory_when_it_changes_at_random(seed: int, data_dir: Path) -> None:
    """After any changes - written, linked, deleted, purged, restored - the next round is equal again."""
    simulator = Simulator(users=25, devices=20, groups=12, seed=seed, device_relations_in_delta=True)
    installation, churn = Installation(simulator, data_dir), Churn(simulator.directory, seed)
    await installation.open()
    try:
        await installation.furnish()
        for changes in (0, 40, 80):
            churn.apply(changes)
            run = await installation.run()
            assert (run.status, run.errors) == ("SUCCEEDED", [])
            assert await differences(installation) == [], f"--seed={seed} after {changes} changes"
    finally:
        await installation.close()


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("seed", range(3))
async def test_full_round_is_equal_too_when_the_directory_forgot_the_position(seed: int, data_dir: Path) -> None:
    """Random changes are swept right when all, or one, of the delta links have expired in between."""
    simulator = Simulator(users=25, devices=20, groups=12, seed=seed)
    installation, churn = Installation(simulator, data_dir), Churn(simulator.directory, seed)
    await installation.open()
    try:
        await installation.furnish()
        for _ in range(4):
            churn.apply(60)
            simulator.expire_delta()
            assert (await installation.run()).status == "SUCCEEDED"
            assert await differences(installation) == []
            churn.apply(30)
            assert (await installation.run()).status == "SUCCEEDED"
            assert await differences(installation) == []
    finally:
        await installation.close()


async def test_directory_that_changes_while_it_is_read_is_equal_after_the_next_round(
    installation: Installation,
) -> None:
    """Changes between two pages of one round are brought by that round or by the next one."""
    churn = Churn(installation.simulator.directory, 3)

    async def change_first(scope, receive, send, app):  # type: ignore[no-untyped-def]
        churn.apply(5)
        await app(scope, receive, send)

    installation.simulator.faults = change_first
    assert (await installation.run()).status == "SUCCEEDED"
    installation.simulator.faults = None
    assert (await installation.run()).status == "SUCCEEDED"
    assert await differences(installation) == []


async def test_inactive_devices_come_and_go_when_the_option_is_flipped(installation: Installation) -> None:
    """The next run brings devices that were read long ago in line with a changed option."""
    simulator = installation.simulator
    assert any(values["accountEnabled"] is False for values in simulator.directory.truth("devices"))
    with_inactive = await installation.add_task("With inactive", include_inactive=True)
    await installation.run()
    await installation.run(with_inactive)
    assert await differences(installation, include_inactive=True) == []
    await installation.run()
    assert await differences(installation) == []


async def test_assets_of_an_earlier_version_are_split_by_the_next_run(installation: Installation) -> None:
    """Devices that were put together by their names alone part again, once; the run says so, the next one is idle."""
    await installation.run()
    store = installation.runtime.store
    grouping = select(devices.c.asset_id, func.group_concat(devices.c.external_id)).group_by(devices.c.asset_id)
    async with store.write() as tx:
        before = sorted(members for asset_id, members in await tx.execute(grouping) if asset_id)
        some = list(await tx.scalars(select(devices.c.asset_id).where(devices.c.asset_id.is_not(None)).limit(9)))
        await tx.execute(update(devices).where(devices.c.asset_id.in_(some)).values(asset_id=some[0]))
        await tx.execute(delete(device_keys))
        await tx.execute(update(directories).values(link_rules=0))
        assert sorted(members for asset_id, members in await tx.execute(grouping) if asset_id) != before
    run = await installation.run()
    assert run.status == "SUCCEEDED"
    async with store.read() as tx:
        assert sorted(members for asset_id, members in await tx.execute(grouping) if asset_id) == before
        log = list(await tx.scalars(select(run_log.c.message).where(run_log.c.run_id == run.id)))
    assert any("by this version's rules" in message for message in log)
    without = ("runs", "run_log", "cursors", "credentials")
    unchanged = await installation.dump(*without)
    await installation.run()
    assert await installation.dump(*without) == unchanged
