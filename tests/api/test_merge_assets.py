"""mergeAssets, splitAsset and the report of duplicates: what a person decides about machines, end to end."""

from __future__ import annotations

from typing import Any

import pytest

from schema.access import Role
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.asset.link import LinkOptions, link_devices
from sync.inventory.directory.directory import open_directory
from sync.inventory.directory.kind import DEVICE
from sync.inventory.directory.page import apply_page
from sync.inventory.directory.round import Round
from sync.inventory.scan.record import Host, apply_scan
from sync.store import tables
from tests.api.mutation import assert_audited, perform
from tests.api.world import World
from tests.sync.inventory.inventory import device, joined, registered

SEEN = "2026-11-23T04:05:06.123Z"
REPORT = (
    "query($site: ID, $first: Int, $after: String) { duplicates(site: $site, first: $first, after: $after) { "
    "nodes { key value explanation assetCount site { id } assets { id } } "
    "pageInfo { hasNextPage hasPreviousPage endCursor } } }"
)


async def new_site(office: World, name: str) -> str:
    """Make a site and return its id."""
    return str((await perform(office, office.caller(), "createSite", name=name)).made()["id"])


async def scanned(office: World, site: str, *hosts: Host) -> list[str]:
    """Scan a site once for each host, and return the ids of its assets, the oldest first."""
    key = int(site.removeprefix("site_"))
    for host in hosts:
        async with office.runtime.store.write() as tx:
            await tx.run_sync(apply_scan, office.runtime.clock, AssetPlace(office.home, key), [host])
    return [f"asset_{row['id']}" for row in await office.rows(tables.assets, office.home) if row["site_id"] == key]


async def report(office: World, site: str, first: int = 50) -> list[Any]:
    """Read a site's report, page by page."""
    found: list[Any] = []
    after = None
    while True:
        page = (await office.caller(Role.VIEWER).data(REPORT, site=site, first=first, after=after))["duplicates"]
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


async def test_assets_are_merged_and_split_again(office: World) -> None:
    """The whole way: two assets, one, two; each step is audited, shown with its match, and seen by `changes`."""
    caller, site = office.caller(Role.USER), await new_site(office, "Merged")
    one, other = await scanned(office, site, Host(SEEN, names=("a",)), Host(SEEN, names=("b",)))
    outcome = await perform(office, caller, "mergeAssets", into=one, assets=[other])
    merged = outcome.made()
    assert (merged["id"], sorted(merged["names"])) == (one, ["a", "b"])
    assert merged["matches"] == [
        {"source": "scan", "key": "new", "value": None},
        {"source": "scan", "key": "manual", "value": "merge"},
    ]
    assert_audited(outcome, caller, "mergeAssets", "OK", one)
    gone = "query($id: ID!) { asset(by: {id: $id}) { id } }"
    assert await caller.data(gone, id=other) == {"asset": None}
    text = "query($id: ID!) { asset(by: {id: $id}) { scan { id names } } }"
    records = (await caller.data(text, id=one))["asset"]["scan"]
    (chosen,) = [record["id"] for record in records if record["names"] == ["b"]]
    outcome = await perform(office, caller, "splitAsset", asset=one, records=[chosen])
    new = outcome.made()
    assert new["names"] == ["b"] and new["matches"] == [{"source": "scan", "key": "manual", "value": "split"}]
    assert_audited(outcome, caller, "splitAsset", "OK", new["id"])
    assert outcome.payload["asset"]["names"] == ["a"] and len(outcome.payload["asset"]["scan"]) == 1


@pytest.mark.parametrize(
    ("mutation", "given", "code", "place"),
    [
        ("mergeAssets", {"into": "asset_1", "assets": []}, "INVALID", "assets"),
        ("mergeAssets", {"into": "asset_1", "assets": ["asset_1"]}, "INVALID", "assets"),
        ("mergeAssets", {"into": "user_1", "assets": ["asset_2"]}, "INVALID", "into"),
        ("mergeAssets", {"into": "asset_1", "assets": ["dev_2"]}, "INVALID", "assets"),
        ("splitAsset", {"asset": "asset_1", "records": ["asset_2"]}, "INVALID", "records"),
        ("splitAsset", {"asset": "asset_1", "records": ["nonsense"]}, "INVALID", "records"),
        ("splitAsset", {"asset": "asset_99999", "records": ["dev_1"]}, "NOT_FOUND", "asset"),
    ],
)
async def test_merge_or_split_is_refused_as_data(
    office: World, mutation: str, given: dict[str, Any], code: str, place: str
) -> None:
    """Each mistake has its code and place, and is audited."""
    outcome = await perform(office, office.caller(), mutation, **given)
    assert outcome.refusal() == (code, ["input", place])
    assert_audited(outcome, office.caller(), mutation, "BAD_USER_INPUT" if code == "INVALID" else code)


async def test_report_names_assets_that_share_what_tells_machines_apart(office: World) -> None:
    """Host name, serial number and MAC address, each with its value and a sentence; pages add up to the whole."""
    site = await new_site(office, "Duplicated")
    macs = ("0a:00:00:00:00:01", "0a:00:00:00:00:02", "0a:00:00:00:00:03")
    hosts = [
        Host(SEEN, names=("web.a.example",), serial="S-1"),
        Host(SEEN, names=("db",), macs=(macs[0],), serial="S-1"),
        Host(SEEN, names=("other",), macs=(macs[1],), serial=""),
        Host(SEEN, names=("more",), macs=(macs[2],), serial=""),
    ]
    ids = await scanned(office, site, *hosts)
    # A machine that was renamed after the two had been told apart.
    async with office.runtime.store.write() as tx:
        key = {"site_id": int(site.removeprefix("site_")), "kind": "NAME", "value": "web"}
        await tx.execute(tables.asset_keys.insert().values(**key, asset_id=int(ids[2].removeprefix("asset_"))))
        key |= {"kind": "MAC", "value": macs[0]}
        await tx.execute(tables.asset_keys.insert().values(**key, asset_id=int(ids[3].removeprefix("asset_"))))
    expected = [
        {"key": "MAC", "value": macs[0], "assets": [ids[1], ids[3]]},
        {"key": "NAME", "value": "web", "assets": [ids[0], ids[2]]},
        {"key": "SERIAL", "value": "S-1", "assets": [ids[0], ids[1]]},
    ]
    for first in (1, 2, 50):
        found = await report(office, site, first)
        assert [
            {"key": row["key"], "value": row["value"], "assets": [asset["id"] for asset in row["assets"]]}
            for row in found
        ] == expected
    assert [row["explanation"] for row in found] == [
        f"2 assets have the MAC address {macs[0]}.",
        "2 assets have the host name web.",
        "2 assets have the serial number S-1.",
    ]
    assert {(row["assetCount"], row["site"]["id"]) for row in found} == {(2, site)}
    everywhere = (await office.caller().data(REPORT))["duplicates"]["nodes"]
    assert [row for row in everywhere if row["site"]["id"] == site] == found
    (await perform(office, office.caller(), "mergeAssets", into=ids[0], assets=[ids[1]])).made()
    assert "S-1" not in {row["value"] for row in await report(office, site)}


async def test_report_tells_why_doubtful_assets_were_not_merged(office: World) -> None:
    """Two devices of one name, three with the hardware of an image, two hosts at one address: each has its reason."""
    key = int((site := await new_site(office, "Doubtful")).removeprefix("site_"))
    async with office.runtime.store.write() as tx:
        clock = office.runtime.clock
        directory = await open_directory(
            tx, clock, organization_id=office.home, site_id=key, cloud="GLOBAL", tenant_id="doubt.example"
        )
        image = {"physicalIds": ["[HWID]:h:7"]}
        items = [
            joined("doubt-1", "twin-1", operatingSystem="Linux"),
            registered("doubt-2", "TWIN-1"),
            *(joined(f"doubt-{number}", f"image-{number}", **image) for number in (3, 4, 5)),
            *(device(f"doubt-{n}", "SM-G991B", operatingSystem="Android", trustType="Workplace") for n in (6, 7, 8)),
        ]
        page = await tx.run_sync(apply_page, clock, directory, DEVICE, items, Round(1, True))
        await tx.run_sync(link_devices, clock, directory, LinkOptions(False, False), page.touched)
    await scanned(office, site, *(Host(SEEN, names=(name,), addresses=("10.9.9.9",)) for name in ("x-1", "x-2")))
    text = "query($site: ID) { duplicates(site: $site) { nodes { key value reason assetCount } } }"
    nodes = (await office.caller(Role.VIEWER).data(text, site=site))["duplicates"]["nodes"]
    assert {(node["key"], node["value"], node["assetCount"]): node["reason"] for node in nodes} == {
        ("ADDRESS", "10.9.9.9", 2): "Two machines may have had the same address, one after the other.",
        ("HARDWARE_ID", "HWID:h:7", 3): "3 assets share it, so it identifies none of them.",
        ("NAME", "twin-1", 2): "They run different operating systems.",
    }


async def test_report_leaves_out_what_a_person_split(office: World) -> None:
    """Two parts of a split share a name and are no duplicates; a third asset with the name makes it one again."""
    site, caller = await new_site(office, "Split"), office.caller()
    one, other = await scanned(office, site, Host(SEEN, names=("a",), serial="Z"), Host(SEEN, names=("b",), serial="Z"))
    (await perform(office, caller, "mergeAssets", into=one, assets=[other])).made()
    text = "query($id: ID!) { asset(by: {id: $id}) { scan { id } } }"
    record = (await caller.data(text, id=one))["asset"]["scan"][1]["id"]
    new = (await perform(office, caller, "splitAsset", asset=one, records=[record])).made()["id"]
    assert await report(office, site) == []
    await scanned(office, site, Host(SEEN, names=("c",), serial="Z"))
    (row,) = await report(office, site)
    assert {one, new} < {asset["id"] for asset in row["assets"]} and row["assetCount"] == 3


async def test_cursor_of_the_report_is_refused_elsewhere(office: World) -> None:
    """It belongs to one organization and one choice of site."""
    site, caller = await new_site(office, "Paged"), office.caller()
    await scanned(office, site, *(Host(SEEN, names=(name,), serial=f"{name[0]}!") for name in ("p1", "p2", "q1", "q2")))
    page = (await caller.data(REPORT, site=site, first=1))["duplicates"]
    after = page["pageInfo"]["endCursor"]
    assert page["pageInfo"]["hasNextPage"] and (await caller.ask(REPORT, site=site, after=after)).code is None
    assert (await caller.ask(REPORT, after=after)).code == "BAD_CURSOR"
    assert (await office.caller(organization=office.beta).ask(REPORT, after=after)).code == "BAD_CURSOR"
    assert (await caller.ask(REPORT, first=0)).code == "BAD_USER_INPUT"
