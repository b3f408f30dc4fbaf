"""Reuses the prepared operation of a POST that was sent before, byte for byte.

This saves only the reading: each request looks up the token, checks the role and runs the operation. Only requests
that a plan answered are kept. They are known by a keyed digest, so no token is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schema.lru import Recent
from server.graphql.deadline import soon
from server.graphql.handler import GraphQLEndpoint, Read, Reply

# Each entry holds a prepared operation with its variables, a few times the size of its body.
REQUESTS_MAX = 1_024
BODY_BYTES_MAX = 8 * 1024
# Headers that differ from answer to answer; the others are copied from the first answer.
_OWN_HEADERS = frozenset((b"content-encoding", b"content-length", b"x-request-id"))

# Returns the cached caller of a scope's Authorization header, or None.
Recall = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True)
class Known:
    """A request that was read before, and the headers around its answer."""

    read: Read
    headers: list[tuple[bytes, bytes]]


class Repeats:
    """ASGI middleware that answers repeated requests.

    Args:
        app: answers new requests.
        endpoint: answers repeated requests.
        path: the endpoint's path.
        recall: returns the caller without asking the database.
        body_timeout_s: longest wait for a body; after it, `app` reads the request.
    """

    def __init__(
        self, app: ASGIApp, *, endpoint: GraphQLEndpoint, path: str, recall: Recall, body_timeout_s: float
    ) -> None:
        self._app, self._endpoint, self._path, self._recall = app, endpoint, path, recall
        self._timeout_s = body_timeout_s
        self._known: Recent[Known] = Recent(REQUESTS_MAX)
        self._secret = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a repeated request, or pass a new one on."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        # Read nothing from an unknown caller.
        principal = self._recall(scope)
        if principal is None:
            await self._app(scope, receive, send)
            return
        body = _Body(receive)
        key = self._key(scope, await body.first(self._timeout_s))
        known = self._known.find(key) if key is not None else None
        if known is None:
            await self._app(scope, body.receive, send if key is None else _Notes(self._known, key, scope, send))
            return
        reply = await self._endpoint.again(known.read, principal, scope)
        if isinstance(reply, Reply):
            reply = Reply(reply.status, known.headers + reply.own, reply.body, tally=reply.tally)
        await reply(scope, receive, send)

    def _key(self, scope: Scope, message: Message | None) -> bytes | None:
        """Return the digest of a short request; None for a long one."""
        if message is None or message.get("more_body") or len(message.get("body", b"")) > BODY_BYTES_MAX:
            return None
        digest = hashlib.blake2b(key=self._secret, digest_size=16)
        # The encoding is unambiguous: only the body, which comes last, may contain a line break.
        digest.update(f"{scope['scheme']} {scope['http_version']}\n".encode() + scope["query_string"] + b"\n")
        digest.update(b"\n".join([part for pair in scope["headers"] for part in pair]) + b"\n\n")
        digest.update(message["body"])
        return digest.digest()


class _Body:
    """A body whose first message has been read; `receive` returns that message first."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._message: Message | None = None

    async def first(self, timeout_s: float) -> Message | None:
        """Return the first message; None if it is late or not part of a body."""
        try:
            self._message = await soon(self._receive(), timeout_s)
        except TimeoutError:
            return None
        return self._message if self._message["type"] == "http.request" else None

    async def receive(self) -> Message:
        """Return the next message."""
        message, self._message = self._message, None
        return message if message is not None else await self._receive()


class _Notes:
    """A `send` that stores the result of reading a request, with the headers of its answer."""

    def __init__(self, known: Recent[Known], key: bytes, scope: Scope, send: Send) -> None:
        self._known, self._key, self._scope, self._send = known, key, scope, send

    async def __call__(self, message: Message) -> None:
        read = self._scope["state"].get("read")
        if message["type"] == "http.response.start" and read is not None:
            headers = [(name, value) for name, value in message["headers"] if name not in _OWN_HEADERS]
            self._known.keep(self._key, Known(read, headers))
        await self._send(message)
