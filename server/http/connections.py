"""All connections of a server: their number is limited, and a sweep ends those past a deadline.

One sweep checks all connections periodically, because a timer for each would slow every request.
"""

from __future__ import annotations

import resource
from typing import Any

from uvicorn.server import ServerState

from server.http.stranger import Strangers
from sync.clock import Clock

UNREAD_S_MAX = 30.0
# How long a peer may take to answer our Close of a WebSocket; enough for a slow line.
CLOSE_S_MAX = 1.0
SWEEP_S = 1.0
# File descriptors for the database, its readers and the connections of syncs.
SPARE_DESCRIPTORS = 256
DESCRIPTORS_MAX = 131_072


class Watched:
    """A connection that the sweep checks."""

    transport: Any

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered and the next one has not been read."""
        return False

    def is_late(self, now: float) -> bool:
        """Return whether the connection is past a deadline; each sweep calls this."""
        raise NotImplementedError


class Connections:
    """All connections of a server, and the sweep that ends those past a deadline.

    Args:
        clock: the time.
        head_s: longest time that the head of a request may take, silence before it included.
        most: most open connections; `make_room` ends another one when there are more.
        unread_s: longest time that a caller may read nothing of its answer.
        close_s: longest time that a WebSocket may take to end after its Close.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        head_s: float,
        most: int,
        unread_s: float = UNREAD_S_MAX,
        close_s: float = CLOSE_S_MAX,
    ) -> None:
        self._clock, self.head_s, self.unread_s, self.close_s = clock, head_s, unread_s, close_s
        self.most = min(most, _descriptors() - SPARE_DESCRIPTORS)
        self.sweep_s = min(SWEEP_S, head_s / 4)
        self.state = ServerState()
        self.strangers = Strangers[Watched]()
        self.cut = 0

    def __len__(self) -> int:
        return len(self.state.connections)

    async def sweep(self) -> None:
        """End connections past their deadline every `sweep_s` seconds; never returns."""
        while True:
            await self._clock.sleep(self.sweep_s)
            now = self._clock.monotonic()
            for one in tuple(self.state.connections):
                if isinstance(one, Watched) and one.is_late(now):
                    self.end(one)

    def make_room(self, newest: Watched) -> None:
        """End one connection if there are too many.

        The oldest WebSocket without a known caller goes first, then a connection that waits for a request, then the
        newest.
        """
        if len(self) > self.most:
            self.end(self.strangers.oldest() or self._idle(newest) or newest)

    def _idle(self, newest: Watched) -> Watched | None:
        waiting = (one for one in self.state.connections if isinstance(one, Watched) and one.is_waiting)
        return next((one for one in waiting if one is not newest), None)

    def end(self, one: Watched) -> None:
        """End a connection at once and drop its unsent data."""
        self.cut += 1
        one.transport.abort()


def _descriptors() -> int:
    """Raise the limit of open files as far as the system allows, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return DESCRIPTORS_MAX if soft == resource.RLIM_INFINITY else soft
