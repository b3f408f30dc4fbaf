"""A TLS server on loopback that answers with raw bytes: for what no well-behaved server would send."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import orjson
import trustme

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Writes an answer by hand: slowly, partly, or without an end."""


@dataclass(frozen=True)
class Certificates:
    """A certificate authority and a server context for localhost made from it."""

    ca_file: Path
    server: ssl.SSLContext


def make_certificates(directory: Path) -> Certificates:
    """Make a certificate authority and a certificate for localhost."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return Certificates(ca_file, context)


@dataclass(frozen=True)
class Heard:
    """One request that arrived: its first line, its form fields and the number of its connection."""

    line: str
    head: str
    form: dict[str, str]
    connection: int


@dataclass
class Wire:
    """A running server: its origin and what it heard."""

    origin: str = ""
    heard: list[Heard] = field(default_factory=list)


def response(status: int, body: object = b"", *headers: str) -> bytes:
    """Return a whole HTTP answer; a body that is not bytes is sent as JSON."""
    payload = body if isinstance(body, bytes) else orjson.dumps(body)
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(payload)}", *headers]
    if not any(line.lower().startswith("content-type") for line in headers):
        lines.append("content-type: application/json")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + payload


@asynccontextmanager
async def wire(certificates: Certificates, answer: Callable[[Heard], bytes | Act]) -> AsyncIterator[Wire]:
    """Serve until the block ends; `answer` is asked for each request in turn."""
    running = Wire()
    connections = 0
    open_tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number = connections
        task = asyncio.current_task()
        assert task is not None
        open_tasks.add(task)
        try:
            while heard := await _hear(reader, number):
                running.heard.append(heard)
                reply = answer(heard)
                if isinstance(reply, bytes):
                    writer.write(reply)
                    await writer.drain()
                else:
                    await reply(writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            open_tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificates.server)
    running.origin = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        for task in open_tasks:
            task.cancel()
        if open_tasks:
            await asyncio.wait(set(open_tasks))


async def _hear(reader: asyncio.StreamReader, connection: int) -> Heard | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    length = next((line[15:] for line in head.lower().split("\r\n") if line.startswith("content-length:")), "0")
    form = parse_qs((await reader.readexactly(int(length))).decode())
    return Heard(head.split("\r\n")[0], head, {name: values[0] for name, values in form.items()}, connection)


def in_turn(*replies: bytes | Act) -> Callable[[Heard], bytes | Act]:
    """Return an `answer` that gives one reply after the other."""
    left: Sequence[bytes | Act] = replies
    given = iter(left)
    return lambda heard: next(given)
