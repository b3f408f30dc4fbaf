"""Faults of the simulated tenant: each decides about one request, by the stream it reads and how often it came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from server.simulator import Faults

App = Callable[..., Awaitable[None]]


def stream_of(scope: Any) -> str | None:
    """Return users, groups or devices for a request of a delta round, else None."""
    parts = scope["path"].split("/")
    return parts[2] if scope["path"].endswith("/delta") and len(parts) == 4 else None


async def refuse(send: Any, status: int, code: str = "serviceNotAvailable") -> None:
    """Answer with Graph's error shape."""
    body = orjson.dumps({"error": {"code": code, "message": "simulated"}})
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


class Once:
    """Refuses each address the first time it is asked for."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._seen: set[bytes] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any, app: App) -> None:
        """Refuse or pass one request on."""
        address = scope["raw_path"] + b"?" + scope["query_string"]
        if address not in self._seen:
            self._seen.add(address)
            await refuse(send, self._status)
        else:
            await app(scope, receive, send)


class From:
    """Refuses every request of some streams from the page of that number on, as a lasting outage does."""

    def __init__(self, page: int, *streams: str, status: int = 503) -> None:
        self._page, self._streams, self._status = page, streams, status
        self._served: dict[str, int] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any, app: App) -> None:
        """Refuse or pass one request on."""
        stream = stream_of(scope)
        # The question whether delta knows owners of devices is not a page.
        if stream in self._streams and b"select=id" not in scope["query_string"]:
            if self._served.get(stream, 0) >= self._page - 1:
                await refuse(send, self._status)
                return
            self._served[stream] = self._served.get(stream, 0) + 1
        await app(scope, receive, send)


def at_request(number: int, act: Callable[[], Awaitable[None]]) -> Faults:
    """Do something once, before the request of that number is answered."""
    seen = 0

    async def count(scope: Any, receive: Any, send: Any, app: App) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            await act()
        await app(scope, receive, send)

    return count
