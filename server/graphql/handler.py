"""GraphQL over HTTP: one endpoint that negotiates, identifies, reads, executes and answers; never runs a batch.

The order is: method, Accept, preflight header, token, body bytes, JSON shape, document, execution. The body is read
only after the token is known to be valid.

Source: graphql.github.io/graphql-over-http/draft
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog
from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from schema.limit.budget import Tally
from server.graphql.document import DocumentRejected
from server.graphql.errors import BAD_USER_INPUT, INTERNAL, INTERNAL_HINT, INTERNAL_MESSAGE, Refused
from server.graphql.execution import Execution, rejection
from server.graphql.media import Media, accepts_gzip, check_content_type, choose_media, takes_stream, wants_html
from server.graphql.operation import Answer, Prepared, Trace
from server.graphql.request import GraphQLRequest, malformed, parse_body, parse_query_string
from server.graphql.sdl import is_match
from server.graphql.stream.live import Live
from server.graphql.stream.sse import EventStream, single

log = structlog.stdlib.get_logger("rollcall.graphql")

PREFLIGHT_HEADERS = ("graphql-require-preflight", "apollo-require-preflight", "x-apollo-operation-name")
GZIP_BYTES_MIN = 8 * 1024
# A longer body is gzipped in a thread.
GZIP_HERE_BYTES = 256 * 1024
# A longer body is sent in pieces of this size.
PIECE_BYTES = 1024 * 1024
VARY = (b"vary", b"Accept, Accept-Encoding")
# Statuses under application/graphql-response+json; under application/json every answer has 200.
OUTCOME_STATUS = {"executed": 200, "rejected": 400, "forbidden": 403, "timeout": 504, "internal": 500}

Identify = Callable[[Request], Awaitable[Any]]
MakeContext = Callable[[Any, str], AbstractAsyncContextManager[Any]]
Page = Callable[[Request], Response]
Charge = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Read:
    """The result of reading a request: the operation to run, and the form of the response."""

    prepared: Prepared
    media: Media
    takes_gzip: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """A response, as a small ASGI application.

    `own` are the headers that depend on the body. A large body is sent in pieces, each once the one before was taken;
    `tally` holds the body's memory until the last.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    own: list[tuple[bytes, bytes]] = field(default_factory=list)
    tally: Tally | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        try:
            for start in range(0, len(self.body) - PIECE_BYTES, PIECE_BYTES):
                piece = self.body[start : start + PIECE_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            last = self.body[(max(len(self.body) - 1, 0) // PIECE_BYTES) * PIECE_BYTES :]
            await send({"type": "http.response.body", "body": last})
        finally:
            if self.tally is not None:
                self.tally.close()


class GraphQLEndpoint:
    """The ASGI application behind `/graphql`.

    Args:
        execution: answers operations.
        identify: returns the caller, or raises Refused(401).
        make_context: builds the resolvers' context from the caller and the request id.
        body_bytes_max: largest body, in bytes.
        request_timeout_s: longest time that the body may take to arrive.
        page: answers a browser that accepts HTML; None serves no page.
        live: runs operations whose answers are streamed; None refuses streams.
        charge: counts a replayed request, or raises Refused(429).
        proxy_adds_token: whether the token of a request may come from a proxy, not from the caller.
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
        live: Live | None = None,
        charge: Charge | None = None,
        proxy_adds_token: bool = False,
    ) -> None:
        self.execution = execution
        self._identify = identify
        self._make_context = make_context
        self._body_bytes_max = body_bytes_max
        self._timeout_s = request_timeout_s
        self._page = page
        self._live = live
        self._charge = charge
        self._proxy_adds_token = proxy_adds_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> ASGIApp:
        """Return the response to a request; failures get the standard error shape."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": self._allowed})
        if self._page is not None and request.method == "GET" and wants_html(_joined(request, "accept")):
            return self._page(request)
        try:
            if request.method not in ("GET", "POST"):
                raise _method_refused(request.method, self._allowed)
            media = self._media(request)
        except Refused as refused:
            return _refusal(refused, Media.JSON, _request_id(request.scope))
        return await self._guarded(self._answer(request, media), media or Media.JSON, request.scope)

    def _media(self, request: Request) -> Media | None:
        """Return the media type of the response; None if the caller accepts only a stream."""
        accept = _joined(request, "accept")
        try:
            return choose_media(accept)
        except Refused:
            if self._live is None or request.method != "POST" or not takes_stream(accept):
                raise
            return None

    async def again(self, read: Read, principal: Any, scope: Scope) -> ASGIApp:
        """Answer a POST that equals one read before, for a known caller."""
        return await self._guarded(self._repeated(read, principal, scope), read.media, scope)

    async def _guarded(self, answering: Awaitable[ASGIApp], media: Media, scope: Scope) -> ASGIApp:
        """Await a response; turn every failure into a refusal."""
        try:
            return await answering
        except Refused as refused:
            return _refusal(refused, media, _request_id(scope))
        except ClientDisconnect:
            return _refusal(malformed("The request body ended early."), media, _request_id(scope))
        except Exception:
            # The request boundary: catch every exception, so that the caller gets an answer.
            log.exception("graphql.internal", request_id=_request_id(scope))
            return _refusal(Refused(500, INTERNAL, INTERNAL_MESSAGE, INTERNAL_HINT), media, _request_id(scope))

    @property
    def _allowed(self) -> str:
        return "GET, POST, OPTIONS"

    async def _answer(self, request: Request, media: Media | None) -> ASGIApp:
        read_only = request.method == "GET"
        if read_only:
            _check_preflight(request, proxy_adds_token=self._proxy_adds_token)
        else:
            _check_body_headers(request)
        principal = await self._identify(request)
        operation = await self._read(request, read_only=read_only)
        trace = request.state.trace = Trace()
        takes_gzip = accepts_gzip(_joined(request, "accept-encoding"))
        is_stream = self._live is not None and takes_stream(_joined(request, "accept"))
        try:
            prepared = await self.execution.prepare(operation, read_only=read_only, trace=trace, is_stream=is_stream)
        except DocumentRejected as rejected:
            answer = rejection(rejected, _request_id(request.scope), trace)
            if self._live is not None and media is None:
                return EventStream(self._live, principal, single(answer), _request_id(request.scope))
            return await _sent(answer, media or Media.JSON, takes_gzip=takes_gzip)
        if self._live is not None and (media is None or prepared.operation.operation is OperationType.SUBSCRIPTION):
            return self._stream(self._live, prepared, principal, request.scope, trace)
        read = Read(prepared, media or Media.JSON, takes_gzip)
        answer = await self._execute(prepared, principal, request.scope, trace)
        if read_only:
            return await _tagged(answer, read, _joined(request, "if-none-match") or "")
        if answer.planned is not None:
            request.state.read = read
        return await _reply(answer, read)

    def _stream(self, live: Live, prepared: Prepared, principal: Any, scope: Scope, trace: Trace) -> ASGIApp:
        request_id, place = _request_id(scope), ExitStack()
        place.enter_context(live.place(principal))
        answers = live.answers(prepared, principal, request_id, trace)

        async def send_all(scope: Scope, receive: Receive, send: Send) -> None:
            with place:
                await EventStream(live, principal, answers, request_id)(scope, receive, send)

        return send_all

    async def _repeated(self, read: Read, principal: Any, scope: Scope) -> ASGIApp:
        if self._charge is not None:
            self._charge(principal)
        trace = Trace()
        trace.name(read.prepared.operation)
        return await _reply(await self._execute(read.prepared, principal, scope, trace), read)

    async def _execute(self, prepared: Prepared, principal: Any, scope: Scope, trace: Trace) -> Answer:
        scope.setdefault("state", {})["trace"] = trace
        request_id = _request_id(scope)
        async with self._make_context(principal, request_id) as context:
            return await self.execution.execute(prepared, context, request_id=request_id, trace=trace)

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
        Refused: 413, the body or its Content-Length is larger; 400, Content-Length is not a number.
    """
    length = request.headers.get("content-length", "")
    # Limit the digits, so that int() never parses a million of them.
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
        hint="Send a shorter document, or fewer variables. Import a long report with `rollcall scan import`.",
        facts={"which": "bodyBytes", "limit": bytes_max},
        headers={"Connection": "close"},
    )


def _method_refused(method: str, allowed: str) -> Refused:
    return Refused(405, BAD_USER_INPUT, "The method is not allowed here.", "Use POST.", headers={"Allow": allowed})


def _check_preflight(request: Request, *, proxy_adds_token: bool) -> None:
    """Refuse a GET without a header that makes browsers send a CORS preflight: any web page could have caused it.

    A token is such a header, unless a proxy has added it.
    """
    has_token = request.headers.get("authorization", "")[:7].lower() == "bearer "
    if has_token and not proxy_adds_token:
        return
    if not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise malformed(
            "A GET query needs a header that makes browsers send a CORS preflight.",
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
    """Return a header's values, joined by commas (RFC 9110 section 5.2); None when it is absent."""
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None


def _request_id(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", "none"))


async def _reply(answer: Answer, read: Read) -> Reply:
    if answer.planned is None:
        reply = await _sent(answer, read.media, takes_gzip=read.takes_gzip)
    else:
        sent, form = answer.planned.sent, (read.media, read.takes_gzip)
        found: Reply | None = sent.get(form)
        if found is None:
            found = sent[form] = await _sent(answer, read.media, takes_gzip=read.takes_gzip)
        reply = found
    return reply if answer.tally is None else replace(reply, tally=answer.tally)


async def _sent(answer: Answer, media: Media, *, takes_gzip: bool) -> Reply:
    status = OUTCOME_STATUS[answer.outcome] if media is Media.GRAPHQL else 200
    body, own = answer.body, list[tuple[bytes, bytes]]()
    if takes_gzip and len(body) > GZIP_BYTES_MIN:
        compress = partial(_compressed, answer)
        body = compress() if len(body) <= GZIP_HERE_BYTES else await asyncio.to_thread(compress)
        own.append((b"content-encoding", b"gzip"))
    own.append((b"content-length", str(len(body)).encode()))
    return Reply(status, [(b"content-type", media.content_type.encode()), VARY, *own], body, own)


def _compressed(answer: Answer) -> bytes:
    if answer.planned is not None:
        return answer.planned.compressed
    return gzip.compress(answer.body, compresslevel=1, mtime=0)


async def _tagged(answer: Answer, read: Read, if_none_match: str) -> ASGIApp:
    """Answer a GET; the caller may cache a plan's answer and validate it by its ETag."""
    reply = await _reply(answer, read)
    if answer.planned is None or not answer.planned.tag:
        return reply
    # Each representation needs a tag of its own, so the tag includes the media type and the encoding.
    form = "z" if reply.body is not answer.body else "i"
    tag = f'"{answer.planned.tag}-{read.media.name[0]}{form}"'.lower()
    headers = [(b"etag", tag.encode()), (b"cache-control", b"private, no-cache")]
    if is_match(if_none_match, tag):
        return Reply(304, [VARY, *headers], b"")
    return replace(reply, headers=[*reply.headers, *headers])


def _refusal(refused: Refused, media: Media, request_id: str) -> Response:
    headers = {"Vary": "Accept, Accept-Encoding", **(refused.headers or {})}
    body = refused.bytes(request_id)
    return Response(body, refused.status, headers, media.content_type)
