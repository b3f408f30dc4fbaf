"""A network that is a function: each request gets what it returns or raises, without a socket or an event loop turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import httpx
import orjson

Serve = Callable[[httpx.Request], httpx.Response]


Piece = bytes | Exception | float


class Body(httpx.AsyncByteStream):
    """A body in pieces; one that is an error breaks the connection there, a number is a silence in seconds."""

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces in turn."""
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            else:
                yield piece


def answer(
    body: object = b"", status: int = 200, headers: Mapping[str, str] | None = None, *more: Piece
) -> httpx.Response:
    """Return an answer; a body that is not bytes is sent as JSON, `more` pieces follow it."""
    payload = body if isinstance(body, bytes) else orjson.dumps(body)
    sent = {"content-type": "application/json", **(headers or {})}
    return httpx.Response(status, headers=sent, stream=Body(payload, *more))


class Network(httpx.AsyncBaseTransport):
    """The transport of a client whose network is a function."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        return self._serve(request)
