"""Reads MAC addresses out of what a directory says of a device's hardware; other identifiers are passed over."""

from __future__ import annotations

import re
from typing import Any

# Six pairs with the same separator: runs of twelve digits without one are parts of other identifiers.
_MAC = re.compile(r"(?<![0-9a-f])(?<![0-9a-f][:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![:-]?[0-9a-f])")
# Addresses that drivers report for missing hardware, and broadcast.
_NOBODY = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}


def macs_in(physical_ids: Any) -> list[str]:
    """List the MAC addresses in a device's `physicalIds`, such as `[MAC]:00-1A-2B-3C-4D-5E`, in the stored form.

    Args:
        physical_ids: as Graph sent it; anything but a list of texts holds none.

    Source: learn.microsoft.com/graph/api/resources/device (physicalIds: for internal use, no promised form)
    """
    found = {
        match[0].replace("-", ":")
        for text in (physical_ids if isinstance(physical_ids, list) else ())
        # Most identifiers are none, and to count is faster than to search.
        if isinstance(text, str) and (text.count(":") >= 5 or text.count("-") >= 5)
        for match in _MAC.finditer(text.casefold())
    }
    return sorted(found - _NOBODY)
