"""WebSocket connections: one without a known caller may be ended for another, and a closed one ends soon.

Uvicorn alone waits ten seconds for the answer to a Close, and forever for a peer that reads nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.http.connections import Connections, Watched

# The largest message before the caller is known: it holds a token, of at most 8,192 characters.
STRANGER_BYTES_MAX = 16 * 1024
BAD_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class SocketConnection(Watched, WebSocketsSansIOProtocol):
    """One WebSocket connection.

    The application finds it as `scope["state"]["socket"]`, and calls `locate` and `welcome` on it.

    Args:
        owner: all connections of the server.
        of_server: uvicorn's arguments for a protocol.
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
        """Accept the connection; its caller is not known yet."""
        super().connection_made(transport)
        self._owner.strangers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._release is not None:
            self._release.cancel()
        self._owner.strangers.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read the data; refuse a malformed handshake here, because the library emits no event for it."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(BAD_HANDSHAKE)
            self.transport.close()

    def locate(self, address: str) -> None:
        """Count this unknown caller at its address; if the address has too many, its oldest socket ends."""
        evicted = self._owner.strangers.locate(self, address)
        if evicted is not None:
            self._owner.end(evicted)

    def welcome(self) -> None:
        """Mark the caller as known: the connection keeps its place and may send large messages."""
        self._owner.strangers.discard(self)
        self.conn.max_message_size = self._message_bytes_max

    def handle_ping(self) -> None:
        """Answer a ping, unless the peer does not read our earlier answers."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    async def send(self, message: Any) -> None:
        """Send a message; after a Close, the connection ends within `close_s`, even if the Close cannot be sent."""
        if message["type"] == "websocket.close":
            self._release_soon()
        await super().send(message)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """End the connection within `close_s` after the application has ended, whatever the peer does."""
        super().on_task_complete(task)
        self._release_soon()

    def _release_soon(self) -> None:
        if self._release is None and not self.disconnected:
            self._release = self.loop.call_later(self._owner.close_s, self._owner.end, self)

    def is_late(self, now: float) -> bool:
        """Return whether the transport has been closing for too long; each sweep calls this.

        `_release_soon` covers only a close that the application asked for.
        """
        if not self.transport.is_closing():
            return False
        if self._closing_since is None:
            self._closing_since = now
        return now - self._closing_since >= self._owner.close_s
