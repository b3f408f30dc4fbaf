"""Connections that became WebSockets: they give way while nobody knows their caller, and end when they are closed.

Uvicorn waits ten seconds for the answer to a Close, and for ever for a peer that reads nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.http.connections import Connections, Watched

# A token may have 8,192 characters; nothing longer is needed before it is known to be good.
STRANGER_BYTES_MAX = 16 * 1024
BAD_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class SocketConnection(Watched, WebSocketsSansIOProtocol):
    """One WebSocket connection.

    The application finds it as `scope["state"]["socket"]`, and tells it what it learns about the caller.

    Args:
        owner: what holds for all connections.
        of_server: what uvicorn gives to each of its protocols.
    """

    def __init__(self, owner: Connections, **of_server: Any) -> None:
        super().__init__(**of_server)
        self._owner = owner
        self._message_bytes_max = self.conn.max_message_size
        self.conn.max_message_size = STRANGER_BYTES_MAX
        self.app_state = {**self.app_state, "socket": self}
        self._release: asyncio.TimerHandle | None = None
        self._closing_since: float | None = None

    def connection_made(self, transport: Any) -> None:
        """Take over the connection; its caller is a stranger."""
        super().connection_made(transport)
        self._owner.strangers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._release is not None:
            self._release.cancel()
        self._owner.strangers.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came; a handshake that the library cannot read has no event, and is refused here."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(BAD_HANDSHAKE)
            self.transport.close()

    def locate(self, address: str) -> None:
        """Count the stranger at its address; its oldest neighbour gives way if there are too many."""
        evicted = self._owner.strangers.locate(self, address)
        if evicted is not None:
            self._owner.end(evicted)

    def welcome(self) -> None:
        """Take the caller for known: from now on it keeps its place, and may send whole documents."""
        self._owner.strangers.discard(self)
        self.conn.max_message_size = self._message_bytes_max

    def handle_ping(self) -> None:
        """Answer a ping, unless the peer does not even read the answers to those before."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    async def send(self, message: Any) -> None:
        """Send a message; a Close has to be answered soon, even if it cannot be sent."""
        if message["type"] == "websocket.close":
            self._release_soon()
        await super().send(message)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """End the connection soon after the application has ended, whatever the peer does."""
        super().on_task_complete(task)
        self._release_soon()

    def _release_soon(self) -> None:
        if self._release is None and not self.disconnected:
            self._release = self.loop.call_later(self._owner.close_s, self._owner.end, self)

    def is_late(self, now: float) -> bool:
        """Tell whether it has been closing for too long without its application's doing; asked by each sweep."""
        if not self.transport.is_closing():
            return False
        if self._closing_since is None:
            self._closing_since = now
        return now - self._closing_since >= self._owner.close_s
