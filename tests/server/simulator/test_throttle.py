"""Quotas of resource units: sizes, headers, waiting, priority and $batch, as Graph documents them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from server.simulator import Simulator
from tests.server.simulator.conftest import error_of, open_client
from tests.server.simulator.consumer import Client
from tests.sync.entra.clock import FakeClock

URL = "/v1.0/groups?$select=id&$top=999"  # one resource unit


def small(quota: float = 0.01, users: int = 10, clock: FakeClock | None = None) -> Simulator:
    """Return a tenant that may use 35 resource units in ten seconds."""
    simulator = Simulator(users=users, devices=5, groups=5, clock=clock or FakeClock())
    simulator.variants.change({"quota": quota})
    return simulator


async def use_up(client: Client, **headers: str) -> tuple[int, httpx.Response]:
    """Ask until a request is refused; return how many passed, and the refusal."""
    for passed in range(200):
        response = await client.get(URL, headers=headers)
        if response.status_code == 429:
            return passed, response
    raise AssertionError("no request was refused")


@pytest.mark.parametrize(("users", "units"), [(49, 3_500), (50, 5_000), (499, 5_000), (500, 8_000)])
async def test_quota_follows_the_size_of_the_tenant(users: int, units: int) -> None:
    """An app may use 3,500, 5,000 or 8,000 units in ten seconds, by the number of users."""
    async with open_client(small(quota=0.01, users=users)) as client:
        passed, _ = await use_up(client)
    assert passed == units // 100


async def test_refusal_carries_the_headers_of_throttling() -> None:
    """429 says how long to wait, whose quota it is, why, and how far over it the app is."""
    simulator = small()
    async with open_client(simulator) as client:
        _, response = await use_up(client)
    assert error_of(response)["code"] == "TooManyRequests"
    client_id = simulator.secret_app.client_id
    assert response.headers["x-ms-throttle-scope"] == f"Tenant_Application/ReadWrite/{client_id}/{simulator.tenant_id}"
    assert response.headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
    assert 1 < float(response.headers["x-ms-throttle-limit-percentage"]) <= 1.8
    assert int(response.headers["retry-after"]) >= 1


async def test_percentage_is_told_from_eighty_percent_on() -> None:
    """Below 0.8 of the quota an answer says nothing of it; from there on it names the share used."""
    async with open_client(small()) as client:
        found = [(await client.get(URL)).headers.get("x-ms-throttle-limit-percentage") for _ in range(35)]
    assert found[:27] == [None] * 27
    assert found[27:] == [f"{n / 35:.2f}" for n in range(28, 36)]


async def test_waiting_as_told_is_enough() -> None:
    """After Retry-After the same request passes; a moment earlier it does not."""
    clock = FakeClock()
    async with open_client(small(clock=clock)) as client:
        _, refusal = await use_up(client)
        wait_s = int(refusal.headers["retry-after"])
        await clock.sleep(wait_s)
        assert (await client.get(URL)).status_code == 200
        _, refusal = await use_up(client)
        await clock.sleep(0.1)
        assert (await client.get(URL)).status_code == 429


async def test_refused_requests_use_the_quota_too_but_not_for_ever() -> None:
    """Who goes on asking waits longer, up to 1.8 of the quota."""
    async with open_client(small()) as client:
        _, first = await use_up(client)
        for _ in range(100):
            last = await client.get(URL)
    assert int(last.headers["retry-after"]) > int(first.headers["retry-after"])
    assert last.headers["x-ms-throttle-limit-percentage"] == "1.80"


async def test_low_priority_is_throttled_first() -> None:
    """With x-ms-throttle-priority: low the last tenth of the quota is left to others."""
    simulator = small()
    async with open_client(simulator) as client:
        passed, _ = await use_up(client, **{"x-ms-throttle-priority": "low"})
        assert passed == 31
        assert (await client.get(URL)).status_code == 200


async def test_quota_is_counted_per_app() -> None:
    """One app's use does not hinder another."""
    simulator = small()
    async with (
        open_client(simulator) as busy,
        open_client(simulator, simulator.issue_token(simulator.password_app.client_id)) as other,
    ):
        await use_up(busy)
        assert (await other.get(URL)).status_code == 200


async def test_dear_requests_use_more() -> None:
    """A list of users without $select costs two units: half as many pass."""
    async with open_client(small()) as client:
        statuses = [(await client.get("/v1.0/users?$top=999")).status_code for _ in range(20)]
    assert statuses.index(429) == 17


async def test_batch_items_are_throttled_one_by_one() -> None:
    """The envelope is 200; each item over the quota is a 429 with its own Retry-After."""
    simulator = small(quota=0.003)  # ten units
    items = [{"id": str(n), "method": "GET", "url": "/groups?$select=id&$top=999"} for n in range(20)]
    async with open_client(simulator) as client:
        response = await client.post("/v1.0/$batch", json={"requests": items})
    answers: list[dict[str, Any]] = response.json()["responses"]
    assert response.status_code == 200
    refused = [answer for answer in answers if answer["status"] == 429]
    assert len(refused) == 10
    assert all(int(answer["headers"]["Retry-After"]) >= 1 for answer in refused)
    assert simulator.requests.batch_items["GET", "/v1.0/groups", 429] == 10


async def test_quota_of_nothing_switches_throttling_off() -> None:
    """With a quota of 0 nobody is refused."""
    async with open_client(small(quota=0)) as client:
        assert {(await client.get(URL)).status_code for _ in range(100)} == {200}


async def test_largest_request_passes_even_when_the_quota_is_smaller() -> None:
    """A quota below the price of one request slows it down and does not shut it out."""
    clock = FakeClock()
    async with open_client(small(quota=0.0001, clock=clock)) as client:
        assert (await client.get(URL)).status_code == 200
        refusal = await client.get(URL)
        assert refusal.status_code == 429
        await clock.sleep(int(refusal.headers["retry-after"]))
        assert (await client.get(URL)).status_code == 200
