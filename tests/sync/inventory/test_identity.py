"""Different machines stay apart: names are evidence between two records only that may be one PC; hardware is better."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from sync.inventory.asset.identity import STALE_DAYS, family_of, hardware_in
from sync.inventory.asset.match import BEARERS_MAX
from sync.inventory.asset.merge import merge_assets
from sync.inventory.directory.kind import DEVICE
from sync.store import Store
from sync.store.tables import assets, devices, directories, matches
from tests.share import share
from tests.sync.entra.clock import FakeClock
from tests.sync.inventory.inventory import Inventories, Inventory, Item, device, joined, registered, removed

HARDWARE = {"physicalIds": ["[GID]:g:1", "[HWID]:h:1"]}
OTHER_HARDWARE = {"physicalIds": ["[GID]:g:1", "[HWID]:h:2"]}
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"


def phone(external_id: str, name: str, system: str = "Android") -> Item:
    """Return the record of a phone."""
    return device(external_id, name, operatingSystem=system, trustType="Workplace")


async def groups(inventory: Inventory, *pages: list[Item]) -> set[tuple[str, ...]]:
    """Link pages of devices one after the other and return which share an asset."""
    for page in pages:
        await inventory.link((await inventory.page(DEVICE, *page)).touched)
    return {members for *_, members in await inventory.assets()}


async def test_forty_phones_of_one_model_are_forty_assets(inventory: Inventory) -> None:
    """Makers name phones, people name them after themselves: no phone is another for its name."""
    phones = [phone(f"p{number:02}", "SM-G991B") for number in range(40)]
    found = await groups(inventory, phones[:7], phones[7:])
    assert found == {(item["id"],) for item in phones}


PAIRS: dict[str, tuple[list[Item], bool]] = {
    "joined and registered": ([joined("a", "pc-1"), registered("b", "PC-1")], True),
    "hybrid and registered": ([joined("a", "pc-1", trustType="ServerAd"), registered("b", "pc-1")], True),
    "of iOS": ([phone("a", "Marie", "iOS"), phone("b", "Marie", "iOS")], False),
    "of iPadOS": ([device("a", "x", operatingSystem="iPadOS", trustType="AzureAd"), phone("b", "x", "iPad")], False),
    "a PC and a phone": ([joined("a", "MARIE"), phone("b", "Marie", "iPhone")], False),
    "two systems": ([joined("a", "pc-1"), registered("b", "pc-1", operatingSystem="MacMDM")], False),
    "two Macs": ([joined(c, "MacBook-Pro", operatingSystem="MacMDM") for c in "ab"], False),
    "no system told": ([device("a", "pc-1", trustType="AzureAd"), registered("b", "pc-1")], False),
    "no trust told": ([joined("a", "pc-1", trustType=None), registered("b", "pc-1")], False),
    "both registered": ([registered("a", "pc-1"), registered("b", "pc-1")], False),
    "both joined and active": ([joined(c, "pc-1", approximateLastSignInDateTime=LATE) for c in "ab"], False),
    "both joined, never seen": ([joined("a", "pc-1"), joined("b", "pc-1", approximateLastSignInDateTime=LATE)], False),
    "joined again, the old one stale": (
        [
            joined("a", "pc-1", approximateLastSignInDateTime=EARLY),
            joined("b", "pc-1", approximateLastSignInDateTime=LATE, registrationDateTime="2026-01-02T00:00:00Z"),
        ],
        True,
    ),
    "both joined, in use at one time": (
        [
            joined("a", "pc-1", approximateLastSignInDateTime=EARLY),
            joined("b", "pc-1", approximateLastSignInDateTime=LATE, registrationDateTime="2025-01-02T00:00:00Z"),
        ],
        False,
    ),
    "a third record": ([joined("a", "pc-1"), registered("b", "pc-1"), phone("c", "PC-1")], False),
    "one hardware, two names": ([joined("a", "x", **HARDWARE), joined("b", "y", **HARDWARE)], True),
    "one hardware, two systems": (
        [joined("a", "x", **HARDWARE), device("b", "y", operatingSystem="Linux", **HARDWARE)],
        True,
    ),
    "other hardware, one name": ([joined("a", "pc-1", **HARDWARE), registered("b", "pc-1", **OTHER_HARDWARE)], False),
    "hardware of an image": ([joined(c, c, physicalIds=["[HWID]:h:7"]) for c in "abc"], False),
    "an image and one name": (
        [joined("a", "pc-1", **HARDWARE), registered("b", "pc-1", **HARDWARE), joined("c", "x", **HARDWARE)],
        False,
    ),
    "blanks in names": ([joined("a", "Dr. Meier PC"), registered("b", "Dr. Schulz PC")], False),
}


@pytest.mark.slow(cases=9)
@pytest.mark.parametrize("case", PAIRS)
async def test_records_are_one_machine_only_when_the_rules_say_so(
    store: Store, clock: FakeClock, case: str, data_dir: Path, empty_database: Path
) -> None:
    """Each case in every order of its records, on a page each: the answer is the same."""
    items, expected = PAIRS[case]
    for number, order in enumerate(permutations(items)):
        other = Store.at(Path(copy(empty_database, data_dir / f"{number}.db")))
        found = await groups(await Inventory.of(other, clock), *([item] for item in order))
        await other.close()
        together = {tuple(sorted(item["id"] for item in items))}
        if case == "an image and one name":
            # An image's ids tell nothing, so that the name decides.
            assert found == {("a", "b"), ("c",)}
        else:
            assert found == (together if expected else {(item["id"],) for item in items})


@pytest.mark.parametrize(("days", "expected"), [(STALE_DAYS - 1, False), (STALE_DAYS, True)])
async def test_joined_record_is_stale_after_the_documented_days(
    inventory: Inventory, days: int, expected: bool
) -> None:
    """A re-joined PC is one machine once its old record has been silent for so long beside the new one."""
    late = (datetime.fromisoformat(EARLY) + timedelta(days=days)).isoformat().replace("+00:00", "Z")
    seen = {"a": EARLY, "b": late}
    items = [joined(name, "pc-1", approximateLastSignInDateTime=moment) for name, moment in seen.items()]
    assert (len(await groups(inventory, items)) == 1) is expected


async def test_records_part_when_a_third_one_takes_their_name_and_join_when_it_leaves(inventory: Inventory) -> None:
    """What was one machine by its name is doubtful once a third bears it; the older record keeps the asset."""
    pc = [joined("old", "pc-1", registrationDateTime=EARLY), registered("new", "pc-1", registrationDateTime=LATE)]
    assert await groups(inventory, pc) == {("new", "old")}
    async with inventory.store.write() as tx:
        (before,) = await tx.scalars(select(assets.c.id))
        await tx.execute(update(assets).values(comment="Kept", tags=["lent"]))
    assert await groups(inventory, [joined("third", "pc-1")]) == {("new",), ("old",), ("third",)}
    statement = select(assets).join(devices, devices.c.asset_id == assets.c.id)
    async with inventory.store.read() as tx:
        row = (await tx.execute(statement.where(devices.c.external_id == "old"))).one()
    assert (row.id, row.comment, row.tags) == (before, "Kept", ["lent"])
    assert await groups(inventory, [removed("third")]) == {("new", "old")}
    async with inventory.store.read() as tx:
        (row,) = (await tx.execute(select(assets).where(assets.c.deleted_at.is_(None)))).all()
    assert (row.id, row.comment, row.tags) == (before, "Kept", ["lent"])


async def test_notes_are_kept_when_two_assets_turn_out_to_be_one(inventory: Inventory) -> None:
    """Tags add up and comments follow one another; nothing that a person wrote is lost."""
    await groups(inventory, [joined("a", "pc-1"), registered("b", "other")])
    async with inventory.store.write() as tx:
        await tx.execute(update(assets).where(assets.c.name == "pc-1").values(comment="One", tags=["x"]))
        await tx.execute(update(assets).where(assets.c.name == "other").values(comment="Two", tags=["y"]))
    assert await groups(inventory, [registered("b", "pc-1")]) == {("a", "b")}
    async with inventory.store.read() as tx:
        row = (await tx.execute(select(assets).where(assets.c.deleted_at.is_(None)))).one()
    assert (row.comment, row.tags) == ("One\nTwo", ["x", "y"])


async def wrongly_merged(inventory: Inventory, items: list[Item]) -> int:
    """Make what an earlier version made: one asset of all these, without keys of devices."""
    await groups(inventory, items)
    async with inventory.store.write() as tx:
        keys = list(await tx.scalars(select(assets.c.id).order_by(assets.c.id)))
        await tx.execute(update(devices).values(asset_id=keys[0]))
        await tx.execute(update(matches).values(asset_id=keys[0], key="name"))
        await tx.execute(text("DELETE FROM device_keys"))
        await tx.execute(text("DELETE FROM asset_keys"))
        await tx.execute(assets.delete().where(assets.c.id != keys[0]))
        await tx.execute(update(assets).values(comment="The first", names=["SM-G991B"]))
        await tx.execute(update(directories).values(link_rules=0, exclude_unknown=False, include_inactive=False))
    return int(keys[0])


@pytest.mark.parametrize("size", [3, BEARERS_MAX + 8])
async def test_asset_that_was_wrongly_merged_is_split_when_its_devices_are_linked_again(
    inventory: Inventory, size: int
) -> None:
    """Each phone becomes an asset; the one of the oldest record keeps id and comment, whichever came first."""
    items = [
        phone(f"p{number:02}", "SM-G991B") | {"registrationDateTime": f"2026-01-{28 - number % 28:02}T00:00:00Z"}
        for number in range(size)
    ]
    first = await wrongly_merged(inventory, items)
    await inventory.link()
    oldest = min(items, key=lambda item: (item["registrationDateTime"], item["id"]))["id"]
    async with inventory.store.read() as tx:
        owners = dict(tuple(row) for row in await tx.execute(select(devices.c.external_id, devices.c.asset_id)))
        kept = (await tx.execute(select(assets).where(assets.c.comment.is_not(None)))).all()
    assert len(set(owners.values())) == size
    assert [(row.id, row.comment) for row in kept] == [(first, "The first")] and owners[oldest] == first
    before = await inventory.dump()
    await inventory.link()
    assert await inventory.dump() == before


async def test_merge_of_a_person_stays_when_devices_are_linked_by_new_rules(inventory: Inventory) -> None:
    """What people decided is no mistake of an earlier version."""
    await groups(inventory, [phone("a", "x"), phone("b", "y"), phone("c", "x")])
    async with inventory.store.write() as tx:
        one, two, _ = await tx.scalars(select(assets.c.id).order_by(assets.c.id))
        await tx.run_sync(merge_assets, inventory.clock, inventory.directory.organization_id, one, [two])
        await tx.execute(text("DELETE FROM device_keys"))
    await inventory.link()
    assert {members for *_, members in await inventory.assets()} == {("a", "b"), ("c",)}


NAMES = ["pc-1", "PC-1.a.example", "pc-1.b.example", "Marie", "iPhone"]
SYSTEMS = ["Windows", "Windows", "iOS", "MacMDM", None]
IDS = [None, ["[HWID]:h:1"], ["[HWID]:h:2", "[GID]:g:1"], ["[GID]:g:1"], ["[MAC]:0a-00-00-00-00-01"]]


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Draw one of seven devices as it is now, or its removal."""
    external_id = draw(st.sampled_from("abcdefg"))
    if draw(st.integers(0, 7)) == 0:
        return removed(external_id, draw(st.sampled_from(["changed", "deleted"])))
    more: dict[str, Any] = {
        "trustType": draw(st.sampled_from(["AzureAd", "Workplace", "ServerAd"])),
        "operatingSystem": draw(st.sampled_from(SYSTEMS)),
        "physicalIds": draw(st.sampled_from(IDS)),
        "deviceId": draw(st.sampled_from([None, None, "x"])),
        "accountEnabled": draw(st.sampled_from([True, True, True, False])),
        "approximateLastSignInDateTime": draw(st.sampled_from([EARLY, LATE])),
    }
    return device(external_id, draw(st.sampled_from(NAMES)), **more)


async def shown(inventory: Inventory) -> tuple[Any, ...]:
    """Return which devices share an asset, what is told of each asset, and why."""
    mine = devices.c.directory_id == inventory.directory.id
    async with inventory.store.read() as tx:
        statement = select(assets, devices.c.external_id.label("device"), matches.c.key, matches.c.value)
        joined_ = statement.join_from(devices, assets, assets.c.id == devices.c.asset_id).join(
            matches, matches.c.object_id == devices.c.id
        )
        rows = (await tx.execute(joined_.where(mine).order_by(devices.c.external_id))).all()
        skipped = (await tx.execute(select(devices.c.external_id, devices.c.skipped).where(mine))).all()
    first: dict[int, str] = {}
    told = [(first.setdefault(row.id, row.device), row.names, row.macs, row.device, row.key, row.value) for row in rows]
    return told, sorted(map(tuple, skipped))


@pytest.mark.slow
@settings(max_examples=share(10, 30, 60), deadline=None)
@given(st.lists(items(), min_size=1, max_size=12), st.lists(st.integers(0, 12), max_size=4), st.randoms())
def test_assets_are_the_same_in_any_order_and_history(
    inventories: Inventories, told: list[Item], cuts: list[int], random: Any
) -> None:
    """Any history of devices in any pages gives the assets, and the reasons, of a first sync of what there is now."""
    last = {item["id"]: item for item in told}
    now = [item for item in last.values() if "@removed" not in item]
    random.shuffle(now)
    shapes: list[Any] = []

    async def lived(inventory: Inventory) -> None:
        await inventory.scanned("pc-1", "marie")
        places = sorted({min(cut, len(told)) for cut in cuts})
        for start, end in zip([0, *places], [*places, len(told)], strict=True):
            await inventory.link((await inventory.page(DEVICE, *told[start:end])).touched)
        shapes.append(await shown(inventory))

    async def fresh(inventory: Inventory) -> None:
        await inventory.scanned("pc-1", "marie")
        for item in now:
            await inventory.link((await inventory.page(DEVICE, item)).touched)
        shapes.append(await shown(inventory))

    inventories.try_on_a_new_one(lived)
    inventories.try_on_a_new_one(fresh)
    (assets_lived, skipped_lived), (assets_fresh, skipped_fresh) = shapes
    assert assets_lived == assets_fresh
    assert set(skipped_fresh) <= set(skipped_lived)


@pytest.mark.parametrize(
    ("system", "family"),
    [
        ("Windows", "windows"), ("Windows Server", "windows"), ("WindowsPhone", "mobile"), ("iOS", "mobile"),
        ("IPhone", "mobile"), ("iPadOS", "mobile"), ("AndroidForWork", "mobile"), ("AndroidEnterprise", "mobile"),
        ("MacMDM", "macos"), ("macOS", "macos"), ("Mac OS X", "macos"), ("Linux", "linux"), ("ChromeOS", "chromeos"),
        ("", None), (None, None),
    ],
)  # fmt: skip
def test_family_of_a_system_is_read_from_what_directories_write(system: str | None, family: str | None) -> None:
    """The many words for one system are one family."""
    assert family_of(system) == family


@pytest.mark.parametrize(
    ("physical_ids", "expected"),
    [
        (None, {}),
        (["[USER-GID]:u:1", "[USER-HWID]:u:1", "[OrderId]:x", 7, "[HWID]:h:0", "[ZTDID]:"], {}),
        (["[hwid]:H:6825", "[GID]:g:1", "[ZTDID]:0F-1"], {"HWID": {"h:6825"}, "GID": {"g:1"}, "ZTDID": {"0f-1"}}),
    ],
)
def test_hardware_ids_are_read_where_they_are_the_machines(physical_ids: Any, expected: dict[str, set[str]]) -> None:
    """Ids of users and orders, and placeholders, are no hardware."""
    assert hardware_in(physical_ids) == expected
