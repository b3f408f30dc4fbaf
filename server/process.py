"""The serving process: opens the runtime, listens, and stops cleanly on a signal; never leaves a page half written."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from starlette.applications import Starlette

from server.admin import first_token_text, make_first_token, runtime_config
from server.app import build_app
from server.control import ControlSocket
from server.settings import Settings
from sync.errors import BadSettings
from sync.runtime import Runtime

log = structlog.stdlib.get_logger("rollcall.server")

BACKLOG = 2_048
KEEP_ALIVE_S = 30
GRACE_S = 5
ENVELOPE_BYTES = 4_096
GARBAGE_THRESHOLD = 50_000
# How long a thread may keep the interpreter from the one that answers queries; Python's own 5 ms, at every step of a
# statement, are what a query would feel of a sync.
SWITCH_S = 0.0005
SIGNALS = (signal.SIGTERM, signal.SIGINT)

Tell = Callable[[str], None]


class Server(uvicorn.Server):
    """Uvicorn without its own signal handling, which would end the process before the runtime is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `Stop`."""
        yield


class Stop:
    """The wish to stop: the first signal asks politely, the second ends the process at once."""

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
        settings: the operator's.
        tell: writes a line for the person at the terminal; the first start's token goes only there.

    Raises:
        BadSettings: the address cannot be listened on.
        StoreError, VaultError: the data directory cannot be used.
    """
    from schema import build_schema

    stop = Stop()
    listener = bind(settings.host, settings.port)
    try:
        runtime = await Runtime.open(runtime_config(settings))
    except BaseException:
        listener.close()
        raise
    try:
        if runtime.first_start:
            tell(first_token_text(await make_first_token(runtime)))
        runtime.keep_house()
        app = build_app(settings, runtime, build_schema())
        _settle_memory()
        sys.setswitchinterval(SWITCH_S)
        async with ControlSocket(runtime, settings.data_dir):
            await _serve_http(app, listener, stop, tell, settings.body_bytes_max)
    finally:
        await runtime.close()


def _settle_memory() -> None:
    """Keep the collector away from what lives as long as the process, and from each page of rows on its way out.

    A thousand rows are thousands of dicts and lists without a cycle: at the usual threshold the collector would walk
    the whole schema several times a request to find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)


async def _serve_http(app: Starlette, listener: socket.socket, stop: Stop, tell: Tell, message_bytes: int) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        # What a body may hold, and the envelope around it.
        ws_max_size=message_bytes + ENVELOPE_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        backlog=BACKLOG,
        # Addresses from X-Forwarded-For would be whatever the caller writes there.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    asked = asyncio.create_task(stop.asked.wait())
    host, port = listener.getsockname()[:2]
    tell(f"Rollcall serves http://{f'[{host}]' if ':' in host else host}:{port}/graphql")
    log.info("server.started", host=host, port=port)
    await asyncio.wait((serving, asked), return_when=asyncio.FIRST_COMPLETED)
    log.info("server.stopping")
    app.state.live.stop()
    server.should_exit = True
    asked.cancel()
    await serving
    log.info("server.stopped")


def bind(host: str, port: int) -> socket.socket:
    """Take the address without listening yet, so that nobody waits for an answer while the database opens.

    Raises:
        BadSettings: the address is in use, not this machine's or not allowed.
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
            hint="Stop what uses it, or change ROLLCALL_HOST or ROLLCALL_PORT.",
        ) from None
    return listener
