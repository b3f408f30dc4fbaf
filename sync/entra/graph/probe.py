"""Probes a tenant and a credential: tries what can be read; never changes anything.

Source: learn.microsoft.com/graph/api/device-delta, learn.microsoft.com/graph/permissions-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.entra.diagnose import Resource
from sync.entra.graph.client import GraphClient
from sync.entra.graph.stream import delta_url
from sync.errors import EntraError, PermissionDenied, RequestRefused

DEVICE_RELATIONS = ("registeredOwners", "registeredUsers")
"""The relations of a device that a delta round may report."""

_NOT_SUPPORTED = frozenset({400, 501})
_COLLECTIONS: tuple[Resource, ...] = ("devices", "users", "groups")


async def device_relations(client: GraphClient) -> bool:
    """Return whether `/devices/delta` reports owners and users of devices.

    Microsoft does not document relations of devices. True needs evidence: Graph accepts the selection, and a device on
    the first page has a relation. False is always safe; it costs two more passes over the list.

    Raises:
        EntraError: anything but the refusal of the selection.
    """
    try:
        body = await client.get(delta_url("devices", ("id", *DEVICE_RELATIONS)))
    except RequestRefused as error:
        if error.facts.get("status") in _NOT_SUPPORTED:
            return False
        raise
    items = body.get("value")
    return isinstance(items, list) and any(_has_relation(item) for item in items)


def _has_relation(item: object) -> bool:
    return isinstance(item, Mapping) and any(f"{relation}@delta" in item for relation in DEVICE_RELATIONS)


@dataclass(frozen=True)
class Access:
    """Whether one resource can be read; `error`: why not; `is_tried`: there was an object to try."""

    resource: Resource
    error: EntraError | None = None
    is_tried: bool = True

    @property
    def granted(self) -> bool:
        """Whether the read succeeded."""
        return self.error is None


async def check_access(client: GraphClient) -> tuple[Access, ...]:
    """Read one object of each resource and report which reads Graph allows: devices, users, groups, members.

    Members are tried on one group; without a readable group, the result of groups counts for members too.

    Raises:
        EntraError: an error that does not concern permissions, such as SignInFailed or Unavailable.
    """
    found: list[Access] = []
    group_id: str | None = None
    for resource in _COLLECTIONS:
        access, body = await _try(client, resource, f"/{resource}?$top=1&$select=id")
        found.append(access)
        if resource == "groups":
            group_id = _first_id(body)
    groups = found[-1]
    if group_id is None:
        return (*found, Access("members", groups.error, is_tried=groups.error is not None))
    members, _ = await _try(client, "members", f"/groups/{group_id}/members?$top=1&$select=id")
    return (*found, members)


async def _try(client: GraphClient, resource: Resource, path: str) -> tuple[Access, Mapping[str, Any]]:
    try:
        return Access(resource), await client.get(path)
    except (PermissionDenied, RequestRefused) as error:
        return Access(resource, error), {}


def _first_id(body: Mapping[str, Any]) -> str | None:
    items = body.get("value")
    first = items[0] if isinstance(items, list) and items else None
    object_id = first.get("id") if isinstance(first, Mapping) else None
    return (
        object_id
        if isinstance(object_id, str) and object_id.isascii() and object_id.replace("-", "").isalnum()
        else None
    )
