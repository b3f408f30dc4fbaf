"""The serving process: opens the runtime, listens, and stops cleanly on a signal; never leaves a page half written."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import structlog
import uvicorn
from starlette.applications import Starlette

from server.app import build_app
from server.http.certificate import HANDSHAKE_S_MAX, Certificate
from server.http.connection import Connection
from server.http.connections import Connections
from server.http.websocket import SocketConnection
from server.observe.tracing import open_provider
from server.operator.operations import first_token_text, make_first_token, runtime_config
from server.operator.socket import ControlSocket
from server.settings import Settings
from sync.clock import Clock, SystemClock
from sync.errors import BadSettings
from sync.runtime import Runtime

log = structlog.stdlib.get_logger("rollcall.server")

BACKLOG = 2_048
GRACE_S = 5
FAREWELL_S = 1.0
ENVELOPE_BYTES = 4_096
GARBAGE_THRESHOLD = 50_000
# The interpreter's switch interval. At Python's default of 5 ms, a sync delays a query at each step of a statement.
SWITCH_S = 0.0005
SIGNALS = (signal.SIGTERM, signal.SIGINT)

Tell = Callable[[str], None]


class Server(uvicorn.Server):
    """Uvicorn with our connections, and without its own signal handling, which would end the process too early.

    Args:
        config: uvicorn's settings.
        connections: all connections of the server.
        certificate: the TLS certificate; None serves plain HTTP.
    """

    def __init__(
        self, config: uvicorn.Config, connections: Connections, certificate: Certificate | None = None
    ) -> None:
        super().__init__(config)
        self._connections, self._certificate = connections, certificate
        self.server_state = connections.state

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `Stop`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the sockets; uvicorn's own `startup` cannot set a deadline for the TLS handshake."""
        make = partial(Connection, self._connections, config=self.config, app_state={})
        tls: dict[str, Any] = {}
        if self._certificate is not None:
            tls = {"ssl": self._certificate.context, "ssl_handshake_timeout": HANDSHAKE_S_MAX}
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(make, sock=one, backlog=self.config.backlog, **tls) for one in sockets or ()
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening; a request that still runs after the grace period is cancelled and answered with 503."""
        await super().shutdown(sockets)
        # Uvicorn has only cancelled these tasks; let them run to send their 503.
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=FAREWELL_S)


class Stop:
    """Handles stop signals: the first asks for a clean stop, the second ends the process at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in SIGNALS:
            loop.add_signal_handler(name, self._ask)

    def _ask(self) -> None:
        if self.asked.is_set():
            os._exit(1)
        self.asked.set()


async def serve(settings: Settings, tell: Tell) -> None:
    """Serve until a signal asks to stop.

    Args:
        settings: the operator's settings.
        tell: writes a line to the terminal; the token of the first start goes only there.

    Raises:
        BadSettings: the address cannot be listened on, or the certificate cannot be used.
        StoreError, VaultError: the data directory cannot be used.
    """
    from schema import build_schema

    stop = Stop()
    clock = SystemClock()
    outside = Outside.of(settings, clock)
    spans = open_provider() if settings.traces else None
    listener = bind(settings.host, settings.port)
    try:
        runtime = await Runtime.open(runtime_config(settings), clock=clock)
    except BaseException:
        listener.close()
        raise
    try:
        if runtime.first_start:
            tell(first_token_text(await make_first_token(runtime)))
        runtime.keep_house()
        app = build_app(settings, runtime, build_schema(), outside.connections, spans)
        _settle_memory()
        sys.setswitchinterval(SWITCH_S)
        async with ControlSocket(runtime, settings.data_dir):
            await _serve_http(app, listener, stop, tell, outside)
    finally:
        await runtime.close()
        if spans is not None:
            # Use a thread: the last spans are sent here, which blocks while the collector does not answer.
            await asyncio.to_thread(spans.shutdown)


def _settle_memory() -> None:
    """Exclude the objects of the start from garbage collection, and collect less often.

    A page of 1,000 rows is thousands of dicts and lists without a cycle. At the default threshold, the collector would
    walk the whole schema several times a request and find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)


async def _serve_http(app: Starlette, listener: socket.socket, stop: Stop, tell: Tell, outside: Outside) -> None:
    async with listening(app, listener, outside) as serving:
        asked = asyncio.create_task(stop.asked.wait())
        host, port = listener.getsockname()[:2]
        scheme = "https" if outside.certificate else "http"
        tell(f"Rollcall serves {scheme}://{f'[{host}]' if ':' in host else host}:{port}/graphql")
        log.info("server.started", host=host, port=port, scheme=scheme)
        await asyncio.wait((serving, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        log.info("server.stopping")
    log.info("server.stopped")


@dataclass(frozen=True)
class Outside:
    """The network side of the server: the settings, the connections and the certificate."""

    settings: Settings
    clock: Clock
    connections: Connections
    certificate: Certificate | None

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Outside:
        """Read the certificate and prepare the connections.

        Raises:
            BadSettings: the certificate cannot be used.
        """
        connections = Connections(clock, head_s=settings.head_timeout_s, most=settings.connections_max)
        return cls(settings, clock, connections, Certificate.of(settings))


@contextlib.asynccontextmanager
async def listening(app: Starlette, listener: socket.socket, outside: Outside) -> AsyncIterator[asyncio.Task[None]]:
    """Serve an application while the block runs; the yielded task ends before that only if the server fails."""
    settings = outside.settings
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws=cast("type[asyncio.Protocol]", partial(SocketConnection, outside.connections)),
        # A message holds a body of the largest size and the protocol's envelope.
        ws_max_size=settings.body_bytes_max + ENVELOPE_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        backlog=BACKLOG,
        # Trust X-Forwarded-For only from the operator's proxies: any caller can write this header.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = Server(config, outside.connections, outside.certificate)
    beside = [asyncio.create_task(outside.connections.sweep(), name="sweep of connections")]
    if outside.certificate is not None:
        beside.append(asyncio.create_task(outside.certificate.follow(outside.clock), name="renewed certificate"))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield serving
    finally:
        app.state.live.stop()
        server.should_exit = True
        await serving
        for task in beside:
            task.cancel()


def bind(host: str, port: int) -> socket.socket:
    """Bind the address without listening yet, so that no client waits for an answer while the database opens.

    Raises:
        BadSettings: the address is in use, does not belong to this machine or is not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BadSettings(f"Cannot listen on {host}: {error.strerror}.", hint="Change ROLLCALL_HOST.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise BadSettings(
            f"Cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}.",
            hint="Stop the program that uses it, or change ROLLCALL_HOST or ROLLCALL_PORT.",
        ) from None
    return listener
