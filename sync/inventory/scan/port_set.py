"""Sets of ports as ranges: the ports that a scan checked. They are stored by digest, because many hosts share one."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable

PORT_MAX = 65_535
Range = tuple[str, int, int]
"""A protocol, the first port and the last one."""


class PortSet:
    """An immutable set of ports.

    Args:
        ranges: in any order; they may overlap.
        is_whole: whether it is the whole set that the scan checked, as other hosts have it too. A reduced set belongs
            to one host only and is not stored.
    """

    __slots__ = ("digest", "is_whole", "ranges")

    def __init__(self, ranges: Iterable[Range], *, is_whole: bool = True) -> None:
        united: list[Range] = []
        for protocol, first, last in sorted(ranges):
            before = united[-1] if united else None
            if before and before[0] == protocol and first <= before[2] + 1:
                united[-1] = (protocol, before[1], max(before[2], last))
            else:
                united.append((protocol, first, last))
        self.ranges: tuple[Range, ...] = tuple(united)
        self.is_whole = is_whole
        self.digest = hashlib.blake2b(repr(self.ranges).encode(), digest_size=12).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortSet) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __repr__(self) -> str:
        return f"PortSet({list(self.ranges)})"

    def holds(self, protocol: str, port: int) -> bool:
        """Return whether a port is in the set."""
        place = bisect_right(self.ranges, (protocol, port, PORT_MAX + 1))
        found = self.ranges[place - 1] if place else None
        return found is not None and found[0] == protocol and found[1] <= port <= found[2]

    def without(self, ports: Iterable[Range]) -> PortSet:
        """Return the set without some ports, which were not checked on one host."""
        left = list(self.ranges)
        for protocol, first, last in ports:
            left = [part for whole in left for part in _cut(whole, protocol, first, last)]
        return PortSet(left, is_whole=False)


def ports_of(protocol: str, numbers: Iterable[int]) -> PortSet:
    """Return a set of single ports of one protocol."""
    return PortSet((protocol, number, number) for number in numbers)


def _cut(whole: Range, protocol: str, first: int, last: int) -> list[Range]:
    name, begin, end = whole
    if name != protocol or last < begin or first > end:
        return [whole]
    return [part for part in ((name, begin, first - 1), (name, last + 1, end)) if part[1] <= part[2]]
