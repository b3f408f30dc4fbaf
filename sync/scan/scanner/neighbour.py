"""The kernel's neighbour table: the MAC addresses of IPv4 addresses on this machine's networks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

TABLE = Path("/proc/net/arp")
TABLE_BYTES_MAX = 4 * 1024 * 1024
_COMPLETE = 0x2
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)


def read_neighbours(table: Path = TABLE) -> Mapping[str, str]:
    """Read IPv4 address → MAC address; empty on systems without such a table.

    Source: man 7 arp, man 5 proc: IP address, HW type, Flags, HW address, Mask, Device; flag 2 is a complete entry.
    """
    try:
        with table.open("rb") as file:
            lines = file.read(TABLE_BYTES_MAX).decode("ascii", "replace").splitlines()[1:]
    except OSError:
        return {}
    found = {}
    for line in lines:
        words = line.split()
        if len(words) < 4 or not _MAC.fullmatch(words[3]) or not re.fullmatch(r"0x[0-9a-f]{1,8}", words[2]):
            continue
        # The table has zeros for addresses that never answered.
        if int(words[2], 16) & _COMPLETE and words[3] != "00:00:00:00:00:00":
            found[words[0]] = words[3].lower()
    return found
