"""WebSockets whose caller is not known yet, oldest first: they are ended first when there are too many connections."""

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
        per_address: most such sockets of one address.
    """

    def __init__(self, per_address: int = PER_ADDRESS_MAX) -> None:
        self.per_address = per_address
        # Dicts keep the order of insertion and remove any member in constant time.
        self._all: dict[Socket, str | None] = {}
        self._by_address: defaultdict[str, dict[Socket, None]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, one: Socket) -> None:
        """Add a socket."""
        self._all[one] = None

    def discard(self, one: Socket) -> None:
        """Remove a socket, if it is here."""
        address = self._all.pop(one, None)
        if address is not None:
            neighbours = self._by_address[address]
            del neighbours[one]
            if not neighbours:
                del self._by_address[address]

    def locate(self, one: Socket, address: str) -> Socket | None:
        """Set a socket's address; if the address has too many, remove and return its oldest."""
        if one not in self._all:
            return None
        self._all[one] = address
        neighbours = self._by_address[address]
        neighbours[one] = None
        return self._pop_first(neighbours) if len(neighbours) > self.per_address else None

    def oldest(self) -> Socket | None:
        """Remove and return the oldest socket; None if there are none."""
        return self._pop_first(self._all)

    def _pop_first(self, among: dict[Socket, None] | dict[Socket, str | None]) -> Socket | None:
        found = next(iter(among), None)
        if found is not None:
            self.discard(found)
        return found
