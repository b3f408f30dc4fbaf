"""A small tenant and an HTTP client that reaches it without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from server.simulator import FaultPlan, Rule, Simulator
from tests.server.simulator.consumer import Client
from tests.server.simulator.transport import InProcess
from tests.sync.entra.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that moves only when somebody sleeps."""
    return FakeClock()


@pytest.fixture
def simulator(clock: FakeClock) -> Simulator:
    """Return a tenant of 450 users, 420 devices and 60 groups, so of three pages of users and devices."""
    return Simulator(users=450, devices=420, groups=60, seed=7, clock=clock)


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[Client]:
    """Return a Graph client with the secret app's permissions."""
    async with open_client(simulator) as client:
        yield client


def open_client(simulator: Simulator, token: str | None = None, **headers: str) -> Client:
    """Return a Graph client; close it after use."""
    authorization = {"Authorization": f"Bearer {token or simulator.issue_token()}"}
    return Client(transport=InProcess(simulator), base_url=simulator.origin, headers=authorization | headers)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the error object of a refused Graph call."""
    error: dict[str, Any] = response.json()["error"]
    return error


async def faulty(simulator: Simulator, client: Client, row: str, url: str) -> httpx.Response:
    """Return the answer to one request that this fault happens to."""
    simulator.use(FaultPlan([Rule(row)]))
    response = await client.get(url)
    assert simulator.requests.recent[-1].fault == row
    return response
