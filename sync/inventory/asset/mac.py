"""Extracts MAC addresses from a device's hardware identifiers; ignores other identifiers."""

from __future__ import annotations

import re
from typing import Any

# Six pairs with one kind of separator; twelve digits without separators are parts of other identifiers.
_MAC = re.compile(r"(?<![0-9a-f])(?<![0-9a-f][:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![:-]?[0-9a-f])")
# The address that drivers report for missing hardware, and the broadcast address.
_NOBODY = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}


def macs_in(physical_ids: Any) -> list[str]:
    """List the MAC addresses in a device's `physicalIds`, such as `[MAC]:00-1A-2B-3C-4D-5E`, in the stored form.

    Args:
        physical_ids: as Graph sent it; anything but a list of texts contains none.

    Source: learn.microsoft.com/graph/api/resources/device (physicalIds: for internal use, no promised form)
    """
    found = {
        match[0].replace("-", ":")
        for text in (physical_ids if isinstance(physical_ids, list) else ())
        # Count separators first, which is faster than the search: most identifiers are no MAC addresses.
        if isinstance(text, str) and (text.count(":") >= 5 or text.count("-") >= 5)
        for match in _MAC.finditer(text.casefold())
    }
    return sorted(found - _NOBODY)
