"""Adds security headers to every response, and refuses requests from web pages of other origins. Holds no state.

Source: OWASP Cheat Sheet Series (CSRF, fetch metadata), RFC 9110 section 7.8, RFC 9112 section 3.2,
fetch.spec.whatwg.org (CORS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.graphql.errors import BAD_USER_INPUT, Refused

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
HSTS = "max-age=31536000"
CORS_METHODS = "GET, POST"
CORS_REQUEST_HEADERS = (
    *("Authorization", "Content-Type", "If-None-Match", "Cache-Control", "X-Request-Id", "X-Requested-With"),
    *("GraphQL-Require-Preflight", "Apollo-Require-Preflight", "X-Apollo-Operation-Name"),
    *("Apollographql-Client-Name", "Apollographql-Client-Version"),
    *("GraphQL-Client-Name", "GraphQL-Client-Version"),
    *("Traceparent", "Tracestate", "Baggage", "Sentry-Trace"),
)
"""What GraphQL clients, and programs that trace requests, send."""
CORS_RESPONSE_HEADERS = "ETag, X-Request-Id, Retry-After, WWW-Authenticate"
CORS_MAX_AGE_S = 600
# Health checks must be answered at any rate of requests.
UNCOUNTED_PATHS = frozenset({"/healthz", "/readyz"})
Charge = Callable[[Scope], None]
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class OriginCheck:
    """ASGI middleware between the network and the routes.

    Args:
        app: the application to protect.
        cors_origins: web origins whose pages may call, beside the server's own.
        cors_headers: request headers that those pages may send, beside `CORS_REQUEST_HEADERS`.
        charge: counts a request, or raises Refused(429); health checks are not counted.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        cors_origins: Iterable[str] = (),
        cors_headers: Iterable[str] = (),
        charge: Charge | None = None,
    ) -> None:
        self._app = app
        self._cors_origins = frozenset(cors_origins)
        self._cors_headers = ", ".join((*CORS_REQUEST_HEADERS, *cors_headers))
        self._charge = charge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it; either way the response carries the security headers."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if scope["type"] == "websocket":
            if not _has_one_host(scope, headers):
                await _refuse_host(send)
                return
            # A socket that is closed before it is accepted answers its handshake with 403.
            is_refused = origin not in self._cors_origins and is_foreign("WEBSOCKET", headers)
            is_refused = is_refused or self._is_too_often(scope)
            await (_refuse if is_refused else self._app)(scope, receive, send)
            return
        shared = origin if origin in self._cors_origins else None
        sender = _Sender(send, shared, secure=scope["scheme"] == "https", vary=bool(self._cors_origins))
        try:
            response = self._early(scope, headers, shared)
        except Refused as refused:
            request_id = scope.get("state", {}).get("request_id", "none")
            body = refused.bytes(request_id)
            response = Response(body, refused.status, refused.headers, "application/json; charset=utf-8")
        await (response or self._app)(scope, receive, sender)

    def _is_too_often(self, scope: Scope) -> bool:
        try:
            if self._charge is not None:
                self._charge(scope)
        except Refused:
            return True
        return False

    def _early(self, scope: Scope, headers: Headers, shared: str | None) -> Response | None:
        """Answer a CORS preflight; None passes the request on.

        Raises:
            Refused: the rate, the Host header, the upgrade or the page's origin is not allowed.
        """
        if self._charge is not None and scope["path"] not in UNCOUNTED_PATHS:
            self._charge(scope)
        if not _has_one_host(scope, headers):
            raise Refused(
                400,
                BAD_USER_INPUT,
                "The request has no Host header, or more than one.",
                hint="Send the name and port of the address once, as Host.",
                headers={"Connection": "close"},
            )
        if "websocket" in headers.get("upgrade", "").lower():
            raise Refused(
                426,
                BAD_USER_INPUT,
                "The request asks for an upgrade, but is not a valid WebSocket handshake.",
                hint="Connect to ws(s)://…/graphql with the sub-protocol graphql-transport-ws, or use POST.",
                headers={"Upgrade": "HTTP/1.1", "Connection": "Upgrade, close"},
            )
        if shared is None and is_foreign(scope["method"], headers):
            raise Refused(
                403,
                "FORBIDDEN",
                "Pages of another web origin may not call this server.",
                hint="The operator can allow an origin with ROLLCALL_CORS_ORIGINS.",
            )
        if shared and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            allowed = {
                "Access-Control-Allow-Methods": CORS_METHODS,
                "Access-Control-Allow-Headers": self._cors_headers,
                "Access-Control-Max-Age": str(CORS_MAX_AGE_S),
            }
            return Response(status_code=204, headers=allowed)
        return None


def _has_one_host(scope: Scope, headers: Headers) -> bool:
    """Return whether there is exactly one Host header; HTTP/1.0 may omit it."""
    count = len(headers.getlist("host"))
    return count == 1 or (count == 0 and scope["http_version"] == "1.0")


async def _refuse_host(send: Send) -> None:
    await send({"type": "websocket.http.response.start", "status": 400, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 1008})


def is_foreign(method: str, headers: Headers) -> bool:
    """Return whether a web page of another origin caused the request; programs send neither header."""
    site = headers.get("sec-fetch-site")
    if site in ("same-origin", "none"):
        return False
    if site is not None:
        # Allow a link to GraphiQL: the page with the link cannot read the response.
        return not (method == "GET" and headers.get("sec-fetch-mode") == "navigate")
    origin = headers.get("origin")
    return origin is not None and not _same_host(origin, headers.get("host", ""))


def _same_host(origin: str, host: str) -> bool:
    """Compare host and port only: behind a TLS proxy our scheme differs from the browser's."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = DEFAULT_PORTS.get(parts.scheme, "")
    return bool(parts.netloc) and parts.netloc.lower().removesuffix(port) == host.lower().removesuffix(port)


class _Sender:
    """A `send` that adds the headers, and keeps those that the route has set."""

    def __init__(self, send: Send, shared: str | None, *, secure: bool, vary: bool) -> None:
        self._send = send
        self._shared = shared
        self._secure = secure
        self._vary = vary

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            chosen = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(pair for pair in _RAW_HEADERS if pair[0] not in chosen)]
            headers = MutableHeaders(scope=message)
            if self._secure:
                headers.setdefault("Strict-Transport-Security", HSTS)
            if self._shared:
                headers["Access-Control-Allow-Origin"] = self._shared
                headers["Access-Control-Expose-Headers"] = CORS_RESPONSE_HEADERS
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            if self._vary:
                headers.add_vary_header("Origin")
        await self._send(message)
