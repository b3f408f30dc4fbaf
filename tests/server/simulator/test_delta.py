"""Delta query: rounds equal the truth, whatever happens between and during them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from server.simulator import Simulator
from server.simulator.tenant.churn import Churn
from server.simulator.tenant.relation import RELATIONS, relations_of
from sync.clock import SystemClock
from tests.server.simulator.conftest import error_of, open_client
from tests.server.simulator.consumer import Client, Consumer, Values

SELECT = {
    "users": "accountEnabled,displayName,jobTitle,mobilePhone,userPrincipalName",
    "devices": "accountEnabled,deviceId,displayName,isCompliant,operatingSystemVersion,physicalIds",
    "groups": "classification,description,displayName,groupTypes,visibility",
}
PROPERTIES = {kind: tuple(relations_of(kind)) for kind in SELECT}


def first_url(kind: str) -> str:
    return f"/v1.0/{kind}/delta?$select={SELECT[kind]},{','.join(PROPERTIES[kind])}"


def consumers() -> dict[str, Consumer]:
    return {kind: Consumer(kind, PROPERTIES[kind]) for kind in SELECT}


def assert_equal(simulator: Simulator, found: dict[str, Consumer]) -> None:
    """Compare objects, property by property, and visible edges with the truth; absent equals null."""
    live = {i for consumer in found.values() for i in consumer.objects}
    for kind, consumer in found.items():
        names = ["id", *SELECT[kind].split(",")]
        truth = {v["id"]: {name: v.get(name) for name in names} for v in simulator.directory.truth(kind)}
        assert {i: {n: v.get(n) for n in names} for i, v in consumer.objects.items()} == truth
        for name, relation in relations_of(kind).items():
            assert consumer.visible(name, live) == set(simulator.directory.edges(relation.name)), name


@pytest.fixture
def simulator() -> Simulator:
    """Return a tenant whose hidden groups are open, so that every edge can be compared."""
    simulator = Simulator(users=450, devices=420, groups=60, seed=7)
    simulator.registry.apps[simulator.secret_app.client_id].roles.add("Member.Read.Hidden")
    return simulator


async def test_full_round_equals_the_truth(simulator: Simulator, client: Client) -> None:
    """One full round of the three streams is the whole directory, edges included."""
    found = consumers()
    for kind, consumer in found.items():
        await consumer.round(client, first_url(kind))
    assert_equal(simulator, found)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("minimal", [False, True], ids=["default", "minimal"])
@pytest.mark.parametrize("seed", range(8))
async def test_later_rounds_equal_the_truth_after_random_changes(
    simulator: Simulator, client: Client, seed: int, minimal: bool
) -> None:
    """Five rounds of random changes: a client that merges what it is sent stays equal to the directory."""
    found = consumers()
    for kind, consumer in found.items():
        await consumer.round(client, first_url(kind))
    churn = Churn(simulator.directory, seed)
    headers = {"Prefer": "return=minimal"} if minimal else {}
    client.headers.update(headers)
    for _ in range(5):
        churn.apply(120)
        for consumer in found.values():
            consumer.minimal = minimal
            await consumer.round(client)
        assert_equal(simulator, found)


@pytest.mark.parametrize("seed", range(4))
async def test_changes_during_a_full_round_are_not_lost(simulator: Simulator, client: Client, seed: int) -> None:
    """Objects and edges that change while a client pages are right after the round that follows."""
    found = consumers()
    churn = Churn(simulator.directory, seed)
    for kind, consumer in found.items():
        url: str | None = first_url(kind)
        while url:
            page = (await client.get(url)).json()
            for item in page["value"]:
                consumer.merge(item)
            url = page.get("@odata.nextLink")
            churn.apply(60)
        consumer.link = page["@odata.deltaLink"]
    for consumer in found.values():
        await consumer.round(client)
    assert_equal(simulator, found)


@pytest.mark.parametrize("spelling", ["delta", "delta()", "microsoft.graph.delta()", "microsoft.graph.delta"])
async def test_delta_answers_to_each_of_its_names(client: Client, spelling: str) -> None:
    """The function may be called with brackets and with its namespace: SDKs do."""
    assert len((await client.get(f"/v1.0/users/{spelling}")).json()["value"]) == 200


async def test_page_holds_200_objects(client: Client) -> None:
    """Delta has a page size of its own."""
    pages = await client.pages("/v1.0/users/delta?$select=id")
    assert [len(page["value"]) for page in pages] == [200, 200, 50]


async def test_big_group_is_repeated_and_its_pages_add_up() -> None:
    """A group with 2,500 members comes on three pages in a row, the same but for its members."""
    simulator = Simulator(users=5000, devices=10, groups=12, seed=1)
    async with open_client(simulator) as client:
        pages = await client.pages("/v1.0/groups/delta?$select=displayName,members")
    big = simulator.directory.slot_id("groups", 0)
    parts = [item for page in pages for item in page["value"] if item["id"] == big]
    assert [len(part["members@delta"]) for part in parts] == [1000, 1000, 500]
    assert len({part["displayName"] for part in parts}) == 1
    members = [entry["id"] for part in parts for entry in part["members@delta"]]
    assert len(set(members)) == 2500
    assert all(sum(len(i.get("members@delta", ())) for i in page["value"]) <= 1000 for page in pages)


async def test_big_change_is_repeated_in_a_later_round() -> None:
    """More than a thousand new members come over several pages of the next round too."""
    simulator = Simulator(users=3000, devices=1, groups=10, seed=1, largest_group=0)
    group = simulator.directory.slot_id("groups", 7)
    async with open_client(simulator) as client:
        consumer = Consumer("groups", ("members",))
        await consumer.round(client, "/v1.0/groups/delta?$select=displayName,members")
        for user in list(simulator.directory.ids("users"))[:1500]:
            simulator.directory.link("members", group, user)
        pages = await consumer.round(client)
    assert [item["id"] for page in pages for item in page["value"]] == [group, group]
    assert len([edge for edge in consumer.edges["members"] if edge[0] == group]) == 1500


async def test_pages_shrink_with_memberships() -> None:
    """Groups with many members make pages of fewer groups; one that does not fit starts the next page, whole."""
    simulator = Simulator(users=2000, devices=10, groups=400, seed=1, largest_group=900)
    async with open_client(simulator) as client:
        heavy = await client.pages("/v1.0/groups/delta?$select=displayName,members")
        light = await client.pages("/v1.0/groups/delta?$select=displayName")
    assert len(light) == 2
    assert len(heavy) > 8
    ids = [item["id"] for page in heavy for item in page["value"]]
    assert len(ids) == len(set(ids)) == 400


# What a round says


async def later(client: Client, kind: str, select: str, **headers: str) -> str:
    """Return a delta link that stands at now."""
    response = await client.get(f"/v1.0/{kind}/delta?$deltatoken=latest&$select={select}", headers=headers)
    assert response.json()["value"] == []
    link: str = response.json()["@odata.deltaLink"]
    return link


async def changes(client: Client, link: str, **headers: str) -> list[Values]:
    response = await client.get(link, headers=headers)
    assert response.status_code == 200, response.text
    value: list[Values] = response.json()["value"]
    return value


async def test_latest_starts_now_and_shows_only_what_follows(simulator: Simulator, client: Client) -> None:
    """$deltatoken=latest gives an empty page; the next round has the changes since."""
    link = await later(client, "users", "displayName")
    user = simulator.directory.slot_id("users", 3)
    simulator.directory.update("users", user, displayName="New")
    assert await changes(client, link) == [{"id": user, "displayName": "New"}]


async def test_unset_is_absent_and_cleared_is_null(simulator: Simulator, client: Client) -> None:
    """A property that was never set is left out; one set to null is there as null."""
    user = simulator.directory.create("users", displayName="A")
    link = await later(client, "users", "displayName,jobTitle,city")
    simulator.directory.update("users", user, jobTitle="x")
    simulator.directory.update("users", user, jobTitle=None)
    assert await changes(client, link) == [{"id": user, "displayName": "A", "jobTitle": None}]


async def test_minimal_shows_only_what_changed(simulator: Simulator, client: Client) -> None:
    """Prefer: return=minimal leaves unchanged properties out, and says so in a header."""
    link = await later(client, "users", "displayName,jobTitle,city")
    user = simulator.directory.slot_id("users", 3)
    simulator.directory.update("users", user, jobTitle="x")
    response = await client.get(link, headers={"Prefer": "return=minimal"})
    assert response.json()["value"] == [{"id": user, "jobTitle": "x"}]
    assert response.headers["preference-applied"] == "return=minimal"
    assert len((await changes(client, link))[0]) > 2


async def test_change_of_an_unselected_property_shows_nothing(simulator: Simulator, client: Client) -> None:
    """Only selected properties surface an object, and an update to the same value is no change."""
    link = await later(client, "users", "displayName")
    user = simulator.directory.slot_id("users", 3)
    simulator.directory.update("users", user, jobTitle="x")
    simulator.directory.update("users", user, displayName=simulator.directory.values_of(user)["displayName"])
    assert await changes(client, link) == []


async def test_removed_member_is_marked_inside_the_group(simulator: Simulator, client: Client) -> None:
    """Additions carry their type, removals @removed deleted."""
    link = await later(client, "groups", "displayName,members")
    group = simulator.directory.slot_id("groups", 0)
    first = simulator.directory.visible("members", group, 0, 1)[0][1]
    device = simulator.directory.slot_id("devices", 0)
    simulator.directory.unlink("members", group, first)
    simulator.directory.link("members", group, device)
    assert (await changes(client, link))[0]["members@delta"] == [
        {"id": first, "@removed": {"reason": "deleted"}},
        {"@odata.type": "#microsoft.graph.device", "id": device},
    ]


async def test_soft_deleted_user_is_changed_and_sends_no_members(simulator: Simulator, client: Client) -> None:
    """Soft deletion says changed, permanent deletion says deleted; groups say nothing of it."""
    users, groups = await later(client, "users", "displayName"), await later(client, "groups", "members")
    group = simulator.directory.slot_id("groups", 0)
    soft, hard = (simulator.directory.visible("members", group, n, n + 1)[0][1] for n in (0, 1))
    assert simulator.directory.delete("users", soft) == "changed"
    assert simulator.directory.delete("users", hard, permanently=True) == "deleted"
    assert await changes(client, users) == [
        {"id": soft, "@removed": {"reason": "changed"}},
        {"id": hard, "@removed": {"reason": "deleted"}},
    ]
    assert await changes(client, groups) == []
    listed = {item["id"] for item in await client.all(f"/v1.0/groups/{group}/members?$select=id&$top=999")}
    assert not listed & {soft, hard}


async def test_restored_user_comes_back_as_if_new(simulator: Simulator, client: Client) -> None:
    """After a restore every selected property is sent, even to a minimal client, and memberships are back."""
    user = simulator.directory.slot_id("users", 5)
    groups = set(simulator.directory.groups_of(user))
    simulator.directory.delete("users", user)
    link = await later(client, "users", "displayName,userPrincipalName")
    simulator.directory.restore("users", user)
    item = (await changes(client, link, Prefer="return=minimal"))[0]
    assert set(item) == {"id", "displayName", "userPrincipalName"}
    assert set(simulator.directory.groups_of(user)) == groups


def test_security_group_is_gone_at_once_and_m365_group_is_not(simulator: Simulator) -> None:
    """Only Microsoft 365 groups go through soft deletion."""
    assert simulator.directory.delete("groups", simulator.directory.slot_id("groups", 0)) == "deleted"
    assert simulator.directory.delete("groups", simulator.directory.slot_id("groups", 4)) == "changed"


async def test_full_round_can_contain_removed_objects(simulator: Simulator, client: Client) -> None:
    """A soft-deleted object is in the first round too, as removed; a permanently deleted one is not."""
    soft, hard = simulator.directory.slot_id("users", 5), simulator.directory.slot_id("users", 6)
    simulator.directory.delete("users", soft)
    simulator.directory.delete("users", hard, permanently=True)
    items = {item["id"]: item for item in await client.all("/v1.0/users/delta?$select=id")}
    assert items[soft] == {"id": soft, "@removed": {"reason": "changed"}}
    assert hard not in items


async def test_manager_change_takes_the_old_and_adds_the_new(simulator: Simulator, client: Client) -> None:
    """manager@delta has the removal and the addition, and an idle round has nothing."""
    link = await later(client, "users", "displayName,manager")
    user, manager = (simulator.directory.slot_id("users", n) for n in (9, 5))
    old = simulator.directory.visible("manager", user)[0][1]
    simulator.directory.link("manager", user, manager)
    response = (await client.get(link)).json()
    assert response["value"][0]["manager@delta"] == [
        {"id": old, "@removed": {"reason": "deleted"}},
        {"@odata.type": "#microsoft.graph.user", "id": manager},
    ]
    assert await changes(client, response["@odata.deltaLink"]) == []


async def test_filter_by_ids_limits_a_round_and_those_that_follow(simulator: Simulator, client: Client) -> None:
    """The only filter is ids, at most 50; others are refused."""
    ids = [simulator.directory.slot_id("groups", n) for n in (2, 5)]
    clause = " or ".join(f"id eq '{i}'" for i in ids)
    page = (await client.get(f"/v1.0/groups/delta?$select=displayName&$filter={clause}")).json()
    assert [item["id"] for item in page["value"]] == ids
    simulator.directory.update("groups", ids[0], displayName="x")
    simulator.directory.update("groups", simulator.directory.slot_id("groups", 9), displayName="x")
    assert [item["id"] for item in await changes(client, page["@odata.deltaLink"])] == ids[:1]
    assert (await client.get("/v1.0/groups/delta?$filter=displayName eq 'x'")).status_code == 400


async def test_device_relations_can_be_switched_off() -> None:
    """Where devices/delta does not know registeredOwners, selecting it is 400; the default knows it."""
    url = "/v1.0/devices/delta?$select=displayName,registeredOwners"
    for known in (True, False):
        simulator = Simulator(users=20, devices=20, groups=1, device_relations_in_delta=known)
        async with open_client(simulator) as client:
            response = await client.get(url)
        assert response.status_code == (200 if known else 400)
        assert known or error_of(response)["code"] == "Request_BadRequest"


# Tokens


@pytest.mark.parametrize("name", ["$deltatoken", "$skiptoken"])
@pytest.mark.parametrize("token", ["junk", "AAAA" * 40, "%00", "😀"])
async def test_malformed_token_is_400(client: Client, name: str, token: str) -> None:
    """A token that nobody issued is 'Badly formed token.'"""
    response = await client.get("/v1.0/users/delta", params={name: token})
    assert response.status_code == 400
    assert error_of(response)["message"] == "Badly formed token."


async def test_token_of_another_stream_or_purpose_is_400(client: Client) -> None:
    """A users token does not work for groups, a next token not as a delta token."""
    link = (await client.get("/v1.0/users/delta")).json()["@odata.nextLink"]
    assert (await client.get(link.replace("users", "groups"))).status_code == 400
    assert (await client.get(link.replace("skiptoken", "deltatoken"))).status_code == 400
    assert (await client.get(f"{link}&$select=id")).status_code == 400


async def test_expired_delta_state_is_410_with_a_way_to_start_anew(simulator: Simulator, client: Client) -> None:
    """410 syncStateNotFound names a Location with an empty token, which starts a full round of the same query."""
    link = await later(client, "users", "displayName,manager")
    simulator.expire_delta()
    response = await client.get(link)
    assert (response.status_code, error_of(response)["code"]) == (410, "syncStateNotFound")
    assert "$deltatoken=&" in response.headers["location"]
    page = (await client.get(response.headers["location"])).json()
    assert len(page["value"]) == 200
    assert set(page["value"][0]) <= {"id", "displayName", "manager@delta"}


class MovedClock(SystemClock):
    """The machine's clock, ahead by some days."""

    days = 0

    def now(self) -> datetime:
        """Return the moved time."""
        return super().now() + timedelta(days=self.days)


async def test_delta_link_dies_after_seven_days() -> None:
    """A delta link works on day six and is 410 on day eight; each round gives a fresh one."""
    clock = MovedClock()
    simulator = Simulator(users=5, devices=1, groups=1, clock=clock)
    async with open_client(simulator, simulator.issue_token(lifetime_s=10**7)) as client:
        link = await later(client, "users", "displayName")
        clock.days = 6
        fresh = (await client.get(link)).json()["@odata.deltaLink"]
        clock.days = 8
        assert (await client.get(link)).status_code == 410
        assert (await client.get(fresh)).status_code == 200


async def test_link_survives_a_restart_unless_changes_were_lost() -> None:
    """The same tenant started again takes old links; a position it has never reached is 410."""
    first = Simulator(users=5, devices=1, groups=1, seed=4)
    async with open_client(first) as client:
        start = await later(client, "users", "displayName")
        first.directory.update("users", first.directory.slot_id("users", 0), displayName="x")
        changed = (await client.get(start)).json()["@odata.deltaLink"]
    async with open_client(Simulator(users=5, devices=1, groups=1, seed=4)) as client:
        assert (await client.get(start)).status_code == 200
        assert (await client.get(changed)).status_code == 410


def test_every_relation_belongs_to_a_stream() -> None:
    """The five relations are what three streams carry."""
    assert {r.property for r in RELATIONS.values()} == {name for names in PROPERTIES.values() for name in names}


async def test_member_taken_from_a_group_that_was_then_deleted_and_restored_is_removed(
    simulator: Simulator, client: Client
) -> None:
    """A removal that deletion swallowed is told when the group comes back, in the round after."""
    consumer = Consumer("groups", ("members",))
    await consumer.round(client, "/v1.0/groups/delta?$select=displayName,members")
    group = simulator.directory.slot_id("groups", 4)  # Microsoft 365: restorable
    user = simulator.directory.slot_id("users", 0)
    simulator.directory.link("members", group, user)
    await consumer.round(client)
    simulator.directory.unlink("members", group, user)
    simulator.directory.delete("groups", group)
    await consumer.round(client)
    simulator.directory.restore("groups", group)
    await consumer.round(client)
    assert (group, user) not in consumer.edges["members"]
