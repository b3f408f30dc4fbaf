"""The subscriptions of this process: how many, how long, and what ends them; never polls and never queues.

What ends them besides themselves: their caller leaves, reads too slowly, or its token no longer counts; and the server
stops, which is told in a way that lets a client come back.
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
# A message that a consumer has not taken by then ends its connection.
SEND_S_MAX = 30.0

MakeContext = Callable[[Any, str], AbstractAsyncContextManager[Any]]


class End(enum.Enum):
    """Why a caller's subscriptions end although they go on."""

    STOPPING = "The server is stopping; connect again."
    VOID = "The API token has expired or was revoked."


class Live:
    """Runs operations whose answers are sent as a stream.

    Args:
        execution: answers operations.
        make_context: builds the resolvers' context from the caller and the request id.
        until_void: returns when a caller's token no longer counts.
        charge: counts an operation of a caller that is not a request of its own, or raises Refused(429).
    """

    def __init__(
        self,
        execution: Execution,
        *,
        make_context: MakeContext,
        until_void: Callable[[Any], Awaitable[None]],
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
        """The callers that have places."""
        return {principal for _, principal in self._open}

    def stop(self) -> None:
        """Tell every caller that the server stops; each connection ends by itself."""
        self._stopping.set()

    async def until_end(self, principal: Any) -> End:
        """Return when a caller's subscriptions have to end, and why."""
        await first_of(self._stopping.wait(), self._until_void(principal))
        return End.STOPPING if self._stopping.is_set() else End.VOID

    @contextmanager
    def place(self, principal: Any, which: str = "subscriptionsPerToken", most: int = PER_TOKEN_MAX) -> Iterator[None]:
        """Take one of a token's places while the block lasts.

        Args:
            principal: the caller.
            which: of its limits counts, by its name in `server { limits }`.
            most: that limit.

        Raises:
            Refused: 429, it has none left.
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
        """Run an operation and yield its answers: one, or those of a subscription; whatever happens is an answer."""
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
            # The boundary of a subscription: what goes wrong in one leaves the others of the connection alone.
            log.exception("graphql.internal", request_id=request_id)
            facts = {"code": INTERNAL, "hint": INTERNAL_HINT, "retryable": False}
            yield failed(GraphQLError(INTERNAL_MESSAGE, extensions=facts), "internal", request_id, trace)


def too_many(which: str, limit: int) -> Refused:
    """Make the answer to a subscription too many."""
    return Refused(
        429,
        "LIMIT_EXCEEDED",
        f"{limit} are open already.",
        hint="End one that is no longer needed.",
        facts={"which": which, "limit": limit},
    )
