"""Hosts of one report that share a name: an address pool, a load balancer. Each is a machine, whatever came before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from sync.inventory.asset.merge import merge_assets
from sync.inventory.asset.source import AZUREAD, BITS, SCAN
from sync.inventory.directory.kind import DEVICE
from sync.inventory.scan.port_set import PortSet
from sync.inventory.scan.record import Host, Service, merge
from sync.store.tables import assets, scan_records
from tests.share import share
from tests.sync.inventory.inventory import Inventories, Inventory, device
from tests.sync.inventory.scans import EARLY, LAST, LATE, MACS, addresses, host, placed, scanned, shown

POOL = "host.example.net"
ONE, TWO, THREE = "10.0.0.1", "10.0.0.2", "10.0.0.3"
BOTH = BITS[AZUREAD] | BITS[SCAN]


def pool(*places: str, seen_at: str = EARLY) -> list[Host]:
    """Return hosts of one name, one at each address."""
    return [host(seen_at=seen_at, names=(POOL,), addresses=(address,)) for address in places]


def near(places: Sequence[str], macs: Sequence[str], *, seen_at: str = EARLY) -> list[Host]:
    """Return hosts of one name as a scanner in their own network finds them, with their MAC addresses."""
    both = zip(places, macs, strict=False)
    return [host(seen_at=seen_at, names=(POOL,), addresses=(at,), macs=(mac,)) for at, mac in both]


@pytest.mark.parametrize("number", range(2, 9))
async def test_hosts_of_one_name_are_as_many_assets_as_they_have_addresses(inventory: Inventory, number: int) -> None:
    """A name that several hosts of a report have does not join them; the report again finds each of them."""
    found = pool(*(f"10.0.0.{last}" for last in range(1, number + 1)))
    assert await scanned(inventory, *found) == {"created": number}
    before = await shown(inventory)
    assert await scanned(inventory, *found) == {"merged": number}
    assert (await shown(inventory), len(before)) == (before, number)


JOINED: dict[str, list[Host]] = {
    "two addresses of one element": [host(names=(POOL,), addresses=(ONE, "fd00::1"))],
    "an address in common": [*pool(ONE), host(names=(POOL,), addresses=(ONE, TWO)), *pool(TWO)],
    "a MAC address in common": [
        host(names=(POOL,), addresses=(address,), macs=MACS[:1]) for address in (ONE, TWO)
    ],
    "one without an address": [host(names=(POOL,)), *pool(ONE)],
    "none has an address": [host(names=(POOL,)), host(names=("HOST",))],
}  # fmt: skip


@pytest.mark.parametrize("case", JOINED)
def test_hosts_of_one_name_are_one_where_more_than_the_name_joins_them(case: str) -> None:
    """An address or a MAC address in common, or no address that would tell them apart."""
    assert len(merge(JOINED[case])) == 1


def test_host_without_an_address_joins_none_of_several_with_its_name() -> None:
    """Nobody knows which of them it is."""
    found = merge([*pool(ONE, TWO), host(names=(POOL,)), host(names=("HOST",))])
    assert sorted(one["addresses"] for one in found) == [[], [ONE], [TWO]]


@pytest.mark.parametrize("known", [[ONE], [TWO], [THREE], [ONE, THREE]])
async def test_hosts_of_one_name_take_no_record_but_that_of_their_address(
    inventory: Inventory, known: list[str]
) -> None:
    """What an earlier report found at the same address is the same host, what it found elsewhere is another."""
    await scanned(inventory, *pool(*known))
    before = {found[0]: key for key, found in await placed(inventory)}
    await scanned(inventory, *pool(ONE, TWO, seen_at=LATE))
    after = {found[0]: key for key, found in await placed(inventory)}
    assert sorted(after) == sorted({ONE, TWO, *known})
    assert before.items() <= after.items()


@pytest.mark.parametrize("reports", [*permutations([(ONE, EARLY), (TWO, LATE), (THREE, LAST)])])
async def test_machine_is_recognised_by_its_name_when_its_address_has_changed(
    inventory: Inventory, reports: Sequence[tuple[str, str]]
) -> None:
    """One host of the name in each report is one machine, in whatever order they come; it is where it was last."""
    for address, seen_at in reports:
        await scanned(inventory, *pool(address, seen_at=seen_at))
    (asset,) = await shown(inventory)
    assert (asset["addresses"], asset["first_seen"], asset["last_seen"]) == ([THREE], EARLY, LAST)
    assert len(asset["records"]) == 1


async def test_host_of_a_shared_name_is_new_at_a_new_address_and_found_there_again(inventory: Inventory) -> None:
    """It may be any of them or another, so none is lost; the same report again makes no second one of it."""
    await scanned(inventory, *pool(ONE, TWO))
    late = pool(THREE, seen_at=LATE)
    assert await scanned(inventory, *late) == {"created": 1}
    before = await shown(inventory)
    assert await scanned(inventory, *late) == {"merged": 1}
    assert await shown(inventory) == before


async def test_report_changes_nothing_again_when_its_name_was_shared_since(inventory: Inventory) -> None:
    """A host that had moved is known from before the others of its name came."""
    moved = [pool(ONE), pool(TWO, seen_at=LATE)]
    for report in (*moved, pool(TWO, THREE, seen_at=LAST)):
        await scanned(inventory, *report)
    before = await shown(inventory)
    for report in moved:
        assert await scanned(inventory, *report) == {"merged": 1}
    assert await shown(inventory) == before


async def test_host_with_two_addresses_takes_one_record_when_each_was_a_host(inventory: Inventory) -> None:
    """A report that knows more of it makes no third row, nor does it again."""
    await scanned(inventory, *pool(ONE, TWO))
    both = host(seen_at=LATE, names=(POOL,), addresses=(ONE, TWO))
    assert await scanned(inventory, both) == {"merged": 1, "updated": 1}
    before = await shown(inventory)
    assert await scanned(inventory, both) == {"merged": 1}
    assert (await shown(inventory), len(before)) == (before, 2)


@pytest.mark.parametrize("seen_at", [EARLY, LATE])
async def test_record_that_was_merged_by_name_is_split_by_the_next_import(inventory: Inventory, seen_at: str) -> None:
    """Earlier versions made one record of them: the same report again, or a new one, gives each its own services."""
    looked = (PortSet([("tcp", 1, 1000)]),)
    reports = {
        at: [
            host(seen_at=at, names=(POOL,), addresses=(f"10.0.0.{last}",), services=(Service(last, "tcp"),))
            for last in (1, 2, 3)
        ]
        for at in (EARLY, LATE)
    }
    found = [Host(**{**vars(one), "looked": looked}) for one in reports[seen_at]]
    services = tuple(service for one in reports[EARLY] for service in one.services)
    merged = host(names=(POOL,), addresses=(ONE, TWO, THREE), services=services, looked=looked)
    await scanned(inventory, merged)
    ((asset, _),) = await placed(inventory)
    async with inventory.store.write() as tx:
        await tx.execute(update(assets).values(comment="The pool"))
    await scanned(inventory, *found)
    assert await addresses(inventory) == [[ONE], [TWO], [THREE]]
    assert asset in {key for key, _ in await placed(inventory)}
    before = await shown(inventory)
    assert await scanned(inventory, *found) == {"merged": 3}
    assert await shown(inventory) == before
    async with inventory.store.read() as tx:
        rows = (await tx.execute(select(scan_records.c.addresses, scan_records.c.services))).all()
    open_ports = {row.addresses[0]: [service["port"] for service in row.services] for row in rows}
    if seen_at == LATE:
        assert open_ports == {ONE: [1], TWO: [2], THREE: [3]}
    else:
        assert all(int(address[-1]) in ports for address, ports in open_ports.items())


async def test_record_with_several_mac_addresses_is_split_when_a_report_tells_its_hosts_apart(
    inventory: Inventory,
) -> None:
    """A name had joined two machines with a network card each."""
    await scanned(inventory, host(names=(POOL,), addresses=(ONE, TWO), macs=MACS[:2]))
    found = near((ONE, TWO), MACS, seen_at=LATE)
    await scanned(inventory, *found)
    shared = sorted((asset["addresses"], asset["macs"]) for asset in await shown(inventory))
    assert shared == [([ONE], [MACS[0]]), ([TWO], [MACS[1]])]


async def test_later_mac_addresses_are_of_the_hosts_at_their_addresses(inventory: Inventory) -> None:
    """A report from inside the network tells more of the same hosts; from then on they are known wherever they are."""
    await scanned(inventory, *pool(ONE, TWO))
    keys = await placed(inventory)
    told = near((ONE, TWO), MACS, seen_at=LATE)
    assert await scanned(inventory, *told) == {"merged": 2, "updated": 2}
    assert await placed(inventory) == keys
    away = near((TWO, ONE), MACS, seen_at=LAST)
    await scanned(inventory, *away)
    assert await placed(inventory) == sorted([(keys[0][0], [TWO]), (keys[1][0], [ONE])], key=lambda row: row[1])


async def test_address_of_a_pool_is_another_machines_when_its_mac_address_is(inventory: Inventory) -> None:
    """Name and address are the pool's; the MAC address tells that somebody else has them now."""
    first = near((ONE, TWO), MACS)
    await scanned(inventory, *first)
    late = near((ONE, TWO), MACS[1:], seen_at=LATE)
    await scanned(inventory, *late)
    assert sorted(asset["macs"] for asset in await shown(inventory)) == [[mac] for mac in MACS]


@pytest.mark.parametrize("devices_first", [True, False])
async def test_device_is_none_of_the_hosts_that_share_its_name(inventory: Inventory, devices_first: bool) -> None:
    """Nobody knows which of them it is, whichever source came first."""

    async def sync() -> None:
        await inventory.page(DEVICE, device("d", "host"))
        await inventory.link()

    async def scan() -> None:
        await scanned(inventory, *pool(ONE, TWO, THREE))

    for step in (sync, scan) if devices_first else (scan, sync):
        await step()
    found = sorted((asset["addresses"], asset["source_mask"]) for asset in await shown(inventory))
    assert found == [([], BITS[AZUREAD]), *(([at], BITS[SCAN]) for at in (ONE, TWO, THREE))]


@pytest.mark.parametrize("steps", [*permutations(["sync", "scan", "near"])])
async def test_device_is_the_host_whose_mac_address_it_names(inventory: Inventory, steps: Sequence[str]) -> None:
    """Of several hosts with its name the one that other evidence agrees with; no host is lost over it."""
    for step in steps:
        if step == "sync":
            await inventory.page(DEVICE, device("d", "host", physicalIds=[f"[MAC]:{MACS[1]}"]))
            await inventory.link()
        elif step == "scan":
            await scanned(inventory, *pool(ONE, TWO, THREE))
        else:
            await scanned(inventory, *near((ONE, TWO, THREE), MACS, seen_at=LATE))
    found = sorted((asset["addresses"], asset["source_mask"]) for asset in await shown(inventory))
    assert found == [([ONE], BITS[SCAN]), ([TWO], BOTH), ([THREE], BITS[SCAN])]


async def test_device_that_names_two_mac_addresses_joins_the_hosts_that_have_them(inventory: Inventory) -> None:
    """A laptop in its dock and on the air: better evidence than a name joins what a report tells apart."""
    await inventory.page(DEVICE, device("d", "host", physicalIds=[f"[MAC]:{mac}" for mac in MACS[:2]]))
    await inventory.link()
    found = near((ONE, TWO), MACS)
    for _ in range(2):
        await scanned(inventory, *found)
        (asset,) = await shown(inventory)
        assert (asset["addresses"], asset["source_mask"], len(asset["records"])) == ([ONE, TWO], BOTH, 2)


async def test_device_leaves_its_host_when_a_report_finds_two_of_the_name(inventory: Inventory) -> None:
    """It was the only candidate, and is no longer; the asset stays with the host at its address."""
    await inventory.page(DEVICE, device("d", "host"))
    await inventory.link()
    await scanned(inventory, *pool(ONE))
    await scanned(inventory, *pool(ONE, TWO, seen_at=LATE))
    found = sorted((asset["addresses"], asset["source_mask"]) for asset in await shown(inventory))
    assert found == [([], BITS[AZUREAD]), ([ONE], BITS[SCAN]), ([TWO], BITS[SCAN])]


async def test_hosts_of_one_name_stay_one_asset_when_a_person_has_merged_them(inventory: Inventory) -> None:
    """A person knows that it is one machine with two addresses; a third host of the name is another one."""
    await scanned(inventory, *pool(ONE, TWO))
    (into, _), (other, _) = await placed(inventory)
    async with inventory.store.write() as tx:
        await tx.run_sync(merge_assets, inventory.clock, inventory.directory.organization_id, into, [other])
    await scanned(inventory, *pool(ONE, TWO, THREE, seen_at=LATE))
    assert await addresses(inventory) == [[ONE, TWO], [THREE]]


def reports(seen_at: str) -> st.SearchStrategy[list[Host]]:
    """Make reports whose hosts often share names, and sometimes addresses and MAC addresses."""
    hosts = st.builds(
        Host,
        seen_at=st.just(seen_at),
        names=st.sampled_from([("pool",), ("POOL.example",), ("b",), ("pool", "b")]),
        addresses=st.lists(st.sampled_from([ONE, TWO, THREE]), min_size=1, max_size=2).map(tuple),
        macs=st.sampled_from([(), (), (), *((mac,) for mac in MACS), MACS[:2]]),
    )
    return st.lists(hosts, min_size=1, max_size=4)


@pytest.mark.slow
@given(earlier=st.tuples(reports(EARLY), reports(LATE)), report=reports(LAST))
@settings(max_examples=share(8, 60))
def test_each_host_of_a_report_has_an_asset_of_its_own_whatever_came_before(
    inventories: Inventories, earlier: tuple[list[Host], list[Host]], report: list[Host]
) -> None:
    """None is lost in another's record, none is there twice, and the report again changes nothing."""

    async def check(inventory: Inventory) -> None:
        for one in earlier:
            await scanned(inventory, *one)
        before, expected = len(await addresses(inventory)), merge(report)
        created = (await scanned(inventory, *report)).get("created", 0)
        after = await shown(inventory)
        last = sorted(asset["addresses"] for asset in after if asset["last_seen"] == LAST)
        assert last == sorted(found["addresses"] for found in expected)
        assert len(after) == before + created
        assert await scanned(inventory, *report) == {"merged": len(expected)}
        assert await shown(inventory) == after

    inventories.try_on_a_new_one(check)


@pytest.mark.slow
@given(early=reports(EARLY), late=reports(LATE))
@settings(max_examples=share(8, 60))
def test_two_reports_give_the_same_hosts_in_either_order(
    inventories: Inventories, early: list[Host], late: list[Host]
) -> None:
    """An old report that comes late tells of the same machines as it would have told before."""
    results: list[Any] = []

    async def check(inventory: Inventory) -> None:
        for one in (early, late)[:: -1 if results else 1]:
            await scanned(inventory, *one)
        told = ("names", "addresses", "macs", "first_seen", "last_seen")
        results.append(sorted([asset[name] for name in told] for asset in await shown(inventory)))

    inventories.try_on_a_new_one(check)
    inventories.try_on_a_new_one(check)
    assert results[0] == results[1]
