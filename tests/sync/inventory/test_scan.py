"""What scans find becomes assets: recognised, merged and computed the same way in whatever order it arrives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.errors import BadInput
from sync.inventory.asset.link import LinkOptions
from sync.inventory.asset.source import AZUREAD, BITS, SCAN
from sync.inventory.directory.kind import DEVICE
from sync.inventory.scan.record import Host, Service, merge
from sync.store.tables import assets
from tests.share import share
from tests.sync.inventory.inventory import DEFAULT, Inventories, Inventory, device, removed
from tests.sync.inventory.scans import EARLY, LATE, MACS, host, scanned, shown

BOTH = BITS[AZUREAD] | BITS[SCAN]


async def one_asset(inventory: Inventory) -> dict[str, Any]:
    """Return the only asset."""
    (asset,) = await shown(inventory)
    return asset


async def test_host_becomes_an_asset_when_nothing_matches(inventory: Inventory) -> None:
    """A new host is an asset with the fields that the scan saw."""
    found = host(
        names=("nb-1.corp.example",), addresses=("10.0.0.10", "10.0.0.9"), macs=("02-00-00-00-00-0A",), os="Linux",
        os_version="6.1", serial="S1", services=(Service(443, "tcp", "nginx"),), detected_by="TCP",
    )  # fmt: skip
    assert await scanned(inventory, found) == {"created": 1}
    asset = await one_asset(inventory)
    assert (asset["name"], asset["domains"], asset["macs"]) == ("nb-1.corp.example", ["corp.example"], [MACS[0]])
    assert asset["addresses"] == ["10.0.0.9", "10.0.0.10"]
    assert (asset["os"], asset["os_version"], asset["serial"]) == ("Linux 6.1", "6.1", "S1")
    assert (asset["alive"], asset["scanned"], asset["source_mask"]) == (True, True, BITS[SCAN])
    assert (asset["first_seen"], asset["last_seen"]) == (EARLY, EARLY)


async def test_host_is_the_same_asset_when_its_mac_is_known(inventory: Inventory) -> None:
    """A new name and address change nothing about the machine; what the scan no longer sees is gone."""
    await scanned(inventory, host(names=("old",), macs=MACS[:1], addresses=("10.0.0.1",)))
    late = host(seen_at=LATE, names=("new",), macs=MACS[:1], addresses=("10.0.0.2",), alive=False)
    assert await scanned(inventory, late) == {"merged": 1, "updated": 1}
    asset = await one_asset(inventory)
    assert (asset["names"], asset["addresses"], asset["alive"]) == (["new"], ["10.0.0.2"], False)
    assert (asset["first_seen"], asset["last_seen"], len(asset["records"])) == (EARLY, LATE, 1)


async def test_host_is_the_same_asset_when_its_name_is_known(inventory: Inventory) -> None:
    """Without a known MAC the host name decides, if exactly one asset has it."""
    await scanned(inventory, host(names=("NB-1.corp.example",)))
    assert (await scanned(inventory, host(names=("nb-1",), macs=MACS[:1])))["merged"] == 1
    assert (await one_asset(inventory))["macs"] == [MACS[0]]


async def test_host_is_the_asset_of_its_mac_when_its_name_is_anothers(inventory: Inventory) -> None:
    """A MAC address says more than a name."""
    await scanned(inventory, host(names=("a",), macs=MACS[:1]), host(names=("b",), macs=MACS[1:2]))
    await scanned(inventory, host(seen_at=LATE, names=("a",), macs=MACS[1:2]))
    assert [(asset["names"], asset["macs"]) for asset in await shown(inventory)] == [
        (["a"], [MACS[0]]),
        (["a"], [MACS[1]]),
    ]


async def test_host_that_was_known_by_its_address_stays_one_asset_when_it_gains_a_name(inventory: Inventory) -> None:
    """A host without name and MAC address is found again by its address, and so it is when it tells more."""
    await scanned(inventory, host(addresses=("10.0.0.1",)))
    assert await scanned(inventory, host(seen_at=LATE, addresses=("10.0.0.1",))) == {"merged": 1, "updated": 1}
    named = host(seen_at=LATE, addresses=("10.0.0.1",), names=("x",))
    assert await scanned(inventory, named) == {"merged": 1, "updated": 1}
    assert await scanned(inventory, host(seen_at=LATE, addresses=("10.0.0.1",), names=("y",))) == {"created": 1}


async def test_device_joins_the_host_that_gains_its_name(inventory: Inventory) -> None:
    """A host known by its address turns out to be a device: one asset, with what people wrote on either."""
    await scanned(inventory, host(addresses=("10.0.0.1",)))
    await inventory.page(DEVICE, device("d", "nb-1"))
    await inventory.link()
    async with inventory.store.write() as tx:
        await tx.execute(assets.update().where(assets.c.name == "nb-1").values(comment="The CFO's"))
    await scanned(inventory, host(seen_at=LATE, addresses=("10.0.0.1",), names=("nb-1",)))
    asset = await one_asset(inventory)
    assert (asset["source_mask"], asset["names"], asset["comment"]) == (BOTH, ["nb-1"], "The CFO's")


@pytest.mark.parametrize("devices_first", [True, False])
async def test_name_matches_a_host_only_when_neither_has_another_candidate(
    inventory: Inventory, devices_first: bool
) -> None:
    """Two devices and a host, or a phone's name: nobody knows which device the host is, whatever came first."""
    phone = device("p", "marie", operatingSystem="iOS", trustType="Workplace")

    async def sync() -> None:
        await inventory.link((await inventory.page(DEVICE, device("d", "nb-1"), phone)).touched)
        await inventory.link((await inventory.page(DEVICE, device("e", "NB-1"))).touched)

    async def scan() -> None:
        await scanned(inventory, host(names=("nb-1",), macs=MACS[:1]), host(names=("marie",), macs=MACS[1:2]))

    for step in (sync, scan) if devices_first else (scan, sync):
        await step()
    both = [asset for asset in await inventory.assets() if asset[2] == BOTH]
    assert (both, len(await inventory.assets())) == ([], 5)


async def test_device_leaves_its_host_when_another_host_takes_the_name(inventory: Inventory) -> None:
    """Then the name tells no longer which of them it is."""
    await scanned(inventory, host(names=("nb-1",), macs=MACS[:1]), host(names=("nb-2",), macs=MACS[1:2]))
    await inventory.page(DEVICE, device("d", "nb-1"))
    await inventory.link()
    assert len(await inventory.assets()) == 2
    await scanned(inventory, host(seen_at=LATE, names=("nb-1",), macs=MACS[1:2]))
    assert {(mask, members) for _, _, mask, members in await inventory.assets()} == {
        (BITS[SCAN], ()),
        (BITS[AZUREAD], ("d",)),
    }


async def test_scan_changes_nothing_when_it_is_applied_again(inventory: Inventory) -> None:
    """The same scan twice leaves the assets and their version alone."""
    hosts = (host(names=("a",), macs=MACS[:2]), host(addresses=("10.0.0.3",)))
    await scanned(inventory, *hosts)
    before, version = await shown(inventory), await inventory.version()
    assert await scanned(inventory, *hosts) == {"merged": 2}
    assert (await shown(inventory), await inventory.version()) == (before, version)


async def test_older_scan_does_not_undo_a_newer_one(inventory: Inventory) -> None:
    """A scan that comes late only tells that the host was known earlier."""
    await scanned(inventory, host(seen_at=LATE, names=("a",), os="Linux"))
    await scanned(inventory, host(names=("a",), os="Windows", alive=False, model="M"))
    asset = await one_asset(inventory)
    assert (asset["os"], asset["alive"], asset["model"]) == ("Linux", True, "M")
    assert (asset["first_seen"], asset["last_seen"]) == (EARLY, LATE)


@pytest.mark.parametrize("scan_first", [True, False])
async def test_device_and_host_are_one_asset_whichever_came_first(inventory: Inventory, scan_first: bool) -> None:
    """The same machine in a directory and in a scan is one asset with both sources, by fixed precedence."""
    found = host(names=("nb-1",), addresses=("10.0.0.1",), os="Windows 11", manufacturer="NIC", alive=False)
    record = device("d", "NB-1", operatingSystem="Windows", operatingSystemVersion="10", manufacturer="Dell")

    async def sync() -> None:
        await inventory.page(DEVICE, record)
        await inventory.link()

    if scan_first:
        await scanned(inventory, found)
        await sync()
    else:
        await sync()
        await scanned(inventory, found)
    asset = await one_asset(inventory)
    assert (asset["source_mask"], asset["source_count"], asset["alive"]) == (BOTH, 2, False)
    assert (asset["name"], asset["names"]) == ("nb-1", ["nb-1", "NB-1"])
    assert (asset["os"], asset["os_version"]) == ("Microsoft Windows 11", None)
    assert (asset["manufacturer"], asset["hw"]) == ("Dell", "Dell")


async def test_asset_keeps_what_the_scan_saw_when_its_device_goes(inventory: Inventory) -> None:
    """Each source's record leaves alone; without any the asset is gone."""
    await scanned(inventory, host(names=("nb-1",), os="Linux"))
    await inventory.page(DEVICE, device("d", "NB-1", manufacturer="Dell"))
    await inventory.link()
    await inventory.page(DEVICE, removed("d"))
    await inventory.link()
    asset = await one_asset(inventory)
    assert (asset["source_mask"], asset["manufacturer"], asset["os"]) == (BITS[SCAN], None, "Linux")


async def test_device_is_imported_when_a_scan_knows_it_and_unknown_ones_are_not_wanted(inventory: Inventory) -> None:
    """A scan makes a device known: then it is no longer skipped."""
    options = LinkOptions(exclude_unknown=True, include_inactive=False)
    await inventory.page(DEVICE, device("d", "nb-1"), device("e", "nb-2"))
    await inventory.link(options=options)
    await scanned(inventory, host(names=("nb-1",)))
    await inventory.link(options=options)
    assert {(row[1], row[3]) for row in await inventory.assets()} == {(("nb-1",), ("d",))}
    await inventory.link(options=DEFAULT)
    assert len(await inventory.assets()) == 2


HOSTS = st.builds(
    Host,
    seen_at=st.sampled_from([EARLY, LATE]),
    names=st.lists(st.sampled_from(["a", "A.x", "b", "c.y", "localhost", ""]), max_size=2).map(tuple),
    macs=st.lists(st.sampled_from(MACS), max_size=2).map(tuple),
    addresses=st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "fe80::1"]), max_size=2).map(tuple),
    alive=st.booleans(),
    os=st.sampled_from([None, "Linux", "Windows"]),
    services=st.lists(st.builds(Service, st.sampled_from([22, 443]), st.just("tcp"), st.sampled_from(["", "x"]))).map(
        tuple
    ),
)


@given(orders=st.lists(HOSTS, max_size=6).flatmap(lambda hosts: st.tuples(st.just(hosts), st.permutations(hosts))))
def test_hosts_are_merged_the_same_in_any_order(orders: tuple[list[Host], list[Host]]) -> None:
    """Which hosts are one, and what is said of it, does not depend on who was found first."""
    assert merge(orders[0]) == merge(orders[1])


@pytest.mark.slow
@given(
    known=st.lists(HOSTS, max_size=3),
    orders=st.lists(HOSTS, max_size=5).flatmap(lambda hosts: st.tuples(st.just(hosts), st.permutations(hosts))),
)
@settings(max_examples=share(8, 40))
def test_assets_are_the_same_in_any_order_of_hosts(
    inventories: Inventories, known: list[Host], orders: tuple[list[Host], list[Host]]
) -> None:
    """A scan over what an earlier one left gives the same assets, however its hosts are shuffled."""
    results: list[Any] = []

    async def check(inventory: Inventory) -> None:
        await scanned(inventory, *known)
        await scanned(inventory, *orders[len(results)])
        places = {"organization_id", "site_id"}
        found = await shown(inventory)
        mine = str(inventory.directory.organization_id), str(inventory.directory.site_id)
        texts = [repr({name: value for name, value in asset.items() if name not in places}) for asset in found]
        results.append([text.replace(f"'organization_id': {mine[0]}, 'site_id': {mine[1]}", "") for text in texts])

    inventories.try_on_a_new_one(check)
    inventories.try_on_a_new_one(check)
    assert sorted(results[0]) == sorted(results[1])


@pytest.mark.parametrize(
    "wrong", [{"addresses": ("10.0.0.256",)}, {"macs": ("02:00:00:00:00",)}, {"macs": ("x" * 12,)}]
)
async def test_scan_is_refused_when_an_address_is_none(inventory: Inventory, wrong: dict[str, Any]) -> None:
    """What no network could have answered is a mistake of the scanner's, and nothing is written."""
    with pytest.raises(BadInput):
        await scanned(inventory, host(names=("a",)), host(**wrong))
    assert await shown(inventory) == []
