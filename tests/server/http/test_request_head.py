"""The head of a request, over real sockets: what comes after the body is no part of it, and it names one host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.graphql.stream.websocket import PROTOCOL
from tests.server.served import Served, end_of, served

BODY = b'{"query":"{ __typename }"}'
CHUNKED = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    f"Sec-WebSocket-Protocol: {PROTOCOL}",
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    """A server that believes the headers of a proxy on loopback, and counts one bad token."""
    options: dict[str, Any] = {"trusted_proxies": ("127.0.0.0/8",), "failed_logins_per_address": 1}
    async with served(tmp_path / "data", **options) as one:
        yield one


async def status_of(server: Served, *parts: bytes) -> bytes:
    """Send the parts of a request one after the other, and return the first line of the answer."""
    reader, writer = await server.open()
    for part in parts:
        writer.write(part)
        await writer.drain()
        # A trailer that comes with the body is parsed before the request is looked at; one that comes later is not.
        await asyncio.sleep(0)
    return (await end_of(reader)).partition(b"\r\n")[0]


@pytest.mark.slow(cases=5)
@pytest.mark.parametrize("cuts", [[], [-1], [10]], ids=["in one piece", "trailer apart", "head apart"])
@pytest.mark.parametrize(
    ("head", "trailer", "status"),
    [
        ((), "Authorization: Bearer {token}", b"401 Unauthorized"),
        (("Authorization: Bearer {token}",), "Origin: https://evil.example", b"200 OK"),
        (("Authorization: Bearer {token}",), "Sec-Fetch-Site: cross-site", b"200 OK"),
        (("Authorization: Bearer {token}", "Origin: https://evil.example"), "Sec-Fetch-Site: none", b"403 Forbidden"),
        (("Authorization: Bearer {token}",), "Host: other.example", b"200 OK"),
        (("Authorization: Bearer {token}",), "Authorization: Bearer other", b"200 OK"),
    ],
)
async def test_trailer_is_no_header_whatever_it_says(
    server: Served, head: tuple[str, ...], trailer: str, status: bytes, cuts: list[int]
) -> None:
    """Who calls, from where and for which page is said in the head alone."""
    sent_head = server.head("Transfer-Encoding: chunked", "Connection: close", *head, authorized=False)
    whole = (sent_head + CHUNKED + f"{trailer}\r\n\r\n".encode()).replace(b"{token}", server.token.encode())
    at = [len(whole) - len(trailer) - 4 if cut < 0 else cut for cut in cuts]
    parts = [whole[start:end] for start, end in zip([0, *at], [*at, len(whole)], strict=True)]
    assert await status_of(server, *parts) == b"HTTP/1.1 " + status


async def test_trailer_names_no_address(server: Served) -> None:
    """A caller behind a proxy cannot give itself another address after the body."""
    head = server.head("Transfer-Encoding: chunked", "Connection: close", authorized=False)
    guess = head[:-2] + b"Authorization: Bearer guess\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
    await status_of(server, guess + CHUNKED + b"X-Forwarded-For: 198.51.100.7\r\n\r\n")
    logins = server.app.state.rates.logins
    assert "203.0.113.9" in logins and "198.51.100.7" not in logins


async def test_trailer_of_a_handshake_is_no_header(server: Served) -> None:
    """A handshake with a body is refused, and keeps no place; nor does a trailer make a WebSocket of a request."""
    lines = ("GET /graphql HTTP/1.1", "Host: 127.0.0.1", "Transfer-Encoding: chunked")
    head = "\r\n".join([*lines, *HANDSHAKE]).encode() + b"\r\n\r\n"
    assert b" 400 " in await status_of(server, head + b"0\r\nSec-Fetch-Site: none\r\n\r\n")
    other = server.head("Transfer-Encoding: chunked", "Connection: upgrade, close", "Upgrade: h2c")
    assert b" 101 " not in await status_of(server, other + CHUNKED + b"Upgrade: websocket\r\n\r\n")


HOSTS = [
    ("1.1", (), b"400 Bad Request"),
    ("1.1", ("127.0.0.1", "127.0.0.1"), b"400 Bad Request"),
    ("1.1", ("127.0.0.1", "other.example"), b"400 Bad Request"),
    ("1.0", ("127.0.0.1", "other.example"), b"400 Bad Request"),
    ("1.1", ("127.0.0.1",), b"200 OK"),
    ("1.0", (), b"200 OK"),
]
CASES = [(kind, *case) for kind in ("first", "repeated", "probe") for case in HOSTS]
# A handshake is HTTP/1.1.
CASES += [("socket", *case) for case in HOSTS if case[0] == "1.1"]


@pytest.mark.slow(cases=6)
@pytest.mark.parametrize(("kind", "version", "hosts", "status"), CASES)
async def test_request_is_refused_when_it_does_not_name_one_host(
    server: Served, kind: str, version: str, hosts: tuple[str, ...], status: bytes
) -> None:
    """Every path, a WebSocket's and a request that was answered before included; HTTP/1.0 may name none."""
    fields = "".join(f"Host: {host}\r\n" for host in hosts)
    plain = f"Content-Type: application/json\r\nAuthorization: Bearer {server.token}\r\nConnection: close\r\n"
    length = f"Content-Length: {len(BODY)}\r\n\r\n"
    if kind == "socket":
        sent = f"GET /graphql HTTP/1.1\r\n{fields}" + "\r\n".join(HANDSHAKE) + "\r\n\r\n"
        reader, _ = await server.open(sent.encode())
        wanted = status if status != b"200 OK" else b"101 Switching Protocols"
        assert await reader.readline() == b"HTTP/1.1 " + wanted + b"\r\n"
        return
    if kind == "repeated" and version == "1.1" and not hosts:
        first = f"POST /graphql HTTP/1.0\r\n{plain}{length}".encode() + BODY
        assert await status_of(server, first) == b"HTTP/1.1 200 OK"
    path = "GET /healthz" if kind == "probe" else "POST /graphql"
    body = b"" if kind == "probe" else BODY
    tail = "\r\n" if kind == "probe" else length
    sent = f"{path} HTTP/{version}\r\n{fields}{plain}{tail}"
    assert await status_of(server, sent.encode() + body) == b"HTTP/1.1 " + status
