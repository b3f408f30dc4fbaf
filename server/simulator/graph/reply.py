"""One answer, whole in memory, so that a fault can change it and the way it is sent."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.simulator.asked import SCOPE_KEY, Asked
from server.simulator.graph.carrier import ConnectionCut, ConnectionSilent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TRICKLED_BYTES_MAX = 600  # ten minutes at one byte a second: longer than any client should wait
ENDLESS_BYTES_MAX = 256 * 1024 * 1024
FILLER = b" " * 65_536
Page = dict[str, Any]


@dataclass(slots=True)
class GraphReply:
    """The tenant's answer, and how to send it; header names are in lower case, the body is uncompressed."""

    asked: Asked
    status: int
    headers: dict[str, str]
    body: bytes
    send_as: Manner = field(default=lambda reply, receive, send: whole(reply, receive, send))

    @property
    def page(self) -> Page:
        """Return the body as JSON; empty if it is not a JSON object."""
        try:
            value = orjson.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @page.setter
    def page(self, page: Page) -> None:
        self.body = orjson.dumps(page)

    @property
    def next_link(self) -> str | None:
        """Return the link to the next page."""
        return self.page.get("@odata.nextLink")

    @property
    def link_name(self) -> str | None:
        """Return the name of the page's link, or None."""
        page = self.page
        return next((name for name in ("@odata.nextLink", "@odata.deltaLink") if name in page), None)

    def replace(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        """Replace the whole answer; `_` in a header's name stands for `-`."""
        self.status, self.body = status, body
        self.headers = {"content-type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}


Manner = Callable[[GraphReply, Receive, Send], Awaitable[None]]


async def capture(app: ASGIApp, scope: Scope, receive: Receive) -> GraphReply:
    """Let the tenant answer, and return its answer instead of sending it."""
    start: Message = {}
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, keep)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    body = b"".join(parts)
    headers.pop("content-length", None)
    if headers.pop("content-encoding", None) == "gzip":
        body = zlib.decompress(body, 31)
    return GraphReply(scope[SCOPE_KEY], start["status"], headers, body)


async def send_start(reply: GraphReply, send: Send, *, length: int | None) -> None:
    """Send status and headers; `length` None leaves the end of the body open."""
    headers = dict(reply.headers)
    if length is not None:
        headers["content-length"] = str(length)
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})


async def whole(reply: GraphReply, receive: Receive, send: Send) -> None:
    """Send everything at once."""
    await send_start(reply, send, length=len(reply.body))
    await send({"type": "http.response.body", "body": reply.body})


def cut(*, before_headers: bool, reset: bool) -> Manner:
    """Return a manner that ends the connection, before the headers or in the middle of the body."""

    async def end(reply: GraphReply, receive: Receive, send: Send) -> None:
        if not before_headers:
            await send_start(reply, send, length=len(reply.body))
            half = reply.body[: max(len(reply.body) // 2, 1)]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        raise ConnectionCut(reset=reset)

    return end


def silent(*, before_headers: bool) -> Manner:
    """Return a manner that sends nothing, or only the headers, and keeps the connection open."""

    async def hold(reply: GraphReply, receive: Receive, send: Send) -> None:
        if not before_headers:
            await send_start(reply, send, length=len(reply.body))
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        raise ConnectionSilent

    return hold


async def trickle(reply: GraphReply, receive: Receive, send: Send) -> None:
    """Send a byte a second, for ten minutes at most."""
    clock = reply.asked.simulator.clock
    await send_start(reply, send, length=len(reply.body))
    async with _until_gone(receive) as is_gone:
        for at in range(min(len(reply.body), TRICKLED_BYTES_MAX)):
            if is_gone():
                return
            await send({"type": "http.response.body", "body": reply.body[at : at + 1], "more_body": True})
            await clock.sleep(1)
    if len(reply.body) > TRICKLED_BYTES_MAX:
        raise ConnectionCut(reset=False)
    await send({"type": "http.response.body", "body": b""})


async def endless(reply: GraphReply, receive: Receive, send: Send) -> None:
    """Send endless JSON until the client leaves, at most 256 MiB."""
    await send_start(reply, send, length=None)
    await send({"type": "http.response.body", "body": b'{"value":[', "more_body": True})
    async with _until_gone(receive) as is_gone:
        for _ in range(0, ENDLESS_BYTES_MAX, len(FILLER)):
            if is_gone():
                return
            await send({"type": "http.response.body", "body": FILLER, "more_body": True})
    raise ConnectionCut(reset=False)


@asynccontextmanager
async def _until_gone(receive: Receive) -> AsyncIterator[Callable[[], bool]]:
    """Watch whether the client has left."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    watching = asyncio.create_task(watch())
    try:
        yield watching.done
    finally:
        watching.cancel()
