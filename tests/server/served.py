"""A new installation behind the server's real connections, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from schema import build_schema
from server.app import build_app
from server.operator.operations import make_first_token, run_command
from server.process import Outside, listening
from server.settings import Settings
from sync.clock import SystemClock
from sync.runtime import Config, Runtime
from tests.canary import watch
from tests.patience import PATIENCE_S
from tests.started import start_first

SITES = {"query": "{ sites { nodes { id name } } }"}


@dataclass
class Served:
    """A server that listens on loopback."""

    app: Starlette
    runtime: Runtime
    outside: Outside
    address: tuple[str, int]
    token: str
    client: httpx.AsyncClient
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def ask(self, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Send one operation."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/graphql", json=body or SITES, headers=named)

    async def second_token(self) -> str:
        """Make one more token."""
        made = await run_command(self.runtime, "token.create", {"name": "second", "role": "VIEWER"})
        return watch(str(made["token"]))

    async def open(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection and send the beginning of something."""
        reader, writer = await asyncio.open_connection(*self.address)
        self.opened.append(writer)
        writer.write(sent)
        return reader, writer

    async def hang_up(self) -> None:
        """Close what was opened."""
        for writer in self.opened:
            writer.close()
        for writer in self.opened:
            with suppress(OSError):
                await writer.wait_closed()

    def head(self, *lines: str, authorized: bool = True) -> bytes:
        """Write the head of a POST."""
        lines = ("POST /graphql HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *lines)
        if authorized:
            lines = (*lines, f"Authorization: Bearer {self.token}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n"


@asynccontextmanager
async def served(data_dir: Path, *, verify: ssl.SSLContext | bool = True, **settings: Any) -> AsyncIterator[Served]:
    """Serve a new installation while the block runs."""
    chosen = Settings(data_dir=data_dir, **settings)
    outside = Outside.of(chosen, SystemClock())
    await start_first(data_dir)
    runtime = await Runtime.open(Config(data_dir=data_dir), clock=outside.clock, run_tasks=False)
    try:
        token = watch(await make_first_token(runtime))
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()[:2]
        scheme = "https" if outside.certificate else "http"
        app = build_app(chosen, runtime, build_schema(), outside.connections)
        async with (
            listening(app, listener, outside),
            httpx.AsyncClient(
                base_url=f"{scheme}://{address[0]}:{address[1]}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=PATIENCE_S,
                trust_env=False,
                verify=verify,
            ) as client,
        ):
            one = Served(app, runtime, outside, address, token, client)
            try:
                yield one
            finally:
                await one.hang_up()
    finally:
        await runtime.close()


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Read until the other side ends the connection, which it has to do by itself."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
