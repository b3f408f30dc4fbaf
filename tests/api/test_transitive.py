"""Transitive relations show what a walk over the stored edges finds: through any number of groups, and round cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from sync.inventory.directory.kind import Edge
from sync.store.tables import devices, edges, groups, users
from tests.api.lists import visible
from tests.api.walk import nested_document, walk
from tests.api.world import World

PLACES = ["home", "beta", "gamma"]


@dataclass(frozen=True)
class Stored:
    """The live objects of an organization and what its edges join, by key."""

    users: set[int]
    groups: set[int]
    devices: dict[int, int]
    members: dict[int, set[int]]
    managers: dict[int, int]

    @classmethod
    async def read(cls, world: World, organization: int) -> Stored:
        """Read it all past the schema."""
        live = {table: await world.rows(table, organization) for table in (users, groups, devices)}
        joined = await world.read(select(edges))
        return cls(
            {row["id"] for row in live[users]},
            {row["id"] for row in live[groups]},
            {row["id"]: row["asset_id"] for row in live[devices] if row["asset_id"] is not None},
            _by_source(joined),
            {row["from_id"]: row["to_id"] for row in joined if row["kind"] == Edge.MANAGER},
        )

    def below(self, group: int) -> set[int]:
        """Return every object that is a member of a group, or of one nested in it."""
        found: set[int] = set()
        walked, rest = set(), [group]
        while rest:
            walked.add(here := rest.pop())
            found |= self.members.get(here, set())
            rest += [key for key in self.members.get(here, ()) if key in self.groups - walked]
        return found - {group}

    def above(self, keys: Iterable[int]) -> set[int]:
        """Return every group that holds one of the objects, directly or through others."""
        wanted = set(keys)
        return {group for group in self.groups if self.below(group) & wanted}

    def line(self, user: int) -> list[int]:
        """Return the managers of a user, the nearest first, up to one that is gone or was there before."""
        found: list[int] = []
        here = self.managers.get(user)
        while here in self.users and here not in (user, *found):
            found.append(here)
            here = self.managers.get(here)
        return found


def _by_source(joined: Iterable[Mapping[str, Any]]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for row in joined:
        if row["kind"] == Edge.MEMBER:
            found.setdefault(row["from_id"], set()).add(row["to_id"])
    return found


def key_of(node: Mapping[str, Any]) -> int:
    """Return the key in an id."""
    return int(node["id"].partition("_")[2])


def keys(connection: Mapping[str, Any]) -> set[int]:
    """Return the keys of a list's nodes, each of which must be there once."""
    found = [key_of(node) for node in connection["nodes"]]
    assert len(found) == len(set(found)) == connection["totalCount"]
    return set(found)


def listed(*fields: str) -> str:
    """Write lists of everything, transitive."""
    return " ".join(f"{field}(first: 1000, transitive: true) {{ totalCount nodes {{ id }} }}" for field in fields)


@pytest.mark.parametrize("place", PLACES)
async def test_group_shows_all_that_are_nested_in_it(world: World, place: str) -> None:
    """users, groups, assets and memberOf follow nested groups to any depth, each row once, cycles and all."""
    organization: int = getattr(world, place)
    stored = await Stored.read(world, organization)
    fields = listed("users", "groups", "assets", "memberOf")
    data = await world.caller(organization=organization).data(
        f"{{ groups(first: 1000) {{ nodes {{ id {fields} }} }} }}"
    )
    deeper = 0
    for group in data["groups"]["nodes"]:
        key, below = key_of(group), stored.below(key_of(group))
        assert keys(group["users"]) == below & stored.users
        assert keys(group["groups"]) == below & stored.groups
        assert keys(group["assets"]) == {stored.devices[device] for device in below & set(stored.devices)}
        assert keys(group["memberOf"]) == stored.above([key]) - {key}
        deeper += len(below - stored.members.get(key, set()))
    assert deeper > 0


@pytest.mark.parametrize("place", PLACES)
async def test_group_members_are_those_of_nested_groups_too_when_asked(world: World, place: str) -> None:
    """The union of all kinds follows nested groups as its typed lists do."""
    organization: int = getattr(world, place)
    stored = await Stored.read(world, organization)
    caller = world.caller(organization=organization)
    others = {row["id"] for row in await visible(world, "DirectoryObject", caller)}
    member = "nodes { ... on Node { id } }"
    members = f"members(first: 1000, transitive: true) {{ totalCount {member} }}"
    text = f"{{ groups(first: 1000) {{ nodes {{ id {members} }} }} }}"
    data = await caller.data(text)
    for group in data["groups"]["nodes"]:
        found = [node["id"] for node in group["members"]["nodes"]]
        below = stored.below(key_of(group))
        assert group["members"]["totalCount"] == len(found)
        assert {id for id in found if not id.startswith("asset")} == {
            *(f"user_{key}" for key in below & stored.users),
            *(f"group_{key}" for key in below & stored.groups),
            *(f"obj_{key}" for key in below & others),
        }
        assert sum(id.startswith("asset") for id in found) == len(below & set(stored.devices))


@pytest.mark.parametrize("place", PLACES)
async def test_user_and_asset_show_all_groups_that_hold_them(world: World, place: str) -> None:
    """groups(transitive) of users and assets lists what holds them directly or through other groups."""
    organization: int = getattr(world, place)
    stored = await Stored.read(world, organization)
    fields = listed("groups")
    text = f"{{ users(first: 1000) {{ nodes {{ id {fields} }} }} assets(first: 1000) {{ nodes {{ id {fields} }} }} }}"
    data = await world.caller(organization=organization).data(text)
    for user in data["users"]["nodes"]:
        assert keys(user["groups"]) == stored.above([key_of(user)])
    for asset in data["assets"]["nodes"]:
        mine = [device for device, key in stored.devices.items() if key == key_of(asset)]
        assert keys(asset["groups"]) == stored.above(mine)


@pytest.mark.parametrize("place", PLACES)
async def test_manager_chain_is_the_line_of_managers(world: World, place: str) -> None:
    """managerChain ends at the top, at a manager that is gone, or before a circle closes."""
    organization: int = getattr(world, place)
    stored = await Stored.read(world, organization)
    text = "{ users(first: 1000) { nodes { id manager { id } managerChain { id } } } }"
    nodes = (await world.caller(organization=organization).data(text))["users"]["nodes"]
    for user in nodes:
        assert [key_of(manager) for manager in user["managerChain"]] == stored.line(key_of(user))
    assert max(len(user["managerChain"]) for user in nodes) > 1


async def test_group_is_not_its_own_member_when_groups_form_a_cycle(office: World) -> None:
    """Three groups in a ring hold each other, and none holds itself; a group in itself holds nothing."""
    keys_ = [row["id"] for row in await office.rows(groups, office.beta)][:4]
    ring = list(zip(keys_, keys_[1:3] + keys_[:1], strict=False))
    async with office.runtime.store.write() as tx:
        await tx.execute(edges.delete().where(edges.c.kind == Edge.MEMBER))
        pairs = [*ring, (keys_[3], keys_[3])]
        await tx.execute(
            insert(edges), [{"kind": Edge.MEMBER, "from_id": a, "to_id": b, "generation": 1} for a, b in pairs]
        )
    data = await office.caller(organization=office.beta).data(
        f"{{ groups(first: 1000) {{ nodes {{ id {listed('groups', 'memberOf')} }} }} }}"
    )
    shown = {key_of(group): (keys(group["groups"]), keys(group["memberOf"])) for group in data["groups"]["nodes"]}
    for key in keys_[:3]:
        assert shown[key] == (set(keys_[:3]) - {key}, set(keys_[:3]) - {key})
    assert shown[keys_[3]] == (set(), set())


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("field", ["users", "members", "groups", "assets", "memberOf"])
async def test_transitive_list_shows_each_row_once_in_pages(world: World, field: str) -> None:
    """A transitive list pages like any other, and its cursors belong to it alone."""
    caller = world.caller(organization=world.beta)
    parents = (await caller.data("{ groups(first: 5) { nodes { id } } }"))["groups"]["nodes"]
    type_ = {"memberOf": "Group"}.get(field, field.capitalize().removesuffix("s"))
    text = nested_document("group(by: {id: $id})", field, f"fragment Node on {type_} {{ ... on Node {{ id }} }}")
    text = text.replace("before: $before", "before: $before, transitive: true")
    for parent in parents:
        whole = await walk(caller, text, field, size=1_000, below="parent", id=parent["id"])
        for backwards in (False, True):
            assert (
                await walk(caller, text, field, size=3, backwards=backwards, below="parent", id=parent["id"]) == whole
            )
    page = f"{{ group(by: {{id: $id}}) {{ {field}(first: 1, transitive: true) {{ pageInfo {{ endCursor }} }} }} }}"
    cursors = {
        parent["id"]: (await caller.data("query($id: ID!) " + page, id=parent["id"]))["group"][field]["pageInfo"]
        for parent in parents
    }
    parent, cursor = next((id_, info["endCursor"]) for id_, info in cursors.items() if info["endCursor"])
    other = page.replace("first: 1, transitive: true", "first: 1, after: $c")
    assert (await caller.ask("query($id: ID!, $c: String) " + other, id=parent, c=cursor)).code == "BAD_CURSOR"


async def test_transitive_lists_take_as_many_statements_for_few_parents_as_for_many(world: World) -> None:
    """A walk begins at all parents of a level at once."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    engine = world.runtime.store.asker.engine
    fields = listed("users", "groups", "assets", "memberOf")
    counts = []
    event.listen(engine, "before_cursor_execute", note)
    try:
        for first in (6, 24):
            statements.clear()
            parts = f"groups(first: {first}) {{ nodes {{ {fields} }} }} users(first: {first}) {{ nodes {{ ...Line }} }}"
            text = f"{{ {parts} }} fragment Line on User {{ managerChain {{ id }} }}"
            await world.caller(organization=world.beta).data(text)
            counts.append(len(statements))
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert counts[0] == counts[1] <= 14
