"""A client that keeps a few connections busy and notes how long each answer took; as little Python as can be."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import cast

CONNECTIONS = 8


@dataclass(frozen=True)
class Load:
    """What a burst of requests saw."""

    seconds: float
    latencies_s: list[float]
    body_bytes: int

    @property
    def requests_per_s(self) -> float:
        """How many requests were answered a second."""
        return len(self.latencies_s) / self.seconds

    def quantile_ms(self, part: float) -> float:
        """How long the slowest of that part of the requests took."""
        ordered = sorted(self.latencies_s)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1000


class _Connection(asyncio.Protocol):
    """Sends the request again as soon as its answer is there."""

    def __init__(self, request: bytes, until: float, latencies_s: list[float]) -> None:
        self._request, self._until, self._latencies_s = request, until, latencies_s
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._missing = self._body_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._started = time.perf_counter()
        self._head = b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 200") or body.startswith(b'{"errors"'):
                # It would be measured as a quick answer.
                self.done.set_exception(ValueError(self._head[:1000]))
                self._transport.abort()
                return
            self._body_bytes = int(head.lower().partition(b"content-length:")[2].split()[0])
            self._missing = self._body_bytes - len(body)
        else:
            self._missing -= len(data)
        if self._missing:
            return
        now = time.perf_counter()
        self._latencies_s.append(now - self._started)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(self._body_bytes)


async def load(port: int, request: bytes, seconds: float, connections: int = CONNECTIONS) -> Load:
    """Send a request over and over for some seconds."""
    loop, latencies_s, started = asyncio.get_running_loop(), list[float](), time.perf_counter()
    made = [
        (await loop.create_connection(lambda: _Connection(request, started + seconds, latencies_s), "127.0.0.1", port))[
            1
        ]
        for _ in range(connections)
    ]
    sizes = await asyncio.gather(*(connection.done for connection in made))
    return Load(time.perf_counter() - started, latencies_s, sizes[0])


def post(path: str, body: bytes, **headers: str) -> bytes:
    """Write a POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name.title()}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
