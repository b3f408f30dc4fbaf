"""WebSockets whose caller is not known: they keep nobody out, hold little memory, and end when they are closed."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from server.graphql.stream.websocket import PROTOCOL
from server.http.websocket import STRANGER_BYTES_MAX, SocketConnection
from tests.canary import canary_secret
from tests.patience import PATIENCE_S
from tests.server.conftest import lines
from tests.server.served import Served, end_of, served
from tests.server.station import INIT, hear, say

HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n"
)
BROKEN = Frame(Opcode.TEXT, b"{").serialize(mask=True)
PING = Frame(Opcode.PING, b"x" * 125).serialize(mask=True)


@asynccontextmanager
async def greeted(server: Served, token: str | None = None) -> AsyncIterator[ClientConnection]:
    """Open a socket, and send a token in `connection_init`."""
    url = f"ws://127.0.0.1:{server.address[1]}/graphql"
    async with connect(url, subprotocols=[PROTOCOL], proxy=None) as opened:  # type: ignore[list-item]
        await say(opened, INIT, payload={"Authorization": f"Bearer {token or server.token}"})
        yield opened


async def stranger(server: Served, *headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a socket and say nothing."""
    head = HANDSHAKE + "".join(f"{header}\r\n" for header in headers) + "\r\n"
    reader, writer = await server.open(head.encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def code_of(opened: ClientConnection) -> int:
    """Return the code that the server closes a socket with."""
    with pytest.raises(ConnectionClosed) as caught:
        await opened.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


async def test_callers_are_served_when_strangers_take_every_place(tmp_path: Path) -> None:
    """The oldest sockets without a token give way to requests and to newer sockets; a known caller's socket stays."""
    async with served(tmp_path / "data", connections_max=32) as server, greeted(server) as known:
        assert (await hear(known))["type"] == "connection_ack"
        opened = [await stranger(server) for _ in range(150)]
        assert (await server.ask(connection="close")).status_code == 200
        async with greeted(server) as another:
            assert (await hear(another))["type"] == "connection_ack"
        await say(known, "ping")
        assert await hear(known) == {"type": "pong"}
        assert await end_of(opened[0][0]) == b""
        assert len(server.outside.connections) <= 32


async def test_oldest_stranger_of_an_address_gives_way_when_it_has_too_many(tmp_path: Path) -> None:
    """The address is the caller's, as a trusted proxy tells it; strangers from elsewhere stay."""
    async with served(tmp_path / "data", trusted_proxies=("127.0.0.0/8",)) as server:
        strangers = server.outside.connections.strangers
        strangers.per_address = 8
        elsewhere = await stranger(server, "X-Forwarded-For: 198.51.100.7")
        opened = [await stranger(server, "X-Forwarded-For: 203.0.113.9") for _ in range(20)]
        for reader, _ in opened[:12]:
            assert await end_of(reader) == b""
        assert len(strangers) == 9
        elsewhere[1].write(BROKEN)
        assert b"Invalid message" in await end_of(elsewhere[0])


async def test_strangers_are_not_counted_when_their_callers_are_known(tmp_path: Path) -> None:
    """A token's own limit holds for them; an office behind one address may have any number."""
    async with served(tmp_path / "data") as server, AsyncExitStack() as stack:
        server.outside.connections.strangers.per_address = 2
        for _ in range(5):
            opened = await stack.enter_async_context(greeted(server))
            assert (await hear(opened))["type"] == "connection_ack"
        assert len(server.outside.connections.strangers) == 0
        assert server.outside.connections.cut == 0


async def test_closed_socket_is_released_when_its_peer_neither_reads_nor_answers(tmp_path: Path) -> None:
    """A Close that cannot even be written ends the connection after its time; pings fill no memory meanwhile."""
    async with served(tmp_path / "data") as server:
        assert server.outside.connections.close_s == 1.0
        _, writer = await stranger(server)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        (one,) = (one for one in server.outside.connections.state.connections if isinstance(one, SocketConnection))
        async with asyncio.timeout(PATIENCE_S):
            while one.writable.is_set():
                writer.write(PING * 1_000)
                await asyncio.sleep(0)
            unsent = peak = one.transport.get_write_buffer_size()
            writer.write(PING * 20_000 + BROKEN)
            while server.outside.connections.state.connections:
                peak = max(peak, one.transport.get_write_buffer_size())
                await asyncio.sleep(0.001)
        assert peak == unsent
        assert server.outside.connections.cut == 1


async def test_closed_socket_is_released_when_its_peer_ignores_the_close(tmp_path: Path) -> None:
    """The peer reads the Close, and the connection ends although it says nothing."""
    async with served(tmp_path / "data") as server:
        reader, writer = await stranger(server)
        writer.write(BROKEN)
        assert b"Invalid message" in await end_of(reader)
        assert server.outside.connections.cut == 1


async def test_bad_token_of_a_socket_counts_and_is_logged_as_one_of_a_request(
    tmp_path: Path, logs: io.StringIO
) -> None:
    """Guesses by both ways share one limit; a good token of the same address is never refused."""
    guess = canary_secret("guess of a socket")
    async with served(tmp_path / "data", failed_logins_per_address=4) as server:
        for _ in range(2):
            async with greeted(server, guess) as opened:
                assert await code_of(opened) == 4401
            assert (await server.ask(authorization=f"Bearer {guess}")).status_code == 401
        async with greeted(server, guess) as opened:
            assert await code_of(opened) == 1013
        assert (await server.ask(authorization=f"Bearer {guess}")).status_code == 429
        async with greeted(server) as opened:
            assert (await hear(opened))["type"] == "connection_ack"
        assert server.app.state.rates.refused["login"] == 2
    seen = [(line["method"], line["status"]) for line in lines(logs) if line["event"] == "request"]
    guesses = [("WEBSOCKET", 401), ("POST", 401), ("WEBSOCKET", 401), ("POST", 401), ("WEBSOCKET", 429), ("POST", 429)]
    assert sorted(seen) == sorted([*guesses, ("WEBSOCKET", 101)])


async def test_socket_without_a_token_guesses_nothing(tmp_path: Path) -> None:
    """It is closed, and does not count."""
    async with served(tmp_path / "data", failed_logins_per_address=1) as server:
        for _ in range(3):
            url = f"ws://127.0.0.1:{server.address[1]}/graphql"
            async with connect(url, subprotocols=[PROTOCOL], proxy=None) as opened:  # type: ignore[list-item]
                await say(opened, INIT)
                assert await code_of(opened) == 4401
        assert server.app.state.rates.refused["login"] == 0


async def test_refused_handshake_is_logged(tmp_path: Path, logs: io.StringIO) -> None:
    """One line, with the status of the refusal."""
    async with served(tmp_path / "data") as server:
        with pytest.raises(InvalidStatus):
            await connect(
                f"ws://127.0.0.1:{server.address[1]}/graphql",
                subprotocols=[PROTOCOL],  # type: ignore[list-item]
                origin="https://evil.example",  # type: ignore[arg-type]
                proxy=None,
            )
    (line,) = (line for line in lines(logs) if line["event"] == "request")
    assert (line["method"], line["path"], line["status"]) == ("WEBSOCKET", "/graphql", 403)


async def test_message_of_a_stranger_is_refused_when_it_is_longer_than_any_token(tmp_path: Path) -> None:
    """Nothing long is kept for nobody; a known caller may send a whole document."""
    async with served(tmp_path / "data") as server:
        url = f"ws://127.0.0.1:{server.address[1]}/graphql"
        async with connect(url, subprotocols=[PROTOCOL], proxy=None) as opened:  # type: ignore[list-item]
            await opened.send(json.dumps({"type": "ping", "payload": {"x": "x" * STRANGER_BYTES_MAX}}))
            assert await code_of(opened) == 1009
        async with greeted(server) as opened:
            assert (await hear(opened))["type"] == "connection_ack"
            await say(opened, "ping", payload={"x": "x" * 5 * STRANGER_BYTES_MAX})
            assert await hear(opened) == {"type": "pong"}
