"""One synced world a session for the tests that only read, and an empty office for those that write."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.simulator import Simulator
from sync.runtime import Config, Runtime
from tests.api.world import World, directory_of, open_world


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Return the world every reading test shares; nothing in its organizations home, beta and gamma is changed."""
    async with open_world(tmp_path_factory.mktemp("world") / "data") as opened:
        yield opened


@asynccontextmanager
async def open_office(data_dir: Path) -> AsyncIterator[World]:
    """Open an installation that is connected to a small tenant."""
    simulator = Simulator(users=5, devices=3, groups=2, seed=7)
    settings = directory_of(simulator)
    runtime = await Runtime.open(Config(data_dir, custom=settings.custom, connect=settings.connect))
    try:
        yield World(runtime, simulator, home=1)
        await runtime.engine.idle()
    finally:
        await runtime.close()


@pytest.fixture(scope="session")
async def closed_office(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Return the data directory of an office and its organization `beta`; copying it is faster than making one."""
    data_dir = tmp_path_factory.mktemp("closed") / "data"
    async with open_office(data_dir) as opened:
        return data_dir, await opened.new_organization("Beta", seed=21)


@pytest.fixture(scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory, closed_office: tuple[Path, int]) -> AsyncIterator[World]:
    """Return a new installation for mutations: the first organization with its site, and an organization `beta`."""
    template, beta = closed_office
    async with open_office(Path(shutil.copytree(template, tmp_path_factory.mktemp("office") / "data"))) as opened:
        opened.beta = beta
        yield opened
