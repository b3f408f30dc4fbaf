"""Variants: what Microsoft's documentation leaves open, switched on and off; and the tenant's movable clock."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from server.simulator import Simulator
from server.simulator.tenant.churn import Churn
from server.simulator.tenant.relation import relations_of
from server.simulator.variant import Variants
from sync.errors import BadInput
from tests.server.simulator.conftest import error_of, open_client
from tests.server.simulator.consumer import Client, Consumer
from tests.sync.entra.clock import FakeClock

URLS = {
    "users": "/v1.0/users/delta?$select=displayName,jobTitle,manager",
    "devices": "/v1.0/devices/delta?$select=displayName,registeredOwners,registeredUsers",
    "groups": "/v1.0/groups/delta?$select=displayName,description,members,owners",
}
HARD: dict[str, Any] = {
    "shuffled": True, "replays": 7, "empty_pages": 2, "page_objects": 40, "page_links": 60, "lag_s": 30.0,
}  # fmt: skip


@pytest.fixture
def simulator(clock: FakeClock) -> Simulator:
    """Return a tenant whose hidden groups are open, so that every edge can be compared."""
    simulator = Simulator(users=450, devices=420, groups=60, seed=7, clock=clock)
    simulator.registry.apps[simulator.secret_app.client_id].roles.add("Member.Read.Hidden")
    return simulator


def ids(pages: list[dict[str, Any]]) -> list[list[str]]:
    """Return the ids of each page."""
    return [[item["id"] for item in page["value"]] for page in pages]


@pytest.mark.slow(cases=3)
@pytest.mark.parametrize("minimal", [False, True], ids=["default", "minimal"])
@pytest.mark.parametrize("seed", range(4))
async def test_rounds_equal_the_truth_with_every_variant_on(
    simulator: Simulator, client: Client, seed: int, minimal: bool
) -> None:
    """Whatever the order, replays, empty pages and lag: who merges what comes ends up with the directory."""
    simulator.variants.change(HARD)
    found = {kind: Consumer(kind, tuple(relations_of(kind))) for kind in URLS}
    churn = Churn(simulator.directory, seed)
    for number in range(5):
        churn.apply(80)
        if number == 4:  # the last round sees everything: the lag is over
            simulator.clock.advance(60)
        for kind, consumer in found.items():
            consumer.minimal = minimal and number > 0
            client.headers["prefer"] = "return=minimal" if consumer.minimal else ""
            await consumer.round(client, None if number else URLS[kind])
        simulator.clock.advance(20)
    live = {object_id for consumer in found.values() for object_id in consumer.objects}
    for kind, consumer in found.items():
        truth = {values["id"]: values.get("displayName") for values in simulator.directory.truth(kind)}
        assert {i: values.get("displayName") for i, values in consumer.objects.items()} == truth
        for name, relation in relations_of(kind).items():
            assert consumer.visible(name, live) == set(simulator.directory.edges(relation.name)), name


async def test_order_is_another_when_shuffled(simulator: Simulator, client: Client) -> None:
    """The same objects on other pages, in another order, and nothing twice."""
    plain = [i for page in ids(await client.pages(URLS["users"])) for i in page]
    simulator.variants.change({"shuffled": True})
    shuffled = [i for page in ids(await client.pages(URLS["users"])) for i in page]
    assert sorted(shuffled) == sorted(plain)
    assert set(shuffled[:200]) != set(plain[:200])
    assert shuffled != plain


async def test_round_keeps_its_order_when_objects_are_added(simulator: Simulator, client: Client) -> None:
    """A shuffled round that has begun loses nothing; what was added comes in the round that follows."""
    simulator.variants.change({"shuffled": True})
    consumer = Consumer("users", ("manager",))
    first = (await client.get(URLS["users"])).json()
    for item in first["value"]:
        consumer.merge(item)
    added = [simulator.directory.create("users", displayName=f"New {n}") for n in range(3)]
    await consumer.round(client, first["@odata.nextLink"])
    assert len(consumer.objects) == 450
    await consumer.round(client)
    assert len(consumer.objects) == 453 and set(added) <= set(consumer.objects)


async def test_replays_repeat_the_end_of_the_page_before(simulator: Simulator, client: Client) -> None:
    """Each page begins with the last objects of the one before, and still has 200 of its own."""
    simulator.variants.change({"replays": 3})
    pages = ids(await client.pages(URLS["users"]))
    assert [len(page) for page in pages] == [200, 203, 53]
    for before, after in itertools.pairwise(pages):
        assert after[:3] == before[-3:]


async def test_replays_repeat_changes_and_removals_too(simulator: Simulator, client: Client) -> None:
    """In a later round an entry comes twice, the same."""
    link = (await client.get("/v1.0/users/delta?$deltatoken=latest&$select=displayName")).json()["@odata.deltaLink"]
    users = list(simulator.directory.ids("users"))
    for user in users[:4]:
        simulator.directory.update("users", user, displayName="x")
    simulator.directory.delete("users", users[1])
    simulator.variants.change({"replays": 2, "page_objects": 2})
    pages = [page["value"] for page in await client.pages(link)]
    assert pages[1][:2] == pages[0]
    assert {"id": users[1], "@removed": {"reason": "changed"}} in pages[0]


async def test_empty_pages_come_between(simulator: Simulator, client: Client) -> None:
    """Between two pages so many have no object and a nextLink; the last page is not empty."""
    simulator.variants.change({"empty_pages": 2})
    pages = await client.pages(URLS["users"])
    assert [len(page["value"]) for page in pages] == [200, 0, 0, 200, 0, 0, 50]
    links = [page["@odata.nextLink"] for page in pages[:-1]]
    assert len(set(links)) == len(links)


async def test_pages_can_be_small_down_to_one_group(simulator: Simulator, client: Client) -> None:
    """A page may hold a single group, and a group may need many pages."""
    simulator.variants.change({"page_objects": 1, "page_links": 10})
    pages = await client.pages(URLS["groups"])
    assert all(len(page["value"]) == 1 for page in pages)
    big = simulator.directory.slot_id("groups", 0)
    parts = [page["value"][0] for page in pages if page["value"][0]["id"] == big]
    members = [entry["id"] for part in parts for entry in part.get("members@delta", ())]
    assert len(parts) >= 22
    assert set(members) == {target for _, target in simulator.directory.visible("members", big)}


async def test_change_comes_only_after_the_lag(simulator: Simulator, client: Client) -> None:
    """A round tells nothing of what is younger than the lag, and everything afterwards, in the same chain of links."""
    simulator.variants.change({"lag_s": 60})
    consumer = Consumer("users", ("manager",))
    await consumer.round(client, URLS["users"])
    user = simulator.directory.slot_id("users", 3)
    simulator.directory.update("users", user, displayName="Changed")
    new = simulator.directory.create("users", displayName="New")
    pages = await consumer.round(client)
    assert ids(pages) == [[]]
    simulator.clock.advance(59)
    assert ids(await consumer.round(client)) == [[]]
    simulator.clock.advance(1)
    assert ids(await consumer.round(client)) == [[user, new]]
    assert ids(await consumer.round(client)) == [[]]


async def test_new_object_is_missing_from_a_full_round_within_the_lag(simulator: Simulator, client: Client) -> None:
    """A full round that begins too early lacks it; the round that follows has it."""
    simulator.variants.change({"lag_s": 60})
    new = simulator.directory.create("users", displayName="New")
    consumer = Consumer("users", ("manager",))
    await consumer.round(client, URLS["users"])
    assert new not in consumer.objects
    simulator.clock.advance(60)
    await consumer.round(client)
    assert new in consumer.objects


async def test_devices_know_no_relations_when_refused(simulator: Simulator, client: Client) -> None:
    """devices/delta with registeredOwners is 400; the list with $expand still answers."""
    simulator.variants.change({"device_relations": "refused"})
    response = await client.get(URLS["devices"])
    assert (response.status_code, error_of(response)["code"]) == (400, "Request_BadRequest")
    devices = await client.all("/v1.0/devices?$select=id&$expand=registeredOwners($select=id)&$top=999")
    edges = {(device["id"], owner["id"]) for device in devices for owner in device["registeredOwners"]}
    assert edges == set(simulator.directory.edges("deviceOwners"))


async def test_devices_know_no_relations_when_ignored(simulator: Simulator, client: Client) -> None:
    """devices/delta takes the selection and shows no annotation, in either round."""
    simulator.variants.change({"device_relations": "ignored"})
    pages = await client.pages(URLS["devices"])
    assert not [name for page in pages for item in page["value"] for name in item if "@" in name]
    device = simulator.directory.slot_id("devices", 0)
    simulator.directory.link("deviceUsers", device, simulator.directory.slot_id("users", 9))
    assert (await client.get(pages[-1]["@odata.deltaLink"])).json()["value"] == []


async def test_access_token_lives_as_long_as_it_is_told(simulator: Simulator, client: Client) -> None:
    """A token of a minute is refused a minute later; the clock is the tenant's."""
    simulator.variants.change({"token_lifetime_s": 60})
    async with open_client(simulator) as other:
        simulator.clock.advance(59)
        assert (await other.get("/v1.0/users?$top=1")).status_code == 200
        simulator.clock.advance(1)
        assert (await other.get("/v1.0/users?$top=1")).status_code == 401


async def test_delta_link_lives_as_long_as_it_is_told(simulator: Simulator, client: Client) -> None:
    """Older than its life it answers 410, and its nextLinks do too."""
    simulator.variants.change({"delta_lifetime_s": 100})
    link = (await client.get(URLS["users"])).json()["@odata.nextLink"]
    simulator.clock.advance(100)
    assert (await client.get(link)).status_code == 200
    simulator.clock.advance(1)
    assert (await client.get(link)).status_code == 410


async def test_door_changes_variants_and_moves_the_clock(simulator: Simulator) -> None:
    """Both over HTTP, and neither back nor to nonsense."""
    async with open_client(simulator, simulator.admin_key) as door:
        shown = (await door.patch("/_simulator/variants", json={"replays": 4, "lag_s": 2})).json()
        assert shown == simulator.variants.report()
        assert (shown["replays"], shown["lag_s"]) == (4, 2)
        before = simulator.clock.now()
        assert "now" in (await door.post("/_simulator/clock", json={"advanceS": 86_400})).json()
        assert (simulator.clock.now() - before).total_seconds() == 86_400
        for body in ({"advanceS": -1}, {"advanceS": "1"}, {"advanceS": 10**12}):
            assert (await door.post("/_simulator/clock", json=body)).status_code == 400
        assert (await door.patch("/_simulator/variants", json={"replays": 5, "nonsense": 1})).status_code == 400
    assert simulator.variants.replays == 4


@pytest.mark.parametrize(
    "values",
    [
        {"unknown": 1}, {"replays": -1}, {"replays": 1.5}, {"replays": True}, {"shuffled": 1}, {"page_objects": 0},
        {"page_links": 0}, {"quota": -0.1}, {"quota": "1"}, {"device_relations": "hidden"}, {"lag_s": 10**12},
    ],
)  # fmt: skip
def test_variant_is_refused_when_it_cannot_be(values: dict[str, Any]) -> None:
    """A wrong name, type or bound changes nothing at all."""
    variants = Variants()
    with pytest.raises(BadInput):
        variants.change({"empty_pages": 3} | values)
    assert variants == Variants()
