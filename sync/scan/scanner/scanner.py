"""The protocol of a scanner, what it finds, and which one a task gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sync.inventory.scan.record import Host

BATCH_HOSTS_MAX = 256
"""Addresses a scanner is given at once; what it found of them is written before it gets the next."""


@dataclass(frozen=True)
class BatchFindings:
    """What a scanner found in one batch.

    Args:
        hosts: those that answered.
        unlooked: addresses it could not look at, for want of a route: they are not said to be silent.
        unfinished: addresses of hosts that it gave up because they took too long.
    """

    hosts: list[Host] = field(default_factory=list)
    unlooked: frozenset[str] = frozenset()
    unfinished: frozenset[str] = frozenset()


class Scanner(Protocol):
    """Looks at addresses; bounded in sockets, rate, memory and time, and gone at once when it is cancelled."""

    name: str

    async def look(self, addresses: Sequence[str], ports: Sequence[int], rate: int) -> BatchFindings:
        """Look at up to `BATCH_HOSTS_MAX` addresses of one IP version.

        Raises:
            ScannerFailed: it could not finish; nothing may be concluded from silence.
        """
