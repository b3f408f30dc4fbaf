"""The sources of an asset's records, as bits of `assets.source_mask`."""

from __future__ import annotations

AZUREAD = "azuread"
SCAN = "scan"
BITS: dict[str, int] = {AZUREAD: 1, SCAN: 2}


def names(mask: int) -> list[str]:
    """List the sources in a mask, in a fixed order."""
    return [name for name, bit in BITS.items() if mask & bit]
