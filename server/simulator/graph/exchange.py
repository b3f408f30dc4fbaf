"""One Graph request and its answer, independent of HTTP, so that the same code serves items of a $batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from server.simulator.graph.page import RenderedPage
from server.simulator.signin.token import GraphCaller


@dataclass(frozen=True, slots=True)
class Call:
    """One request to Graph below `/v1.0`; header names are in lower case, query options without their `$`."""

    method: str
    segments: tuple[str, ...]
    options: Mapping[str, str]
    headers: Mapping[str, str]
    principal: GraphCaller
    body: bytes = b""

    def prefers(self, preference: str) -> bool:
        """Return whether the Prefer header names the preference."""
        return preference in [part.strip().lower() for part in self.headers.get("prefer", "").split(",")]

    @property
    def eventual(self) -> bool:
        """Return whether the caller accepts eventual consistency, which advanced queries need."""
        return self.headers.get("consistencylevel", "").lower() == "eventual"


@dataclass(slots=True)
class GraphAnswer:
    """Graph's answer; a paged one has a compressed page and a tail of its own."""

    body: dict[str, Any] | str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    page: RenderedPage | None = None
    tail: bytes = b""
    units: int = 1

    def raw(self) -> bytes:
        """Return the body, uncompressed."""
        if self.page is not None:
            return self.page.plain(self.tail)
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else orjson.dumps(self.body)


class GraphRefused(Exception):
    """Graph answers with an error body."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def error_body(code: str, message: str, *, at: datetime, request_id: str, client_request_id: str) -> dict[str, Any]:
    """Return Graph's error body. Source: learn.microsoft.com/graph/errors"""
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S")
    inner = {"date": stamp, "request-id": request_id, "client-request-id": client_request_id}
    return {"error": {"code": code, "message": message, "innerError": inner}}


def bad_request(message: str, code: str = "Request_BadRequest") -> GraphRefused:
    """Return a 400."""
    return GraphRefused(400, code, message)


def unsupported(message: str) -> GraphRefused:
    """Return the 400 for a query that the directory does not support."""
    return bad_request(message, "Request_UnsupportedQuery")


def not_found(object_id: str) -> GraphRefused:
    """Return the 404 for an unknown object."""
    message = f"Resource '{object_id}' does not exist or one of its queried reference-property objects are not present."
    return GraphRefused(404, "Request_ResourceNotFound", message)


def denied() -> GraphRefused:
    """Return the 403 for a missing permission."""
    return GraphRefused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
