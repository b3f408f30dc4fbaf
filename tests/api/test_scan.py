"""Scan records: each asset shows its own, as they are stored."""

from __future__ import annotations

from sqlalchemy import select

from sync.store.tables import scan_records
from tests.api.lists import id_of, visible
from tests.api.world import World

TEXT = """{ assets(first: 1000) { nodes { id scan {
  id names addresses macs alive detectedBy firstSeen services { port protocol product } asset { id }
} } } }"""


async def test_asset_shows_its_own_scan_records(world: World) -> None:
    """Each record is listed once, below the asset it belongs to, with its open ports, and leads back to it."""
    caller = world.caller(organization=world.beta)
    stored = await world.read(select(scan_records).order_by(scan_records.c.id))
    expected = {
        id_of("Asset", asset): [
            {
                "id": id_of("ScanRecord", row),
                "names": row["names"],
                "addresses": row["addresses"],
                "macs": row["macs"],
                "alive": row["alive"],
                "detectedBy": row["detected_by"],
                "firstSeen": row["first_seen"],
                "services": [{name: one[name] for name in ("port", "protocol", "product")} for one in row["services"]],
                "asset": {"id": id_of("Asset", asset)},
            }
            for row in stored
            if row["asset_id"] == asset["id"]
        ]
        for asset in await visible(world, "Asset", caller)
    }
    shown = {node["id"]: node["scan"] for node in (await caller.data(TEXT))["assets"]["nodes"]}
    assert shown == expected
    assert any(record["services"] for records in shown.values() for record in records)


async def test_scan_is_empty_when_no_scan_has_seen_the_asset(world: World) -> None:
    """An asset that only a directory knows has no scan record."""
    nodes = (await world.caller().data(TEXT))["assets"]["nodes"]
    assert nodes and not any(node["scan"] for node in nodes)


async def test_attributes_of_a_scan_are_what_its_records_hold(world: World) -> None:
    """Everything that a scan found is an attribute under its own name, nothing that it did not."""
    caller = world.caller(organization=world.beta)
    rows = await world.rows(scan_records, world.beta)
    data = await caller.data(
        '{ assets(first: 1000) { nodes { id attributes(source: "rumble") { source name value } } } }'
    )
    seen = 0
    for asset in data["assets"]["nodes"]:
        mine = [row for row in rows if f"asset_{row['asset_id']}" == asset["id"]]
        found = [(one["name"], one["value"]) for one in asset["attributes"]]
        for name, column in (("osVersion", "os_version"), ("alive", "alive"), ("services", "services")):
            expected = [row[column] for row in mine if row[column] is not None]
            assert [value for key, value in found if key == name] == expected
        assert {one["source"] for one in asset["attributes"]} <= {"scan"}
        seen += len(mine)
    assert seen
