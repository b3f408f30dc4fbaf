"""The demo's client of our own API tells everything that the server refused, not only what it named first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from server.demo.client import Client
from sync.errors import DemoFailed

ERRORS: list[dict[str, Any]] = [
    {"message": "One.", "hint": "Do a."},
    {"message": "Two.", "hint": None},
    {"message": "One.", "hint": "Do b."},
]


@asynccontextmanager
async def answering(body: Any) -> AsyncIterator[Client]:
    """Return a client of a server that gives one answer."""
    packed = orjson.dumps(body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}", "no token") as client:
            yield client


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"createTask": {"errors": ERRORS}}},
        {"errors": [{"message": one["message"], "extensions": {"hint": one["hint"]}} for one in ERRORS]},
    ],
    ids=["in the payload", "at the top"],
)
async def test_client_tells_every_error_once(body: Any) -> None:
    """Messages and hints of all errors, in their order."""
    async with answering(body) as client:
        with pytest.raises(DemoFailed) as caught:
            await client.ask("mutation { x }")
    assert (caught.value.message, caught.value.hint) == ("One. Two.", "Do a. Do b.")


async def test_client_returns_the_data_when_nothing_was_refused() -> None:
    """A payload with an empty list of errors is a success."""
    data = {"createTask": {"errors": []}, "count": 3}
    async with answering({"data": data}) as client:
        assert await client.ask("{ x }") == data
