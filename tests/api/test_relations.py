"""Relations, both ways, show exactly what the directory holds, and nothing of what it deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from server.simulator.tenant.group import HIDDEN
from sync.inventory.directory.kind import DEVICE, GROUP, USER
from tests.api.walk import nested_document, walk
from tests.api.world import World

Pairs = dict[str, set[str]]
USERS = "users(first: 1000) { nodes { externalId } }"
GROUPS = "groups(first: 1000) { nodes { externalId } }"
ASSET = "nodes { azureAd { externalId } }"
DOCUMENT = f"""
{{
  users(first: 1000) {{ nodes {{
    externalId raw manager {{ externalId }} site {{ name }}
    directReports(first: 1000) {{ nodes {{ externalId }} }}
    {GROUPS}
    ownedGroups(first: 1000) {{ nodes {{ externalId }} }}
    ownedAssets(first: 1000) {{ {ASSET} }}
    registeredAssets(first: 1000) {{ {ASSET} }}
  }} }}
  groups(first: 1000) {{ nodes {{
    externalId raw userCount membershipKnown visibility site {{ name }}
    {USERS}
    assets(first: 1000) {{ {ASSET} }}
    {GROUPS}
    memberOf(first: 1000) {{ nodes {{ externalId }} }}
    owners(first: 1000) {{ nodes {{ externalId }} }}
    members(first: 1000) {{ totalCount nodes {{
      __typename
      ... on User {{ externalId }}
      ... on Group {{ externalId }}
      ... on Asset {{ azureAd {{ externalId }} }}
    }} }}
  }} }}
  assets(first: 1000) {{ nodes {{
    sources azureAd {{ externalId raw asset {{ azureAd {{ externalId }} }} }}
    site {{ name }} organization {{ name }}
    matches {{ source key value }} attributes {{ source name value }}
    owners(first: 1000) {{ nodes {{ externalId }} }}
    registeredUsers(first: 1000) {{ nodes {{ externalId }} }}
    {GROUPS}
  }} }}
}}
"""


@dataclass(frozen=True)
class Truth:
    """What the directory holds now, as far as a directory connector that leaves out disabled devices shows it."""

    users: dict[str, Mapping[str, Any]]
    groups: dict[str, Mapping[str, Any]]
    devices: dict[str, Mapping[str, Any]]
    edges: dict[str, set[tuple[str, str]]]

    def targets(self, relation: str, kind: str, sources: Iterable[str]) -> set[str]:
        """Return the objects of a kind that any of the sources points at."""
        wanted, there = set(sources), getattr(self, kind)
        return {end for source, end in self.edges[relation] if source in wanted and end in there}

    def origins(self, relation: str, kind: str, targets: Iterable[str]) -> set[str]:
        """Return the objects of a kind that point at any of the targets."""
        wanted, there = set(targets), getattr(self, kind)
        return {source for source, end in self.edges[relation] if end in wanted and source in there}


@dataclass(frozen=True)
class Picture:
    """The truth, and what the schema showed of it, by external id; assets by the devices they are made of."""

    truth: Truth
    users: dict[str, dict[str, Any]]
    groups: dict[str, dict[str, Any]]
    assets: dict[frozenset[str], dict[str, Any]]

    def machines(self, devices: Iterable[str]) -> set[frozenset[str]]:
        """Return the assets that any of the devices belongs to."""
        wanted = set(devices)
        return {asset for asset in self.assets if asset & wanted}


@pytest.fixture(scope="module")
async def picture(world: World) -> Picture:
    """Return everything the schema shows of the synced organization, beside the directory itself."""
    directory = world.simulator.directory
    kinds: dict[str, dict[str, Mapping[str, Any]]] = {
        kind: {item["id"]: item for item in directory.truth(kind)} for kind in ("users", "groups", "devices")
    }
    kinds["devices"] = {key: item for key, item in kinds["devices"].items() if item["accountEnabled"] is not False}
    hidden = {key for key, item in kinds["groups"].items() if item.get("visibility") == "HiddenMembership"}
    relations = ("members", "groupOwners", "deviceOwners", "deviceUsers", "manager")
    edges = {relation: set(directory.edges(relation)) for relation in relations}
    edges["members"] = {(source, end) for source, end in edges["members"] if source not in hidden}
    shown = await world.caller().data(DOCUMENT)
    return Picture(
        Truth(kinds["users"], kinds["groups"], kinds["devices"], edges),
        {user["externalId"]: user for user in shown["users"]["nodes"]},
        {group["externalId"]: group for group in shown["groups"]["nodes"]},
        {machine(asset): asset for asset in shown["assets"]["nodes"]},
    )


def ids(connection: Mapping[str, Any]) -> set[str]:
    """Return the external ids of a list's nodes, each of which must be there once."""
    found = [node["externalId"] for node in connection["nodes"]]
    assert len(found) == len(set(found))
    return set(found)


def machine(asset: Mapping[str, Any]) -> frozenset[str]:
    """Name an asset by the devices it is made of."""
    return frozenset(device["externalId"] for device in asset["azureAd"])


def machines(connection: Mapping[str, Any]) -> set[frozenset[str]]:
    """Return the assets of a list, each of which must be there once."""
    found = [machine(node) for node in connection["nodes"]]
    assert len(found) == len(set(found))
    return set(found)


async def test_lists_hold_exactly_the_live_objects_of_the_directory(picture: Picture) -> None:
    """Users, groups and devices are those of the directory; what it deleted between two runs is gone."""
    assert set(picture.users) == set(picture.truth.users)
    assert set(picture.groups) == set(picture.truth.groups)
    devices = [device for asset in picture.assets for device in asset]
    assert sorted(devices) == sorted(picture.truth.devices)


@pytest.mark.parametrize(
    ("field", "relation", "backwards", "kind"),
    [
        ("users", "members", False, "users"),
        ("groups", "members", False, "groups"),
        ("memberOf", "members", True, "groups"),
        ("owners", "groupOwners", False, "users"),
    ],
)
async def test_group_shows_the_relations_of_the_directory(
    picture: Picture, field: str, relation: str, backwards: bool, kind: str
) -> None:
    """A group's users, nested groups, parents and owners are the directory's."""
    follow = picture.truth.origins if backwards else picture.truth.targets
    got = {key: ids(group[field]) for key, group in picture.groups.items()}
    assert got == {key: follow(relation, kind, [key]) for key in picture.groups}
    assert any(got.values())


@pytest.mark.parametrize(
    ("field", "relation", "backwards", "kind"),
    [
        ("groups", "members", True, "groups"),
        ("ownedGroups", "groupOwners", True, "groups"),
        ("directReports", "manager", True, "users"),
    ],
)
async def test_user_shows_the_relations_of_the_directory(
    picture: Picture, field: str, relation: str, backwards: bool, kind: str
) -> None:
    """A user's groups, owned groups and reports are the directory's."""
    got = {key: ids(user[field]) for key, user in picture.users.items()}
    assert got == {key: picture.truth.origins(relation, kind, [key]) for key in picture.users}
    assert any(got.values())


async def test_user_shows_its_manager_when_that_one_is_still_there(picture: Picture) -> None:
    """manager is the directory's, and null once the manager was deleted."""
    got = {key: {user["manager"]["externalId"]} if user["manager"] else set() for key, user in picture.users.items()}
    assert got == {key: picture.truth.targets("manager", "users", [key]) for key in picture.users}
    assert set() in got.values()


@pytest.mark.parametrize(("field", "relation"), [("ownedAssets", "deviceOwners"), ("registeredAssets", "deviceUsers")])
async def test_user_shows_the_assets_of_its_devices(picture: Picture, field: str, relation: str) -> None:
    """A user's assets are those whose devices it owns, or that are registered to it."""
    for key, user in picture.users.items():
        expected = picture.machines(picture.truth.origins(relation, "devices", [key]))
        assert machines(user[field]) == expected
    assert any(user[field]["nodes"] for user in picture.users.values())


@pytest.mark.parametrize(("field", "relation"), [("owners", "deviceOwners"), ("registeredUsers", "deviceUsers")])
async def test_asset_shows_the_users_of_its_devices(picture: Picture, field: str, relation: str) -> None:
    """An asset's owners and users are those of all its devices, each once."""
    got = {key: ids(asset[field]) for key, asset in picture.assets.items()}
    assert got == {key: picture.truth.targets(relation, "users", key) for key in picture.assets}
    assert any(got.values())


async def test_asset_shows_the_groups_of_its_devices(picture: Picture) -> None:
    """An asset's groups are those that any of its devices is a direct member of, each once."""
    got = {key: ids(asset["groups"]) for key, asset in picture.assets.items()}
    assert got == {key: picture.truth.origins("members", "groups", key) for key in picture.assets}
    assert any(got.values())


async def test_group_shows_the_assets_of_its_devices(picture: Picture) -> None:
    """A group's assets are those of its member devices; disabled devices have none."""
    for key, group in picture.groups.items():
        assert machines(group["assets"]) == picture.machines(picture.truth.targets("members", "devices", [key]))
    assert any(group["assets"]["nodes"] for group in picture.groups.values())


async def test_group_members_are_its_users_groups_and_assets_together(picture: Picture) -> None:
    """The union lists every direct member of each kind, and counts them."""
    for key, group in picture.groups.items():
        nodes = group["members"]["nodes"]
        kinds = {node["__typename"] for node in nodes} | {"User", "Group", "Asset"}
        by_type = {name: [node for node in nodes if node["__typename"] == name] for name in kinds}
        assert ids({"nodes": by_type["User"]}) == ids(group["users"])
        assert ids({"nodes": by_type["Group"]}) == ids(group["groups"])
        devices = picture.truth.targets("members", "devices", [key])
        assert {machine(node) for node in by_type["Asset"]} == picture.machines(devices)
        assert group["members"]["totalCount"] == len(nodes) == sum(map(len, by_type.values()))
        assert group["userCount"] == len(by_type["User"])


async def test_group_says_so_when_its_members_are_hidden(picture: Picture, world: World) -> None:
    """Without the permission a group with hidden membership shows none, and says that this means unknown."""
    number = list(picture.truth.groups.values())
    assert any(group["visibility"] == "HiddenMembership" for group in picture.groups.values()), number[HIDDEN]
    for group in picture.groups.values():
        is_hidden = group["visibility"] == "HiddenMembership"
        assert group["membershipKnown"] is not is_hidden
        assert not (is_hidden and group["members"]["nodes"])


async def test_deleted_object_appears_nowhere_when_the_directory_removed_it(picture: Picture, world: World) -> None:
    """Deleted users, groups and devices are in no list and behind no relation, whatever edges they had."""
    shown = str([*picture.users.values(), *picture.groups.values(), *picture.assets.values()])
    gone = set().union(*world.gone.values())
    assert len(gone) == 11
    assert not {key for key in gone if key in shown}


async def test_deleted_object_is_not_found_when_looked_up(world: World) -> None:
    """A look-up of a deleted object answers null, like one of an object that never was."""
    caller = world.caller()
    for external_id in world.gone["users"]:
        data = await caller.data("query($id: String) { user(by: {externalId: $id}) { id } }", id=external_id)
        assert data == {"user": None}
    for external_id in world.gone["groups"]:
        data = await caller.data("query($id: String) { group(by: {externalId: $id}) { id } }", id=external_id)
        assert data == {"group": None}


def received(kind: Any, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Graph sends of an object: its id and what was asked for, as far as it was ever set."""
    return {name: value for name, value in item.items() if name in {"id", *kind.select(with_edges=False)}}


async def test_raw_is_the_object_as_graph_sent_it(picture: Picture) -> None:
    """raw is what was received, unchanged, for users, groups and devices."""
    for key, user in picture.users.items():
        assert user["raw"] == received(USER, picture.truth.users[key])
    for key, group in picture.groups.items():
        assert group["raw"] == received(GROUP, picture.truth.groups[key])
    for asset in picture.assets.values():
        for device in asset["azureAd"]:
            assert device["raw"] == received(DEVICE, picture.truth.devices[device["externalId"]])


async def test_asset_is_reached_back_from_its_records(picture: Picture) -> None:
    """Each Azure AD record leads back to the asset it was listed under."""
    for key, asset in picture.assets.items():
        assert asset["sources"] == ["azuread"]
        assert asset["site"] == {"name": "Primary"} and asset["organization"] == {"name": "Default"}
        assert all(machine(device["asset"]) == key for device in asset["azureAd"])


async def test_asset_tells_why_each_record_belongs_to_it(picture: Picture) -> None:
    """There is one match a record: the first is new, each later one names the value both had in common."""
    for key, asset in picture.assets.items():
        assert [match["key"] for match in asset["matches"]][:1] == ["new"]
        assert len(asset["matches"]) == len(key)
        for match in asset["matches"][1:]:
            told = [picture.truth.devices[device] for device in key]
            names = {str(device["displayName"]).casefold() for device in told}
            if match["key"] == "name":
                assert any(name.startswith(match["value"]) for name in names)
            else:
                assert match["key"] == "hardwareId"
                assert all(match["value"] in str(device["physicalIds"]) for device in told)
    assert any(len(key) > 1 for key in picture.assets)


def flat(item: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return an object's set properties, nested ones joined by dots."""
    found: dict[str, Any] = {}
    for name, value in item.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif value is not None:
            found[prefix + name] = value
    return found


async def test_asset_attributes_are_what_its_sources_say(picture: Picture) -> None:
    """attributes lists every set property of every record under the source's own name."""
    for key, asset in picture.assets.items():
        expected = [pair for device in key for pair in flat(received(DEVICE, picture.truth.devices[device])).items()]
        got = [(attribute["name"], attribute["value"]) for attribute in asset["attributes"]]
        assert sorted(got, key=repr) == sorted(expected, key=repr)
        assert {attribute["source"] for attribute in asset["attributes"]} == {"azuread"}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ('prefix: "extensionAttributes."', {"extensionAttributes."}),
        ('prefix: "operating"', {"operating"}),
        ('source: "azuread", prefix: "deviceId"', {"deviceId"}),
        ('source: "scan"', set()),
        ('source: "azuread", prefix: "%"', set()),
    ],
)
async def test_asset_attributes_are_narrowed_by_source_and_prefix(
    world: World, arguments: str, names: set[str]
) -> None:
    """source and prefix leave only what they name; a prefix is literal text."""
    data = await world.caller().data(f"{{ assets(first: 1000) {{ nodes {{ attributes({arguments}) {{ name }} }} }} }}")
    found = [attribute["name"] for asset in data["assets"]["nodes"] for attribute in asset["attributes"]]
    assert bool(found) is bool(names)
    assert all(name.startswith(tuple(names)) for name in found)


async def test_attributes_are_refused_of_a_source_that_is_none(world: World) -> None:
    """A misspelt source is an error with the nearest one, never an empty list; an alias is as good as the name."""
    answer = await world.caller().ask('{ assets { nodes { attributes(source: "azurad") { name } } } }')
    assert answer.code == "BAD_USER_INPUT"
    assert "azuread" in str(answer.problems[0].hint)
    text = "{ assets { nodes { short: attributes(source: %s) { name } } } }"
    assert await world.caller().data(text % '"Entra"') == await world.caller().data(text % '"azuread"')


@pytest.mark.parametrize("noun", ["users", "groups"])
async def test_attributes_of_users_and_groups_are_what_was_received(world: World, noun: str) -> None:
    """attributes is raw, flattened, without what is null."""
    data = await world.caller().data(
        f"{{ {noun}(first: 1000) {{ nodes {{ raw attributes {{ source name value }} }} }} }}"
    )
    for node in data[noun]["nodes"]:
        found = {attribute["name"]: attribute["value"] for attribute in node["attributes"]}
        assert found == {name: value for name, value in flat(node["raw"]).items() if value is not None}
        assert {attribute["source"] for attribute in node["attributes"]} == {"azuread"}


MEMBER = "fragment Node on Member { ... on Node { id } }"
NESTED = [
    ("group(by: {id: $id})", "groups", "users", "fragment Node on User { id }"),
    ("group(by: {id: $id})", "groups", "members", MEMBER),
    ("group(by: {id: $id})", "groups", "owners", "fragment Node on GroupOwner { id }"),
    ("user(by: {id: $id})", "users", "groups", "fragment Node on Group { id }"),
    ("taskRun(id: $id)", "taskRuns", "log", "fragment Node on TaskRunLogEntry { id }"),
    ("task(id: $id)", "tasks", "runs", "fragment Node on TaskRun { id }"),
    ("site(id: $id)", "sites", "tasks", "fragment Node on Task { id }"),
    ("organization(id: $id)", "organizations", "sites", "fragment Node on Site { id }"),
]


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize(("parent", "root", "field", "node"), NESTED, ids=[f"{n[1]}-{n[2]}" for n in NESTED])
async def test_nested_list_shows_each_row_once_in_pages(
    world: World, parent: str, root: str, field: str, node: str
) -> None:
    """A nested list pages like a root list: forwards and backwards the same rows, each once, for every parent."""
    total = 0
    for organization in (world.home, world.beta):
        caller = world.caller(organization=organization)
        parents = (await caller.data(f"{{ {root}(first: 8) {{ nodes {{ id }} }} }}"))[root]["nodes"]
        for key in (one["id"] for one in parents):
            text = nested_document(parent, field, node)
            whole = await walk(caller, text, field, size=1_000, below="parent", id=key)
            # An asset is listed once for each device.
            assert len(whole) == len(set(whole)) or field == "members"
            for backwards in (False, True):
                assert await walk(caller, text, field, size=5, backwards=backwards, below="parent", id=key) == whole
            total += len(whole)
    assert total > 0


async def test_nested_list_is_filtered_and_sorted_like_a_root_list(world: World) -> None:
    """where and orderBy work below a parent, and totalCount counts what they leave of that parent's rows."""
    users = "users(first: 1000, where: {accountEnabled: {eq: true}}, orderBy: [{field: USER_PRINCIPAL_NAME}])"
    text = f"{{ groups(first: 1000) {{ nodes {{ all: {USERS} {users} {{ totalCount nodes {{ ...U }} }} }} }} }}"
    part = " fragment U on User { externalId userPrincipalName accountEnabled }"
    for group in (await world.caller().data(text + part))["groups"]["nodes"]:
        names = [user["userPrincipalName"] for user in group["users"]["nodes"]]
        assert names == sorted(names)
        assert all(user["accountEnabled"] for user in group["users"]["nodes"])
        assert group["users"]["totalCount"] == len(names) <= len(group["all"]["nodes"])
