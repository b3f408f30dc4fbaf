"""The fifteen extension attributes that devices and synchronised users carry, as Microsoft documents them.

Source: learn.microsoft.com/graph/api/resources/onpremisesextensionattributes
"""

from __future__ import annotations

from server.simulator.tenant.draw import Draw

NAMES = tuple(f"extensionAttribute{n}" for n in range(1, 16))


def build_extensions(draw: Draw) -> dict[str, str | None]:
    """Return all fifteen, most of them null; only the whole of them can be selected."""
    values: dict[str, str | None] = dict.fromkeys(NAMES)
    if draw.percent(20):
        values["extensionAttribute1"] = draw.pick(("BYOD-Device", "Kiosk", "VIP", "Lab"))
        center = draw.below(900) + 100
        values["extensionAttribute15"] = f"CC-{center}"
        # One of the others, so that each has values in a tenant of some hundred users.
        values[f"extensionAttribute{2 + center % 13}"] = f"Floor {center % 9}"
    return values
