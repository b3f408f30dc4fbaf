"""The subscriptions of this process: their limits and their ends. It never polls and never queues.

A subscription ends early if its caller leaves or reads too slowly, if the token is revoked or expires, or if the server
stops. When the server stops, clients learn that they should connect again.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from typing import Any

import structlog
from graphql import GraphQLError, OperationType

from server.graphql.errors import INTERNAL, INTERNAL_HINT, INTERNAL_MESSAGE, Refused
from server.graphql.execution import Execution, failed
from server.graphql.operation import Answer, Prepared, Trace
from sync.wait import first_of

log = structlog.stdlib.get_logger("rollcall.live")

PER_TOKEN_MAX = 100
PER_CONNECTION_MAX = 10
CONNECTIONS_MAX = 100
# The connection ends if its consumer does not take a message within this time.
SEND_S_MAX = 30.0

MakeContext = Callable[[Any, str], AbstractAsyncContextManager[Any]]


class End(enum.Enum):
    """The reasons why the server ends a caller's subscriptions."""

    STOPPING = "The server is stopping; connect again."
    EXPIRED = "The token has expired; connect again with a fresh one."
    REVOKED = "The API token was revoked."


class Live:
    """Runs operations whose answers are streamed.

    Args:
        execution: answers operations.
        make_context: builds the resolvers' context from the caller and the request id.
        until_void: waits until a caller's token expires (returns true) or is revoked (false).
        charge: counts an operation over a WebSocket, or raises Refused(429).
    """

    def __init__(
        self,
        execution: Execution,
        *,
        make_context: MakeContext,
        until_void: Callable[[Any], Awaitable[bool]],
        charge: Callable[[Any], None] | None = None,
    ) -> None:
        self.execution = execution
        self.make_context = make_context
        self._until_void = until_void
        self.charge = charge
        self._stopping = asyncio.Event()
        self._open: Counter[tuple[str, Any]] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    @property
    def holders(self) -> set[Any]:
        """The callers with open subscriptions or connections."""
        return {principal for _, principal in self._open}

    def stop(self) -> None:
        """Make `until_end` return for every caller, so that each connection ends by itself."""
        self._stopping.set()

    async def until_end(self, principal: Any) -> End:
        """Wait until a caller's subscriptions have to end, and return the reason."""
        ends: list[End] = []

        async def token() -> None:
            ends.append(End.EXPIRED if await self._until_void(principal) else End.REVOKED)

        await first_of(self._stopping.wait(), token())
        return End.STOPPING if self._stopping.is_set() else ends[0]

    @contextmanager
    def place(self, principal: Any, which: str = "subscriptionsPerToken", most: int = PER_TOKEN_MAX) -> Iterator[None]:
        """Count one subscription or connection of a token while the block lasts.

        Args:
            principal: the caller.
            which: the limit's name in `server { limits }`.
            most: the limit.

        Raises:
            Refused: 429, the token is at the limit.
        """
        key = (which, principal)
        if self._open[key] >= most:
            raise too_many(which, most)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    async def answers(
        self, prepared: Prepared, principal: Any, request_id: str, trace: Trace
    ) -> AsyncGenerator[Answer, None]:
        """Run an operation and yield its answer, or those of a subscription; a failure is an answer, too."""
        try:
            async with self.make_context(principal, request_id) as context:
                if prepared.operation.operation is not OperationType.SUBSCRIPTION:
                    answer = await self.execution.execute(prepared, context, request_id=request_id, trace=trace)
                    try:
                        yield answer
                    finally:
                        answer.close()
                    return
                stream = self.execution.stream(prepared, context, request_id=request_id, trace=trace)
                async with aclosing(stream) as answers:
                    async for answer in answers:
                        yield answer
        except Exception:
            # The boundary of an operation: its failure must not end the others of the connection.
            log.exception("graphql.internal", request_id=request_id)
            facts = {"code": INTERNAL, "hint": INTERNAL_HINT, "retryable": False}
            yield failed(GraphQLError(INTERNAL_MESSAGE, extensions=facts), "internal", request_id, trace)


def too_many(which: str, limit: int) -> Refused:
    """Return the refusal of a subscription or connection beyond a limit."""
    return Refused(
        429,
        "LIMIT_EXCEEDED",
        f"The limit of {limit} open at once is reached: {which}.",
        hint="End one that is no longer needed, then try again.",
        facts={"which": which, "limit": limit},
    )
