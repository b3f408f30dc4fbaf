"""The route `/schema.graphql`: the schema in SDL, for code generators and editors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import strawberry
from starlette.requests import Request
from starlette.responses import Response

from server.graphql.errors import Refused

Identify = Callable[[Request], Awaitable[Any]]
CONTENT_TYPE = "application/graphql; charset=utf-8"
_JSON = "application/json; charset=utf-8"


class SchemaRoute:
    """Answers callers who may introspect the schema.

    Args:
        schema: the schema to print.
        identify: returns the caller, or raises Refused(401).
    """

    def __init__(self, schema: strawberry.Schema, identify: Identify) -> None:
        self._schema, self._identify = schema, identify
        self._body = b""

    async def respond(self, request: Request) -> Response:
        """Answer one request: 200 with the SDL, 304 if the caller has it, 401 without a valid token."""
        try:
            await self._identify(request)
        except Refused as refused:
            body = refused.bytes(getattr(request.state, "request_id", "none"))
            return Response(body, refused.status, refused.headers, _JSON)
        if not self._body:
            # In a thread: printing takes longer than a request may hold the event loop.
            self._body = (await asyncio.to_thread(self._schema.as_str)).encode() + b"\n"
        tag = f'"{sha256(self._body).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if is_match(request.headers.get("if-none-match", ""), tag):
            return Response(b"", 304, headers)
        return Response(self._body, 200, headers, CONTENT_TYPE)


def is_match(if_none_match: str, tag: str) -> bool:
    """Return whether the header If-None-Match names a tag; `*` names any (RFC 9110, 13.1.2)."""
    return tag in if_none_match or if_none_match.strip() == "*"
