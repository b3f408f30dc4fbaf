"""Classifies a request by its path: a template for the log, and a stream for the fault plan.

Templates hold no object id, so that the log may be stored and shown.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from server.simulator.tenant.population import KINDS

STREAMS = (*KINDS, "members", "token")
DELTA_SEGMENTS = ("delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()")
BY_DEVICE_ID = re.compile(r"^devices\(deviceId='([^']+)'\)$")
TOKEN_TEMPLATE = "/{tenant}/oauth2/v2.0/token"  # noqa: S105 - a path
_TURN = re.compile(r"[?&]turn=\d+$")
_RELATIONS = ("members", "owners", "memberOf", "manager", "registeredOwners", "registeredUsers")
_SIGN_IN = ("v2.0/.well-known/openid-configuration", "discovery/v2.0/keys", "oauth2/v2.0/token")


def without_turn(url: str) -> str:
    """Return a URL without `turn`, the option with which a fault distinguishes links to the same page."""
    return _TURN.sub("", url)


def segments_of(path: str) -> tuple[str, ...]:
    """Return the decoded segments of a path below `/v1.0`."""
    return tuple(unquote(segment) for segment in path.removeprefix("/v1.0").strip("/").split("/"))


def template_of(path: str) -> str:
    """Return the path with placeholders for the ids of objects, tenants and users."""
    return graph_template(segments_of(path)) if path.startswith("/v1.0") else _signin_template(path)


def graph_template(segments: tuple[str, ...]) -> str:
    """Return the template of a path below `/v1.0`."""
    first, *rest = segments
    if first == "$batch":
        return "/v1.0/$batch"
    if BY_DEVICE_ID.match(first):
        return "/v1.0/devices(deviceId='{id}')"
    if first not in KINDS:
        return "/v1.0/{unknown}"
    if not rest:
        return f"/v1.0/{first}"
    if rest[0] in DELTA_SEGMENTS:
        return f"/v1.0/{first}/delta"
    middle = "$count" if rest[0] == "$count" else "{id}"
    last = [name if name in _RELATIONS else "{unknown}" for name in rest[1:2]]
    return "/".join(["/v1.0", first, middle, *last])


def stream_of(template: str) -> str | None:
    """Return the stream of a request, one of STREAMS; None for single objects, counts and discovery."""
    if template == TOKEN_TEMPLATE:
        return "token"
    if template == "/v1.0/groups/{id}/members":
        return "members"
    kind = template.removeprefix("/v1.0/").removesuffix("/delta")
    return kind if kind in KINDS else None


def _signin_template(path: str) -> str:
    if path.lower().startswith("/common/userrealm/"):
        return "/common/userrealm/{user}"
    if path.startswith("/common/"):
        return "/common/discovery/instance"
    rest = path.strip("/").partition("/")[2]
    return f"/{{tenant}}/{rest}" if rest in _SIGN_IN else "/{unknown}"
