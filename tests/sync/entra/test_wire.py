"""Promises G3 and G8, over real TLS on loopback: what a server can do to a connection."""

from __future__ import annotations

import asyncio
import gzip
import socket
from pathlib import Path

import pytest

from sync.entra.cloud import Endpoints
from sync.entra.graph.client import BodyLimits, GraphClient
from sync.entra.signin.token import StaticToken
from sync.errors import BadResponse, BadSettings, EntraError, Unavailable
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.graph import TOKEN
from tests.sync.entra.wire import Act, Certificates, in_turn, response, wire

OK = response(200, {"a": 1})
# Long enough for a good answer on a busy machine: a TLS handshake and a turn of every other process.
QUICK = BodyLimits(silence_s=1.5, headers_s=2.5, body_s=2.5)


def client_to(origin: str, certificates: Certificates, clock: FakeClock, limits: BodyLimits = QUICK) -> GraphClient:
    """Return a client over the network."""
    endpoints = Endpoints(origin, origin, certificates.ca_file)
    return GraphClient(endpoints, StaticToken(TOKEN), clock, limits=limits)


def cut(data: bytes) -> Act:
    """Send some bytes, then cut the connection."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        raise ConnectionResetError

    return act


def drip(head: bytes, byte: bytes) -> Act:
    """Send a head, then single bytes for ever, fast enough to never be silent."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(byte)
            await writer.drain()
            await asyncio.sleep(0.05)

    return act


def silence(data: bytes) -> Act:
    """Send some bytes and then nothing more."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await asyncio.Event().wait()

    return act


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
BROKEN: dict[str, Act | bytes] = {
    "cut before headers": cut(b""),
    "cut in headers": cut(b"HTTP/1.1 200 OK\r\ncont"),
    "cut in body": cut(HEAD + b'{"value": ['),
    "cut in chunks": cut(CHUNKED + b'5\r\n{"a":\r\n'),
    "not http": b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
    "bad chunk": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "huge header": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
    "silence before headers": silence(b""),
    "silence in body": silence(HEAD + b"{"),
    "slow headers": drip(b"HTTP/1.1 200 OK\r\nx: ", b"y"),
    "slow body": drip(HEAD + b"{", b" "),
}


@pytest.mark.slow(cases=5)
@pytest.mark.parametrize("name", BROKEN)
async def test_get_goes_on_when_a_connection_breaks_once(
    certificates: Certificates, clock: FakeClock, name: str
) -> None:
    """Cut, silent, slow or nonsense: the request is made again on another connection."""
    async with wire(certificates, in_turn(BROKEN[name], OK)) as server:
        async with client_to(server.origin, certificates, clock) as client:
            assert await client.get("/users") == {"a": 1}
    assert len(server.heard) == 2 and len(clock.slept) == 1
    assert server.heard[0].connection != server.heard[1].connection


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("name", ["cut in body", "silence before headers", "slow body"])
async def test_get_gives_up_when_every_connection_breaks(
    certificates: Certificates, clock: FakeClock, name: str
) -> None:
    """After six tries: Unavailable, with a reason that is ours."""
    async with wire(certificates, in_turn(*[BROKEN[name]] * 6)) as server:
        async with client_to(server.origin, certificates, clock) as client:
            with pytest.raises(Unavailable) as caught:
                await client.get("/users")
    assert len(server.heard) == 6
    assert caught.value.facts["reason"] and caught.value.__context__ is None


async def test_get_keeps_its_connection_between_requests(certificates: Certificates, clock: FakeClock) -> None:
    """Pages of a stream share one TLS connection."""
    async with wire(certificates, in_turn(OK, OK, OK)) as server:
        async with client_to(server.origin, certificates, clock) as client:
            for _ in range(3):
                await client.get("/users")
    assert {heard.connection for heard in server.heard} == {1}


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["empty", "json"])
async def test_get_takes_a_fresh_connection_after_503(
    certificates: Certificates, clock: FakeClock, body: bytes
) -> None:
    """Microsoft asks for a new connection after 503; after another error the old one is kept."""
    busy, broken = response(503, body), response(500, b"{}")
    async with wire(certificates, in_turn(busy, broken, OK)) as server:
        async with client_to(server.origin, certificates, clock) as client:
            await client.get("/users")
    assert [heard.connection for heard in server.heard] == [1, 2, 2]


async def test_get_reads_an_endless_body_only_up_to_the_cap(certificates: Certificates, clock: FakeClock) -> None:
    """A body without an end is cut off at the cap and is malformed."""

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    limits = BodyLimits(body_bytes=1024 * 1024)
    async with wire(certificates, in_turn(endless, endless, endless)) as server:
        async with client_to(server.origin, certificates, clock, limits) as client:
            with pytest.raises(BadResponse):
                await client.get("/users")


async def test_get_keeps_the_event_loop_running_while_it_reads_a_large_page(
    certificates: Certificates, clock: FakeClock
) -> None:
    """Unpacking and parsing 16 MB happens beside the loop, which goes round meanwhile."""
    item = {"id": "x" * 36} | {f"p{n}": "value" for n in range(40)}
    packed = gzip.compress(b'{"value": [' + b", ".join([str(item).replace("'", '"').encode()] * 24_000) + b"]}", 1)
    reply = response(200, packed, "content-encoding: gzip")
    rounds = 0

    async def tick() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    async with wire(certificates, in_turn(reply)) as server:
        async with client_to(server.origin, certificates, clock, BodyLimits()) as client:
            ticking = asyncio.create_task(tick())
            body = await client.get("/users")
            ticking.cancel()
    assert len(body["value"]) == 24_000
    assert rounds > 20


async def test_get_sends_nothing_when_the_certificate_is_not_trusted(
    certificates: Certificates, clock: FakeClock
) -> None:
    """Without the operator's CA file a private certificate is refused, and the token stays here."""
    async with wire(certificates, lambda heard: OK) as server:
        endpoints = Endpoints(server.origin, server.origin)
        async with GraphClient(endpoints, StaticToken(TOKEN), clock, limits=QUICK) as client:
            with pytest.raises(Unavailable, match="certificate is not trusted"):
                await client.get("/users")
    assert server.heard == []


async def test_get_says_that_the_connection_was_refused(certificates: Certificates, clock: FakeClock) -> None:
    """Nobody listens: the reason says so."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client_to(f"https://localhost:{unused.getsockname()[1]}", certificates, clock) as client:
            with pytest.raises(EntraError, match="refused"):
                await client.get("/users")


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
def test_client_names_the_setting_when_the_ca_file_cannot_be_used(
    tmp_path: Path, clock: FakeClock, content: str | None
) -> None:
    """A wrong CA file is the operator's to mend; the error names the setting, not the path."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with pytest.raises(BadSettings) as caught:
        GraphClient(Endpoints("https://a.test", "https://b.test", ca_file), StaticToken(TOKEN), clock)
    assert "ROLLCALL_CUSTOM_CA_FILE" in str(caught.value.hint)
    assert str(tmp_path) not in f"{caught.value} {caught.value.hint} {caught.value.facts}"
