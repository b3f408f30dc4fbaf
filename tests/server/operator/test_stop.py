"""A stop while requests are at work: they are answered, or told in JSON that the server stopped."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from server.process import FAREWELL_S, GRACE_S
from tests.server.conftest import lines
from tests.server.served import Served, end_of, served

BODY = b'{"query":"{ viewer { name } }"}'


async def begin(server: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request but for the end of its body, and wait until it is at work."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(server.head(f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY[:-1])
    return reader, writer


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close this side."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def test_request_is_answered_when_it_ends_within_the_grace_of_a_stop(tmp_path: Path, logs: io.StringIO) -> None:
    """A deployment loses no request that was on its way."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(tmp_path / "data"))
        reader, writer = await begin(server)
        stopping = asyncio.create_task(stack.pop_all().aclose())
        writer.write(BODY[-1:])
        answer = await end_of(reader)
        await stopping
        await hang_up(writer)
    assert answer.startswith(b"HTTP/1.1 200 OK") and b"first administrator" in answer
    assert all("exception" not in line for line in lines(logs))


async def test_request_is_told_to_come_again_when_the_server_stops_before_its_answer(
    tmp_path: Path, logs: io.StringIO
) -> None:
    """503 in the one error shape with Retry-After, and a line in the log with that status; no traceback."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(tmp_path / "data"))
        reader, writer = await begin(server)
        stopping = asyncio.create_task(stack.pop_all().aclose())
        head, _, body = (await end_of(reader)).partition(b"\r\n\r\n")
        await stopping
        await hang_up(writer)
    assert head.startswith(b"HTTP/1.1 503 ") and b"retry-after: 5" in head.lower()
    (error,) = json.loads(body)["errors"]
    assert error["extensions"]["retryable"] is True and error["extensions"]["hint"]
    (line,) = (line for line in lines(logs) if line["event"] == "request")
    assert (line["status"], line["request_id"]) == (503, error["extensions"]["requestId"])
    assert all("exception" not in line for line in lines(logs))


def test_stop_takes_less_than_the_ten_seconds_of_its_promise() -> None:
    """What waits for requests leaves time for the page of a run and the database."""
    assert GRACE_S + FAREWELL_S < 10
