"""Tells those who wait that something has changed, after the commit that changed it; what it is now they ask for.

Nothing is queued: of several changes a subscriber learns the latest, so that a slow one costs nothing. Used from the
event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection

from sync.store.engine import CHANGED

# (key, what) → the version that a transaction left it at. For an inventory (`assets`, `users`, `groups`) the key is
# its organization's; runs and tokens have no versions.
Changed = Mapping[tuple[int, str], int]
RUN = "run"
# Messages were left for an organization's webhooks.
ALERT = "alert"
TOKEN = "token"  # noqa: S105 - the name of a subject


def note(tx: Connection, what: str, key: int) -> None:
    """Have those who wait for a run or a token be told once this transaction has committed."""
    tx.info.setdefault(CHANGED, {})[key, what] = 0


@dataclass(frozen=True)
class Happened:
    """Something is no longer as it was; an inventory has rows of this version, relations of its rows included."""

    key: int
    what: str
    version: int


class EventFeed:
    """What one subscriber has not heard of yet: an async iterator that never ends by itself."""

    def __init__(self, key: int, subjects: Collection[str]) -> None:
        self.key, self.subjects = key, frozenset(subjects)
        self._latest: dict[str, int] = {}
        self._news = asyncio.Event()

    def tell(self, what: str, version: int) -> None:
        """Keep the latest version until the subscriber asks."""
        self._latest[what] = version
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Happened:
        await self._news.wait()
        what = next(iter(self._latest))
        version = self._latest.pop(what)
        if not self._latest:
            self._news.clear()
        return Happened(self.key, what, version)


class Events:
    """The subscribers of one process."""

    def __init__(self) -> None:
        self._subscriptions: set[EventFeed] = set()

    def __len__(self) -> int:
        return len(self._subscriptions)

    @contextmanager
    def subscribe(self, key: int, subjects: Collection[str]) -> Iterator[EventFeed]:
        """Hear of changes from now on, while the block lasts.

        Args:
            key: an organization's, to hear of its inventories; a run's or a token's.
            subjects: `assets`, `users`, `groups`; or RUN, or TOKEN.
        """
        subscription = EventFeed(key, subjects)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, changed: Changed) -> None:
        """Tell of what a transaction changed; called once it is committed."""
        for subscription in self._subscriptions:
            for (key, what), version in changed.items():
                if key == subscription.key and what in subscription.subjects:
                    subscription.tell(what, version)
