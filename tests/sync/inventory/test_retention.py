"""Retention: what is too old goes, what is not stays, in small transactions, and no copy misses a removal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from sync.clock import timestamp
from sync.errors import BadInput, NotFound
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.asset.merge import merge_assets
from sync.inventory.directory.directory import CHUNK_ROWS
from sync.inventory.directory.kind import DEVICE, GROUP, USER
from sync.inventory.retention import (
    Retention,
    RetentionSubject,
    apply_retention,
    check_retention,
    counting,
    load_retention,
    save_retention,
)
from sync.inventory.scan.record import Host, apply_scan
from sync.nightly import keep_house, seconds_until_night
from sync.store.tables import (
    assets,
    audit_events,
    devices,
    edges,
    idempotency_keys,
    objects,
    organizations,
    raw,
    run_log,
    runs,
    scan_records,
    tasks,
    users,
)
from tests.sync.entra.clock import FakeClock
from tests.sync.inventory.inventory import Inventory, device, ends, removed

DAY_S = 86_400


def ago(inventory: Inventory, days: float) -> str:
    """Return the time so many days ago."""
    return timestamp(inventory.clock.now() - timedelta(days=days))


async def keep(inventory: Inventory, **days: int | None) -> None:
    """Store settings."""
    async with inventory.store.write() as tx:
        await save_retention(tx, inventory.clock, inventory.directory.organization_id, Retention(**days))  # type: ignore[arg-type]


async def clear(inventory: Inventory) -> dict[str, int]:
    """Apply retention and return what was removed; a preview just before says the same."""
    organization_id = inventory.directory.organization_id
    async with inventory.store.read() as tx:
        retention = await load_retention(tx, organization_id)
        promised = (await tx.execute(counting(inventory.clock, organization_id, retention))).mappings().one()
    found = await apply_retention(inventory.store, inventory.clock, organization_id)
    assert +found == {subject: number for subject, number in promised.items() if number}
    return {subject.name: number for subject, number in found.items() if number}


async def scan(inventory: Inventory, name: str, days: float, *, alive: bool = True) -> None:
    """Find a host so many days ago."""
    place = AssetPlace(inventory.directory.organization_id, inventory.directory.site_id)
    async with inventory.store.write() as tx:
        await tx.run_sync(apply_scan, inventory.clock, place, [Host(ago(inventory, days), names=(name,), alive=alive)])


async def names(inventory: Inventory) -> set[str]:
    """Return the names of the visible assets."""
    return {name for name, *_ in await inventory.assets()}


async def test_nothing_goes_by_itself_but_old_tombstones(inventory: Inventory) -> None:
    """Without settings assets and records stay for good."""
    await scan(inventory, "old", 4_000)
    await inventory.page(USER, {"id": "u"})
    await inventory.page(USER, removed("u"))
    assert await clear(inventory) == {}
    inventory.clock.moved_s += 91 * DAY_S
    assert await clear(inventory) == {"TOMBSTONES": 1}
    assert await names(inventory) == {"old"}


async def test_stale_asset_goes_and_returns_when_it_is_seen_again(inventory: Inventory) -> None:
    """A device that the directory still lists loses its asset, and gets the same one when it changes."""
    seen = {"approximateLastSignInDateTime": ago(inventory, 50)}
    fresh = {"approximateLastSignInDateTime": ago(inventory, 40)}
    page = await inventory.page(DEVICE, device("d", "old", **seen), device("e", "fresh", **fresh))
    await inventory.link(page.touched)
    await scan(inventory, "old", 60)
    await keep(inventory, stale_assets=45)
    async with inventory.store.read() as tx:
        before = await tx.scalar(select(assets.c.id).where(assets.c.name == "old"))
    assert await clear(inventory) == {"STALE_ASSETS": 1}
    assert await names(inventory) == {"fresh"}
    assert await inventory.skipped() == {"d": "STALE", "e": None}
    assert await clear(inventory) == {}
    back = await inventory.page(DEVICE, device("d", "old", approximateLastSignInDateTime=ago(inventory, 0)))
    await inventory.link(back.touched)
    async with inventory.store.read() as tx:
        row = (await tx.execute(select(assets).where(assets.c.deleted_at.is_(None), assets.c.name == "old"))).one()
    assert row.id == before
    assert await clear(inventory) == {}


async def test_offline_asset_goes_only_when_it_was_scanned_and_did_not_answer(inventory: Inventory) -> None:
    """What still answers, or was never scanned, is not offline."""
    await scan(inventory, "silent", 20, alive=False)
    await scan(inventory, "answers", 20)
    await scan(inventory, "lately silent", 5, alive=False)
    await inventory.link((await inventory.page(DEVICE, device("d", "never scanned"))).touched)
    await keep(inventory, offline_assets=10)
    assert await clear(inventory) == {"OFFLINE_ASSETS": 1}
    assert await names(inventory) == {"answers", "lately silent", "never scanned"}


async def test_scan_record_goes_and_its_asset_keeps_the_others(inventory: Inventory) -> None:
    """An asset that a directory still knows stays without the scan's word; one that only the scan knew goes."""
    await scan(inventory, "both", 20)
    await scan(inventory, "scan only", 20)
    await scan(inventory, "fresh", 1)
    await inventory.link((await inventory.page(DEVICE, device("d", "both"))).touched)
    await keep(inventory, source_attributes=10)
    assert await clear(inventory) == {"SOURCE_ATTRIBUTES": 2}
    assert {(name, mask) for name, _, mask, _ in await inventory.assets()} == {("both", 1), ("fresh", 2)}
    async with inventory.store.read() as tx:
        assert await tx.scalar(select(func.count()).select_from(scan_records)) == 1


async def test_finished_run_goes_with_its_log_but_never_the_latest_of_a_task(inventory: Inventory) -> None:
    """A run that is active, or the last of its task, stays however old it is."""
    organization_id, old, new = inventory.directory.organization_id, ago(inventory, 50), ago(inventory, 5)
    empty: dict[str, Any] = {"progress": {}, "counts": {}, "requests": {}, "errors": []}
    place = {"organization_id": organization_id, "created_at": old, "updated_at": old}
    flags = dict.fromkeys(("exclude_unknown", "include_inactive", "paused", "hidden"), False)
    async with inventory.store.write() as tx:
        for task in (1, 2):
            row = {**place, **flags, "id": task, "name": "T", "kind": "CONNECTOR"}
            await tx.execute(insert(tasks).values(**row, site_id=inventory.directory.site_id))
        for key, task, finished_at in ((1, 1, old), (2, 1, new), (3, 1, None), (4, 1, old), (5, 2, old)):
            row = {**place, **empty, "id": key, "task_id": task, "status": "X", "trigger": "MANUAL", "attempt": 1}
            await tx.execute(insert(runs).values(**row, finished_at=finished_at))
            await tx.execute(insert(run_log).values(run_id=key, at=old, level="INFO", message="m"))
            answer = {"organization_id": organization_id, "operation": "triggerTask", "key": str(key), "result_id": key}
            await tx.execute(insert(idempotency_keys).values(**answer, input_hash=b"", created_at=old))
    await keep(inventory, runs=30)
    assert await clear(inventory) == {"RUNS": 1}
    async with inventory.store.read() as tx:
        assert list(await tx.scalars(select(runs.c.id))) == [2, 3, 4, 5]
        assert list(await tx.scalars(select(run_log.c.run_id))) == [2, 3, 4, 5]
        assert list(await tx.scalars(select(idempotency_keys.c.result_id).order_by("result_id"))) == [2, 3, 4, 5]


async def test_tombstones_go_after_their_time_and_cursors_before_them_end(inventory: Inventory) -> None:
    """Young tombstones and live rows stay; what the newest forgotten one was written with is remembered."""
    await inventory.page(USER, {"id": "a"}, {"id": "b"}, {"id": "c", "manager": None})
    await inventory.page(USER, removed("a", "changed"))
    gone = await inventory.version()
    inventory.clock.moved_s += 20 * DAY_S
    await inventory.page(USER, removed("b"))
    inventory.clock.moved_s += 15 * DAY_S
    await keep(inventory, tombstones=30)
    assert await clear(inventory) == {"TOMBSTONES": 1}
    assert await inventory.rows(USER) == {"b": "GONE", "c": "LIVE"}
    async with inventory.store.read() as tx:
        assert await tx.scalar(select(organizations.c.purged_version)) == gone
        assert await tx.scalar(select(func.count()).select_from(raw)) == 1
    back = await inventory.page(USER, {"id": "a"})
    assert back.counts["created"] == 1
    assert (await inventory.rows(USER))["a"] == "LIVE"


async def test_edges_outlive_the_tombstone_of_an_end(inventory: Inventory) -> None:
    """A delta round never names a membership twice: if its member returns, it must still be there."""
    await inventory.page(USER, {"id": "a"})
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("a")})
    await inventory.sweep(USER, 2)
    inventory.clock.moved_s += 100 * DAY_S
    assert await clear(inventory) == {"TOMBSTONES": 1}
    async with inventory.store.read() as tx:
        assert await tx.scalar(select(func.count()).select_from(edges)) == 1
        assert await tx.scalar(select(func.count()).select_from(objects)) == 2


async def test_tombstone_that_a_merge_hangs_on_stays(inventory: Inventory) -> None:
    """Months later, the records return to the asset a person put them in."""
    await inventory.link((await inventory.page(DEVICE, device("d", "a"), device("e", "b"), device("f", "c"))).touched)
    async with inventory.store.write() as tx:
        one, two = await tx.scalars(select(assets.c.id).where(assets.c.name.in_(["a", "b"])).order_by(assets.c.id))
        await tx.run_sync(merge_assets, inventory.clock, inventory.directory.organization_id, one, [two])
    page = await inventory.page(DEVICE, *(device(key, accountEnabled=False) for key in "def"))
    await inventory.link(page.touched)
    inventory.clock.moved_s += 200 * DAY_S
    assert await clear(inventory) == {"TOMBSTONES": 2}  # of the merged one, and of the one that nobody touched
    await inventory.link((await inventory.page(DEVICE, device("d", "a"), device("e", "b"))).touched)
    async with inventory.store.read() as tx:
        assert set(await tx.scalars(select(devices.c.asset_id).where(devices.c.external_id.in_(["d", "e"])))) == {one}


async def test_many_tombstones_go_in_chunks_and_the_rest_the_next_night(inventory: Inventory) -> None:
    """Each transaction is small, and a process that stops leaves the rest for later, with the version right."""
    total = CHUNK_ROWS * 2 + 3
    await inventory.page(USER, *({"id": f"u{number}"} for number in range(total)))
    await inventory.page(USER, *(removed(f"u{number}") for number in range(total)))
    inventory.clock.moved_s += 100 * DAY_S
    answers = iter([False, True])
    organization_id = inventory.directory.organization_id
    first = await apply_retention(inventory.store, inventory.clock, organization_id, lambda: next(answers, True))
    assert first == {RetentionSubject.TOMBSTONES: CHUNK_ROWS}
    assert await clear(inventory) == {"TOMBSTONES": total - CHUNK_ROWS}
    assert await inventory.rows(USER) == {}


async def test_other_organizations_are_left_alone(inventory: Inventory) -> None:
    """Retention of one organization removes nothing of another's; an audit row says what went."""
    other = await Inventory.of(inventory.store, inventory.clock, "Other")
    for one in (inventory, other):
        await scan(one, "old", 50)
        await one.page(USER, {"id": "u"})
        await one.page(USER, removed("u"))
    await keep(inventory, stale_assets=10, tombstones=30)
    inventory.clock.moved_s += 40 * DAY_S
    assert await clear(inventory) == {"STALE_ASSETS": 1, "TOMBSTONES": 1}
    async with inventory.store.read() as tx:
        assert await tx.scalar(select(func.count()).select_from(users)) == 1
        audit = (await tx.execute(select(audit_events))).one()
    assert (audit.organization_id, audit.action) == (inventory.directory.organization_id, "applyRetention")
    assert audit.target == "STALE_ASSETS 1, TOMBSTONES 1"
    assert await other.rows(USER) == {"u": "GONE"}


@pytest.mark.parametrize("name", ["stale_assets", "offline_assets", "source_attributes", "runs", "tombstones"])
async def test_settings_are_refused_out_of_range(inventory: Inventory, name: str) -> None:
    """One day to ten years; tombstones thirty days at least."""
    least = 30 if name == "tombstones" else 1
    for days in (least - 1, 0, -1, 3_651):
        with pytest.raises(BadInput) as caught:
            check_retention(replace(Retention(), **{name: days}))
        assert caught.value.facts["path"] == name
    for days in (least, 3_650):
        check_retention(replace(Retention(), **{name: days}))
    async with inventory.store.read() as tx:
        with pytest.raises(NotFound):
            await load_retention(tx, 999)


@pytest.mark.parametrize(
    ("hour", "minute", "expected_h"), [(0, 0, 3), (2, 30, 0.5), (3, 0, 24), (4, 0, 23), (23, 0, 4)]
)
def test_night_is_the_next_time_it_is_three(hour: int, minute: int, expected_h: float) -> None:
    """Never now: a night that begins at three must not begin twice."""
    now = datetime(2026, 11, 23, hour, minute, tzinfo=UTC)
    assert seconds_until_night(now) == expected_h * 3600


class NightClock(FakeClock):
    """A clock whose nights come at once, as many as wanted; then it sleeps until the process stops."""

    def __init__(self, nights: int) -> None:
        super().__init__()
        self.nights = nights
        self.over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Pass a night."""
        if not self.nights:
            self.over.set()
            await asyncio.Event().wait()
        self.nights -= 1
        await super().sleep(seconds)


async def test_house_is_kept_each_night_until_the_process_stops(inventory: Inventory) -> None:
    """It sleeps from night to night, removes what is due, survives a night that fails, and ends when told to."""
    await inventory.page(USER, {"id": "u"})
    await inventory.page(USER, removed("u"))
    await keep(inventory, tombstones=30)
    clock, stopping = NightClock(32), asyncio.Event()
    working = asyncio.create_task(keep_house(inventory.store, clock, stopping))
    await clock.over.wait()
    assert clock.slept[1:] == [DAY_S] * 31
    assert await inventory.rows(USER) == {}
    assert not working.done()
    stopping.set()
    await working


async def test_night_that_fails_does_not_end_the_house(inventory: Inventory) -> None:
    """Settings that cannot be applied, a full disk: the next night tries again."""
    clock, stopping = NightClock(2), asyncio.Event()
    async with inventory.store.write() as tx:
        await tx.execute(update(organizations).values(retention={"stale_assets": 1}))
        await tx.exec_driver_sql("ALTER TABLE scan_records RENAME TO away")
    await scan_free(inventory)
    working = asyncio.create_task(keep_house(inventory.store, clock, stopping))
    await clock.over.wait()
    assert not working.done() and len(clock.slept) == 2
    stopping.set()
    await working


async def scan_free(inventory: Inventory) -> None:
    """Write a stale asset without asking for the table that is away."""
    lists: dict[str, Any] = {"names": [], "domains": [], "addresses": [], "macs": [], "tags": []}
    old = ago(inventory, 300)
    row = {"scanned": False, "source_mask": 1, "source_count": 1, "version": 1, "created_at": old, "updated_at": old}
    place = {"organization_id": inventory.directory.organization_id, "site_id": inventory.directory.site_id}
    async with inventory.store.write() as tx:
        await tx.execute(insert(assets).values(**lists, **row, **place))
