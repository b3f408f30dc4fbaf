"""One connection and its deadlines: for receiving a request's head, and for sending an answer.

The endpoint sets the deadline of a body; uvicorn ends a connection that is idle between two requests.
"""

from __future__ import annotations

import math
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from server.http.connections import Connections, Watched

HEAD_BYTES_MAX = 64 * 1024
# uvloop passes at most 256 KiB to one `data_received` call.
READ_BYTES_MAX = 256 * 1024

_read = HttpToolsProtocol.data_received
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Head(list[tuple[bytes, bytes]]):
    """The headers of a complete head; the parser appends trailer fields to them, which are dropped."""

    def append(self, _field: tuple[bytes, bytes]) -> None:
        """Drop a trailer field: nobody has checked that it is allowed after the body (RFC 9110 section 6.5.1)."""


class Connection(Watched, HttpToolsProtocol):
    """One connection, and since when it has made no progress."""

    def __init__(self, owner: Connections, **of_server: Any) -> None:
        super().__init__(server_state=owner.state, **of_server)
        self._owner = owner
        self._last_cycle: RequestResponseCycle | None = None
        self._counted_cycle: RequestResponseCycle | None = None
        self._stray_bytes = 0
        self._standing: tuple[object, ...] = ()
        self._since = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered and the next one has not been read."""
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    def connection_made(self, transport: Any) -> None:
        """Accept the connection; another one ends if there are too many."""
        super().connection_made(transport)
        self._owner.make_room(self)

    def data_received(self, data: bytes) -> None:
        """Read the data, and end a connection whose head is too long."""
        _read(self, data)
        # A new cycle means that this data completed the head of a request.
        if self.cycle is self._last_cycle:
            self._count(len(data))
        else:
            self._last_cycle = self.cycle

    def on_headers_complete(self) -> None:
        """Begin the request; from now on its headers do not change."""
        super().on_headers_complete()
        self.headers = Head(self.headers)

    def _count(self, size: int) -> None:
        """Count bytes that began no request, unless they belong to a body that is being read."""
        cycle = self._last_cycle
        if cycle is not self._counted_cycle or (cycle is not None and cycle.more_body and not cycle.response_complete):
            # Allow for one more read: it may hold the end of the body as well as the bytes after it.
            self._counted_cycle, self._stray_bytes = cycle, -READ_BYTES_MAX
            return
        self._stray_bytes += size
        if self._stray_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            if self.is_waiting:
                self.transport.write(TOO_LARGE)
            self.transport.close()

    def is_late(self, now: float) -> bool:
        """Return whether the connection has made no progress for too long; each sweep calls this."""
        standing, most_s = self._stands()
        if standing != self._standing:
            self._standing, self._since = standing, now
        # The connection may have been in this state since just after the last sweep.
        return now - self._since + self._owner.sweep_s >= most_s

    def _stands(self) -> tuple[tuple[object, ...], float]:
        """Return a value that changes with each progress, and the longest time it may stay the same, in seconds."""
        unsent = self.transport.get_write_buffer_size()
        if unsent or self.transport.is_closing():
            return ("sending", unsent), self._owner.unread_s
        # A connection is idle between two requests only once it has sent the first one whole.
        is_idle = self.timeout_keep_alive_task is not None and not self.cycle.more_body
        if self.is_waiting and not is_idle:
            return ("head", self.cycle), self._owner.head_s
        return ("busy",), math.inf
