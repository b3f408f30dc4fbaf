"""Reads Microsoft Graph over one connection pool; never sends the token to another origin.

It retries temporary failures, renews a rejected token once, and raises a typed error for every other failure. It never
follows a redirect, writes to the directory or interprets the data.

Source: learn.microsoft.com/graph/best-practices-concept, learn.microsoft.com/graph/throttling
"""

from __future__ import annotations

import asyncio
import copy
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import orjson

from sync.clock import Clock
from sync.entra.cloud import GUID, Endpoints, parse_origin
from sync.entra.diagnose import graph_error, malformed, redirected
from sync.entra.graph.body import read_object, unpack
from sync.entra.graph.limiter import Limiter
from sync.entra.graph.retry import Retry, RetryBudget, RetryPolicy, parse_http_date, parse_retry_after
from sync.entra.outbound import DIRECT, Outbound
from sync.entra.signin.token import TokenProvider
from sync.entra.transport import USER_AGENT, TransportFailure, failure, through_proxy, timeouts, tls_context
from sync.errors import (
    AuthRejected,
    BadInput,
    BadResponse,
    EntraError,
    OffOrigin,
    Throttled,
    Unavailable,
)

T = TypeVar("T")

VERSION_PATH = "/v1.0"
"""The only version of Graph that is used."""

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json\b", re.IGNORECASE)
_UNITS = re.compile(r"[0-9]{1,6}", re.ASCII)
_ADDRESS_CHARACTERS = re.compile(r"[\x21-\x7e]+", re.ASCII)
_SERVICE_UNAVAILABLE = 503


@dataclass(frozen=True)
class BodyLimits:
    """Limits of the time and size of one answer."""

    silence_s: float = 60.0
    headers_s: float = 90.0
    body_s: float = 60.0
    body_bytes: int = 32 * 1024 * 1024


@dataclass
class RequestStats:
    """The requests and traffic of a client, or of one of its streams, so far."""

    requests: int = 0
    retries: int = 0
    throttled_s: float = 0.0
    resource_units: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: httpx.Headers
    packed: bytes

    @property
    def encoding(self) -> str:
        return str(self.headers.get("content-encoding", "")).strip().lower()


_POLICY = RetryPolicy()
_LIMITS = BodyLimits()
_POOL = httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=60)


class GraphClient:
    """A reader of one Graph origin; asyncio tasks can share it. Close it by `async with` or `aclose`.

    Args:
        endpoints: the only origin that requests go to, and its certificate authority.
        tokens: provides the token of every request.
        clock: time and jitter.
        transport: replaces the network, in tests.
        policy: when to retry.
        limits: time and size of an answer.
        outbound: how to connect to Graph.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        tokens: TokenProvider,
        clock: Clock,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        policy: RetryPolicy = _POLICY,
        limits: BodyLimits = _LIMITS,
        outbound: Outbound = DIRECT,
    ) -> None:
        self.stats = RequestStats()
        self.streams: dict[str, RequestStats] = {}
        self.limiter = Limiter(clock)
        self._budget = RetryBudget(policy.budget_s)
        self._origin = endpoints.graph
        self._tokens = tokens
        self._clock = clock
        self._policy = policy
        self._limits, self._outbound = limits, outbound
        context = tls_context(endpoints.ca_file, outbound)
        mounts = {} if transport else through_proxy(httpx.AsyncHTTPTransport, outbound, (self._origin,), context, _POOL)
        self._http = httpx.AsyncClient(
            transport=transport,
            mounts=mounts,
            verify=context,
            timeout=timeouts(limits.silence_s),
            limits=_POOL,
            follow_redirects=False,
            trust_env=False,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": USER_AGENT,
                "x-ms-throttle-priority": "low",
            },
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def sign_in(self) -> None:
        """Get the first token; retries like requests to Graph.

        Raises:
            SignInFailed, OffOrigin: the service's final answer.
            Unavailable, Throttled, BadResponse: no usable answer after every try.
        """
        retry = self.retry()
        while True:
            try:
                self.stats.throttled_s += await self.limiter.turn(self._policy.wait_s_max)
                await self._tokens.token()
                return
            except (Unavailable, Throttled, BadResponse) as error:
                await self.wait(retry, error)

    def stream(self, name: str) -> GraphClient:
        """Return a view of this client for one stream: its requests are counted in `streams` under the name."""
        view = copy.copy(self)
        view.stats = self.streams.setdefault(name, RequestStats())
        return view

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        check: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Return the JSON object at an address.

        Args:
            url: a path below /v1.0 that begins with "/", or an absolute link from Graph.
            params: added to the query.
            headers: added to every try, for example `Prefer` or `ConsistencyLevel`.
            check: raises BadResponse if the object has the wrong shape; the request is then retried.

        Raises:
            OffOrigin: the link or a redirect leaves the Graph origin; no token was sent there.
            CursorExpired, PermissionDenied, RequestRefused, AuthRejected: Graph's final answer.
            Unavailable, Throttled, BadResponse: no usable answer after every try.
            SignInFailed: no token.
        """

        async def read(answer: _Answer) -> dict[str, Any]:
            body = await self._object(answer)
            if check:
                check(body)
            return body

        return await self._read(url, params, headers, read)

    async def post(self, url: str, body: object, check: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Post the JSON body of a read such as `$batch` and return the JSON object of the answer; raises like `get`."""

        async def read(answer: _Answer) -> dict[str, Any]:
            found = await self._object(answer)
            check(found)
            return found

        return await self._read(url, None, {"Content-Type": "application/json"}, read, orjson.dumps(body))

    def now(self) -> datetime:
        """Return the current time, to compare it with a date inside an answer."""
        return self._clock.now()

    def retry(self) -> Retry:
        """Return the retry state of a new request, within the budget of this client."""
        return Retry(self._policy, self._clock, self._budget)

    async def text(self, url: str, *, headers: Mapping[str, str] | None = None) -> str:
        """Return a plain-text answer, such as that of `$count`; raises like `get`."""

        async def read(answer: _Answer) -> str:
            body = unpack(answer.packed, answer.encoding, self._limits.body_bytes)
            return body.decode("utf-8-sig", "replace")

        return await self._read(url, None, {"Accept": "text/plain"} | dict(headers or {}), read)

    def check_link(self, link: str) -> httpx.URL:
        """Return the parsed address of an absolute link on the Graph origin.

        Raises:
            OffOrigin: another scheme, host or port, user info, or not an address at all.
        """
        try:
            url = httpx.URL(link)
            origin = parse_origin(f"{url.scheme}://{url.netloc.decode('ascii')}")
        except (httpx.InvalidURL, BadInput, UnicodeError, TypeError):
            origin = ""
        # Compare and send the same parsed address: a second parser could read the link differently.
        if origin != self._origin or url.userinfo or not _ADDRESS_CHARACTERS.fullmatch(link):
            raise OffOrigin(hint="Check the credential's cloud and the proxy. The token was not sent there.")
        return url

    def _resolve(self, url: str) -> tuple[httpx.URL, bool]:
        """Return the address, and whether it is a link from Graph."""
        if url.startswith("/"):
            return self.check_link(f"{self._origin}{VERSION_PATH}{url}"), False
        return self.check_link(url), True

    async def _read(
        self,
        address: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        read: Callable[[_Answer], Awaitable[T]],
        content: bytes | None = None,
    ) -> T:
        url, is_cursor = self._resolve(address)
        if params:
            url = url.copy_merge_params(dict(params))
        retry = self.retry()
        rejected = False
        while True:
            token = ""
            try:
                self.stats.throttled_s += await self.limiter.turn(self._policy.wait_s_max)
                token = await self._tokens.token()
                answer = await self._send(url, headers or {}, token, content)
                await self._raise_for_status(answer, url, is_cursor=is_cursor)
                return await read(answer)
            except AuthRejected:
                if rejected:
                    raise
                rejected = True
                self._tokens.drop(token)
                self.stats.retries += 1
            except (Unavailable, Throttled, BadResponse) as error:
                await self.wait(retry, error)

    async def wait(self, retry: Retry, error: EntraError) -> None:
        """Wait before the next try; throttling makes every stream of the app wait.

        Raises:
            EntraError: there is no next try, or not in this run: see `Retry.wait_s`.
        """
        if not isinstance(error, Throttled):
            await self._clock.sleep(retry.wait_s(error))
        else:
            try:
                self.limiter.pause(retry.wait_s(error))
            except Throttled as last:
                asked_s = last.facts.get("retry_after_s")
                self.limiter.pause(asked_s if isinstance(asked_s, float) else 0.0)
                raise
        self.stats.retries += 1

    async def _send(self, url: httpx.URL, headers: Mapping[str, str], token: str, content: bytes | None) -> _Answer:
        own = {"Authorization": f"Bearer {token}", "client-request-id": str(uuid.uuid4())}
        method = "GET" if content is None else "POST"
        request = self._http.build_request(method, url, headers={**headers, **own}, content=content)
        self.stats.requests += 1
        try:
            async with asyncio.timeout(self._limits.headers_s):
                response = await self._http.send(request, stream=True)
            try:
                packed = await self._body(response)
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            why = failure(error, proxied=self._outbound.proxy_of(str(url)) is not None)
        except TimeoutError:
            why = TransportFailure("the answer took too long")
        else:
            self._count_units(response.headers)
            self.limiter.note_share(response.headers.get("x-ms-throttle-limit-percentage"))
            return _Answer(response.status_code, response.headers, packed)
        # Raise outside the `except` block: the context would keep the request, which contains the token.
        raise Unavailable(f"Microsoft Graph did not answer: {why.reason}.", hint=why.hint, reason=why.reason)

    async def _body(self, response: httpx.Response) -> bytes:
        if response.status_code == _SERVICE_UNAVAILABLE:
            # Do not read the body: the connection is then closed, and the next try gets a new one, as Microsoft asks.
            return b""
        packed = bytearray()
        async with asyncio.timeout(self._limits.body_s):
            async for chunk in response.aiter_raw():
                packed += chunk
                if len(packed) > self._limits.body_bytes:
                    raise malformed("it is too large", bytes_max=self._limits.body_bytes)
        self.stats.bytes += len(packed)
        return bytes(packed)

    def _count_units(self, headers: httpx.Headers) -> None:
        units = headers.get("x-ms-resource-unit", "")
        if _UNITS.fullmatch(units):
            self.stats.resource_units += int(units)

    async def _raise_for_status(self, answer: _Answer, url: httpx.URL, *, is_cursor: bool) -> None:
        if 200 <= answer.status < 300:
            return
        if 300 <= answer.status < 400:
            self._refuse_redirect(answer, url)
        sent = parse_http_date(answer.headers.get("date")) or self._clock.now()
        request_id = answer.headers.get("request-id", "")
        raise graph_error(
            answer.status,
            await self._error_body(answer),
            path=url.path,
            is_cursor=is_cursor,
            retry_after_s=parse_retry_after(answer.headers.get("retry-after"), now=sent),
            request_id=request_id if GUID.fullmatch(request_id) else None,
        )

    def _refuse_redirect(self, answer: _Answer, url: httpx.URL) -> None:
        try:
            target = url.join(answer.headers.get("location", ""))
        except httpx.InvalidURL:
            target = httpx.URL()
        self.check_link(str(target))
        raise redirected(answer.status)

    async def _error_body(self, answer: _Answer) -> dict[str, Any]:
        try:
            return await read_object(answer.packed, answer.encoding, bytes_max=self._limits.body_bytes)
        except BadResponse:
            return {}  # The page of a proxy, for example: the status alone decides.

    async def _object(self, answer: _Answer) -> dict[str, Any]:
        kind = answer.headers.get("content-type")
        if kind is not None and not _JSON_TYPE.match(kind):
            raise malformed("it is not JSON", status=answer.status)
        if not answer.packed:
            raise malformed("it is empty", status=answer.status)
        return await read_object(answer.packed, answer.encoding, bytes_max=self._limits.body_bytes)
