"""One connection and its deadlines: for a head, and for an answer that nobody takes.

A body has its deadline where it is read, and what is idle between two requests has uvicorn's.
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
    """The headers of a head that is complete; the parser adds the fields of a trailer to it, which are dropped."""

    def append(self, _field: tuple[bytes, bytes]) -> None:
        """Drop a field (RFC 9110 section 6.5.1): nobody has checked that it may come after the body."""


class Connection(Watched, HttpToolsProtocol):
    """One connection; knows since when it is where it is."""

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
        """Whether nothing is being answered, and the next request not yet read."""
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    def connection_made(self, transport: Any) -> None:
        """Take the connection, if there is room."""
        super().connection_made(transport)
        self._owner.make_room(self)

    def data_received(self, data: bytes) -> None:
        """Read what came; a head without end is not kept."""
        _read(self, data)
        # A request that came whole ends here.
        if self.cycle is self._last_cycle:
            self._count(len(data))
        else:
            self._last_cycle = self.cycle

    def on_headers_complete(self) -> None:
        """Begin the request; its scope keeps the headers as they are now."""
        super().on_headers_complete()
        self.headers = Head(self.headers)

    def _count(self, size: int) -> None:
        """Count what began no request, unless it belongs to a body that is being read."""
        cycle = self._last_cycle
        if cycle is not self._counted_cycle or (cycle is not None and cycle.more_body and not cycle.response_complete):
            # The next read may be the body's last, which cannot be told from what follows it.
            self._counted_cycle, self._stray_bytes = cycle, -READ_BYTES_MAX
            return
        self._stray_bytes += size
        if self._stray_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            if self.is_waiting:
                self.transport.write(TOO_LARGE)
            self.transport.close()

    def is_late(self, now: float) -> bool:
        """Tell whether it has stood still for too long; asked by each sweep."""
        standing, most_s = self._stands()
        if standing != self._standing:
            self._standing, self._since = standing, now
        # It may have stood there since just after the sweep before.
        return now - self._since + self._owner.sweep_s >= most_s

    def _stands(self) -> tuple[tuple[object, ...], float]:
        """Return what changes when it gets on, and how long it may not."""
        unsent = self.transport.get_write_buffer_size()
        if unsent or self.transport.is_closing():
            return ("sending", unsent), self._owner.unread_s
        # Idle between two requests is only who has sent all of the first.
        is_idle = self.timeout_keep_alive_task is not None and not self.cycle.more_body
        if self.is_waiting and not is_idle:
            return ("head", self.cycle), self._owner.head_s
        return ("busy",), math.inf
