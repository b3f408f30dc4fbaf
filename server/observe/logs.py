"""Logs: each call writes exactly one line, which never holds a document, a body, a query string or a token.

Our own lines and those of uvicorn and other libraries go through the same renderer, to standard error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.graphql.errors import Refused
from sync.clock import Clock

log = logging.getLogger("rollcall.access")

TEXT_CHARS_MAX = 2_000
TRACEBACK_CHARS_MAX = 20_000
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Logged at debug: health probes come every few seconds and would fill the log.
QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

Event = MutableMapping[str, Any]
# (status, seconds, the operation's Trace or None)
Note = Callable[[int, float, Any], None]
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def configure_logs(level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Send every log line of this process to one stream in one form.

    Args:
        level: debug, info, warning or error.
        form: json (one object a line) or text (key=value).
        stream: standard error when None.
    """
    shared: list[structlog.typing.Processor] = [
        _add_request_id,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = _Formatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=())],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _clip,
            _as_json if form == "json" else _as_text,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(LEVELS[level])
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # These libraries log much at info, and the line of an HTTP client holds a URL with a cursor.
    for name in ("httpx", "httpcore", "msal", "aiosqlite", "alembic"):
        logging.getLogger(name).setLevel(max(LEVELS[level], logging.WARNING))
    # Drop its warnings: they are about malformed requests, with which anyone could fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _add_request_id(_logger: Any, _method: str, event: Event) -> Event:
    """Add the id of the current request."""
    if (request_id := _current.get()) is not None:
        event.setdefault("request_id", request_id)
    return event


class Facts(dict[str, Any]):
    """The entries of an access line; `_Formatter` renders them directly, because every request writes one."""


class AccessRecord(logging.LogRecord):
    """The record of an access line, without the thread and caller that the standard record looks up."""

    def __init__(self, level: int, facts: Facts, created: float) -> None:
        # Do not call the standard constructor; these are all the attributes that handlers read.
        self.__dict__.update(_ACCESS_RECORD, levelno=level, levelname=logging.getLevelName(level), msg=facts)
        self.created, self.msecs = created, created % 1 * 1000

    def getMessage(self) -> str:
        """Return the line's text, for handlers other than ours."""
        return str(self.msg)


_ACCESS_RECORD = vars(logging.LogRecord("rollcall.access", logging.INFO, "", 0, "", None, None))


class _Formatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        if not isinstance(record.msg, Facts):
            return super().format(record)
        moment = datetime.fromtimestamp(record.created, UTC)
        event: Event = {**record.msg, "logger": record.name, "level": record.levelname.lower(), "time": moment}
        render = self.processors[-1]
        return str(render(None, "", event))


def _clip(_logger: Any, _method: str, event: Event) -> Event:
    """Shorten long values, so that no input can fill the disk with one line."""
    for key, value in event.items():
        if isinstance(value, str):
            most = TRACEBACK_CHARS_MAX if key == "exception" else TEXT_CHARS_MAX
            if len(value) > most:
                event[key] = f"{value[:most]}… ({len(value)} characters)"
    return event


def _as_json(_logger: Any, _method: str, event: Event) -> str:
    # Write ASCII only: then control characters, U+2028 and bidi marks are escaped, and a line stays one line.
    try:
        quick = orjson.dumps(event, default=_named, option=orjson.OPT_UTC_Z).decode()
    except TypeError:
        quick = ""
    return quick if quick and quick.isascii() else json.dumps(event, default=_named, ensure_ascii=True)


def _as_text(_logger: Any, _method: str, event: Event) -> str:
    time, level, name = (event.pop(key, "") for key in ("time", "level", "event"))
    if isinstance(time, datetime):
        # Use the format in which structlog writes the time of other lines.
        time = time.isoformat(timespec="microseconds").replace("+00:00", "Z")
    exception = event.pop("exception", None)
    pairs = [f"{key}={json.dumps(value, default=_named)}" for key, value in sorted(event.items())]
    if exception:
        pairs.append(f"exception={json.dumps(exception)}")
    event_name = json.dumps(name)[1:-1] if isinstance(name, str) else _named(name)
    return " ".join([str(time), f"{level:<7}", event_name, *pairs])


def _named(value: object) -> str:
    return f"<{type(value).__name__}>" if not isinstance(value, Exception | set | tuple) else ascii(value)


class AccessLog:
    """ASGI middleware: gives each request an id and writes one access line when it is answered.

    Args:
        app: answers the requests.
        clock: the time.
        note: called once for each answered request.
    """

    def __init__(self, app: ASGIApp, *, clock: Clock, note: Note | None = None) -> None:
        self._app = app
        self._clock = clock
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one WebSocket, and log it."""
        if scope["type"] != "http":
            await (self._serve_socket if scope["type"] == "websocket" else self._app)(scope, receive, send)
            return
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        started = self._clock.monotonic()
        status, is_begun = 500, False
        token = _current.set(request_id)

        async def noting(message: Message) -> None:
            nonlocal status, is_begun
            if message["type"] == "http.response.start":
                status, is_begun = message["status"], True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            # Only the server's stop cancels a request, after the grace period.
            if not is_begun:
                await _stopped(request_id)(scope, receive, noting)
        finally:
            _current.reset(token)
            duration_s = self._clock.monotonic() - started
            if self._note is not None:
                self._note(status, duration_s, state.get("trace"))
            self._write(scope, state, request_id, status, duration_s)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket and log it, with the status that a request of the same caller would get."""
        state = scope.setdefault("state", {})
        started, status = self._clock.monotonic(), 403

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            status = state.get("status", status)
            self._write(scope, state, _request_id(scope), status, self._clock.monotonic() - started)

    def _write(self, scope: Scope, state: Mapping[str, Any], request_id: str, status: int, duration_s: float) -> None:
        facts: dict[str, Any] = {
            "event": "request",
            "request_id": request_id,
            "method": scope.get("method", "WEBSOCKET"),
            # Leave out the query string: it holds the document and variables of a GET.
            "path": scope["path"][:TEXT_CHARS_MAX],
            "status": status,
            "duration_ms": round(duration_s * 1000, 1),
        }
        if (token_id := state.get("token_id")) is not None:
            facts["token_id"] = token_id
        if (trace := state.get("trace")) is not None:
            facts["operation_type"] = trace.operation_type
            facts["operation_name"] = trace.operation_name
            if trace.errors:
                facts["codes"] = trace.errors
        level = logging.DEBUG if scope["path"] in QUIET_PATHS and status < 500 else logging.INFO
        if log.isEnabledFor(level):
            log.handle(AccessRecord(level, Facts(facts), self._clock.now().timestamp()))


def _stopped(request_id: str) -> Response:
    refused = Refused(
        503,
        "OVERLOADED",
        "The server stopped before it could answer.",
        hint="Send the request again in a few seconds; send a mutation with the same idempotencyKey.",
        retryable=True,
        headers={"Retry-After": "5", "Connection": "close", "Cache-Control": "no-store"},
    )
    return Response(refused.bytes(request_id), refused.status, refused.headers, "application/json; charset=utf-8")


def _request_id(scope: Scope) -> str:
    """Return the X-Request-Id of the caller or proxy if it is harmless, otherwise a new id."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = str(value.decode("latin-1"))
            if REQUEST_ID.match(text):
                return text
    return secrets.token_hex(8)
