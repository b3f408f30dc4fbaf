"""The protocol of scanners, and their findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sync.inventory.scan.record import Host

BATCH_HOSTS_MAX = 256
"""Addresses of one batch; its findings are written before the next batch."""


@dataclass(frozen=True)
class BatchFindings:
    """The findings of one batch.

    Args:
        hosts: the hosts that answered.
        unlooked: addresses without a route, which could not be scanned: they do not count as silent.
        unfinished: addresses of hosts that the scanner gave up on because they took too long.
    """

    hosts: list[Host] = field(default_factory=list)
    unlooked: frozenset[str] = frozenset()
    unfinished: frozenset[str] = frozenset()


class Scanner(Protocol):
    """Scans addresses, with limits of sockets, rate, memory and time; a cancelled scan ends at once."""

    name: str

    async def look(self, addresses: Sequence[str], ports: Sequence[int], rate: int) -> BatchFindings:
        """Scan up to `BATCH_HOSTS_MAX` addresses of one IP version.

        Raises:
            ScannerFailed: it could not finish; nothing may be concluded from silence.
        """
