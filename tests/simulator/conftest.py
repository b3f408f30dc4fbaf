"""A small tenant and an HTTP client that reaches it without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from server.simulator import Simulator
from tests.simulator.consumer import Client


@pytest.fixture
def simulator() -> Simulator:
    """Return a tenant of 450 users, 420 devices and 60 groups."""
    return Simulator(users=450, devices=420, groups=60, seed=7)


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[Client]:
    """Return a Graph client with the secret app's permissions."""
    async with open_client(simulator) as client:
        yield client


def open_client(simulator: Simulator, token: str | None = None, **headers: str) -> Client:
    """Return a Graph client; close it after use."""
    authorization = {"Authorization": f"Bearer {token or simulator.issue_token()}"}
    transport = httpx.ASGITransport(simulator.app)
    return Client(transport=transport, base_url=simulator.origin, headers=authorization | headers)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the error object of a refused Graph call."""
    error: dict[str, Any] = response.json()["error"]
    return error
