"""Behaviour that Microsoft leaves open: page sizes, order, replays, lag and lifetimes; none of it is a fault.

The documentation allows every value, or others have seen it, so clients must handle each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sync.errors import BadInput

CHOICES = {
    "device_relations": ("shown", "refused", "ignored"),
    "removal_reasons": ("told", "absent", "unknown"),
    "links_on_leave": ("listed", "left out"),
}
DAY_S = 24 * 3600


@dataclass(slots=True)
class Variants:
    """The switches of one tenant; they may change at any time.

    A round that has begun keeps its order; every other change takes effect with the next request.
    """

    quota: float = 1.0
    """Share of the documented resource units that an app gets; 0 switches throttling off."""
    lag_s: float = 0.0
    """Replication lag: a delta round shows a change only this many seconds after it happened."""
    shuffled: bool = False
    """Whether delta rounds, and the objects of a page, come in random order."""
    replays: int = 0
    """Objects of the previous page that each delta page repeats."""
    empty_pages: int = 0
    """Empty pages with a nextLink between two delta pages."""
    page_objects: int = 200
    """Most objects on a delta page."""
    page_links: int = 1_000
    """Most member entries on a delta page; a group with more is repeated on the following pages."""
    device_relations: str = "shown"
    """Whether devices/delta shows registeredOwners and registeredUsers, refuses them (400) or ignores them."""
    removal_reasons: str = "told"
    """Whether delta tells why an object was removed, omits the reason, or gives an undocumented one."""
    links_on_leave: str = "listed"
    """Whether a full round lists links to soft-deleted objects or omits them; a restore brings them back either way."""
    token_lifetime_s: int = 3600
    """Seconds that an access token is valid."""
    delta_lifetime_s: int = 7 * DAY_S
    """Seconds that a delta link is valid; afterwards it answers 410."""

    def change(self, values: Mapping[str, Any]) -> None:
        """Set some switches; if one is wrong, set none.

        Raises:
            BadInput: a name is unknown, or a value has the wrong type or is out of bounds.
        """
        types = {field.name: type(field.default) for field in fields(self)}
        for name, value in values.items():
            if name not in types:
                raise BadInput(f"There is no variant {name}; choose one of {', '.join(types)}.")
            wanted = types[name]
            fits = type(value) is wanted or (wanted is float and type(value) is int)
            if not fits or (wanted in (int, float) and not MINIMUM.get(name, 0) <= value <= 10**9):
                raise BadInput(f"The variant {name} cannot be {value!r}.")
        for name, choices in CHOICES.items():
            if name in values and values[name] not in choices:
                raise BadInput(f"{name} must be one of {', '.join(choices)}.")
        for name, value in values.items():
            setattr(self, name, value)

    def report(self) -> dict[str, Any]:
        """Return every switch as a JSON value."""
        return asdict(self)


MINIMUM = {"page_objects": 1, "page_links": 1, "token_lifetime_s": 1, "delta_lifetime_s": 1}
