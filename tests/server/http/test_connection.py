"""Connections that send nothing, too little or too much, over real sockets: each is ended, and others are answered."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from server.graphql.ide.page import assets_version
from server.http.certificate import Certificate
from server.http.connection import HEAD_BYTES_MAX
from server.http.connections import Connections
from server.settings import Settings
from sync.clock import SystemClock
from sync.errors import BadSettings
from tests.server.served import Served, end_of, served

SWARM = 1_000
DEADLINE_S = 1.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    """A server whose deadlines are short."""
    async with served(tmp_path / "data", head_timeout_s=DEADLINE_S, request_timeout_s=DEADLINE_S) as one:
        yield one


def beginnings(server: Served) -> list[bytes]:
    """Return the ways to keep a server waiting, each as what is sent of a request."""
    return [
        b"",
        b"P",
        b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
        server.head("Content-Length: 1000"),
        server.head("Content-Length: 1000") + b'{"query":',
        server.head("Transfer-Encoding: chunked") + b"5\r\n{",
        server.head("Content-Length: 1000", authorized=False) + b"{",
    ]


@pytest.mark.slow(cases=0)
async def test_thousand_half_open_connections_are_ended_while_others_are_answered(server: Served) -> None:
    """Without a head, with half a head or half a body: every one of them ends by itself, and no request waits."""
    kinds = beginnings(server)
    opened = [await server.open(kinds[number % len(kinds)]) for number in range(SWARM)]
    ends = [asyncio.ensure_future(end_of(reader)) for reader, _ in opened]
    answered = 0
    while not all(end.done() for end in ends):
        assert (await server.ask()).status_code == 200
        assert (await server.client.get("/healthz")).status_code == 200
        answered += 1
    firsts = Counter([(await end).partition(b"\r\n")[0] for end in ends])
    assert answered > 0
    assert set(firsts) <= {b"", b"HTTP/1.1 408 Request Timeout", b"HTTP/1.1 401 Unauthorized"}
    assert firsts[b"HTTP/1.1 408 Request Timeout"] >= SWARM // len(kinds) * 3


async def test_head_ends_at_its_deadline_however_slowly_it_goes_on(server: Served) -> None:
    """A byte now and then keeps neither a head, nor a body that nobody reads, nor a second head alive."""
    body = b'{"query":"{ __typename }"}'
    first = server.head(f"Content-Length: {len(body)}") + body
    unread = server.head("Content-Length: 100000", authorized=False)
    opened = [await server.open(sent) for sent in (b"POST /graphql HTTP/1.1\r\nX-A: ", unread, first + b"POST /gr")]

    async def trickle(writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"a")
            await asyncio.sleep(0.05)

    drops = [asyncio.ensure_future(trickle(writer)) for _, writer in opened]
    said = [await end_of(reader) for reader, _ in opened]
    for drop in drops:
        drop.cancel()
    assert said[0] == b""
    # A reset, which the bytes after the end call for, may overtake the refusal.
    assert said[1] == b"" or said[1].startswith(b"HTTP/1.1 401")
    assert said[2].startswith(b"HTTP/1.1 200")


async def test_head_without_end_is_refused_before_it_is_long(server: Served) -> None:
    """431 once it is larger than any honest head, long before its deadline."""
    line = b"X-A: " + b"a" * 1017 + b"\r\n"
    reader, writer = await server.open(b"GET /healthz HTTP/1.1\r\n" + line * (HEAD_BYTES_MAX // len(line) - 1))
    # What goes beyond it comes alone, so that nothing is left unread when the server closes.
    writer.write(line)
    assert (await end_of(reader)).startswith(b"HTTP/1.1 431 ")


async def test_large_body_is_read_whole_in_one_piece_with_its_head(server: Served) -> None:
    """The bound of a head holds for heads alone: a body of 200 KiB that comes at once with it is answered."""
    body = b'{"query":"{ __typename }"' + b" " * 200_000 + b"}"
    reader, _ = await server.open(server.head(f"Content-Length: {len(body)}", "Connection: close") + body)
    assert (await end_of(reader)).startswith(b"HTTP/1.1 200")


@pytest.mark.slow(cases=0)
async def test_connection_in_use_is_left_alone_by_the_sweep(tmp_path: Path) -> None:
    """A stream that stays open for many deadlines, and a connection idle between two requests, are not ended."""
    async with served(tmp_path / "data", head_timeout_s=0.5) as server:
        stream = {"query": "subscription { inventoryChanged(inventories: [USERS]) { version } }"}
        headers = {"Accept": "text/event-stream"}
        async with server.client.stream("POST", "/graphql", json=stream, headers=headers) as response:
            lines = response.aiter_lines()
            assert (await anext(lines)) == ":"
            assert (await server.ask()).status_code == 200
            await asyncio.sleep(2.0)
            before = server.outside.connections.cut
            assert (await server.ask()).status_code == 200
            assert server.outside.connections.cut == before == 0
            assert len(server.outside.connections) == 2


async def test_answer_that_nobody_takes_ends_its_connection(server: Served) -> None:
    """Who asks for more than fits the network's buffers and reads nothing does not keep it in memory."""
    server.outside.connections.unread_s = DEADLINE_S
    asset = f"GET /graphiql/{assets_version()}/graphiql.min.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    _, writer = await server.open()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(asset * 8)
    while not server.outside.connections.cut:
        assert (await server.ask(connection="close")).status_code == 200
    assert server.outside.connections.cut == 1


async def test_newcomer_takes_the_place_of_a_connection_that_waits(tmp_path: Path) -> None:
    """With as many connections as may be open, one that sends nothing gives way, and the request is answered."""
    async with served(tmp_path / "data", connections_max=16, head_timeout_s=60.0) as server:
        for _ in range(40):
            await server.open()
        for _ in range(5):
            assert (await server.ask(connection="close")).status_code == 200
        assert len(server.outside.connections) <= 16
        assert server.outside.connections.cut >= 24


def test_connections_leave_files_for_the_database_to_open() -> None:
    """However many the operator allows, the process keeps descriptors for itself."""
    import resource

    most = Connections(SystemClock(), head_s=1.0, most=10**6).most
    assert most < resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Return the places of a certificate and its key, which are written."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write(trustme.CA(), cert, key)
    return cert, key


def write(authority: trustme.CA, cert: Path, key: Path) -> None:
    """Write a new certificate."""
    issued = authority.issue_cert("127.0.0.1")
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())


async def test_server_speaks_tls_with_the_certificate_of_its_settings(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """HTTPS and HSTS; a handshake that does not come, or is none, keeps nobody waiting."""
    authority = trustme.CA()
    write(authority, *files)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    settings = {"tls_cert_file": files[0], "tls_key_file": files[1]}
    async with served(tmp_path / "data", verify=trusting, **settings) as server:
        for _ in range(20):
            await server.open()
        reader, _ = await server.open(b"GET /healthz HTTP/1.1\r\n\r\n")
        answer = await server.ask()
        assert answer.status_code == 200
        assert "max-age" in answer.headers["strict-transport-security"]
        assert b"200" not in await end_of(reader)


def test_certificate_is_renewed_when_its_files_change_and_fit(files: tuple[Path, Path]) -> None:
    """The next handshake shows the new one; a pair that does not fit changes nothing."""
    certificate = Certificate.of(Settings(tls_cert_file=files[0], tls_key_file=files[1]))
    assert certificate is not None
    first = certificate._seen
    certificate.renew()
    assert certificate._seen == first
    files[1].write_bytes(trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes() + b"\n")
    certificate.renew()
    assert certificate._seen == first
    write(trustme.CA(), *files)
    certificate.renew()
    assert certificate._seen != first


@pytest.mark.parametrize("harm", ["missing", "garbage", "of another", "passphrase"])
def test_certificate_is_refused_at_the_start_when_it_cannot_be_used(harm: str, files: tuple[Path, Path]) -> None:
    """One line names the two settings; nothing asks for a passphrase."""
    cert, key = files
    if harm == "missing":
        key.unlink()
    elif harm == "garbage":
        key.write_text("no key")
    elif harm == "of another":
        write(trustme.CA(), cert.with_name("other.pem"), key)
    else:
        key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n")
    with pytest.raises(BadSettings, match="certificate and its key"):
        Certificate.of(Settings(tls_cert_file=cert, tls_key_file=key))


@pytest.mark.parametrize(
    ("proxies", "headers", "scheme", "address"),
    [
        ((), {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, None, "127.0.0.1"),
        (("192.0.2.0/24",), {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, None, "127.0.0.1"),
        (("127.0.0.0/8",), {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, "hsts", "203.0.113.9"),
        (("127.0.0.1/32",), {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}, None, "203.0.113.9"),
        (("127.0.0.0/8", "203.0.113.0/24"), {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}, None, "198.51.100.1"),
        (("127.0.0.0/8",), {"X-Forwarded-Proto": "gopher"}, None, "127.0.0.1"),
    ],
)
async def test_forwarded_headers_are_believed_from_the_proxies_of_the_settings_alone(
    tmp_path: Path, proxies: tuple[str, ...], headers: dict[str, str], scheme: str | None, address: str
) -> None:
    """The last address that no trusted proxy has is the caller's; anybody else's words count for nothing."""
    async with served(tmp_path / "data", trusted_proxies=proxies, failed_logins_per_address=1) as server:
        answer = await server.ask(None, **headers)
        assert ("strict-transport-security" in answer.headers) is (scheme == "hsts")
        server.client.headers["Authorization"] = "Bearer wrong"
        await server.ask(None, **headers)
        assert address in server.app.state.rates.logins
