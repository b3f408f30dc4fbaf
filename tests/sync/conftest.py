"""Fixtures of the unit tests: a virtual clock, and a database with the schema but without a row."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sync.store import Store
from sync.store.migrate import migrate
from tests.sync.entra.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock whose sleeps cost nothing."""
    return FakeClock()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file with the schema, made once: copying it is faster than migrating."""
    path = tmp_path_factory.mktemp("schema") / "empty.db"
    # In a thread of its own: whichever test asks first, on a loop or not, may be given it.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _make_empty(path)).result()
    return path


async def _make_empty(path: Path) -> None:
    store = Store.at(path)
    await migrate(store)
    await store.close()


@pytest.fixture
def database(data_dir: Path, empty_database: Path) -> Path:
    """Return a database file of this test's own, with the schema."""
    return Path(shutil.copy(empty_database, data_dir / "rollcall.db"))


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    """Return an open store with the schema."""
    store = Store.at(database)
    yield store
    await store.close()
