"""Members, owners and managers that are no users, groups or assets: listed, counted, found by filters and searches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from schema.access import Principal, Role
from sync.inventory.directory.kind import Edge
from sync.runtime import Config, Runtime
from sync.store import tables
from tests.api.caller import Caller
from tests.api.office import furnish_office
from tests.api.world import World

# External id → kind, display name, generation; -1 is one that was removed before it was read. The directory lists its
# users, so one that it does not list is not there.
OBJECTS: dict[str, tuple[str | None, str | None, int]] = {
    "app": ("servicePrincipal", "Payroll", 0),
    "contact": ("orgContact", "Zoë (partner)", 0),
    "unit": ("administrativeUnit", None, 0),
    "unlisted": ("user", None, 0),
    "untold": (None, None, 0),
    "forgotten": ("user", "Gone", -1),
}
MEMBERS = {
    "empty": ("app", "contact", "unit", "untold", "forgotten", "unlisted"),
    "sales": ("forgotten",),
    "laptops": ("device phone",),
}
OWNERS = {"empty": ("app", "forgotten"), "admins": ("app", "contact"), "laptops": ("forgotten",)}
# Device owners and users, and managers, that are no users.
OF_OTHERS: list[tuple[Edge, dict[str, tuple[str, ...]]]] = [
    (Edge.DEVICE_OWNER, {"device web-02": ("app", "forgotten"), "device fin-8-laptop": ("app", "contact")}),
    (Edge.DEVICE_USER, {"device fin-7-laptop": ("contact",), "device fin-8-laptop": ("unlisted",)}),
    (Edge.MANAGER, {"ann": ("contact",), "dora": ("forgotten",)}),
]
NODE = "__typename ... on DirectoryObject { externalId kind displayName } ... on User { userPrincipalName }"


@pytest.fixture(scope="module")
async def named(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """Return a caller of an office with objects that have no row in and over its groups; its phone is left out."""
    runtime = await Runtime.open(Config(tmp_path_factory.mktemp("objects") / "data"), run_tasks=False)
    try:
        async with runtime.store.write() as tx:
            site = int(await tx.scalar(select(tables.sites.c.id)) or 0)
            await furnish_office(tx, 1, site)
            directory = await tx.scalar(select(tables.directories.c.id))
            columns = ("external_id", "kind", "display_name", "generation")
            made = [dict(zip(columns, (key, *row), strict=True)) for key, row in OBJECTS.items()]
            await tx.execute(insert(tables.objects), [{**row, "directory_id": directory} for row in made])
            rows = await tx.execute(select(tables.objects.c.external_id, tables.objects.c.id))
            keys = {external_id.removeprefix("x-"): key for external_id, key in rows}
            phone = tables.devices.c.id == keys["device phone"]
            await tx.execute(update(tables.devices).where(phone).values(asset_id=None, display_name="A phone"))
            edges = [(Edge.MEMBER, MEMBERS), (Edge.GROUP_OWNER, OWNERS), *OF_OTHERS]
            ends = [(kind, group, end) for kind, lists in edges for group, found in lists.items() for end in found]
            pairs = [{"kind": k, "from_id": keys[a], "to_id": keys[b], "generation": 1} for k, a, b in ends]
            await tx.execute(insert(tables.edges), pairs)
        yield Caller(runtime, Principal(1, 1, Role.VIEWER, "viewer"))
    finally:
        await runtime.close()


async def groups(caller: Caller, selection: str, **given: Any) -> dict[str, Any]:
    """Return what is selected of each group that is found, by the group's name in the office."""
    declared = {"where": "GroupWhere", "search": "String"}
    head = ", ".join(f"${name}: {declared[name]}" for name in given)
    passed = ", ".join(f"{name}: ${name}" for name in given)
    text = f"{{ nodes {{ externalId {selection} }} }} }}"
    text = f"query({head}) {{ groups({passed}) {text}" if given else f"{{ groups {text}"
    nodes = (await caller.data(text, **given))["groups"]["nodes"]
    return {node.pop("externalId").removeprefix("x-"): node for node in nodes}


def other(name: str) -> dict[str, Any]:
    """Return how an object is shown."""
    kind, display_name, _ = OBJECTS[name]
    return {"__typename": "DirectoryObject", "externalId": name, "kind": kind, "displayName": display_name}


async def test_members_and_owners_show_objects_without_a_row(named: Caller) -> None:
    """They are listed with Graph's type and name, and counted; what was removed is not."""
    found = await groups(named, f"membershipKnown members {{ totalCount nodes {{ {NODE} }} }}")
    assert found["empty"]["members"] == {
        "totalCount": 4,
        "nodes": [other(name) for name in ("app", "contact", "unit", "untold")],
    }
    assert found["sales"]["members"]["totalCount"] == 1
    phone = {"__typename": "DirectoryObject", "externalId": "x-device phone", "kind": None, "displayName": "A phone"}
    assert phone in found["laptops"]["members"]["nodes"]
    assert all(group["membershipKnown"] for group in found.values())
    found = await groups(named, f"owners {{ totalCount nodes {{ {NODE} }} }} otherOwners {{ nodes {{ externalId }} }}")
    ann = {"__typename": "User", "userPrincipalName": "ann@corp.example"}
    assert found["admins"]["owners"] == {"totalCount": 3, "nodes": [ann, other("app"), other("contact")]}
    assert found["empty"]["owners"] == {"totalCount": 1, "nodes": [other("app")]}
    assert found["laptops"]["owners"] == {"totalCount": 0, "nodes": []}
    assert found["admins"]["otherOwners"]["nodes"] == [{"externalId": "app"}, {"externalId": "contact"}]


async def test_what_users_and_other_owners_share_needs_no_fragment(named: Caller) -> None:
    """A document that asks of owners what each has is valid as it was when owners were users alone."""
    text = "owners { nodes { id externalId displayName } edges { cursor node { displayName } } totalCount }"
    found = await groups(named, text)
    names = [edge["node"]["displayName"] for edge in found["admins"]["owners"]["edges"]]
    assert names == ["Ann Alder", "Payroll", "Zoë (partner)"]


FOUND = [
    ({"members": {"exists": False}}, ""),
    ({"members": {"exists": True}}, "admins sales laptops empty"),
    ({"members": {"count": {"eq": 4}}}, "empty"),
    ({"members": {"count": {"gte": 3}}}, "admins laptops empty"),
    ({"owners": {"exists": False}}, "laptops"),
    ({"owners": {"count": {"eq": 3}}}, "admins"),
    ({"owners": {"count": {"lt": 2}}}, "sales laptops empty"),
    ({"owners": {"some": {"displayName": {"startsWith": "pay"}}}}, "admins empty"),
    ({"owners": {"some": {"department": {"isNull": True}}}}, "admins empty"),
    ({"owners": {"none": {"department": {"eq": "Research"}}}}, "sales laptops empty"),
    ({"owners": {"every": {"accountEnabled": {"eq": True}}}}, "laptops"),
    ({"owners": {"every": {"displayName": {"isNull": False}}}}, "admins sales laptops empty"),
    ({"owners": {"some": {"groups": {"some": {"displayName": {"eq": "Nobody"}}}}}}, "admins empty"),
    ({"owners": {"some": {"id": {"ne": "user_1"}, "manager": {"displayName": {"eq": "x"}}}}}, ""),
    ({"otherMembers": {"some": {"kind": {"eq": "serviceprincipal"}}}}, "empty"),
    ({"otherOwners": {"exists": True}}, "admins empty"),
]
SEARCHED = [
    ("has:member", "admins sales laptops empty"),
    ("member:=", ""),
    ("member:payroll", "empty"),
    ("member:contact", "empty"),
    ("member_count:>3", "empty"),
    ("owner:payroll", "admins empty"),
    ("NOT has:owner", "laptops"),
    ("owner:=", "laptops"),
    ("owner_count:3", "admins"),
    ("other_member.kind:orgcontact", "empty"),
    ("owner.department:=", "laptops empty"),
]


@pytest.mark.parametrize(("where", "expected"), FOUND, ids=lambda value: str(value)[:60])
async def test_filter_sees_members_and_owners_without_a_row(named: Caller, where: Any, expected: str) -> None:
    """They exist and count; a condition of users finds what they have, and misses the rest."""
    assert set(await groups(named, "id", where=where)) == set(expected.split())


async def test_group_has_no_owner_when_its_only_one_was_removed(named: Caller) -> None:
    """An object that was removed before it was read is nobody's owner, though the edge is still there."""
    app = update(tables.objects).where(tables.objects.c.external_id == "app")
    async with named.runtime.store.write() as tx:
        await tx.execute(app.values(generation=-1))
    try:
        assert set(await groups(named, "id", where={"owners": {"exists": False}})) == {"laptops", "empty"}
    finally:
        async with named.runtime.store.write() as tx:
            await tx.execute(app.values(generation=0))


@pytest.mark.parametrize(("search", "expected"), SEARCHED)
async def test_search_sees_members_and_owners_without_a_row(named: Caller, search: str, expected: str) -> None:
    """Keywords of members and owners are about all of them."""
    assert set(await groups(named, "id", search=search)) == set(expected.split())


ASSETS_FOUND = [
    ({"where": {"owners": {"exists": False}}}, "web-01 phone ghost"),
    ({"where": {"owners": {"exists": True}}}, "web-02 fin-7-laptop fin-8-laptop"),
    ({"where": {"owners": {"count": {"eq": 3}}}}, "fin-8-laptop"),
    ({"where": {"owners": {"count": {"eq": 0}}}}, "web-01 phone ghost"),
    ({"where": {"owners": {"some": {"displayName": {"eq": "payroll"}}}}}, "web-02 fin-8-laptop"),
    ({"where": {"owners": {"every": {"accountEnabled": {"eq": True}}}}}, "web-01 phone ghost"),
    ({"where": {"otherOwners": {"some": {"kind": {"eq": "orgContact"}}}}}, "fin-8-laptop"),
    ({"where": {"registeredUsers": {"exists": True}}}, "fin-7-laptop"),
    ({"where": {"azureAd": {"some": {"registeredOwners": {"count": {"gte": 2}}}}}}, "fin-8-laptop"),
    ({"where": {"azureAd": {"some": {"registeredUsers": {"exists": True}}}}}, "fin-7-laptop"),
    ({"search": "NOT has:owner"}, "web-01 phone ghost"),
    ({"search": "owner:="}, "web-01 phone ghost"),
    ({"search": "owner:payroll"}, "web-02 fin-8-laptop"),
    ({"search": "owner_count:>=1"}, "web-02 fin-7-laptop fin-8-laptop"),
    ({"search": "has:registered_user"}, "fin-7-laptop"),
    ({"search": "user:partner"}, "fin-7-laptop fin-8-laptop"),
    ({"search": "NOT has:user"}, "web-01 phone ghost"),
]
USERS_FOUND = [
    ({"where": {"manager": {"displayName": {"contains": "partner"}}}}, "ann"),
    ({"where": {"not": {"manager": {"and": []}}}}, "dora"),
    ({"where": {"manager": {"department": {"isNull": True}}}}, "ann"),
    ({"where": {"otherManager": {"kind": {"eq": "orgContact"}}}}, "ann"),
    ({"search": "NOT has:manager"}, "dora"),
    ({"search": "manager:="}, "dora"),
    ({"search": "manager:partner"}, "ann"),
]
ASSETS_LIST = ("assets", "name", "AssetWhere", ASSETS_FOUND)
USERS_LIST = ("users", "externalId", "UserWhere", USERS_FOUND)


@pytest.mark.parametrize(
    ("place", "name", "input_", "given", "expected"),
    [
        pytest.param(place, name, input_, *case, id=f"{place} {case[0]}"[:70])
        for place, name, input_, cases in (ASSETS_LIST, USERS_LIST)
        for case in cases
    ],
)
async def test_filter_sees_owners_of_devices_and_managers_without_a_row(
    named: Caller, place: str, name: str, input_: str, given: dict[str, Any], expected: str
) -> None:
    """What the directory names as owner, user or manager is one; only where it names none there is none."""
    (argument, value) = next(iter(given.items()))
    declared = {"where": input_, "search": "String"}[argument]
    text = f"query($a: {declared}) {{ {place}({argument}: $a) {{ totalCount nodes {{ {name} }} }} }}"
    found = (await named.data(text, a=value))[place]
    assert {node[name].removeprefix("x-") for node in found["nodes"]} == set(expected.split())
    assert found["totalCount"] == len(expected.split())


async def test_owners_of_devices_and_managers_without_a_row_are_listed(named: Caller) -> None:
    """Beside the users, with type and name, and with the way back; what was removed or is not listed is not there."""
    lists = "otherOwners { totalCount nodes { kind displayName } } otherRegisteredUsers { nodes { displayName } }"
    device = "azureAd { otherRegisteredOwners { totalCount } otherRegisteredUsers { totalCount } }"
    text = f"{{ assets {{ nodes {{ name owners {{ totalCount }} {lists} {device} }} }} }}"
    found = {node["name"]: node for node in (await named.data(text))["assets"]["nodes"]}
    payroll = {"kind": "servicePrincipal", "displayName": "Payroll"}
    partner = {"kind": "orgContact", "displayName": "Zoë (partner)"}
    assert found["fin-8-laptop"]["owners"] == {"totalCount": 1}
    assert found["fin-8-laptop"]["otherOwners"] == {"totalCount": 2, "nodes": [payroll, partner]}
    assert found["web-02"]["otherOwners"] == {"totalCount": 1, "nodes": [payroll]}
    assert found["fin-7-laptop"]["otherRegisteredUsers"]["nodes"] == [{"displayName": "Zoë (partner)"}]
    assert found["fin-8-laptop"]["azureAd"] == [
        {"otherRegisteredOwners": {"totalCount": 2}, "otherRegisteredUsers": {"totalCount": 0}}
    ]
    back = "ownedAssets { nodes { name } } registeredAssets { nodes { name } } directReports { nodes { externalId } }"
    text = f"{{ users {{ nodes {{ externalId manager {{ id }} otherManager {{ displayName {back} }} }} }} }}"
    users = {node["externalId"]: node for node in (await named.data(text))["users"]["nodes"]}
    assert users["x-ann"]["manager"] is None
    assert users["x-ann"]["otherManager"] == {
        "displayName": "Zoë (partner)",
        "ownedAssets": {"nodes": [{"name": "fin-8-laptop"}]},
        "registeredAssets": {"nodes": [{"name": "fin-7-laptop"}]},
        "directReports": {"nodes": [{"externalId": "x-ann"}]},
    }
    assert users["x-dora"]["otherManager"] is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("orderBy: [{field: DISPLAY_NAME, direction: DESC}]", ["Zoë (partner)", "Payroll", "Ann Alder"]),
        ("orderBy: [{field: DEPARTMENT}, {field: DISPLAY_NAME}]", ["Payroll", "Zoë (partner)", "Ann Alder"]),
        ("orderBy: [{field: EXTERNAL_ID}]", ["Payroll", "Zoë (partner)", "Ann Alder"]),
        ("orderBy: [{field: ID, direction: DESC}]", ["Zoë (partner)", "Payroll", "Ann Alder"]),
        ('where: {displayName: {contains: "a"}}', ["Ann Alder", "Payroll", "Zoë (partner)"]),
        ('where: {not: {department: {eq: "Research"}}}', ["Payroll", "Zoë (partner)"]),
        ('search: "payroll"', ["Payroll"]),
        ('search: "department:research"', ["Ann Alder"]),
    ],
)
async def test_owners_are_sorted_filtered_and_paged_together(named: Caller, given: str, expected: list[str]) -> None:
    """Pages of one, there and back, hold each owner once, in an order that users and others share."""
    group = '{ group(by: {displayName: "Domain Admins"}) { owners(%s) { totalCount %s } } }'
    page = "pageInfo { endCursor startCursor } nodes { displayName }"
    whole = (await named.data(group % (given, page)))["group"]["owners"]
    assert [node["displayName"] for node in whole["nodes"]] == expected
    assert whole["totalCount"] == len(expected)
    for size, at, start in (("first", "after", "endCursor"), ("last", "before", "startCursor")):
        found, cursor = [], None
        for _ in expected:
            text = f"query($a: String) {group}" % (f"{given}, {size}: 1, {at}: $a", page)
            owners = (await named.data(text, a=cursor))["group"]["owners"]
            found += [node["displayName"] for node in owners["nodes"]]
            cursor = owners["pageInfo"][start]
        assert found == (expected if size == "first" else expected[::-1])


async def test_object_tells_its_groups_and_is_found_by_its_id(named: Caller) -> None:
    """Both ways along an edge, nested groups too; an id of something else's kind is not there."""
    found = await groups(named, "otherMembers { nodes { id } }")
    key = found["empty"]["otherMembers"]["nodes"][0]["id"]
    lists = "groups { nodes { displayName } } all: groups(transitive: true) { totalCount } ownedGroups { totalCount }"
    text = f"query($id: ID!) {{ node(id: $id) {{ ... on DirectoryObject {{ displayName {lists} }} }} }}"
    assert (await named.data(text, id=key))["node"] == {
        "displayName": "Payroll",
        "groups": {"nodes": [{"displayName": "Nobody"}]},
        "all": {"totalCount": 1},
        "ownedGroups": {"totalCount": 2},
    }
    ann = (await named.data('{ user(by: {userPrincipalName: "ann@corp.example"}) { id } }'))["user"]["id"]
    assert (await named.data(text, id=ann.replace("user", "obj")))["node"] is None


async def test_device_that_its_task_leaves_out_is_a_member_all_the_same(world: World) -> None:
    """Disabled devices are no assets; groups show them by what the directory calls them."""
    directory = world.simulator.directory
    left_out = {item["id"]: item["displayName"] for item in directory.truth("devices") if not item["accountEnabled"]}
    text = "otherMembers(first: 1000) { nodes { externalId kind displayName } }"
    found = await groups(world.caller(), f"visibility {text}")
    told = {
        (group, node["externalId"], node["kind"], node["displayName"])
        for group, shown in found.items()
        for node in shown["otherMembers"]["nodes"]
    }
    edges = [edge for edge in directory.edges("members") if edge[1] in left_out]
    hidden = {group for group, shown in found.items() if shown["visibility"] == "HiddenMembership"}
    assert told == {(a, b, "device", left_out[b]) for a, b in edges if a not in hidden}
    assert told
