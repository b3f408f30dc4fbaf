"""An empty inventory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sync.store import Store
from tests.sync.entra.clock import FakeClock
from tests.sync.inventory.inventory import Inventories, Inventory


@pytest.fixture
async def inventory(store: Store, clock: FakeClock) -> Inventory:
    """Return an inventory without an object."""
    return await Inventory.of(store, clock)


@pytest.fixture(scope="session")
def inventories(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Inventories]:
    """Return a maker of inventories, for tests with many examples."""
    database = Path(shutil.copy(empty_database, tmp_path_factory.mktemp("inventories") / "rollcall.db"))
    with closing(Inventories(database)) as inventories:
        yield inventories
