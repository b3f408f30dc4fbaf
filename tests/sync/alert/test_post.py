"""One alert over a real connection: what arrives, which answers count, and that nothing is followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sync.alert.post import Outcome, post, signature

BODY = b'{"event":"TEST"}'


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answer each request with these bytes; yield the origin and what was received."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        received.append(head + await reader.readexactly(len(BODY)))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", received
    finally:
        server.close()


async def test_alert_arrives_as_json_with_its_headers() -> None:
    """The body byte for byte, and what the sender adds."""
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as (origin, received):
        assert await post(f"{origin}/in?x=1", BODY, {"Rollcall-Event": "TEST"}) == Outcome(204)
    (request,) = received
    assert request.startswith(b"POST /in?x=1 HTTP/1.1\r\n") and request.endswith(BODY)
    lower = request.lower()
    assert b"content-type: application/json\r\n" in lower and b"rollcall-event: test\r\n" in lower


@pytest.mark.parametrize(("status", "is_good"), [(200, True), (299, True), (301, False), (404, False), (500, False)])
async def test_only_success_counts_and_no_redirect_is_followed(status: int, is_good: bool) -> None:
    """A redirect could lead to a host that the operator did not allow: it is an answer like any other refusal."""
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (elsewhere, astray):
        head = f"HTTP/1.1 {status} X\r\nLocation: {elsewhere}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with answering(head) as (origin, received):
            outcome = await post(origin, BODY, {})
    assert (outcome.status, outcome.is_good, len(received), astray) == (status, is_good, 1, [])


@pytest.mark.parametrize(
    ("answer", "told"),
    [(b"", "the connection broke"), (b"nonsense\r\n\r\n", "the connection broke")],
    ids=["nothing", "nonsense"],
)
async def test_reason_is_told_in_fixed_words_when_there_is_no_answer(answer: bytes, told: str) -> None:
    """What the other side sent is not repeated: it may be anything."""
    async with answering(answer) as (origin, _):
        assert await post(origin, BODY, {}) == Outcome(None, told)


async def test_refused_connection_is_an_outcome() -> None:
    """Nobody listens: told as such, not raised."""
    async with answering(b"") as (origin, _):
        pass
    assert await post(origin, BODY, {}) == Outcome(None, "the connection was refused")


def test_signature_changes_with_time_body_and_secret() -> None:
    """A known value, so that the form stays what receivers check; each part counts."""
    known = signature("secret-of-sixteen", 1_764_000_000, BODY)
    assert known == "t=1764000000,v1=" + KNOWN
    others = {
        signature("secret-of-another", 1_764_000_000, BODY),
        signature("secret-of-sixteen", 1_764_000_001, BODY),
        signature("secret-of-sixteen", 1_764_000_000, BODY + b" "),
    }
    assert len(others | {known}) == 4


KNOWN = "d8bcb80c16ea316e1abf4fd7c05349f3ffb0d56d55b8e5a7408598b6aa28aeb4"
