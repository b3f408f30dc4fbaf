"""An empty inventory."""

from __future__ import annotations

import pytest

from sync.store import Store
from tests.entra.clock import FakeClock
from tests.unit.inventory.inventory import Inventory


@pytest.fixture
async def inventory(store: Store, clock: FakeClock) -> Inventory:
    """Return an inventory without an object."""
    return await Inventory.of(store, clock)
