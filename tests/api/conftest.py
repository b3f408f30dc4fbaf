"""One synced world a session for the tests that only read, and an empty office for those that write."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.simulator import Simulator
from sync.runtime import Config, Runtime
from tests.api.world import World, directory_of, open_world


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Return the world every reading test shares; nothing in its organizations home, beta and gamma is changed."""
    async with open_world(tmp_path_factory.mktemp("world") / "data") as opened:
        yield opened


@pytest.fixture(scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Return a new installation for mutations: the first organization with its site, and an organization `beta`."""
    simulator = Simulator(users=5, devices=3, groups=2, seed=7)
    settings = directory_of(simulator)
    data_dir = tmp_path_factory.mktemp("office") / "data"
    runtime = await Runtime.open(Config(data_dir, custom=settings.custom, connect=settings.connect))
    try:
        opened = World(runtime, simulator, home=1)
        opened.beta = await opened.new_organization("Beta", seed=21)
        yield opened
        await runtime.engine.idle()
    finally:
        await runtime.close()
