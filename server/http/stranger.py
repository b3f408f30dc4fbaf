"""WebSockets whose caller is not known yet, oldest first: who gives way when places are needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar

Socket = TypeVar("Socket", bound=Hashable)

# An honest client sends its token at once, so it is a stranger for milliseconds only.
PER_ADDRESS_MAX = 256


class Strangers(Generic[Socket]):
    """The sockets without an accepted `connection_init`.

    Args:
        per_address: how many one address may have.
    """

    def __init__(self, per_address: int = PER_ADDRESS_MAX) -> None:
        self.per_address = per_address
        # Dicts, because they keep the order and drop any member at once.
        self._all: dict[Socket, str | None] = {}
        self._by_address: defaultdict[str, dict[Socket, None]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, one: Socket) -> None:
        """Take one in."""
        self._all[one] = None

    def discard(self, one: Socket) -> None:
        """Let one go, if it is here."""
        address = self._all.pop(one, None)
        if address is not None:
            neighbours = self._by_address[address]
            del neighbours[one]
            if not neighbours:
                del self._by_address[address]

    def locate(self, one: Socket, address: str) -> Socket | None:
        """Note where one comes from; return the oldest from there, which has been let go, if there are too many."""
        if one not in self._all:
            return None
        self._all[one] = address
        neighbours = self._by_address[address]
        neighbours[one] = None
        return self._let_go(neighbours) if len(neighbours) > self.per_address else None

    def oldest(self) -> Socket | None:
        """Return the oldest, which has been let go; None if there are none."""
        return self._let_go(self._all)

    def _let_go(self, among: dict[Socket, None] | dict[Socket, str | None]) -> Socket | None:
        found = next(iter(among), None)
        if found is not None:
            self.discard(found)
        return found
