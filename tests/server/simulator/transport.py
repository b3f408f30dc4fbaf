"""Carries requests into a simulator without a socket, streaming, with cuts and silence as httpx would meet them.

httpx's own ASGITransport reads an answer to its end before it gives any of it out, so it cannot carry a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.types import Message, Scope

from server.simulator.graph.carrier import ConnectionCut, ConnectionSilent
from server.simulator.simulator import Simulator

SILENCE_S = 600.0  # how long a client without a read timeout waits


class InProcess(httpx.AsyncBaseTransport):
    """An httpx transport whose other end is a simulator; silence costs its clock the client's read timeout."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises what httpx raises on a socket."""
        answer = _Answer(self._simulator, request, await request.aread())
        start = await answer.next()
        return httpx.Response(start["status"], headers=start["headers"], stream=answer, request=request)


class _Answer(httpx.AsyncByteStream):
    """The messages of one answer, made only as fast as they are read."""

    def __init__(self, simulator: Simulator, request: httpx.Request, body: bytes) -> None:
        self._clock = simulator.clock
        self._read_s = request.extensions.get("timeout", {}).get("read") or SILENCE_S
        self._body = body
        self._asked = False
        self._gone = asyncio.Event()
        self._messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        url = request.url
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 0),
        }
        self._app = asyncio.create_task(self._run(simulator, scope))

    async def _run(self, simulator: Simulator, scope: Scope) -> ConnectionSilent | ConnectionCut | None:
        # Returned, not raised: a client that has left asks nobody how it ended.
        try:
            await simulator.app(scope, self._receive, self._messages.put)
        except (ConnectionSilent, ConnectionCut) as end:
            return end
        return None

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def next(self) -> Message:
        """Return the next message, or raise what happened to the connection."""
        taking = asyncio.ensure_future(self._messages.get())
        await asyncio.wait((taking, self._app), return_when=asyncio.FIRST_COMPLETED)
        if taking.done():
            return taking.result()
        taking.cancel()
        end = self._app.result()
        if isinstance(end, ConnectionSilent):
            await self._clock.sleep(self._read_s)
            raise httpx.ReadTimeout("The simulator is silent.") from end
        if isinstance(end, ConnectionCut):
            kind = httpx.ReadError if end.reset else httpx.RemoteProtocolError
            raise kind("The simulator cut the connection.") from end
        raise httpx.RemoteProtocolError("The simulator answered nothing.")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as it is sent."""
        more = True
        while more:
            message = await self.next()
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def aclose(self) -> None:
        """Leave, as a client does that has read enough."""
        self._gone.set()
        self._app.cancel()
        await asyncio.wait((self._app,))
