"""Posts one message over HTTP within POST_S_MAX seconds; follows no redirect, reads only the status of the answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import anyio.to_thread
import httpx

from sync.entra.outbound import DIRECT, Outbound
from sync.entra.transport import USER_AGENT, failure, through_proxy, timeouts, tls_context

POST_S_MAX = 15.0
SILENCE_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """The outcome of an attempt: an HTTP status, or the reason why there was no answer."""

    status: int | None
    error: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether the receiver accepted the message."""
        return self.status is not None and 200 <= self.status < 300


def signature(secret: str, at_s: int, body: bytes) -> str:
    """Sign a message: HMAC-SHA-256 over the time, a full stop and the body; the time prevents replays."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


async def post(url: str, body: bytes, headers: Mapping[str, str], outbound: Outbound = DIRECT) -> Outcome:
    """Send a message; return every failure as an outcome with a fixed text."""
    context = await anyio.to_thread.run_sync(tls_context, None, outbound)
    origin = str(httpx.URL(url).join("/"))
    mounts = through_proxy(httpx.AsyncHTTPTransport, outbound, (origin,), context)
    own = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    try:
        async with (
            asyncio.timeout(POST_S_MAX),
            httpx.AsyncClient(
                verify=context, mounts=mounts, timeout=timeouts(SILENCE_S), follow_redirects=False, trust_env=False
            ) as client,
            client.stream("POST", url, content=body, headers={**own, **headers}) as response,
        ):
            return Outcome(response.status_code)
    except httpx.RequestError as error:
        return Outcome(None, failure(error, proxied=bool(mounts)).reason)
    except TimeoutError:
        return Outcome(None, "the answer took too long")
