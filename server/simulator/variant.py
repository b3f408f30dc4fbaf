"""Behaviour that Microsoft leaves open: page sizes, order, replays, lag, lifetimes; never a fault.

Every value is allowed by the documentation or was seen by others, so a client has to cope with each.
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
    """The switches of one tenant; may be changed at any time.

    A round that has begun keeps its order; everything else acts on the next request.
    """

    quota: float = 1.0
    """Share of the documented resource units that an app gets; 0 switches throttling off."""
    lag_s: float = 0.0
    """Replication lag: a delta round tells of a change only that many seconds after it happened."""
    shuffled: bool = False
    """Delta rounds come in another order, and the objects of a page too."""
    replays: int = 0
    """How many objects of the page before each delta page repeats."""
    empty_pages: int = 0
    """How many empty pages with a nextLink come between two delta pages."""
    page_objects: int = 200
    """Objects a delta page holds at most."""
    page_links: int = 1_000
    """Member entries a delta page holds at most; a group with more is repeated on the pages that follow."""
    device_relations: str = "shown"
    """Whether devices/delta shows registeredOwners and registeredUsers, refuses them (400) or ignores them."""
    removal_reasons: str = "told"
    """Whether delta tells why an object was removed, leaves the reason out, or says one that nobody knows."""
    links_on_leave: str = "listed"
    """Whether a full round lists links to soft-deleted objects, or leaves them out; either way they come back."""
    token_lifetime_s: int = 3600
    """How long an access token is valid."""
    delta_lifetime_s: int = 7 * DAY_S
    """How long a delta link is valid; afterwards it answers 410."""

    def change(self, values: Mapping[str, Any]) -> None:
        """Set some switches, or none when one of them is wrong.

        Raises:
            BadInput: an unknown name, or a value of another type or out of bounds.
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
                raise BadInput(f"{name} is one of {', '.join(choices)}.")
        for name, value in values.items():
            setattr(self, name, value)

    def report(self) -> dict[str, Any]:
        """Return every switch as a JSON value."""
        return asdict(self)


MINIMUM = {"page_objects": 1, "page_links": 1, "token_lifetime_s": 1, "delta_lifetime_s": 1}
