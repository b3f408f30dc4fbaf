"""Runs a simulator on a TLS socket; no other module of the simulator opens one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from server.simulator.certificate import prepare_certificate
from server.simulator.graph.carrier import ConnectionCut, ConnectionSilent
from server.simulator.simulator import Simulator

STOP_WAIT_S = 2
SILENCE_S = 600


class RunningSimulator(str):
    """The origin of a running simulator, with the CA file that clients have to trust."""

    ca_file: Path
    simulator: Simulator

    def __new__(cls, simulator: Simulator, ca_file: Path) -> RunningSimulator:
        """Make the text from the simulator's origin."""
        self = super().__new__(cls, simulator.origin)
        self.ca_file = ca_file
        self.simulator = simulator
        return self

    @property
    def origin(self) -> str:
        """Return scheme, host and port."""
        return str(self)


class _Server(uvicorn.Server):
    """A uvicorn server with an event for when it listens, and without signal handling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen and set `listening`."""
        await super().startup(sockets=sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; abort idle connections, because an orderly TLS shutdown waits for a client that may not answer."""
        for connection in list(self.server_state.connections):
            cycle, transport = getattr(connection, "cycle", None), getattr(connection, "transport", None)
            if transport is not None and (cycle is None or cycle.response_complete):
                transport.abort()
        await super().shutdown(sockets=sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


class Carrier:
    """Passes requests to the simulator, and cuts or silences connections as its faults demand."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.server: _Server | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self._simulator.app(scope, receive, send)
        except ConnectionCut as cut:
            self._end(scope["client"], reset=cut.reset)
            await self._gone(receive)
        except ConnectionSilent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENCE_S):
                    await self._gone(receive)
            self._end(scope["client"], reset=True)

    def _end(self, client: tuple[str, int], *, reset: bool) -> None:
        connections = self.server.server_state.connections if self.server else ()
        for connection in connections:
            if getattr(connection, "client", None) == client and (transport := connection.transport):
                if not reset:
                    transport.close()
                    continue
                held = transport.get_extra_info("socket")
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                transport.abort()

    @staticmethod
    async def _gone(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket; OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Pass IPPROTO_TCP: asyncio sets TCP_NODELAY only on such sockets, and without it each page takes 40 ms longer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


@contextlib.asynccontextmanager
async def running(
    simulator: Simulator, *, port: int = 0, host: str = "127.0.0.1", data_dir: Path | str | None = None
) -> AsyncIterator[RunningSimulator]:
    """Serve a simulator on TLS while the block runs, and set the simulator's origin.

    Args:
        simulator: the tenant to serve.
        port: the port to listen on; 0 takes a free one.
        host: the address to listen on; links name `localhost` for a loopback address.
        data_dir: the folder of the CA and the certificate; None uses a temporary one.

    Raises:
        OSError: the port is taken.
    """
    with contextlib.ExitStack() as stack:
        if data_dir is None:
            data_dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="rollcall-simulator-"))
        ca_file, server_file = prepare_certificate(Path(data_dir), host)
        listener = bind(host, port)
        name = "localhost" if host in ("127.0.0.1", "::1") else f"[{host}]" if ":" in host else host
        simulator.origin = f"https://{name}:{listener.getsockname()[1]}"
        carrier = Carrier(simulator)
        config = uvicorn.Config(
            carrier,
            ssl_certfile=server_file,
            ssl_keyfile=str(server_file),
            log_config=None,
            log_level="warning",
            access_log=False,
            ws="none",
            lifespan="off",
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_WAIT_S,
        )
        server = carrier.server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            listening = asyncio.create_task(server.listening.wait())
            await asyncio.wait((task, listening), return_when=asyncio.FIRST_COMPLETED)
            if task.done():  # the server failed before it listened: raise its error
                listening.cancel()
                await task
            yield RunningSimulator(simulator, ca_file)
        finally:
            server.should_exit = True
            await task


async def serve(
    simulator: Simulator, *, host: str, port: int, data_dir: Path, ready: Callable[[RunningSimulator], None]
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once, when the socket listens.

    Raises:
        OSError: the port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with running(simulator, port=port, host=host, data_dir=data_dir) as address:
            ready(address)
            await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
