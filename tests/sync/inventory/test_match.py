"""What tells a machine: MAC addresses among hardware identifiers, host names with domains, and keys of several."""

from __future__ import annotations

from typing import Any

import pytest

from sync.inventory.asset.asset import AssetPlace
from sync.inventory.asset.mac import macs_in
from sync.inventory.directory.kind import DEVICE
from sync.inventory.scan.record import Host, apply_scan
from tests.sync.inventory.inventory import Inventory, Item, device, joined, registered

MAC = "0a:1b:2c:3d:4e:5f"


@pytest.mark.parametrize(
    ("physical_ids", "expected"),
    [
        (None, []),
        ([], []),
        ("[MAC]:0A-1B-2C-3D-4E-5F", []),
        ([7, None, {"a": MAC}], []),
        (["[MAC]:0A-1B-2C-3D-4E-5F"], [MAC]),
        (["[MAC]:0a:1b:2c:3d:4e:5f", "[MAC]:0A-1B-2C-3D-4E-5F"], [MAC]),
        (["0A-1B-2C-3D-4E-60 0A-1B-2C-3D-4E-5F"], [MAC, "0a:1b:2c:3d:4e:60"]),
        (["[GID]:g:6966518641218", "[HWID]:h:0a1b2c3d4e5f"], []),
        (["[USER-GID]:3f2b-0a1b2c3d4e5f:1"], []),
        (["0A-1B-2C-3D-4E-5F-60-61"], []),
        (["0A-1B:2C-3D:4E-5F"], []),
        (["[MAC]:00-00-00-00-00-00", "[MAC]:FF:FF:FF:FF:FF:FF"], []),
    ],
)
def test_macs_are_read_only_where_they_are_written_as_such(physical_ids: Any, expected: list[str]) -> None:
    """Other identifiers hold twelve hex digits too; addresses that nobody or everybody has tell nothing."""
    assert macs_in(physical_ids) == expected


async def groups(inventory: Inventory, *pages: list[Item]) -> set[tuple[str, ...]]:
    """Link pages of devices one after the other and return which share an asset."""
    for page in pages:
        await inventory.link((await inventory.page(DEVICE, *page)).touched)
    return {members for *_, members in await inventory.assets()}


NAMES: dict[str, tuple[list[str], set[tuple[str, ...]]]] = {
    "same": (["ws1.a.example", "WS1.A.example"], {("0", "1")}),
    "one without a domain": (["ws1.a.example", "ws1"], {("0", "1")}),
    "the other without": (["ws1", "ws1.a.example"], {("0", "1")}),
    "two domains": (["ws1.a.example", "ws1.b.example"], {("0",), ("1",)}),
    "several candidates": (["ws1.a.example", "ws1.b.example", "ws1"], {("0",), ("1",), ("2",)}),
    "the full name decides": (["ws1.a.example", "ws1.b.example", "WS1.B.example"], {("0",), ("1", "2")}),
    "generic with a domain": (["localhost.a.example", "localhost.a.example"], {("0",), ("1",)}),
}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("case", NAMES)
async def test_host_name_matches_when_the_domains_agree(inventory: Inventory, case: str, together: bool) -> None:
    """On one page or on several: short name and full name, in any case, unless more than two records have it."""
    names, expected = NAMES[case]
    items = [(registered, joined)[number % 2](str(number), name) for number, name in enumerate(names)]
    assert await groups(inventory, *([items] if together else [[item] for item in items])) == expected


@pytest.mark.parametrize("together", [True, False])
async def test_mac_address_matches_what_no_name_does(inventory: Inventory, together: bool) -> None:
    """A device that was renamed and registered anew is known by its hardware; the match says by which address."""
    items = [device("d", "old", physicalIds=[f"[MAC]:{MAC}"]), device("e", "new", physicalIds=[f"[MAC]:{MAC}"])]
    assert await groups(inventory, *([items] if together else [[item] for item in items])) == {("d", "e")}
    assert (await inventory.matches())["e"] == ("mac", MAC)


async def test_mac_address_of_several_assets_matches_none_of_them(inventory: Inventory) -> None:
    """A docking station's address tells nothing once two machines have it."""
    ids = {"physicalIds": [f"[MAC]:{MAC}"]}
    pages = [[device("d", "a")], [device("e", "b")], [device("d", "a", **ids), device("e", "b", **ids)]]
    assert await groups(inventory, *pages, [device("f", "c", **ids)]) == {("d",), ("e",), ("f",)}


async def test_better_evidence_comes_first(inventory: Inventory) -> None:
    """Four machines would do: the device id decides, then the hardware, then the MAC address, then the name."""
    hardware, mac = "[HWID]:h:1", f"[MAC]:{MAC}"
    await groups(
        inventory,
        [joined("by id", "a", deviceId="x"), joined("by hardware", "b", physicalIds=[hardware])],
        [joined("by mac", "c", physicalIds=[mac]), joined("by name", "d")],
    )
    found = await groups(
        inventory,
        [registered("one", "d", deviceId="x", physicalIds=[hardware])],
        [registered("two", "d", physicalIds=[mac])],
        [registered("three", "d", physicalIds=["[GID]:g:9"])],
    )
    assert found == {("by hardware", "by id", "one"), ("by mac", "two"), ("by name",), ("three",)}


async def test_scanned_host_is_recognised_by_the_hardware_a_directory_names(inventory: Inventory) -> None:
    """A MAC address that only the directory told joins the scan with the device."""
    await groups(inventory, [device("d", "nb-1", physicalIds=[MAC])])
    place = AssetPlace(inventory.directory.organization_id, inventory.directory.site_id)
    async with inventory.store.write() as tx:
        await tx.run_sync(
            apply_scan, inventory.clock, place, [Host("2026-11-23T04:05:06.123Z", names=("x",), macs=(MAC,))]
        )
    (found,) = await inventory.assets()
    assert found[3] == ("d",) and found[2] == 3
