"""Owners and users of devices in a tenant whose delta lacks them: whole passes, and changed devices in between."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.simulator import Simulator
from server.simulator.tenant.churn import Churn
from sync.tasks.connector.device_relations import DeviceRelations
from tests.end_to_end.fault import App, at_request, refuse
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences
from tests.sync.entra.clock import FakeClock

DAY_S = 86_400


@pytest.fixture
async def plain(data_dir: Path) -> AsyncIterator[Installation]:
    """Return an installation for a tenant of 1,200 devices, two pages of a list, whose delta lacks relations."""
    simulator = Simulator(users=60, devices=1_200, groups=5, seed=3, device_relations_in_delta=False)
    installation = Installation(simulator, data_dir)
    async with installation.furnished():
        yield installation


def asked(installation: Installation) -> dict[str, int]:
    """Return how often the lists that matter here were asked for."""
    log = installation.simulator.requests
    return {name: log.count(template=f"/v1.0/{name}") for name in ("devices", "$batch", "devices/delta")}


async def test_first_run_makes_one_pass_for_each_relation(plain: Installation) -> None:
    """The inventory is equal; the passes cost what the model says, two requests each, and are shown on the run."""
    run = await plain.run()
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert await differences(plain) == []
    # The probe is one of the requests for devices/delta.
    assert asked(plain) == {"devices": 4, "$batch": 0, "devices/delta": 7}
    for stream in ("deviceOwners", "deviceUsers"):
        assert run.progress[stream]["done"] == run.progress[stream]["total"] == 1_200
        assert run.requests["streams"][stream]["count"] == 2
    assert run.requests["count"] == plain.simulator.requests.total
    assert sum(part["count"] for part in run.requests["streams"].values()) == run.requests["count"]


async def test_idle_run_costs_three_requests(plain: Installation) -> None:
    """Within a day and without a change nothing is asked about owners."""
    await plain.run()
    plain.simulator.requests.reset()
    assert (await plain.run()).status == "SUCCEEDED"
    assert plain.simulator.requests.total == 3


async def test_changed_devices_are_asked_about_twenty_in_a_request(plain: Installation) -> None:
    """Owners and users of 25 devices are two batches for each relation; the other devices cost nothing."""
    await plain.run()
    directory = plain.simulator.directory
    users, devices = list(directory.ids("users")), list(directory.ids("devices"))[:25]
    for number, device in enumerate(devices):
        directory.update("devices", device, displayName=f"renamed-{number}")
        for relation in ("deviceOwners", "deviceUsers"):
            for _, target in list(directory.links(relation).all(device)):
                directory.unlink(relation, device, target)
        directory.link("deviceOwners", device, users[number])
        directory.link("deviceUsers", device, users[number + 1])
    plain.simulator.requests.reset()
    run = await plain.run()
    assert await differences(plain) == []
    assert asked(plain) == {"devices": 0, "$batch": 4, "devices/delta": 1}
    assert run.counts["deviceOwners"]["created"] > 0 and run.counts["deviceOwners"]["removed"] > 0


async def test_change_of_owner_alone_is_found_by_the_daily_pass(plain: Installation) -> None:
    """It need not touch the device, so delta need not name it; a day later the pass sees it."""
    await plain.run()
    directory = plain.simulator.directory
    device = next(d for d in directory.ids("devices") if directory.links("deviceOwners").all(d))
    ((_, owner),) = directory.links("deviceOwners").all(device)
    directory.unlink("deviceOwners", device, owner)
    plain.simulator.requests.reset()
    await plain.run()
    assert asked(plain)["devices"] == 0
    assert len(await differences(plain)) == 1
    assert isinstance(plain.clock, FakeClock)
    plain.clock.moved_s += DAY_S + 1
    run = await plain.run()
    assert (run.status, run.counts["deviceOwners"]) == ("SUCCEEDED", {"removed": 1})
    assert asked(plain)["devices"] == 4
    assert await differences(plain) == []


@pytest.mark.slow(cases=0)
async def test_device_with_more_users_than_a_list_shows_is_read_whole(plain: Installation) -> None:
    """Inside a list Graph shows twenty and no link to the rest; such a device is asked about by itself."""
    directory = plain.simulator.directory
    device = next(iter(directory.ids("devices")))
    present = {target for _, target in directory.links("deviceUsers").all(device)}
    for user in [user for user in directory.ids("users") if user not in present][:45]:
        directory.link("deviceUsers", device, user)
    assert (await plain.run()).status == "SUCCEEDED"
    assert await differences(plain) == []
    assert asked(plain)["$batch"] == 1


@pytest.mark.slow(cases=0)
async def test_full_round_of_devices_keeps_the_owners_and_is_followed_by_a_pass(plain: Installation) -> None:
    """The sweep that ends it takes nothing away that the round did not read."""
    await plain.run()
    plain.simulator.expire_delta()
    plain.simulator.requests.reset()
    run = await plain.run()
    assert run.status == "SUCCEEDED" and asked(plain)["devices"] == 4
    assert not any(run.counts.get(name) for name in ("deviceOwners", "deviceUsers"))
    assert await differences(plain) == []


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("status", [500, 403, 400])
async def test_pass_that_fails_leaves_everything_else_right(plain: Installation, status: int) -> None:
    """The run is PARTIAL and names the relation; no edge goes, and the next run makes up for it."""
    await plain.run()
    before = (await plain.dump())["edges"]
    plain.simulator.expire_delta()

    async def refuse_owners(scope: Any, receive: Any, send: Any, app: App) -> None:
        if b"registeredOwners" in scope["query_string"] and b"expand" in scope["query_string"]:
            await refuse(send, status, "Authorization_RequestDenied" if status == 403 else "x")
        else:
            await app(scope, receive, send)

    plain.simulator.faults = refuse_owners
    run = await plain.run()
    assert run.status == "PARTIAL"
    code = {500: "UNAVAILABLE", 403: "PERMISSION_DENIED", 400: "REQUEST_REFUSED"}[status]
    assert [(error["code"], error["resource"]) for error in run.errors] == [(code, "deviceOwners")]
    kinds = [(row[0], row[1], row[2]) for row in (await plain.dump())["edges"]]
    assert kinds == [(row[0], row[1], row[2]) for row in before]
    plain.simulator.faults = None
    assert (await plain.run()).status == "SUCCEEDED"
    assert await differences(plain) == []


@pytest.mark.slow(cases=0)
async def test_pass_begins_anew_when_its_position_expired(plain: Installation) -> None:
    """Directory_ExpiredPageToken in the middle of a list: the list is read from its start, and the run succeeds."""
    seen = 0

    async def expire(scope: Any, receive: Any, send: Any, app: App) -> None:
        nonlocal seen
        if b"expand" in scope["query_string"] and b"skiptoken" in scope["query_string"]:
            seen += 1
            if seen == 1:
                await refuse(send, 400, "Directory_ExpiredPageToken")
                return
        await app(scope, receive, send)

    plain.simulator.faults = expire
    run = await plain.run()
    assert run.status == "SUCCEEDED" and seen >= 2
    assert await differences(plain) == []


@pytest.mark.slow(cases=0)
async def test_list_without_the_relation_is_not_taken_for_an_empty_one(plain: Installation) -> None:
    """Had Graph left the relation out, every owner would be gone; the stream fails instead."""
    await plain.run()
    plain.simulator.expire_delta()

    async def leave_out(scope: Any, receive: Any, send: Any, app: App) -> None:
        if b"registeredUsers" in scope["query_string"] and b"expand" in scope["query_string"]:
            scope = scope | {"query_string": b"$select=id&$top=999"}
        await app(scope, receive, send)

    plain.simulator.faults = leave_out
    run = await plain.run()
    assert [(error["code"], error["resource"]) for error in run.errors] == [("BAD_RESPONSE", "deviceUsers")]
    assert await differences(plain) == []


@pytest.mark.slow(cases=(1, 8))
@pytest.mark.parametrize("number", range(1, 17))
async def test_run_goes_on_when_the_process_was_stopped_at_any_request(plain: Installation, number: int) -> None:
    """Stopped at any request of the first run, passes included, the next process ends it and it is equal."""
    runtime, closing = plain.runtime, list[asyncio.Task[None]]()

    async def stop() -> None:
        closing.append(asyncio.create_task(runtime.engine.stop()))
        await asyncio.sleep(0)

    plain.simulator.faults = at_request(number, stop)
    run_id = await plain.trigger()
    await runtime.engine.idle()
    await asyncio.gather(*closing)
    assert closing
    await plain.close()
    plain.simulator.faults = None
    await plain.open()
    await plain.runtime.engine.idle()
    assert (await plain.row(run_id)).status == "SUCCEEDED"
    assert await differences(plain) == []


@pytest.mark.slow(cases=(1, 5))
@pytest.mark.parametrize("seed", range(10))
async def test_inventory_follows_random_changes(seed: int, data_dir: Path) -> None:
    """After any changes and a day's pass the inventory is equal, whatever was asked for in between."""
    simulator = Simulator(users=25, devices=20, groups=6, seed=seed, device_relations_in_delta=False)
    installation, churn = Installation(simulator, data_dir), Churn(simulator.directory, seed)
    await installation.open()
    try:
        await installation.furnish()
        assert isinstance(installation.clock, FakeClock)
        for changes in (0, 40, 80):
            churn.apply(changes)
            assert (await installation.run()).status == "SUCCEEDED"
            installation.clock.moved_s += DAY_S + 1
            assert (await installation.run()).status == "SUCCEEDED"
            assert await differences(installation) == [], f"--seed={seed} after {changes} changes"
    finally:
        await installation.close()


@pytest.mark.slow(cases=0)
async def test_pass_begins_anew_when_its_first_page_is_older_than_a_day(plain: Installation) -> None:
    """What a pass read before it broke off may have changed since: a change of owner alone tells nobody."""

    async def break_off(scope: Any, receive: Any, send: Any, app: App) -> None:
        if b"expand" in scope["query_string"] and b"skiptoken" in scope["query_string"]:
            await refuse(send, 503)
        else:
            await app(scope, receive, send)

    plain.simulator.faults = break_off
    assert (await plain.run()).status == "PARTIAL"
    plain.simulator.faults = None
    device, owner = next(iter(plain.simulator.directory.edges("deviceOwners")))
    plain.simulator.directory.unlink("deviceOwners", device, owner)
    assert isinstance(plain.clock, FakeClock)
    plain.clock.moved_s += DAY_S + 1
    assert (await plain.run()).status == "SUCCEEDED"
    assert await differences(plain) == []


@pytest.mark.slow(cases=0)
async def test_owner_that_changes_between_two_pages_of_a_round_is_not_kept(plain: Installation) -> None:
    """A device on two pages, the first not written yet when the second is asked about: the last word counts."""
    await plain.run()
    plain.simulator.variants.change({"page_objects": 1, "replays": 1})
    directory = plain.simulator.directory
    owners, devices = list(directory.ids("users"))[-2:], list(directory.ids("devices"))[:2]
    for number, device in enumerate(devices):
        directory.update("devices", device, displayName=f"renamed-{number}")
    for _, owner in list(directory.links("deviceOwners").all(devices[0])):
        directory.unlink("deviceOwners", devices[0], owner)
    directory.link("deviceOwners", devices[0], owners[0])
    batches, is_held, holding, go_on = 0, asyncio.Event(), list[asyncio.Task[None]](), asyncio.Event()

    async def hold() -> None:
        async with plain.runtime.store.write():
            is_held.set()
            await go_on.wait()

    async def between(scope: Any, receive: Any, send: Any, app: App) -> None:
        nonlocal batches
        batches += scope["path"].endswith("$batch")
        if batches == 1 and not holding:
            holding.append(asyncio.create_task(hold()))
            await is_held.wait()
        if batches == 3 and directory.unlink("deviceOwners", devices[0], owners[0]):
            directory.link("deviceOwners", devices[0], owners[1])
        await app(scope, receive, send)
        if batches == 4:
            go_on.set()

    plain.simulator.faults = between
    assert (await plain.run()).status == "SUCCEEDED"
    await asyncio.gather(*holding)
    assert batches >= 4
    assert await differences(plain) == []


@pytest.mark.slow(cases=0)
async def test_run_cancelled_as_its_passes_begin_leaves_nothing_behind(
    plain: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes that were cancelled before their first step are not reported as coroutines that nobody awaited."""
    due, names = DeviceRelations.due, list[str]()

    async def and_cancel(relations: DeviceRelations) -> list[str]:
        names.extend(await due(relations))
        for task in plain.runtime.engine._running:
            task.cancel()
        return names

    monkeypatch.setattr(DeviceRelations, "due", and_cancel)
    await plain.trigger()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        await plain.runtime.engine.idle()
        gc.collect()
    assert names == ["deviceOwners", "deviceUsers"]
    assert [str(warning.message) for warning in told if "never awaited" in str(warning.message)] == []
