"""A small tenant and an installation that is connected to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.simulator import Simulator
from tests.end_to_end.installation import Installation


@pytest.fixture
def simulator() -> Simulator:
    """Return a tenant of two pages of users, two of devices and two of groups."""
    return Simulator(users=230, devices=210, groups=30, seed=7)


@pytest.fixture
async def installation(simulator: Simulator, data_dir: Path) -> AsyncIterator[Installation]:
    """Return an open installation with a credential and a task that has not run."""
    installation = Installation(simulator, data_dir)
    async with installation.furnished():
        yield installation
