"""Runs operations by the executor: so many at once, in turns, within the budget of all answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from functools import partial
from inspect import isawaitable
from typing import Any

import strawberry
from graphql import ExecutionResult, GraphQLError, OperationType
from graphql.execution import create_source_event_stream, execute_subscription_event, map_source_to_response_event
from strawberry.execution import optimized_is_awaitable

from schema.limit.budget import Budget, NoMemory, Tally
from server.graphql.deadline import soon
from server.graphql.executor.executor import CountingExecutor
from server.graphql.executor.turns import Turns
from server.graphql.operation import Prepared
from sync.errors import AnswerTooLarge, StoreCrowded

# Operations of one kind that run at once; the last of more would wait longer than its caller does.
EXECUTING_MAX = 32


class OperationRunner:
    """Runs operations of one schema.

    Args:
        schema: has the resolvers.
        budget: what answers may come to.
        timeout_s: the longest that one event of a subscription may take.
    """

    def __init__(self, schema: strawberry.Schema, budget: Budget, timeout_s: float) -> None:
        self._schema, self._budget, self._timeout_s = schema, budget, timeout_s
        self._executing: Counter[OperationType] = Counter()
        self.turns = Turns()

    async def run(self, prepared: Prepared, context: Any) -> tuple[ExecutionResult, Tally]:
        """Return the result of an operation, and what holds its memory.

        Raises:
            AnswerTooLarge: the result is larger than an answer may be.
            StoreCrowded: too many operations run, or there is no memory for this one.
        """
        kind = prepared.operation.operation
        if self._executing[kind] >= EXECUTING_MAX:
            raise StoreCrowded
        self._executing[kind] += 1
        try:
            if kind is not OperationType.QUERY:
                return await self._once(prepared, context, self._own())
            return await self._query(prepared, context)
        finally:
            self._executing[kind] -= 1

    async def events(self, prepared: Prepared, context: Any) -> AsyncGenerator[ExecutionResult, None] | ExecutionResult:
        """Begin a subscription; each event is executed when it is asked for."""
        executor = self._executor(prepared, context)
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        source = create_source_event_stream(executor)
        found = await source if isawaitable(source) else source
        if isinstance(found, ExecutionResult):
            return found
        return map_source_to_response_event(executor, found, partial(self._event, context))

    async def _event(self, context: Any, executor: Any) -> Any:
        tally = self._own()
        executor.begin(self.turns, tally)
        context.tally, context.turn = tally, self.turns.turn
        try:
            return await soon(_finish(executor, execute_subscription_event(executor)), self._timeout_s)
        except (AnswerTooLarge, StoreCrowded) as error:
            return ExecutionResult(None, [GraphQLError(error.message, original_error=error)])
        finally:
            context.tally = None
            tally.close()

    def _own(self) -> Tally:
        """Return the tally of an operation that cannot run twice: it is limited, and waits for no memory."""
        return Tally(Budget(self._budget.limits, self._budget.bytes_max))

    async def _query(self, prepared: Prepared, context: Any) -> tuple[ExecutionResult, Tally]:
        """Run a query; when the memory runs out it gives up what it has, and begins anew once there is more."""
        needed = 0
        while True:
            await self._budget.reserve(needed)
            try:
                return await self._once(prepared, context, Tally(self._budget, needed))
            except NoMemory as short:
                needed = min(2 * short.needed_bytes, self._budget.bytes_max)
                # Drop the loaders: rows that were being loaded when the query stopped never arrive.
                await context.refresh()

    async def _once(self, prepared: Prepared, context: Any, tally: Tally) -> tuple[ExecutionResult, Tally]:
        executor = self._executor(prepared, context)
        if isinstance(executor, list):
            return ExecutionResult(None, executor), tally
        executor.begin(self.turns, tally)
        context.tally, context.turn = tally, self.turns.turn
        try:
            return await _finish(executor, executor.execute_operation()), tally
        except BaseException:
            tally.close()
            raise
        finally:
            context.tally = None

    def _executor(self, prepared: Prepared, context: Any) -> CountingExecutor | list[GraphQLError]:
        name = prepared.operation.name
        return CountingExecutor.build(  # type: ignore[return-value] # graphql-core names its own class
            self._schema._schema,
            prepared.document.tree,
            context_value=context,
            raw_variable_values=dict(prepared.request.variables),
            operation_name=name.value if name else None,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # Strawberry types it as bool
            operation_extensions=None,
        )


async def _finish(executor: CountingExecutor, result: Any) -> ExecutionResult:
    """Wait for a result, and for the fields that it no longer needs because one beside them failed.

    They are at work all the same: an answer before their end would let a caller have any number at work at once.

    Raises:
        AnswerTooLarge, NoMemory: the operation was stopped.
    """
    try:
        found: ExecutionResult = await result if isawaitable(result) else result
        while executor.background_futures:
            await asyncio.wait(executor.background_futures)
    finally:
        for left in list(executor.background_futures):
            # Else asyncio would log, as an error nobody looked at, that it was cancelled.
            left.add_done_callback(asyncio.Future.exception)
            left.cancel()
        executor.close()
    if executor.failure is not None:
        raise executor.failure
    return found
