"""Tells those who wait that an inventory has changed, after the commit that changed it; what changed they ask for.

Nothing is queued: of several changes a subscriber learns the latest version, so that a slow one costs nothing. Used
from the event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

# Organization and inventory (`assets`, `users`, `groups`) → the version that a transaction left it at.
Changed = Mapping[tuple[int, str], int]


@dataclass(frozen=True)
class InventoryChanged:
    """An inventory has rows of this version; relations that came or went count as changes of it."""

    organization_id: int
    inventory: str
    version: int


class Subscription:
    """What one subscriber has not heard of yet: an async iterator that never ends by itself."""

    def __init__(self, organization_id: int, inventories: Collection[str]) -> None:
        self.organization_id, self.inventories = organization_id, frozenset(inventories)
        self._latest: dict[str, int] = {}
        self._news = asyncio.Event()

    def tell(self, inventory: str, version: int) -> None:
        """Keep the latest version of an inventory until the subscriber asks."""
        self._latest[inventory] = version
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> InventoryChanged:
        await self._news.wait()
        inventory = next(iter(self._latest))
        version = self._latest.pop(inventory)
        if not self._latest:
            self._news.clear()
        return InventoryChanged(self.organization_id, inventory, version)


class Events:
    """The subscribers of one process."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @contextmanager
    def subscribe(self, organization_id: int, inventories: Collection[str]) -> Iterator[Subscription]:
        """Hear of changes of an organization's inventories from now on, while the block lasts."""
        subscription = Subscription(organization_id, inventories)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, changed: Changed) -> None:
        """Tell of what a transaction changed; called once it is committed."""
        for subscription in self._subscriptions:
            for (organization_id, inventory), version in changed.items():
                if organization_id == subscription.organization_id and inventory in subscription.inventories:
                    subscription.tell(inventory, version)
