"""Rate limits of tokens and addresses; a request beyond a limit gets 429 with Retry-After.

Keys are token ids and addresses: no token's text and no request is stored. The number of keys is bounded.
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
# A sum of floating-point intervals may exceed a minute a little.
MOST_S = MINUTE_S + 1e-9
KEYS_MAX = 10_000
ADDRESS_CHARS_MAX = 64

Identify = Callable[[Request], Awaitable[Any]]
# Finds the caller by the text of an Authorization header; the scope says where it came from.
Admit = Callable[[str, Scope], Awaitable[Any]]


class Rate:
    """A limit of requests a minute for each key; a whole minute's requests may come at once.

    Each key has one number: the time until which its requests so far reach if spread evenly (GCRA, ITU-T I.371).

    Args:
        clock: the time.
        per_minute: requests a minute; 0 sets no limit.
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
        """Count a request and return 0; if it is one too many, count nothing and return the seconds to wait."""
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
        """Drop keys whose time has passed, which changes nothing; then the oldest keys, to 3/4 of the maximum."""
        kept = [pair for pair in self._spread_until.items() if pair[1] > now]
        self._spread_until = dict(kept[-(KEYS_MAX * 3 // 4) :])


class Rates:
    """The rate limits of a process.

    Args:
        settings: the limits.
        clock: the time.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._tokens = Rate(clock, settings.requests_per_token)
        self._addresses = Rate(clock, settings.requests_per_address)
        self.logins = Rate(clock, settings.failed_logins_per_address)
        self.refused: Counter[str] = Counter({"token": 0, "address": 0, "login": 0})

    def charge_token(self, principal: Any) -> None:
        """Count a request of a caller.

        Raises:
            Refused: 429, the token has sent too many.
        """
        if wait_s := self._tokens.wait_s(principal.token_id):
            raise self._too_often("token", self._tokens, wait_s)

    def charge_address(self, scope: Scope) -> None:
        """Count a request of an address.

        Raises:
            Refused: 429, the address has sent too many.
        """
        if wait_s := self._addresses.wait_s(address_of(scope)):
            raise self._too_often("address", self._addresses, wait_s)

    def charge_login(self, request: Request) -> None:
        """Count a bad token of an address; a request without a token guesses nothing and is not counted.

        Raises:
            Refused: 429, the address has sent too many.
        """
        if request.headers.get("authorization"):
            self._charge_guess(request.scope)

    def _charge_guess(self, scope: Scope) -> None:
        if wait_s := self.logins.wait_s(address_of(scope)):
            raise self._too_often("login", self.logins, wait_s) from None

    def counting(self, identify: Identify) -> Identify:
        """Return an `identify` that counts the requests of callers and the bad tokens of addresses.

        A valid token is never refused because others at its address sent bad ones.
        """

        async def identify_and_count(request: Request) -> Any:
            try:
                principal = await identify(request)
            except Refused as refused:
                # Do not count 403: a valid token without a role is not a guess.
                if refused.status == 401:
                    self.charge_login(request)
                raise
            self.charge_token(principal)
            return principal

        return identify_and_count

    def guarding(self, admit: Admit) -> Admit:
        """Return an `admit` that counts bad tokens together with those of `counting`."""

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
        whose = {
            "token": "with this token",
            "address": "from this address",
            "login": "with a bad token from this address",
        }[what]
        return Refused(
            429,
            "RATE_LIMITED",
            f"More than {rate.per_minute} requests a minute {whose}.",
            hint="Wait for the number of seconds in Retry-After, then try again.",
            retryable=True,
            headers={"Retry-After": str(math.ceil(wait_s))},
            facts={"limit": rate.per_minute},
        )


def address_of(scope: Scope) -> str:
    """Return the key of a caller's address: an IPv6 /64 network is one key, since a single host can use all of it."""
    client = scope.get("client")
    return _block(client[0]) if client and len(client[0]) <= ADDRESS_CHARS_MAX else "unknown"


@lru_cache(maxsize=KEYS_MAX)
def _block(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        # A proxy may pass on text that is not an address.
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
