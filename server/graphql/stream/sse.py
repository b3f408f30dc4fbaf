"""One operation's answers as server-sent events, in the distinct connections mode of GraphQL over SSE.

Source: github.com/enisdenjo/graphql-sse (PROTOCOL.md), html.spec.whatwg.org (server-sent events)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from starlette.types import Receive, Scope, Send

from server.graphql.errors import Refused
from server.graphql.media import EVENT_STREAM
from server.graphql.operation import Answer
from server.graphql.stream.live import SEND_S_MAX, End, Live

# Well below the minute after which proxies end a silent connection.
KEEP_ALIVE_S = 12.0
HEADERS = [
    (b"content-type", f"{EVENT_STREAM}; charset=utf-8".encode()),
    (b"vary", b"Accept, Accept-Encoding"),
    (b"x-accel-buffering", b"no"),
]
_COMMENT = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"


def _next(body: bytes) -> bytes:
    # The JSON has no line break, so one `data` line holds it.
    return b"event: next\ndata: " + body + b"\n\n"


class EventStream:
    """A response that sends the answers of one operation as they come.

    Args:
        live: tells when the response has to end.
        principal: the caller.
        answers: the operation's answers; closed when the response ends.
        request_id: goes into the last error.
        keep_alive_s: longest silence, in seconds.
    """

    def __init__(
        self,
        live: Live,
        principal: Any,
        answers: AsyncGenerator[Answer, None],
        request_id: str,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        self._live, self._principal, self._answers = live, principal, answers
        self._request_id, self._keep_alive_s = request_id, keep_alive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the operation or the server ends, the caller leaves, or its token is no longer valid."""
        end = asyncio.ensure_future(self._live.until_end(self._principal))
        gone = asyncio.ensure_future(_disconnected(receive))
        # A timeout means that the consumer has stopped reading; treat it as gone.
        with suppress(TimeoutError):
            async with aclosing(self._answers) as answers:
                try:
                    await _say(send, {"type": "http.response.start", "status": 200, "headers": HEADERS})
                    await self._send(answers, end, gone, send)
                finally:
                    end.cancel()
                    gone.cancel()

    async def _send(
        self,
        answers: AsyncGenerator[Answer, None],
        end: asyncio.Future[End],
        gone: asyncio.Future[None],
        send: Send,
    ) -> None:
        # Send the first bytes at once, so that the caller knows that the stream is open.
        await _chunk(send, _COMMENT)
        ahead: asyncio.Future[Answer | None] = asyncio.ensure_future(anext(answers, None))
        try:
            while True:
                waited: set[asyncio.Future[Any]] = {ahead, end, gone}
                await asyncio.wait(waited, timeout=self._keep_alive_s, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    return
                if end.done():
                    return await self._last(end.result(), send)
                if not ahead.done():
                    await _chunk(send, _COMMENT)
                    continue
                answer = ahead.result()
                if answer is None:
                    return await _chunk(send, _COMPLETE, is_last=True)
                await _chunk(send, _next(answer.body))
                ahead = asyncio.ensure_future(anext(answers, None))
        finally:
            ahead.cancel()
            await asyncio.wait({ahead})

    async def _last(self, end: End, send: Send) -> None:
        if end is not End.REVOKED:
            # Omit `complete`: a client whose stream ends without it connects again.
            return await _chunk(send, f": {end.name.lower()}\n\n".encode(), is_last=True)
        refused = Refused(401, "UNAUTHENTICATED", end.value)
        await _chunk(send, _next(refused.bytes(self._request_id)) + _COMPLETE, is_last=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _chunk(send: Send, body: bytes, *, is_last: bool = False) -> None:
    await _say(send, {"type": "http.response.body", "body": body, "more_body": not is_last})


async def _say(send: Send, message: Any) -> None:
    async with asyncio.timeout(SEND_S_MAX):
        await send(message)


async def single(answer: Answer) -> AsyncGenerator[Answer, None]:
    """Yield one finished answer."""
    yield answer
