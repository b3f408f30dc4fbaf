"""Rate limits of tokens and addresses; a request beyond one is told when to come again.

Known by number and address only: no token's text and no request is kept, and memory is bounded whoever sends.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from server.graphql.errors import Refused
from server.settings import Settings
from sync.clock import Clock

MINUTE_S = 60.0
# Floating-point sums may exceed a minute a little.
MOST_S = MINUTE_S + 1e-9
KEYS_MAX = 10_000
ADDRESS_CHARS_MAX = 64

Identify = Callable[[Request], Awaitable[Any]]
# Finds the caller by the text of an Authorization header; the scope says where it came from.
Admit = Callable[[str, Scope], Awaitable[Any]]


class Rate:
    """So many a minute for each of many, and all of a minute's at once if need be.

    One number is kept for each: when all that it has asked so far would be spread evenly (GCRA, ITU-T I.371).

    Args:
        clock: tells the time.
        per_minute: how many; 0 sets no limit.
    """

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self.per_minute = per_minute
        self._now = clock.monotonic
        self._interval_s = MINUTE_S / per_minute if per_minute else 0.0
        self._spread_until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._spread_until)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._spread_until

    def wait_s(self, key: Hashable) -> float:
        """Count one more, and return 0; if it is too many, count nothing and return how long to wait."""
        now, known = self._now(), self._spread_until.get(key)
        if known is None:
            return self._first(key, now)
        spread_until = (known if known > now else now) + self._interval_s
        if spread_until - now > MOST_S:
            return spread_until - now - MINUTE_S
        self._spread_until[key] = spread_until
        return 0.0

    def _first(self, key: Hashable, now: float) -> float:
        if self._interval_s:
            self._spread_until[key] = now + self._interval_s
            if len(self._spread_until) > KEYS_MAX:
                self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop who has not asked for a while, which changes nothing; then those who came first."""
        kept = [pair for pair in self._spread_until.items() if pair[1] > now]
        self._spread_until = dict(kept[-(KEYS_MAX * 3 // 4) :])


class Rates:
    """The rates of a process.

    Args:
        settings: the limits.
        clock: tells the time.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._tokens = Rate(clock, settings.requests_per_token)
        self._addresses = Rate(clock, settings.requests_per_address)
        self.logins = Rate(clock, settings.failed_logins_per_address)
        self.refused: Counter[str] = Counter({"token": 0, "address": 0, "login": 0})

    def charge_token(self, principal: Any) -> None:
        """Count a request of a caller.

        Raises:
            Refused: 429, it asks too often.
        """
        if wait_s := self._tokens.wait_s(principal.token_id):
            raise self._too_often("token", self._tokens, wait_s)

    def charge_address(self, scope: Scope) -> None:
        """Count a request of an address.

        Raises:
            Refused: 429, it asks too often.
        """
        if wait_s := self._addresses.wait_s(address_of(scope)):
            raise self._too_often("address", self._addresses, wait_s)

    def charge_login(self, request: Request) -> None:
        """Count a bad token of an address; who sends none guesses nothing.

        Raises:
            Refused: 429, it sends too many.
        """
        if request.headers.get("authorization"):
            self._charge_guess(request.scope)

    def _charge_guess(self, scope: Scope) -> None:
        if wait_s := self.logins.wait_s(address_of(scope)):
            raise self._too_often("login", self.logins, wait_s) from None

    def counting(self, identify: Identify) -> Identify:
        """Make an `identify` that counts callers' requests, and an address's bad tokens.

        A good token is never refused for the bad ones of others at its address.
        """

        async def identify_and_count(request: Request) -> Any:
            try:
                principal = await identify(request)
            except Refused as refused:
                # A valid token without a role is no guess.
                if refused.status == 401:
                    self.charge_login(request)
                raise
            self.charge_token(principal)
            return principal

        return identify_and_count

    def guarding(self, admit: Admit) -> Admit:
        """Make an `admit` that counts an address's bad tokens with those of its requests."""

        async def admit_and_count(authorization: str, scope: Scope) -> Any:
            try:
                return await admit(authorization, scope)
            except Refused as refused:
                if refused.status == 401 and authorization:
                    self._charge_guess(scope)
                raise

        return admit_and_count

    def _too_often(self, what: str, rate: Rate, wait_s: float) -> Refused:
        self.refused[what] += 1
        whose = {"token": "of this token", "address": "from this address", "login": "with a bad token from here"}[what]
        return Refused(
            429,
            "RATE_LIMITED",
            f"More than {rate.per_minute} requests a minute {whose}.",
            hint="Come again after the seconds in Retry-After.",
            retryable=True,
            headers={"Retry-After": str(math.ceil(wait_s))},
            facts={"limit": rate.per_minute},
        )


def address_of(scope: Scope) -> str:
    """Return what an address is known by: one that can be had for nothing, a /64 of IPv6, counts as one."""
    client = scope.get("client")
    return _block(client[0]) if client and len(client[0]) <= ADDRESS_CHARS_MAX else "unknown"


@lru_cache(maxsize=KEYS_MAX)
def _block(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        # A proxy may pass on text that is no address.
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
