"""Notifies subscribers of changes after their commit; subscribers then read the new state themselves.

Nothing is queued: a subscriber gets only the latest of several changes, so that a slow one costs nothing. For use on
the event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection

from sync.store.engine import CHANGED

# (key, subject) → its new version. The key of an inventory (`assets`, `users`, `groups`) is its organization's; runs
# and tokens have version 0.
Changed = Mapping[tuple[int, str], int]
RUN = "run"
# An organization's webhooks have new messages.
ALERT = "alert"
TOKEN = "token"  # noqa: S105 - the name of a subject


def note(tx: Connection, what: str, key: int) -> None:
    """Notify the subscribers of a run, a token or an alert once this transaction has committed."""
    tx.info.setdefault(CHANGED, {})[key, what] = 0


@dataclass(frozen=True)
class Happened:
    """A change of a subject; for an inventory, `version` is that of the changed rows, or of their relations."""

    key: int
    what: str
    version: int


class EventFeed:
    """The pending changes of one subscriber: an async iterator without end."""

    def __init__(self, key: int, subjects: Collection[str]) -> None:
        self.key, self.subjects = key, frozenset(subjects)
        self._latest: dict[str, int] = {}
        self._news = asyncio.Event()

    def tell(self, what: str, version: int) -> None:
        """Keep the latest version until the subscriber takes it."""
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
        """Receive changes until the block ends.

        Args:
            key: the key of an organization, for its inventories; or of a run or a token.
            subjects: `assets`, `users`, `groups`; or RUN, or TOKEN.
        """
        subscription = EventFeed(key, subjects)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, changed: Changed) -> None:
        """Notify subscribers of a transaction's changes; called after its commit."""
        for subscription in self._subscriptions:
            for (key, what), version in changed.items():
                if key == subscription.key and what in subscription.subjects:
                    subscription.tell(what, version)
