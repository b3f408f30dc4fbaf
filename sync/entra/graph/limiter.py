"""Makes all requests of one app in one tenant wait together, because Graph throttles them together.

All streams of all runs in this process that sign in as one app to one tenant share a limiter. It never sends a request
and keeps no secret.

Source: learn.microsoft.com/graph/throttling, learn.microsoft.com/graph/throttling-limits (identity and access)
"""

from __future__ import annotations

import re
from collections.abc import Hashable

from sync.clock import Clock
from sync.errors import Throttled

SLOW_FROM = 0.8
"""An app slows down from this share of its limit on; Graph sends `x-ms-throttle-limit-percentage` only above it."""

SLOW_INTERVAL_S = 1.0
"""The time between two requests of a slowed app, all its streams together."""

PAUSE_S_MAX = 3_600.0
"""The longest pause: if Graph asks for a longer one, it is asked again after an hour."""

WAIT = "All requests of this app must wait until then; nothing is lost. Give Rollcall its own app registration."

_SHARE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,10})?", re.ASCII)


class Limiter:
    """Decides when one app in one tenant may send its next request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at = clock.monotonic()
        self._slow = False

    async def turn(self, wait_s_max: float) -> float:
        """Wait until a request may be sent and return the seconds waited.

        Raises:
            Throttled: the wait would be longer than `wait_s_max`; raised without waiting for it.
        """
        waited_s = 0.0
        while (wait_s := self._free_at - self._clock.monotonic()) > 0:
            if wait_s > wait_s_max:
                raise Throttled(hint=WAIT, retry_after_s=wait_s)
            await self._clock.sleep(wait_s)
            waited_s += wait_s
        if self._slow:
            self._free_at = self._clock.monotonic() + SLOW_INTERVAL_S
        return waited_s

    def pause(self, seconds: float) -> None:
        """Stop all requests for so many seconds; a longer pause that is set already stays."""
        self._free_at = max(self._free_at, self._clock.monotonic() + min(seconds, PAUSE_S_MAX))

    def note_share(self, header: str | None) -> None:
        """Slow down or return to full speed, by the share of the limit that an answer reports."""
        self._slow = header is not None and bool(_SHARE.fullmatch(header)) and float(header) >= SLOW_FROM


class Limiters:
    """The limiters of a process, one for each app and tenant; they are small and never removed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[Hashable, Limiter] = {}

    def of(self, origin: str, tenant_id: str, client_id: str) -> Limiter:
        """Return the limiter of an app in a tenant."""
        return self._known.setdefault((origin, tenant_id.lower(), client_id.lower()), Limiter(self._clock))
