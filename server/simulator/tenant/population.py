"""The directory on its first day: object n of a kind is a pure function of seed and n, and is never stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from server.simulator.tenant import membership
from server.simulator.tenant.device import build_device
from server.simulator.tenant.draw import Draw, Ids
from server.simulator.tenant.group import build_group
from server.simulator.tenant.names import TENANT
from server.simulator.tenant.origin import Origin, days_before
from server.simulator.tenant.size import Size
from server.simulator.tenant.user import build_user

KINDS = ("users", "devices", "groups")
# Kinds without a stream of their own: created by the admin API, as members and owners of groups.
OTHERS = ("servicePrincipals", "contacts")
CODES = {"users": 1, "devices": 2, "groups": 3, "servicePrincipals": 5, "contacts": 6}
KIND_OF_CODE = {code: kind for kind, code in CODES.items()}
DEVICE_ID_CODE = 4
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


class Population:
    """A seeded tenant of any size, generated object by object on demand."""

    def __init__(
        self, *, users: int, devices: int, groups: int, seed: int, largest_group: int | None, as_of: datetime
    ) -> None:
        largest = min(100_000, users // 2) if largest_group is None else min(largest_group, users)
        self.size = Size(users, devices, groups, largest)
        self.seed = seed
        self.ids = Ids(seed)
        draw = Draw(b"tenant %d" % seed)
        self.tenant_id = self.ids.encode(9, 0)
        self.domain = f"{draw.pick(TENANT)}-{draw.hex(4)}.example"
        self.origin = Origin(seed, self.domain, self.ids, days_before(as_of))

    def count(self, kind: str) -> int:
        """Return how many objects of a kind the tenant started with."""
        return {"users": self.size.users, "devices": self.size.devices, "groups": self.size.groups}.get(kind, 0)

    def id_of(self, kind: str, number: int) -> str:
        """Return the object id of object `number`."""
        return self.ids.encode(CODES[kind], number)

    def locate(self, object_id: str) -> tuple[str, int] | None:
        """Return kind and number of an object id, or None when this tenant did not start with it."""
        found = self.ids.decode(object_id)
        if found is None or found[0] not in KIND_OF_CODE:
            return None
        kind = KIND_OF_CODE[found[0]]
        return (kind, found[1]) if found[1] < self.count(kind) else None

    def locate_device_id(self, device_id: str) -> int | None:
        """Return the number of the device that has this `deviceId` (not its object id)."""
        found = self.ids.decode(device_id)
        return found[1] if found and found[0] == DEVICE_ID_CODE and found[1] < self.size.devices else None

    def build(self, kind: str, number: int) -> dict[str, Any]:
        """Return object `number` with every property that was ever set; a property set to null is there as null."""
        if kind == "users":
            values = build_user(self.origin, number)
        elif kind == "devices":
            values = build_device(self.origin, number, self.ids.encode(DEVICE_ID_CODE, number))
        else:
            values = build_group(self.origin, number, self.size)
        return {"id": self.id_of(kind, number), **values}

    def link_count(self, relation: str, number: int) -> int:
        """Return how many links of a relation object `number` starts with."""
        return membership.link_count(self.seed, self.size, relation, number)

    def links(self, relation: str, number: int, low: int, high: int) -> list[tuple[str, str]]:
        """Return links `low` to `high` (exclusive) of object `number` as (kind, object id)."""
        encode = self.ids.encode
        targets = membership.links(self.seed, self.size, relation, number, low, high)
        return [(kind, encode(CODES[kind], target)) for kind, target in targets]

    def has_link(self, relation: str, number: int, target_id: str) -> bool:
        """Return whether object `number` started with a link to the target."""
        found = self.locate(target_id)
        return found is not None and membership.has_link(self.seed, self.size, relation, number, *found)

    def find_user(self, principal_name: str) -> int | None:
        """Return the number of the user with this user principal name."""
        digits = "".join(c for c in principal_name.partition("@")[0].partition("_")[0] if c.isdigit())
        if not digits or len(digits) > 12 or int(digits) >= self.size.users:
            return None
        name: str = self.build("users", int(digits))["userPrincipalName"]
        return int(digits) if name.casefold() == principal_name.casefold() else None
