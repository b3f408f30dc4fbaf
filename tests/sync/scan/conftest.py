"""An installation whose scans reach loopback only, and find names where a test has put them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.simulator import Simulator
from tests.sync.scan.network import Network


@pytest.fixture
async def network(data_dir: Path) -> AsyncIterator[Network]:
    """Return an open installation that is connected to a tenant of 60 devices."""
    network = Network(Simulator(users=5, devices=60, groups=2, seed=7), data_dir)
    await network.open()
    try:
        await network.furnish()
        yield network
    finally:
        await network.close()
