"""changes: what was created, updated and removed since a cursor; who follows it always has what the lists show."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.access import Role
from sync.organization.organizations import next_version
from sync.store import tables
from tests.api.caller import Caller
from tests.api.rows import Rows
from tests.api.world import World

# Inventory → its list, its noun, and the fields of a copy.
COPIED = {
    "ASSETS": ("assets", "Asset", "id name names os serial lastSeen comment updatedAt"),
    "USERS": ("users", "User", "id displayName city updatedAt"),
    "GROUPS": ("groups", "Group", "id displayName kind description updatedAt"),
}
TABLES = {"ASSETS": tables.assets, "USERS": tables.users, "GROUPS": tables.groups}


def document(inventory: str) -> str:
    """Write the document of one page of changes."""
    _, noun, fields = COPIED[inventory]
    return (
        f"query($after: String, $first: Int) {{ changes(inventory: {inventory}, after: $after, first: $first) {{ "
        f"nodes {{ change id version changedAt node {{ ... on {noun} {{ {fields} }} }} }} "
        "pageInfo { hasNextPage endCursor } } }"
    )


@dataclass
class Copy:
    """A client's copy of one inventory, and where it stands."""

    caller: Caller
    inventory: str
    rows: dict[str, Any] = field(default_factory=dict)
    cursor: str | None = None
    # The ids of the copy when nothing more was to come for the last time.
    complete: set[str] = field(default_factory=set)

    async def page(self, first: int = 1000) -> Any:
        """Read one page into the copy and return it."""
        asked = {"after": self.cursor, "first": first}
        page = (await self.caller.data(document(self.inventory), **asked))["changes"]
        assert len(page["nodes"]) <= first
        for change in page["nodes"]:
            if change["change"] == "REMOVED":
                assert change["node"] is None
                self.rows.pop(change["id"], None)
            else:
                assert change["node"]["id"] == change["id"]
                assert change["change"] == "UPDATED" or change["id"] not in self.complete
                self.rows[change["id"]] = change["node"]
        self.cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            self.complete = set(self.rows)
        return page

    async def catch_up(self, first: int = 1000) -> None:
        """Read pages until there is no more."""
        while (await self.page(first))["pageInfo"]["hasNextPage"]:
            pass


async def listed(caller: Caller, inventory: str) -> dict[str, Any]:
    """Return what the full list shows, by id."""
    name, _, fields = COPIED[inventory]
    data = await caller.data(f"{{ {name}(first: 1000) {{ nodes {{ {fields} }} }} }}")
    return {node["id"]: node for node in data[name]["nodes"]}


async def add(tx: AsyncConnection, organization: int, table: Table, version: int) -> int:
    """Write a new row, as a sync does, and return its key."""
    mine = table.c.organization_id == organization
    row = (await tx.execute(select(table).where(mine).limit(1))).mappings().one()
    fresh = {name: row[name] for name in ("site_id", "directory_id", "source") if name in row}
    fresh |= {"version": version, "created_version": version}
    if table is not tables.assets:
        known = {"directory_id": row["directory_id"], "external_id": f"new {version}", "generation": 1}
        made = insert(tables.objects).values(known).returning(tables.objects.c.id)
        fresh |= {"id": await tx.scalar(made), "external_id": known["external_id"]}
    statement = insert(table).values(Rows(organization, version).row(table, **fresh))
    return int((await tx.execute(statement.returning(table.c.id))).scalar_one())


async def change(world: World, organization: int, chance: random.Random, inventory: str) -> None:
    """Write in one transaction what a page of a sync may: create, change, remove and restore rows at random."""
    table, now = TABLES[inventory], f"2026-11-23T04:05:{chance.randrange(60):02}.123Z"
    mine = table.c.organization_id == organization
    async with world.runtime.store.write() as tx:
        keys = list(await tx.scalars(select(table.c.id).where(mine)))
        version = await tx.run_sync(next_version, organization)
        chosen = table.c.id.in_(chance.sample(keys, chance.randrange(1, 5)))
        common: dict[str, Any] = {"version": version, "updated_at": now}
        match chance.randrange(4):
            case 0:
                name = "name" if inventory == "ASSETS" else "display_name"
                await tx.execute(update(table).where(chosen).values({**common, name: chance.choice(["a", None])}))
            case 1:
                await tx.execute(update(table).where(chosen).values(**common, deleted_at=now))
            case 2:
                await tx.execute(update(table).where(chosen).values(**common, deleted_at=None))
            case _:
                await add(tx, organization, table, version)


@pytest.mark.slow(cases=(3, 12))
@pytest.mark.parametrize("inventory", COPIED)
@pytest.mark.parametrize("seed", range(8))
async def test_copy_equals_the_list_whatever_is_written_while_it_is_pulled(
    world: World, inventory: str, seed: int
) -> None:
    """Pages of any size, with writes between any two of them: once there is no more, the copy is the full list."""
    chance = random.Random(f"{inventory} {seed}")  # noqa: S311 - the same changes in every run
    organization = await world.new_organization(f"Pulled {inventory} {seed}", seed=seed)
    copy = Copy(world.caller(Role.VIEWER, organization), inventory)
    for _ in range(30):
        for _ in range(chance.randrange(3)):
            await change(world, organization, chance, inventory)
        page = await copy.page(chance.choice([1, 2, 5, 40]))
        if not page["pageInfo"]["hasNextPage"]:
            assert copy.rows == await listed(copy.caller, inventory)
    await copy.catch_up(3)
    assert copy.rows == await listed(copy.caller, inventory)


async def test_copy_equals_the_list_after_syncs(world: World) -> None:
    """What two runs of a task wrote, with removals, comes out as the lists show it."""
    for inventory in COPIED:
        copy = Copy(world.caller(), inventory)
        await copy.catch_up(17)
        assert copy.rows == await listed(copy.caller, inventory) != {}
        assert (await copy.page())["nodes"] == []


async def test_change_says_what_became_of_a_row_since_the_last_pull(world: World) -> None:
    """New rows are CREATED, others UPDATED or REMOVED; a restored one is UPDATED; each comes once."""
    organization = await world.new_organization("Kinds of change", seed=5)
    caller, rows = world.caller(organization=organization), tables.users.c
    copy = Copy(caller, "USERS")
    first = await copy.page()
    assert {change["change"] for change in first["nodes"]} == {"CREATED"}
    assert set(copy.rows) == set(await listed(caller, "USERS"))
    live = sorted(int(id.removeprefix("user_")) for id in copy.rows)
    gone = {row["id"] for row in await world.read(select(tables.users).where(rows.organization_id == organization))}
    touched = {live[0]: None, live[1]: "2026-11-23T04:05:06.123Z", min(gone - set(live)): None}
    async with world.runtime.store.write() as tx:
        version = await tx.run_sync(next_version, organization)
        for key, deleted_at in touched.items():
            await tx.execute(update(tables.users).where(rows.id == key).values(version=version, deleted_at=deleted_at))
        new = await add(tx, organization, tables.users, version)
    page = await copy.page()
    assert {change["id"]: change["change"] for change in page["nodes"]} == {
        f"user_{live[0]}": "UPDATED",
        f"user_{live[1]}": "REMOVED",
        f"user_{new}": "CREATED",
        f"user_{min(gone - set(live))}": "UPDATED",
    }
    assert {change["version"] for change in page["nodes"]} == {version}
    assert (await copy.page())["nodes"] == []


@pytest.mark.parametrize("first", [0, -1, 1001])
async def test_page_of_changes_is_refused_when_its_size_is_out_of_range(world: World, first: int) -> None:
    """A page has 1 to 1,000 changes."""
    assert (await world.caller().ask(document("USERS"), first=first)).code == "BAD_USER_INPUT"


async def test_cursor_is_refused_where_it_does_not_belong(world: World) -> None:
    """It is bound to organization and inventory, and to this list: others of the server do not fit."""
    copy = Copy(world.caller(), "USERS")
    await copy.page(3)
    foreign = [world.caller(organization=world.beta).ask(document("USERS"), after=copy.cursor)]
    foreign += [world.caller().ask(document(name), after=copy.cursor) for name in ("ASSETS", "GROUPS")]
    foreign += [world.caller().ask(document("USERS"), after=text) for text in ("", "x", f"{copy.cursor}A")]
    users = await world.caller().data("{ users(first: 1) { pageInfo { endCursor } } }")
    foreign.append(world.caller().ask(document("USERS"), after=users["users"]["pageInfo"]["endCursor"]))
    assert [(await answer).code for answer in foreign] == ["BAD_CURSOR"] * len(foreign)


async def purge(world: World, organization: int, back: int) -> None:
    """Say that tombstones are gone, but for those of the newest versions: so many."""
    known = tables.organizations.c
    async with world.runtime.store.write() as tx:
        last = (await tx.execute(select(known.version).where(known.id == organization))).scalar_one()
        kept = update(tables.organizations).where(known.id == organization).values(purged_version=last - back)
        await tx.execute(kept)


async def test_cursor_is_refused_when_removals_behind_it_are_forgotten(world: World) -> None:
    """A copy that may miss a removal is told to read everything again, and can."""
    organization = await world.new_organization("Purged", seed=6)
    chance = random.Random(3)  # noqa: S311 - the same changes in every run
    copy = Copy(world.caller(organization=organization), "USERS")
    await change(world, organization, chance, "USERS")
    await copy.catch_up()
    begun = Copy(copy.caller, "USERS")
    await begun.page(2)
    for _ in range(3):
        await change(world, organization, chance, "USERS")
    fresh = Copy(copy.caller, "USERS")
    await fresh.page(2)
    await purge(world, organization, 3)
    assert (await copy.caller.ask(document("USERS"), after=copy.cursor)).code is None
    await purge(world, organization, 0)
    for old in (copy, begun):
        answer = await old.caller.ask(document("USERS"), after=old.cursor)
        assert answer.code == "BAD_CURSOR" and "everything again" in str(answer.problems[0].hint)
    # What had been removed before a first reading began, it never showed.
    await fresh.catch_up(3)
    assert fresh.rows == await listed(fresh.caller, "USERS")


async def test_cursor_is_refused_when_the_server_was_set_back(world: World) -> None:
    """A restored backup has lower versions: a copy that knows more has to begin again."""
    organization = await world.new_organization("Set back", seed=8)
    chance = random.Random(4)  # noqa: S311 - the same changes in every run
    copy = Copy(world.caller(organization=organization), "GROUPS")
    for _ in range(4):
        await change(world, organization, chance, "GROUPS")
    await copy.catch_up()
    mine = tables.organizations.c.id == organization
    async with world.runtime.store.write() as tx:
        await tx.execute(update(tables.organizations).where(mine).values(version=1))
    assert (await copy.caller.ask(document("GROUPS"), after=copy.cursor)).code == "BAD_CURSOR"
