"""Checks whether an origin answers over HTTPS, and compares its clock; sends neither a credential nor a token."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from sync.clock import Clock
from sync.entra.outbound import DIRECT, Outbound
from sync.entra.transport import TransportFailure, failure, through_proxy, timeouts, tls_context

SILENCE_S, REACH_S_MAX = 5.0, 10.0
USER_AGENT = "rollcall-doctor"


@dataclass(frozen=True)
class Reach:
    """The result of the check.

    Args:
        problem: why there was no answer; None if there was one, whatever its status.
        skew_s: how far this machine's clock is ahead, to a second; None if the answer had no date.
    """

    problem: TransportFailure | None
    skew_s: float | None = None


async def reach(origin: str, ca_file: Path | None, clock: Clock, outbound: Outbound = DIRECT) -> Reach:
    """Request an origin's root with the same proxy and certificate authorities as a sync.

    Raises:
        BadSettings: the certificate authority cannot be read.
    """
    context = tls_context(ca_file, outbound)
    mounts = through_proxy(httpx.AsyncHTTPTransport, outbound, (origin,), context)
    try:
        async with (
            asyncio.timeout(REACH_S_MAX),
            httpx.AsyncClient(
                verify=context, mounts=mounts, timeout=timeouts(SILENCE_S), follow_redirects=False, trust_env=False
            ) as client,
            client.stream("GET", f"{origin}/", headers={"User-Agent": USER_AGENT}) as response,
        ):
            return Reach(None, _skew_s(response.headers.get("date"), clock))
    except httpx.RequestError as error:
        return Reach(failure(error, proxied=bool(mounts)))
    except TimeoutError:
        return Reach(TransportFailure("the answer took too long"))


def _skew_s(date: str | None, clock: Clock) -> float | None:
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return None if there.tzinfo is None else (clock.now() - there).total_seconds()
