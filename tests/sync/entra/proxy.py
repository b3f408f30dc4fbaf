"""A forward proxy on loopback: CONNECT for https, absolute addresses for http; it alone knows where names lead."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ForwardProxy:
    """A running proxy: its origin, and the first line of each request that it was sent.

    Args:
        ports: the names that it knows, and the port of loopback where each is served.
        auth: user and password that it asks for.
        status: what it answers to everything instead of doing it, such as `403 Forbidden`.
    """

    ports: Mapping[str, int]
    auth: tuple[str, str] | None
    status: str | None
    origin: str = ""
    heard: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry out one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *headers = head.rstrip("\r\n").split("\r\n")
        self.heard.append(line)
        method, target, _ = line.split(" ")
        name = (target if method == "CONNECT" else target.split("/")[2]).partition(":")[0]
        if (refusal := self._refusal(headers, name)) is not None:
            writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.ports[name])
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            kept = [each for each in headers if not each.lower().startswith("proxy-")]
            path = "/" + target.split("/", 3)[3]
            back.write("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "", ""]).encode("latin-1"))
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    def _refusal(self, headers: Sequence[str], name: str) -> str | None:
        expected = base64.b64encode(":".join(self.auth).encode()).decode() if self.auth else None
        given = next((each[27:] for each in headers if each.lower().startswith("proxy-authorization: basic ")), None)
        if given != expected:
            return "407 Proxy Authentication Required"
        return self.status or (None if name in self.ports else "502 Bad Gateway")


@asynccontextmanager
async def forward_proxy(
    ports: Mapping[str, int], *, auth: tuple[str, str] | None = None, status: str | None = None
) -> AsyncIterator[ForwardProxy]:
    """Serve until the block ends; see `ForwardProxy`."""
    running = ForwardProxy(ports, auth, status)
    open_tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_tasks.add(task)
        try:
            await running.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            open_tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    running.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        for task in set(open_tasks):
            task.cancel()
        if open_tasks:
            await asyncio.wait(set(open_tasks))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65_536):
            target.write(piece)
            await target.drain()
    finally:
        with suppress(OSError):
            target.close()
