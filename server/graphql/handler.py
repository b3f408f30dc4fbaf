"""GraphQL over HTTP: one endpoint that negotiates, identifies, reads, executes and answers; never runs a batch.

Order: method, Accept, preflight header, token, body bytes, JSON shape, document, execution. Nothing of the body is
read before the token is known to be good.

Source: graphql.github.io/graphql-over-http/draft
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.graphql.errors import BAD_USER_INPUT, INTERNAL, INTERNAL_HINT, INTERNAL_MESSAGE, Refused
from server.graphql.execution import Answer, Execution, Trace
from server.graphql.media import Media, accepts_gzip, check_content_type, choose_media, wants_html
from server.graphql.request import GraphQLRequest, malformed, parse_body, parse_query_string

log = structlog.stdlib.get_logger("rollcall.graphql")

PREFLIGHT_HEADERS = ("graphql-require-preflight", "apollo-require-preflight", "x-apollo-operation-name")
GZIP_BYTES_MIN = 8 * 1024
# A status only means something under the media type made for it; application/json says 200 for every answer.
OUTCOME_STATUS = {"executed": 200, "rejected": 400, "forbidden": 403, "timeout": 504, "internal": 500}

Identify = Callable[[Request], Awaitable[Any]]
MakeContext = Callable[[Any, str], AbstractAsyncContextManager[Any]]
Page = Callable[[Request], Response]


class GraphQLEndpoint:
    """The ASGI application behind `/graphql`.

    Args:
        execution: answers operations.
        identify: finds who is calling, or raises Refused(401).
        make_context: builds the resolvers' context from the caller and the request id.
        body_bytes_max: the largest body read.
        request_timeout_s: the longest the body may take to arrive.
        page: answers a browser that asks for HTML; None serves no page.
    """

    def __init__(
        self,
        execution: Execution,
        *,
        identify: Identify,
        make_context: MakeContext,
        body_bytes_max: int,
        request_timeout_s: float,
        page: Page | None = None,
    ) -> None:
        self.execution = execution
        self._identify = identify
        self._make_context = make_context
        self._body_bytes_max = body_bytes_max
        self._timeout_s = request_timeout_s
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """Answer a request, whatever happens, in the standard shape."""
        request_id = getattr(request.state, "request_id", "none")
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": self._allowed})
        if self._page is not None and request.method == "GET" and wants_html(_joined(request, "accept")):
            return self._page(request)
        media = Media.JSON
        try:
            if request.method not in ("GET", "POST"):
                raise _method_refused(request.method, self._allowed)
            media = choose_media(_joined(request, "accept"))
            answer = await self._answer(request, request_id)
        except Refused as refused:
            return _refusal(refused, media, request_id)
        except ClientDisconnect:
            return _refusal(malformed("The request body ended early."), media, request_id)
        except Exception:
            # The request boundary: one of the three places where anything at all is caught.
            log.exception("graphql.internal", request_id=request_id)
            return _refusal(Refused(500, INTERNAL, INTERNAL_MESSAGE, INTERNAL_HINT), media, request_id)
        return _response(answer, media, request)

    @property
    def _allowed(self) -> str:
        return "GET, POST, OPTIONS"

    async def _answer(self, request: Request, request_id: str) -> Answer:
        read_only = request.method == "GET"
        if read_only:
            _check_preflight(request)
        else:
            _check_body_headers(request)
        principal = await self._identify(request)
        operation = await self._read(request, read_only=read_only)
        trace = Trace()
        request.state.trace = trace
        async with self._make_context(principal, request_id) as context:
            return await self.execution.execute(
                operation, context, request_id=request_id, read_only=read_only, trace=trace
            )

    async def _read(self, request: Request, *, read_only: bool) -> GraphQLRequest:
        if read_only:
            return parse_query_string(request.scope["query_string"], self._body_bytes_max)
        try:
            async with asyncio.timeout(self._timeout_s):
                return parse_body(await read_body(request, self._body_bytes_max))
        except TimeoutError:
            raise Refused(
                408,
                "TIMEOUT",
                "The request body took too long to arrive.",
                retryable=True,
                headers={"Connection": "close"},
            ) from None


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Read a body of at most `bytes_max` bytes, counting while it arrives.

    Raises:
        Refused: 413, the body is larger or says that it will be.
    """
    length = request.headers.get("content-length", "")
    # Longer than any honest length, so that int() never meets a million digits.
    if length and (not length.isascii() or not length.isdigit() or len(length) > 18):
        raise malformed("Content-Length is not a number.")
    if length and int(length) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
    return bytes(body)


def _too_large(bytes_max: int) -> Refused:
    return Refused(
        413,
        "LIMIT_EXCEEDED",
        f"The request body is larger than {bytes_max} bytes.",
        hint="Send a shorter document, or fewer variables.",
        facts={"which": "bodyBytes", "limit": bytes_max},
        headers={"Connection": "close"},
    )


def _method_refused(method: str, allowed: str) -> Refused:
    return Refused(405, BAD_USER_INPUT, "This method is not allowed here.", "Use POST.", headers={"Allow": allowed})


def _check_preflight(request: Request) -> None:
    """Refuse a GET that any web page could have caused: a simple request carries none of these headers."""
    if not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise malformed(
            "A GET query needs a header that makes browsers ask first.",
            hint="Send GraphQL-Require-Preflight: 1, or use POST.",
        )


def _check_body_headers(request: Request) -> None:
    check_content_type(_joined(request, "content-type"))
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(
            415,
            BAD_USER_INPUT,
            "The request's content encoding is not supported.",
            hint="Send the body uncompressed.",
            headers={"Accept-Encoding": "identity"},
        )


def _joined(request: Request, name: str) -> str | None:
    """Join a repeated header as RFC 9110 section 5.2 says; None when it is absent."""
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None


def _response(answer: Answer, media: Media, request: Request) -> Response:
    status = OUTCOME_STATUS[answer.outcome] if media is Media.GRAPHQL else 200
    body, headers, planned = answer.body, {"Vary": "Accept, Accept-Encoding"}, answer.planned
    is_compressed = len(body) > GZIP_BYTES_MIN and accepts_gzip(_joined(request, "accept-encoding"))
    if planned is not None and planned.tag and request.method == "GET":
        # One tag a representation: the media type and the encoding are part of what is compared.
        headers["ETag"] = f'"{planned.tag}-{media.name[0]}{"z" if is_compressed else "i"}"'.lower()
        headers["Cache-Control"] = "private, no-cache"
        if headers["ETag"] in (_joined(request, "if-none-match") or ""):
            return Response(status_code=304, headers=headers)
    if is_compressed:
        body = planned.compressed if planned is not None else gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media.content_type)


def _refusal(refused: Refused, media: Media, request_id: str) -> Response:
    headers = {"Vary": "Accept, Accept-Encoding", **(refused.headers or {})}
    body = orjson.dumps(refused.body(request_id))
    return Response(body, refused.status, headers, media.content_type)
