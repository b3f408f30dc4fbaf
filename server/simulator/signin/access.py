"""The permissions that each kind of object needs.

Source: the permission tables of learn.microsoft.com/graph/api for list, delta and relation calls
"""

from __future__ import annotations

from server.simulator.graph.exchange import denied
from server.simulator.signin.token import GraphCaller

_DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All")
READERS: dict[str, tuple[str, ...]] = {
    "users": ("User.Read.All", "User.ReadWrite.All", *_DIRECTORY),
    "devices": ("Device.Read.All", "Device.ReadWrite.All", *_DIRECTORY),
    "groups": (
        "Group.Read.All",
        "GroupMember.Read.All",
        "Group.ReadWrite.All",
        "GroupMember.ReadWrite.All",
        *_DIRECTORY,
    ),
    "servicePrincipals": ("Application.Read.All", "Application.ReadWrite.All", *_DIRECTORY),
    "contacts": ("OrgContact.Read.All", *_DIRECTORY),
}


def may_read(principal: GraphCaller, kind: str) -> bool:
    """Return whether the token may read objects of a kind."""
    return principal.has(*READERS[kind])


def demand(principal: GraphCaller, kind: str) -> None:
    """Raise Graph's 403 when the token may not read objects of a kind."""
    if not may_read(principal, kind):
        raise denied()


def sees_hidden(principal: GraphCaller) -> bool:
    """Return whether the token may see the members of groups with hidden membership."""
    return principal.has("Member.Read.Hidden")
