"""The synced kinds of directory objects: their tables, their Graph properties and their edges.

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
"""How a row was deleted (`deletion`): restorable, permanently, or because a full round did not see it."""

RESTORABLE = (SOFT, VANISHED)
"""Deletions after which an object may be restored, with its edges."""


class Edge(enum.IntEnum):
    """The relations between directory objects; the value is stored."""

    MEMBER = 1
    GROUP_OWNER = 2
    DEVICE_OWNER = 3
    DEVICE_USER = 4
    MANAGER = 5


# Edge → name under which a run counts its changes.
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
    # Graph relation → edge; the edge starts at the object that has the relation.
    edges: Mapping[str, Edge]
    # Properties that every object has: if an item misses one, it was lost in transit.
    always: frozenset[str]
    # To-one edges: a new edge replaces the previous one.
    single: frozenset[Edge] = frozenset()
    # Properties without columns: read and stored in `raw` only, where filters find them.
    raw_only: tuple[str, ...] = ()

    @property
    def inventory(self) -> str:
        """The inventory that shows its rows: devices are shown as records of assets."""
        return "assets" if self.plural == "devices" else self.plural

    def select(self, *, with_edges: bool = True) -> list[str]:
        """List the properties and relations to select, in a fixed order."""
        columns = (prop for prop, _ in graph_columns(self.table))
        return [*columns, *self.raw_only, *(self.edges if with_edges else ())]

    def signature(self) -> bytes:
        """Hash the names of the columns; it is part of every content hash, so that a new column rewrites the rows."""
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
