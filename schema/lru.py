"""A mapping of bounded size that drops the least recently used entry."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The `most` most recently used values by key. Any thread may use it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: Hashable) -> T | None:
        """Return the value of a key, or None."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def keep(self, key: Hashable, value: T) -> T:
        """Store a value, and return it."""
        with self._lock:
            self._entries[key] = value
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)
        return value

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key; make it if it is missing. The value may be None."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        # Two threads may make the same value; the later one is kept.
        return self.keep(key, make())
