"""A served installation whose runs are moved by the test, and callers that watch them over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from sqlalchemy import Connection, update
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect

from schema import build_schema
from server.app import build_app
from server.graphql.stream.live import Live
from server.graphql.stream.websocket import PROTOCOL
from server.operator.operations import make_first_token, run_command
from server.settings import Settings
from server.simulator import Simulator
from sync.clock import SystemClock, timestamp
from sync.runtime import Runtime
from sync.store.tables import tokens
from sync.tasks.run.log import Level
from sync.tasks.run.run import Run
from sync.tasks.run.state import RunPhase, RunStatus
from tests.canary import watch
from tests.end_to_end.installation import Installation

Event = tuple[str, Any]
WATCH = "subscription($run: ID!) { taskRun(id: $run) { status phase progress { stage done total } } }"
FOLLOW = "subscription($run: ID!, $after: ID) { taskLog(run: $run, after: $after) { id message } }"
INIT = "connection_init"


@dataclass
class Station:
    """One server on loopback."""

    installation: Installation
    settings: Settings
    address: tuple[str, int]
    token: str
    app: Starlette = field(init=False)
    live: Live = field(init=False)
    server: uvicorn.Server = field(init=False)
    serving: asyncio.Task[None] = field(init=False)

    @property
    def url(self) -> str:
        """The address of the endpoint."""
        return f"http://{self.address[0]}:{self.address[1]}/graphql"

    async def start(self) -> None:
        """Begin to serve, again at the same address after a stop."""
        self.app = app = build_app(self.settings, self.runtime, build_schema())
        self.live = app.state.live
        listener = socket.create_server(self.address, reuse_port=False)
        config = uvicorn.Config(
            app,
            log_config=None,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        self.server = uvicorn.Server(config)
        self.serving = asyncio.create_task(self.server._serve([listener]))

    async def stop(self) -> None:
        """Stop to serve, as a signal does; the installation stays open."""
        self.live.stop()
        self.server.should_exit = True
        await self.serving

    @property
    def runtime(self) -> Runtime:
        """The open runtime behind it."""
        return self.installation.runtime

    async def queue(self) -> int:
        """Queue a run that nobody takes up but the test."""
        return await self.installation.queue()

    async def claim(self, run_id: int) -> Run:
        """Take a run up, as the engine would."""
        return await Run.claim(self.runtime.store, self.runtime.clock, run_id)

    async def advance(self, run: Run, done: int, total: int = 1_000) -> None:
        """Write how far a run has come."""
        run.progress = {"users": {"done": done, "total": total}}
        await self.runtime.store.transact(run.save)

    async def say(self, run: Run, *messages: str) -> None:
        """Write entries of a run's log, in one transaction."""

        def write(tx: Connection) -> None:
            for message in messages:
                run.log(tx, Level.INFO, message)

        await self.runtime.store.transact(write)

    async def live_through(self, run_id: int) -> None:
        """Take a run from the queue to its end."""
        run = await self.claim(run_id)
        await run.enter(self.runtime.store, RunPhase.PROCESSING, "Reading.")
        for done in (200, 1_000):
            await self.advance(run, done)
        await run.finish(self.runtime.store, RunStatus.SUCCEEDED)

    @asynccontextmanager
    async def sse(self, query: str, token: str | None = None, **variables: Any) -> AsyncIterator[httpx.Response]:
        """Send an operation whose answers come as events."""
        headers = {"Authorization": f"Bearer {token or self.token}", "Accept": "text/event-stream"}
        body = {"query": query, "variables": variables}
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False) as client,
            client.stream("POST", self.url, json=body, headers=headers) as response,
        ):
            yield response

    @asynccontextmanager
    async def socket(
        self, *, init: bool = True, token: str | None = None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket, and say who is calling."""
        url = self.url.replace("http", "ws", 1)
        async with connect(url, subprotocols=[PROTOCOL], additional_headers=headers, proxy=None) as opened:  # type: ignore[list-item]
            if init:
                await say(opened, INIT, payload={"Authorization": f"Bearer {token or self.token}"})
                assert await hear(opened) == {"type": "connection_ack"}
            yield opened

    async def passing_token(self) -> str:
        """Make a token that expires in two seconds."""
        made = await run_command(self.runtime, "token.create", {"name": "passing", "role": "VIEWER"})
        ends = timestamp(self.runtime.clock.now() + timedelta(seconds=2))
        async with self.runtime.store.write() as tx:
            await tx.execute(update(tokens).where(tokens.c.name == "passing").values(expires_at=ends))
        return watch(str(made["token"]))

    async def settled(self) -> None:
        """Wait until nothing of any subscription is left in the server."""
        while len(self.live) or len(self.runtime.events):  # noqa: ASYNC110 - across a socket there is no event
            await asyncio.sleep(0.01)


async def say(opened: ClientConnection, kind: str, **more: Any) -> None:
    """Send one message of the protocol."""
    await opened.send(json.dumps({"type": kind, **more}))


async def subscribe(opened: ClientConnection, id: str, query: str, **variables: Any) -> None:
    """Begin an operation."""
    await say(opened, "subscribe", id=id, payload={"query": query, "variables": variables})


async def hear(opened: ClientConnection) -> Any:
    """Receive one message; JSON comes as text."""
    text = await opened.recv()
    assert isinstance(text, str)
    return json.loads(text)


async def events(response: httpx.Response) -> AsyncIterator[Event]:
    """Yield the events of a response; a comment is an event named `:`."""
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    name = ""
    async for line in response.aiter_lines():
        if line.startswith(":"):
            yield ":", line[1:].strip()
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data:"):
            text = line.removeprefix("data:").strip()
            yield name, json.loads(text) if text else None


async def told(response: httpx.Response) -> list[Event]:
    """Return all events of a response but its comments."""
    return [event async for event in events(response) if event[0] != ":"]


@asynccontextmanager
async def open_station(data_dir: Path, **settings: Any) -> AsyncIterator[Station]:
    """Serve a new installation while the block runs."""
    installation = Installation(Simulator(users=3, devices=2, groups=1, seed=5), data_dir, SystemClock())
    await installation.open()
    try:
        await installation.furnish()
        token = watch(await make_first_token(installation.runtime))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()[:2]
        station = Station(installation, Settings(**settings), address, token)
        await station.start()
        yield station
        await station.stop()
    finally:
        await installation.close()
