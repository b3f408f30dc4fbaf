"""The serving process and its subscriptions: a signal ends it at once however many watch, and clients come back."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.graphql.stream.websocket import PROTOCOL
from tests.canary import watch
from tests.patience import PATIENCE_S
from tests.server.command.test_cli import TOKEN, Rollcall, Serving
from tests.server.station import events

QUERY = "subscription { inventoryChanged(inventories: [USERS]) { version } }"


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[tuple[Serving, str]]:
    """Return a server process and its token."""
    async with Rollcall(tmp_path / "data").serving() as server:
        (token,) = TOKEN.findall(server.said)
        yield server, watch(token)


@pytest.mark.slow(cases=0)
async def test_process_ends_on_a_signal_while_streams_are_open(serving: tuple[Serving, str]) -> None:
    """Each stream is ended in its own way and the process exits 0, long before it would be killed."""
    server, token = serving
    bearer = {"Authorization": f"Bearer {token}"}
    accept = {"Accept": "text/event-stream", **bearer}
    async with (
        httpx.AsyncClient(timeout=30, trust_env=False) as client,
        client.stream("POST", server.address, json={"query": QUERY}, headers=accept) as response,
        connect(server.address.replace("http", "ws", 1), subprotocols=[PROTOCOL], proxy=None) as socket,  # type: ignore[list-item]
    ):
        stream = events(response)
        assert [(await anext(stream))[0], (await anext(stream))[0]] == [":", "next"]
        await socket.send(json.dumps({"type": "connection_init", "payload": bearer}))
        await socket.send(json.dumps({"type": "subscribe", "id": "a", "payload": {"query": QUERY}}))
        assert [json.loads(await socket.recv())["type"] for _ in range(2)] == ["connection_ack", "next"]
        server.process.send_signal(signal.SIGTERM)
        assert [event async for event in stream] == [(":", "stopping")]
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1012
    _, err = await asyncio.wait_for(server.process.communicate(), PATIENCE_S)
    assert server.process.returncode == 0
    lines = [json.loads(line) for line in err.decode().splitlines()]
    assert [line for line in lines if line["level"] in ("error", "critical")] == []
