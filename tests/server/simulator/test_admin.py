"""The admin door: guarded, and able to change and tell everything."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from server.simulator import Simulator
from server.simulator.tenant.relation import RELATIONS
from tests.server.simulator.conftest import open_client


@pytest.fixture
async def door(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the admin door with its key."""
    async with open_client(simulator, simulator.admin_key) as client:
        yield client


def rows(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200
    return [json.loads(line) for line in response.text.splitlines()]


async def test_door_is_shut_without_its_key(simulator: Simulator) -> None:
    """A Graph token does not open the door, and nothing is changed."""
    async with open_client(simulator) as client:
        response = await client.post("/_simulator/objects/users", json={"displayName": "x"})
    assert response.status_code == 401
    assert simulator.directory.version == 0


async def test_door_is_shut_from_another_machine(simulator: Simulator) -> None:
    """The right key from a foreign address is refused."""
    transport = httpx.ASGITransport(simulator.app, client=("192.0.2.7", 5))
    headers = {"Authorization": f"Bearer {simulator.admin_key}"}
    async with httpx.AsyncClient(transport=transport, base_url=simulator.origin, headers=headers) as client:
        assert (await client.get("/_simulator")).status_code == 403


async def test_objects_and_edges_can_be_written_and_read_back(simulator: Simulator, door: httpx.AsyncClient) -> None:
    """Create, update, link, unlink, delete and restore show in the truth."""
    user = (await door.post("/_simulator/objects/users", json={"displayName": "Ada"})).json()["id"]
    group = simulator.directory.slot_id("groups", 7)
    edge = f"/_simulator/edges/members/{group}/{user}"
    assert (await door.put(edge)).json() == {"changed": True}
    assert (await door.put(edge)).json() == {"changed": False}
    assert [group, user] in rows(await door.get("/_simulator/truth/edges/members"))
    await door.patch(f"/_simulator/objects/users/{user}", json={"jobTitle": "Countess"})
    own = next(row for row in rows(await door.get("/_simulator/truth/users")) if row["id"] == user)
    assert (own["displayName"], own["jobTitle"]) == ("Ada", "Countess")
    assert (await door.delete(f"/_simulator/objects/users/{user}")).json() == {"reason": "changed"}
    assert [group, user] not in rows(await door.get("/_simulator/truth/edges/members"))
    assert (await door.post(f"/_simulator/objects/users/{user}/restore")).status_code == 200
    assert [group, user] in rows(await door.get("/_simulator/truth/edges/members"))
    assert (await door.delete(edge)).json() == {"changed": True}
    assert (await door.delete(f"/_simulator/objects/users/{user}?permanently=true")).json() == {"reason": "deleted"}
    assert (await door.post(f"/_simulator/objects/users/{user}/restore")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "objects/cats", {}, 400),
        ("POST", "objects/users", {"nonsense": 1}, 400),
        ("POST", "objects/users", {"id": "x"}, 400),
        ("PATCH", "objects/users/unknown", {"displayName": "x"}, 404),
        ("PUT", "edges/cats/a/b", {}, 400),
        ("PUT", "edges/members/a/b", {}, 404),
        ("POST", "expire/hope", {}, 400),
        ("PATCH", "apps/unknown", {}, 404),
        ("POST", "churn", {"count": -1}, 400),
        ("GET", "truth/cats", {}, 400),
        ("GET", "truth/edges/cats", {}, 400),
    ],
)
async def test_nonsense_is_refused_with_a_sentence(
    door: httpx.AsyncClient, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    """A wrong kind, property, id or value is a 4xx that says what is wrong."""
    response = await door.request(method, f"/_simulator/{path}", json=body)
    assert response.status_code == status
    assert len(response.json()["error"]) > 10


@pytest.mark.parametrize("relation", RELATIONS)
async def test_truth_over_http_equals_the_directory(
    simulator: Simulator, door: httpx.AsyncClient, relation: str
) -> None:
    """The NDJSON truth is what the Python methods say."""
    edges = rows(await door.get(f"/_simulator/truth/edges/{relation}"))
    assert {tuple(edge) for edge in edges} == set(simulator.directory.edges(relation))


async def test_permissions_can_be_changed_while_it_runs(simulator: Simulator, door: httpx.AsyncClient) -> None:
    """Taking a role away makes the next token's call a 403; secrets never show."""
    client_id = simulator.secret_app.client_id
    response = await door.patch(f"/_simulator/apps/{client_id}", json={"roles": ["User.Read.All"]})
    assert response.json()["roles"] == ["User.Read.All"]
    assert "canary" not in response.text + (await door.get("/_simulator/apps")).text
    async with open_client(simulator) as client:
        assert (await client.get("/v1.0/devices")).status_code == 403
        assert (await client.get("/v1.0/users")).status_code == 200


async def test_account_state_can_be_changed_while_it_runs(simulator: Simulator, door: httpx.AsyncClient) -> None:
    """An account can be locked, and a new one made."""
    name = simulator.password_app.username
    assert (await door.put(f"/_simulator/accounts/{name}", json={"state": "locked"})).json()["state"] == "locked"
    assert simulator.registry.accounts[name].password == simulator.password_app.password
    assert (await door.put(f"/_simulator/accounts/{name}", json={"state": "tired"})).status_code == 400


async def test_everything_that_expires_expires_over_http(simulator: Simulator, door: httpx.AsyncClient) -> None:
    """Tokens and delta state expire at the door as they do in Python."""
    async with open_client(simulator) as client:
        link = (await client.get("/v1.0/users/delta?$deltatoken=latest")).json()["@odata.deltaLink"]
        await door.post("/_simulator/expire/delta")
        assert (await client.get(link)).status_code == 410
        await door.post("/_simulator/expire/tokens")
        assert (await client.get(link)).status_code == 401


async def test_request_log_is_read_and_reset_and_does_not_count_the_door(
    simulator: Simulator, door: httpx.AsyncClient
) -> None:
    """The log shows Graph and sign-in requests only."""
    async with open_client(simulator) as client:
        await client.get("/v1.0/users?$top=1")
        await client.get(f"/{simulator.tenant_id}/v2.0/.well-known/openid-configuration")
    report = (await door.get("/_simulator/requests")).json()
    assert [entry["template"] for entry in report["recent"]] == [
        "/v1.0/users",
        "/{tenant}/v2.0/.well-known/openid-configuration",
    ]
    await door.delete("/_simulator/requests")
    assert (await door.get("/_simulator/requests")).json()["total"] == 0


async def test_churn_is_the_same_for_the_same_seed(door: httpx.AsyncClient, simulator: Simulator) -> None:
    """Random changes are repeatable, and a second call goes on instead of repeating itself."""
    first = (await door.post("/_simulator/churn", json={"count": 50, "seed": 3})).json()["changes"]
    twin = Simulator(users=450, devices=420, groups=60, seed=7)
    async with open_client(twin, twin.admin_key) as other:
        assert (await other.post("/_simulator/churn", json={"count": 50, "seed": 3})).json()["changes"] == first
    assert [v["displayName"] for v in twin.directory.truth("users")] == [
        v["displayName"] for v in simulator.directory.truth("users")
    ]
    assert (await door.post("/_simulator/churn", json={"count": 50, "seed": 3})).json()["changes"] > 0
    assert simulator.directory.version > first
