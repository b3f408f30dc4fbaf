"""Lists, single objects, relations, permissions, errors, headers and $batch."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from server.simulator import Simulator
from sync.errors import NotFound
from tests.server.simulator.conftest import error_of, open_client
from tests.server.simulator.consumer import Client

KINDS = ("users", "devices", "groups")


def permit(simulator: Simulator, *roles: str) -> str:
    """Return a token with exactly these application permissions."""
    simulator.registry.apps[simulator.secret_app.client_id].roles = set(roles)
    return simulator.issue_token()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top", [7, 100, 999])
async def test_paging_visits_each_object_once(simulator: Simulator, client: Client, kind: str, top: int) -> None:
    """Following nextLink gives exactly the directory, in pages of $top."""
    pages = await client.pages(f"/v1.0/{kind}?$select=id&$top={top}")
    assert all(len(page["value"]) == top for page in pages[:-1])
    assert [item["id"] for page in pages for item in page["value"]] == list(simulator.directory.ids(kind))


async def test_page_size_is_100_when_not_asked(client: Client) -> None:
    """A list without $top shows a hundred objects."""
    assert len((await client.get("/v1.0/users")).json()["value"]) == 100


@pytest.mark.parametrize("top", ["0", "1000", "-1", "ten"])
async def test_page_size_out_of_bounds_is_refused(client: Client, top: str) -> None:
    """$top outside 1 to 999 is 400; a number gets Graph's own sentence."""
    response = await client.get("/v1.0/users", params={"$top": top})
    assert response.status_code == 400
    if top.isdigit():
        assert error_of(response)["code"] == "Request_UnsupportedQuery"
        assert f"Invalid page size specified: '{top}'" in error_of(response)["message"]


async def test_next_link_is_absolute_opaque_and_carries_the_query(simulator: Simulator, client: Client) -> None:
    """A nextLink names this origin, repeats the query, and tells nothing about its position."""
    link = (await client.get("/v1.0/users?$select=displayName,mail&$top=5")).json()["@odata.nextLink"]
    assert link.startswith(f"{simulator.origin}/v1.0/users?")
    assert "$select=displayName,mail" in unquote(link) and "$top=5" in link
    second = (await client.get(link)).json()
    assert set(second["value"][0]) == {"id", "displayName", "mail"}


async def test_users_show_the_default_set_when_nothing_is_selected(client: Client) -> None:
    """Users show ten properties and id, with null for what was never set; devices show everything."""
    user = (await client.get("/v1.0/users?$top=1")).json()["value"][0]
    assert len(user) == 11 and "accountEnabled" not in user
    device = (await client.get("/v1.0/devices?$top=1")).json()["value"][0]
    assert {"deviceId", "physicalIds", "extensionAttributes", "deviceCategory"} <= set(device)
    assert "members" not in (await client.get("/v1.0/groups?$top=1")).json()["value"][0]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("$select=nonsense", 400, "Request_BadRequest"),
        ("$select=aboutMe", 501, "NotImplemented"),
        ("$expand=nonsense", 400, "Request_BadRequest"),
        ("$expand=manager,memberOf", 400, "Request_BadRequest"),
        ("$skip=5", 400, "Request_UnsupportedQuery"),
        ('$search="a"', 400, "Request_UnsupportedQuery"),
        ("$filter=displayName ne 'x'", 400, "Request_UnsupportedQuery"),
        ("$skiptoken=junk", 400, "Request_BadRequest"),
    ],
)
async def test_query_that_graph_refuses_is_refused(client: Client, query: str, status: int, code: str) -> None:
    """Unknown and outside-store properties, unsupported options and junk tokens get Graph's codes."""
    response = await client.get(f"/v1.0/users?{query}")
    assert (response.status_code, error_of(response)["code"]) == (status, code)


async def test_error_body_repeats_the_request_ids(client: Client) -> None:
    """An error carries date, request-id and the client's own id, in body and headers."""
    response = await client.get("/v1.0/users/unknown", headers={"client-request-id": "mine"})
    inner = error_of(response)["innerError"]
    assert (response.status_code, error_of(response)["code"]) == (404, "Request_ResourceNotFound")
    assert inner["client-request-id"] == response.headers["client-request-id"] == "mine"
    assert inner["request-id"] == response.headers["request-id"]


async def test_answer_carries_graphs_headers(client: Client) -> None:
    """Content type, OData version, date and resource units are there; gzip only when accepted."""
    response = await client.get("/v1.0/groups")
    assert response.headers["content-type"].startswith("application/json;odata.metadata=minimal;odata.streaming=true")
    assert response.headers["odata-version"] == "4.0"
    assert response.headers["date"].endswith("GMT")
    assert response.headers["content-encoding"] == "gzip"
    plain = await client.get("/v1.0/groups", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == response.json()


async def test_gzip_body_is_one_valid_stream(simulator: Simulator) -> None:
    """The joined gzip passes a strict reader, checksum and length included."""
    async with open_client(simulator) as client, client.stream("GET", "/v1.0/users/delta") as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert json.loads(gzip.decompress(raw))["@odata.nextLink"]


@pytest.mark.parametrize(
    ("cost", "url"),
    [
        (2, "/v1.0/users"),
        (1, "/v1.0/users?$select=id"),
        (2, "/v1.0/users?$select=id&$expand=manager"),
        (1, "/v1.0/users?$top=19"),
        (1, "/v1.0/users/delta"),
    ],
)
async def test_resource_units_follow_the_published_table(client: Client, cost: int, url: str) -> None:
    """x-ms-resource-unit is the documented cost of the call."""
    assert (await client.get(url)).headers["x-ms-resource-unit"] == str(cost)


# Permissions


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["", "/delta", "/$count", "/00000000-0000-4000-8000-000000000000"])
async def test_missing_permission_is_403_on_every_route(simulator: Simulator, kind: str, suffix: str) -> None:
    """A token without the kind's permission reads nothing of it."""
    others = {"users": "User.Read.All", "devices": "Device.Read.All", "groups": "GroupMember.Read.All"}
    token = permit(simulator, *(role for name, role in others.items() if name != kind))
    async with open_client(simulator, token, ConsistencyLevel="eventual") as client:
        response = await client.get(f"/v1.0/{kind}{suffix}")
        assert response.status_code == 403
        assert error_of(response)["code"] == "Authorization_RequestDenied"
        assert error_of(response)["message"] == "Insufficient privileges to complete the operation."


async def test_members_that_may_not_be_read_show_type_and_id_only(simulator: Simulator) -> None:
    """Without User.Read.All a group's users come with limited information, HTTP 200."""
    token = permit(simulator, "GroupMember.Read.All")
    group = simulator.directory.slot_id("groups", 0)
    async with open_client(simulator, token) as client:
        member = (await client.get(f"/v1.0/groups/{group}/members?$top=1")).json()["value"][0]
    assert member["@odata.type"] == "#microsoft.graph.user" and member["id"]
    assert {value for name, value in member.items() if name not in ("@odata.type", "id")} == {None}


async def test_hidden_membership_is_silently_empty_without_its_permission(simulator: Simulator) -> None:
    """A hidden group shows no members, with no error, until Member.Read.Hidden is granted."""
    group = simulator.directory.slot_id("groups", 4)
    simulator.directory.link("members", group, simulator.directory.slot_id("users", 0))
    url = f"/v1.0/groups/delta?$select=members&$filter=id eq '{group}'"
    async with open_client(simulator) as client:
        assert (await client.get(f"/v1.0/groups/{group}/members")).json()["value"] == []
        assert "members@delta" not in (await client.get(url)).json()["value"][0]
    token = permit(simulator, "Group.Read.All", "Member.Read.Hidden")
    async with open_client(simulator, token) as client:
        assert (await client.get(f"/v1.0/groups/{group}/members")).json()["value"]
        assert (await client.get(url)).json()["value"][0]["members@delta"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic abc"])
async def test_missing_or_foreign_token_is_401(simulator: Simulator, header: str) -> None:
    """Without a token of this tenant Graph answers InvalidAuthenticationToken and a challenge."""
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url=simulator.origin) as client:
        response = await client.get("/v1.0/users", headers={"Authorization": header} if header else {})
    assert (response.status_code, error_of(response)["code"]) == (401, "InvalidAuthenticationToken")
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_tampered_token_is_401(simulator: Simulator) -> None:
    """A token whose permissions were edited fails its signature."""
    head, _, signature = simulator.issue_token().split(".")
    async with open_client(simulator, f"{head}.eyJhdWQiOiJ4In0.{signature}") as client:
        assert (await client.get("/v1.0/users")).status_code == 401


async def test_token_of_another_tenant_is_401(simulator: Simulator) -> None:
    """A token works in its own tenant only."""
    async with open_client(simulator, Simulator(users=1, seed=99).issue_token()) as client:
        assert (await client.get("/v1.0/users")).status_code == 401


async def test_tokens_expire_by_time_and_on_demand(simulator: Simulator) -> None:
    """A token past its lifetime is refused, and so is every token after expire_tokens."""
    async with open_client(simulator, simulator.issue_token(lifetime_s=-1)) as client:
        assert (await client.get("/v1.0/users")).status_code == 401
    async with open_client(simulator) as client:
        assert (await client.get("/v1.0/users")).status_code == 200
        simulator.expire_tokens()
        assert (await client.get("/v1.0/users")).status_code == 401
    async with open_client(simulator) as client:
        assert (await client.get("/v1.0/users")).status_code == 200


# Single objects and relations


async def test_single_object_is_found_by_each_of_its_keys(simulator: Simulator, client: Client) -> None:
    """Users by id and user principal name, devices by id and deviceId."""
    user = next(iter(simulator.directory.truth("users")))
    device = next(iter(simulator.directory.truth("devices")))
    for url, expected in (
        (f"/v1.0/users/{user['id']}", user),
        (f"/v1.0/users/{user['userPrincipalName'].upper()}", user),
        (f"/v1.0/devices/{device['id']}", device),
        (f"/v1.0/devices(deviceId='{device['deviceId']}')", device),
    ):
        response = await client.get(url)
        assert response.status_code == 200, url
        assert response.json()["id"] == expected["id"]
    assert (await client.get(f"/v1.0/devices/{device['deviceId']}")).status_code == 404


async def test_renamed_user_is_found_by_the_new_name_only(simulator: Simulator, client: Client) -> None:
    """A changed user principal name moves the user: the old address is 404."""
    user = next(iter(simulator.directory.truth("users")))
    renamed = f"renamed@{simulator.tenant_domain}"
    simulator.directory.update("users", user["id"], userPrincipalName=renamed)
    assert (await client.get(f"/v1.0/users/{renamed}")).json()["id"] == user["id"]
    assert (await client.get(f"/v1.0/users/{user['userPrincipalName']}")).status_code == 404


@pytest.mark.parametrize(
    ("kind", "name", "relation"),
    [
        ("groups", "members", "members"),
        ("groups", "owners", "groupOwners"),
        ("devices", "registeredOwners", "deviceOwners"),
        ("devices", "registeredUsers", "deviceUsers"),
    ],
)
async def test_relation_lists_equal_the_truth(
    simulator: Simulator, client: Client, kind: str, name: str, relation: str
) -> None:
    """Walking every relation of every object gives exactly the edges."""
    token = permit(simulator, "Group.Read.All", "Device.Read.All", "Member.Read.Hidden")
    client.headers["Authorization"] = f"Bearer {token}"
    found = set()
    for source in simulator.directory.ids(kind):
        for item in await client.all(f"/v1.0/{kind}/{source}/{name}?$select=id&$top=50"):
            found.add((source, item["id"]))
    assert found == set(simulator.directory.edges(relation))


async def test_manager_and_member_of_equal_the_truth(simulator: Simulator, client: Client) -> None:
    """/manager is the edge or 404, /memberOf the groups that list the user, page by page."""
    managers = dict(simulator.directory.edges("manager"))
    members = list(simulator.directory.edges("members"))
    for user in list(simulator.directory.ids("users"))[:25]:
        response = await client.get(f"/v1.0/users/{user}/manager?$select=id")
        assert response.json().get("id") == managers.get(user)
        groups = {item["id"] for item in await client.all(f"/v1.0/users/{user}/memberOf?$top=2")}
        assert groups == {source for source, target in members if target == user}


async def test_expand_shows_twenty_at_most_and_no_link(simulator: Simulator, client: Client) -> None:
    """Expanded members stop at twenty, silently, as in Graph."""
    group = simulator.directory.slot_id("groups", 0)
    body = (await client.get(f"/v1.0/groups/{group}?$expand=members($select=id)")).json()
    assert len(body["members"]) == 20
    assert not [name for name in body if "nextLink" in name]


async def test_expand_of_owners_and_manager_equals_the_truth(simulator: Simulator, client: Client) -> None:
    """The bulk forms that a sync uses carry every owner and manager."""
    devices = await client.all("/v1.0/devices?$select=id&$expand=registeredOwners($select=id)&$top=999")
    assert {(d["id"], o["id"]) for d in devices for o in d["registeredOwners"]} == set(
        simulator.directory.edges("deviceOwners")
    )
    users = await client.all("/v1.0/users?$select=id&$expand=manager($select=id)&$top=999")
    assert {(u["id"], u["manager"]["id"]) for u in users if "manager" in u} == set(simulator.directory.edges("manager"))


async def test_service_principals_and_contacts_are_members_with_limited_information(
    simulator: Simulator, client: Client
) -> None:
    """Lists and delta name them by type and id; without a permission for them, nothing else is told."""
    directory = simulator.directory
    group, app = directory.create("groups", displayName="Robots"), directory.create("servicePrincipals")
    contact = directory.create("contacts", displayName="Ada")
    directory.link("members", group, app)
    directory.link("members", group, contact)
    directory.link("groupOwners", group, app)
    members = (await client.get(f"/v1.0/groups/{group}/members")).json()["value"]
    told = {(item["@odata.type"], item["id"], item["displayName"]) for item in members}
    types = {app: "#microsoft.graph.servicePrincipal", contact: "#microsoft.graph.orgContact"}
    assert told == {(types[key], key, None) for key in types}
    assert [item["id"] for item in (await client.get(f"/v1.0/groups/{group}/owners")).json()["value"]] == [app]
    (item,) = [one for one in await client.all("/v1.0/groups/delta?$select=members,owners") if one["id"] == group]
    assert item["members@delta"] == [{"@odata.type": types[key], "id": key} for key in types]
    assert item["owners@delta"] == [{"@odata.type": types[app], "id": app}]
    with pytest.raises(NotFound):
        directory.link("groupOwners", group, contact)


async def test_count_needs_eventual_consistency(simulator: Simulator, client: Client) -> None:
    """$count is an advanced query: text on its own route, an annotation on the first page only."""
    eventual = {"ConsistencyLevel": "eventual"}
    assert (await client.get("/v1.0/users/$count")).status_code == 400
    assert (await client.get("/v1.0/users/$count", headers=eventual)).text == "450"
    first = (await client.get("/v1.0/users?$count=true&$top=400", headers=eventual)).json()
    assert first["@odata.count"] == 450
    assert "@odata.count" not in (await client.get(first["@odata.nextLink"], headers=eventual)).json()
    assert "@odata.count" not in (await client.get("/v1.0/users?$count=true")).json()


async def test_filter_equals_a_plain_predicate(simulator: Simulator, client: Client) -> None:
    """The one supported filter form finds what a loop finds."""
    found = await client.all("/v1.0/users?$select=id&$filter=accountEnabled eq false&$top=9")
    assert [u["id"] for u in found] == [u["id"] for u in simulator.directory.truth("users") if not u["accountEnabled"]]


async def test_expired_page_token_answers_graphs_code(simulator: Simulator, client: Client) -> None:
    """A list's nextLink can expire on demand: 400 Directory_ExpiredPageToken."""
    link = (await client.get("/v1.0/users?$top=5")).json()["@odata.nextLink"]
    simulator.expire_pages()
    response = await client.get(link)
    assert (response.status_code, error_of(response)["code"]) == (400, "Directory_ExpiredPageToken")


# $batch


async def batch(client: Client, *requests: dict[str, Any]) -> httpx.Response:
    return await client.post("/v1.0/$batch", json={"requests": list(requests)})


async def test_batch_answers_each_item_in_its_own_order(simulator: Simulator, client: Client) -> None:
    """The envelope is 200 although an item failed; items are matched by id, not by place."""
    user = simulator.directory.slot_id("users", 0)
    response = await batch(
        client,
        {"id": "a", "method": "GET", "url": f"/users/{user}?$select=id"},
        {"id": "b", "method": "GET", "url": "/users/unknown"},
        {"id": "c", "method": "GET", "url": "/users", "dependsOn": ["b"]},
        {"id": "d", "method": "DELETE", "url": f"/users/{user}"},
    )
    assert response.status_code == 200
    answers = {item["id"]: item for item in response.json()["responses"]}
    assert [item["id"] for item in response.json()["responses"]] != ["a", "b", "c", "d"]
    assert {key: item["status"] for key, item in answers.items()} == {"a": 200, "b": 404, "c": 424, "d": 405}
    assert answers["a"]["body"]["id"] == user
    assert answers["b"]["body"]["error"]["code"] == "Request_ResourceNotFound"


async def test_batch_of_more_than_twenty_is_refused(client: Client) -> None:
    """Twenty requests are the most; a malformed envelope is 400 too."""
    items = [{"id": str(n), "method": "GET", "url": "/users?$top=1"} for n in range(21)]
    assert (await batch(client, *items)).status_code == 400
    assert (await batch(client, *items[:20])).status_code == 200
    assert (await client.post("/v1.0/$batch", content=b"[]")).status_code == 400


async def test_requests_are_counted_by_template(simulator: Simulator, client: Client) -> None:
    """The log counts method, template and status, and holds no id of an object."""
    user = simulator.directory.slot_id("users", 0)
    await client.get(f"/v1.0/users/{user}")
    await client.get("/v1.0/users/unknown")
    await client.get("/v1.0/devices/delta?$select=id")
    await batch(client, {"id": "a", "method": "GET", "url": "/users?$top=1"})
    log = simulator.requests
    assert log.total == 4
    assert log.count(template="/v1.0/users/{id}") == 2
    assert log.count(template="/v1.0/users/{id}", status=404) == 1
    assert [entry.stream for entry in log.recent] == [None, None, "devices", None]
    assert log.batch_items["GET", "/v1.0/users", 200] == 1
    assert user not in str(log.report())
    log.reset()
    assert log.total == 0
