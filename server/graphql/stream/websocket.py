"""Operations over WebSocket in the sub-protocol graphql-transport-ws; the older graphql-ws is not offered.

JSON is sent as text frames. A caller has five seconds to send its token in `connection_init`. Until the token is
accepted, the server may end the connection to make room for others.
Source: github.com/enisdenjo/graphql-ws (PROTOCOL.md)
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from server.graphql.document import DocumentRejected
from server.graphql.errors import Refused, write_errors
from server.graphql.operation import Trace
from server.graphql.request import read_parameters
from server.graphql.stream.live import CONNECTIONS_MAX, PER_CONNECTION_MAX, SEND_S_MAX, End, Live, too_many
from server.http.rate_limit import address_of

log = structlog.stdlib.get_logger("rollcall.live")

PROTOCOL = "graphql-transport-ws"
INIT_S_MAX = 5.0
ID_CHARS_MAX = 128
RESTARTING, LATER, BAD_MESSAGE, UNAUTHORIZED, FORBIDDEN = 1012, 1013, 4400, 4401, 4403
WRONG_PROTOCOL, LATE, TAKEN, TWICE = 4406, 4408, 4409, 4429

# Returns the caller for the text of an Authorization header, or raises Refused.
Admit = Callable[[str, Scope], Awaitable[Any]]


# Clients of the protocol come back after 4403, and take 4401 for final.
_ENDS = {
    End.STOPPING: (RESTARTING, "Service restart"),
    End.EXPIRED: (FORBIDDEN, "Token expired"),
    End.REVOKED: (UNAUTHORIZED, "Unauthorized"),
}


@dataclass
class Closed(Exception):
    """Ends the connection from this side: the close code and the reason to send."""

    code: int
    reason: str


class Gone(Exception):
    """The caller has left or stopped reading."""


class GraphQLSocket:
    """The ASGI application behind `/graphql` for WebSockets.

    Args:
        live: runs the operations.
        admit: returns the caller for the text of an Authorization header and the connection's scope.
        init_s_max: longest time until `connection_init`, in seconds.
    """

    def __init__(self, live: Live, admit: Admit, init_s_max: float = INIT_S_MAX) -> None:
        self._live, self._admit, self._init_s = live, admit, init_s_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end."""
        transport = scope.get("state", {}).get("socket")
        if transport is not None:
            transport.locate(address_of(scope))
        await receive()  # websocket.connect
        is_ours = PROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if is_ours else None})
        connection = _Connection(self._live, self._admit, scope, receive, send)
        try:
            if not is_ours:
                raise Closed(WRONG_PROTOCOL, "Subprotocol not acceptable")
            await connection.serve(self._init_s)
        except Closed as closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(SEND_S_MAX):
                    await send({"type": "websocket.close", "code": closed.code, "reason": closed.reason})
        except Gone:
            return


class _Connection:
    def __init__(self, live: Live, admit: Admit, scope: Scope, receive: Receive, send: Send) -> None:
        self._live, self._admit, self._scope, self._receive, self._send = live, admit, scope, receive, send
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(self, init_s: float) -> None:
        """Read messages until the connection ends.

        Raises:
            Closed: this side ends it.
            Gone: the caller has left.
        """
        try:
            async with asyncio.timeout(init_s):
                principal = await self._authenticate()
        except TimeoutError:
            raise Closed(LATE, "Connection initialisation timeout") from None
        try:
            with self._live.place(principal, "connectionsPerToken", CONNECTIONS_MAX):
                await self._serve(principal)
        except Refused:
            raise Closed(LATER, "Too many connections") from None

    async def _serve(self, principal: Any) -> None:
        end = asyncio.ensure_future(self._live.until_end(principal))
        try:
            await self._say({"type": "connection_ack"})
            while True:
                await self._obey(await self._next(end), principal)
        finally:
            end.cancel()
            await self._drop()

    async def _authenticate(self) -> Any:
        while True:
            message = _parsed(await self._receive())
            if message["type"] == "ping":
                await self._say({"type": "pong"})
            elif message["type"] == "connection_init":
                return await self._known(_authorization(message.get("payload"), self._scope))
            elif message["type"] != "pong":
                raise Closed(UNAUTHORIZED, "Unauthorized")

    async def _known(self, authorization: str) -> Any:
        """Return the caller; log a refusal with the status that it has over HTTP."""
        state = self._scope.setdefault("state", {})
        try:
            principal = await self._admit(authorization, self._scope)
        except Refused as refused:
            state["status"] = refused.status
            if refused.retryable:
                raise Closed(LATER, "Try again later") from None
            raise Closed(UNAUTHORIZED, "Unauthorized") from None
        if (transport := state.get("socket")) is not None:
            transport.welcome()
        return principal

    async def _next(self, end: asyncio.Future[End]) -> Mapping[str, Any]:
        ahead = asyncio.ensure_future(self._receive())
        try:
            waited: set[asyncio.Future[Any]] = {ahead, end, self._gone}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                raise Closed(*_ENDS[end.result()])
            if self._gone.done():
                raise Gone
            return _parsed(ahead.result())
        finally:
            ahead.cancel()

    async def _obey(self, message: Mapping[str, Any], principal: Any) -> None:
        kind = message["type"]
        if kind == "connection_init":
            raise Closed(TWICE, "Too many initialisation requests")
        if kind == "ping":
            await self._say({"type": "pong"})
        elif kind == "subscribe":
            self._begin(_id(message), message.get("payload"), principal)
        elif kind == "complete":
            await self._end(_id(message))
        elif kind != "pong":
            raise Closed(BAD_MESSAGE, "Unknown message type")

    def _begin(self, id: str, payload: object, principal: Any) -> None:
        if id in self._operations:
            raise Closed(TAKEN, f"Subscriber for {id} already exists")
        if not isinstance(payload, dict):
            raise Closed(BAD_MESSAGE, "Invalid message")
        if len(self._operations) >= 2 * PER_CONNECTION_MAX:
            # Limit refused operations, too: each waits for the caller to read its refusal.
            raise Closed(BAD_MESSAGE, "Too many operations")
        task = asyncio.create_task(self._operate(id, payload, principal), name="operation of a socket")
        self._operations[id] = task

    async def _operate(self, id: str, payload: dict[str, Any], principal: Any) -> None:
        request_id, trace = secrets.token_hex(8), Trace()
        try:
            await self._answer(id, payload, principal, request_id, trace)
        except Gone:
            if not self._gone.done():
                self._gone.set_result(None)
        finally:
            if self._operations.get(id) is asyncio.current_task():
                del self._operations[id]
            log.info("operation", request_id=request_id, type=trace.operation_type, name=trace.operation_name)

    async def _answer(self, id: str, payload: dict[str, Any], principal: Any, request_id: str, trace: Trace) -> None:
        try:
            if len(self._operations) > PER_CONNECTION_MAX:
                raise too_many("subscriptionsPerConnection", PER_CONNECTION_MAX)
            if self._live.charge is not None:
                self._live.charge(principal)
            with self._live.place(principal):
                request = read_parameters(payload)
                prepared = await self._live.execution.prepare(request, read_only=False, trace=trace, is_stream=True)
                async with aclosing(self._live.answers(prepared, principal, request_id, trace)) as answers:
                    async for answer in answers:
                        await self._say({"id": id, "type": "next", "payload": orjson.Fragment(answer.body)})
        except DocumentRejected as rejected:
            errors = write_errors(rejected.errors, request_id, code=rejected.code)
            return await self._finish(id, {"id": id, "type": "error", "payload": errors})
        except Refused as refused:
            return await self._finish(id, {"id": id, "type": "error", "payload": refused.body(request_id)["errors"]})
        await self._finish(id, {"id": id, "type": "complete"})

    async def _finish(self, id: str, message: dict[str, Any]) -> None:
        # Free the id first: the caller may use it again as soon as it reads this message.
        if self._operations.get(id) is asyncio.current_task():
            del self._operations[id]
        await self._say(message)

    async def _end(self, id: str) -> None:
        task = self._operations.pop(id, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _drop(self) -> None:
        for id in list(self._operations):
            await self._end(id)

    async def _say(self, message: dict[str, Any]) -> None:
        """Send a message; wait at most `SEND_S_MAX` for the caller to read it.

        Raises:
            Gone: the caller has left, or read nothing for too long.
        """
        try:
            async with asyncio.timeout(SEND_S_MAX):
                await self._send({"type": "websocket.send", "text": orjson.dumps(message).decode()})
        except OSError:  # a TimeoutError is one
            raise Gone from None


def _parsed(message: Message) -> Mapping[str, Any]:
    if message["type"] == "websocket.disconnect":
        raise Gone
    try:
        found = orjson.loads(message.get("text") or "")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise Closed(BAD_MESSAGE, "Invalid message")
    return found


def _id(message: Mapping[str, Any]) -> str:
    id = message.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= ID_CHARS_MAX or not id.isprintable() or not id.isascii():
        raise Closed(BAD_MESSAGE, "Invalid message")
    return id


def _authorization(payload: object, scope: Scope) -> str:
    """Return the text of `Authorization`: of the payload, of its `headers`, or of the handshake; empty without one."""
    found = _header_in(payload) or (_header_in(payload.get("headers")) if isinstance(payload, dict) else "")
    return found or Headers(scope=scope).get("authorization", "")


def _header_in(fields: object) -> str:
    """Return `authorization`, in any letter case; empty without one."""
    pairs = fields.items() if isinstance(fields, dict) else ()
    return next((value for name, value in pairs if name.lower() == "authorization" and isinstance(value, str)), "")
