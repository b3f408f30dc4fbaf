"""The kinds of directory object that are synced: their tables, their Graph properties and the edges they carry.

Source: learn.microsoft.com/graph/delta-query-overview; property names: Microsoft Graph v1.0 metadata.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Table

from sync.store import tables
from sync.store.tables.column import graph_columns

SOFT, GONE, VANISHED = "SOFT", "GONE", "VANISHED"
"""How a row went (`deletion`): it may be restored, it is gone for good, or a full round no longer saw it."""

RESTORABLE = (SOFT, VANISHED)
"""What may come back, and then with its edges."""


class Edge(enum.IntEnum):
    """The relations between directory objects; the value is stored."""

    MEMBER = 1
    GROUP_OWNER = 2
    DEVICE_OWNER = 3
    DEVICE_USER = 4
    MANAGER = 5


# Under which name changes of an edge are counted on a run.
EDGE_COUNTS = {
    Edge.MEMBER: "memberships",
    Edge.GROUP_OWNER: "groupOwners",
    Edge.DEVICE_OWNER: "deviceOwners",
    Edge.DEVICE_USER: "deviceUsers",
    Edge.MANAGER: "managers",
}


@dataclass(frozen=True)
class Kind:
    """One synced kind: `plural` is its Graph collection and the name of its stream."""

    name: str
    plural: Literal["users", "groups", "devices"]
    table: Table
    # Graph relation → edge; an edge leads from the object that carries the relation.
    edges: Mapping[str, Edge]
    # Properties that every object has: one that comes without them has lost them on the way.
    always: frozenset[str]
    # At most one edge from an object: a new one replaces the old.
    single: frozenset[Edge] = frozenset()
    # Lists of objects that few ask for: read and kept in `raw`, where filters find them, without columns of their own.
    raw_only: tuple[str, ...] = ()

    @property
    def inventory(self) -> str:
        """The inventory that shows its rows: devices are seen as records of assets."""
        return "assets" if self.plural == "devices" else self.plural

    def select(self, *, with_edges: bool = True) -> list[str]:
        """List the properties and relations asked for, in a fixed order."""
        columns = (prop for prop, _ in graph_columns(self.table))
        return [*columns, *self.raw_only, *(self.edges if with_edges else ())]

    def signature(self) -> bytes:
        """Name what a row is made of; part of every content hash, so that a new column rewrites the rows."""
        return hashlib.blake2b(",".join(self.table.columns.keys()).encode(), digest_size=8).digest()


USER = Kind(
    "user",
    "users",
    tables.users,
    {"manager": Edge.MANAGER},
    frozenset({"accountEnabled", "displayName", "userPrincipalName"}),
    frozenset({Edge.MANAGER}),
    (
        *("assignedLicenses", "assignedPlans", "employeeOrgData", "identities", "licenseAssignmentStates"),
        *("onPremisesExtensionAttributes", "onPremisesProvisioningErrors", "provisionedPlans"),
        "serviceProvisioningErrors",
    ),
)
GROUP = Kind(
    "group",
    "groups",
    tables.groups,
    {"members": Edge.MEMBER, "owners": Edge.GROUP_OWNER},
    frozenset({"displayName"}),
    raw_only=(
        *("assignedLabels", "assignedLicenses", "licenseProcessingState", "onPremisesProvisioningErrors"),
        "serviceProvisioningErrors",
    ),
)
DEVICE = Kind(
    "device",
    "devices",
    tables.devices,
    {"registeredOwners": Edge.DEVICE_OWNER, "registeredUsers": Edge.DEVICE_USER},
    frozenset({"accountEnabled", "displayName"}),
)
KINDS = (USER, GROUP, DEVICE)
