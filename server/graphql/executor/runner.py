"""Runs operations by the executor: a limited number at once, in turns, within the memory budget of all answers."""

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

# Most operations of one kind at once; with more, callers would give up before their answer.
EXECUTING_MAX = 32


class OperationRunner:
    """Runs operations of one schema.

    Args:
        schema: has the resolvers.
        budget: the limits of answers and of their memory.
        timeout_s: longest time that one event of a subscription may take.
    """

    def __init__(self, schema: strawberry.Schema, budget: Budget, timeout_s: float) -> None:
        self._schema, self._budget, self._timeout_s = schema, budget, timeout_s
        self._executing: Counter[OperationType] = Counter()
        self.turns = Turns()

    async def run(self, prepared: Prepared, context: Any) -> tuple[ExecutionResult, Tally]:
        """Return the result of an operation, and the tally that holds its memory.

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
        """Begin a subscription; each event is executed when its result is requested."""
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
        """Return a tally that is limited but never waits for memory, for an operation that must not run twice."""
        return Tally(Budget(self._budget.limits, self._budget.bytes_max))

    async def _query(self, prepared: Prepared, context: Any) -> tuple[ExecutionResult, Tally]:
        """Run a query; when memory runs out, release its memory, wait for more and run it again."""
        needed = 0
        while True:
            await self._budget.reserve(needed)
            try:
                return await self._once(prepared, context, Tally(self._budget, needed))
            except NoMemory as short:
                needed = min(2 * short.needed_bytes, self._budget.bytes_max)
                # Make new loaders: rows that the old ones were loading when the query stopped never arrive.
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
    """Await a result, and the fields that it no longer needs because another field failed.

    Waiting for them limits the work that a caller can have at once.

    Raises:
        AnswerTooLarge, NoMemory: the operation was stopped.
    """
    try:
        found: ExecutionResult = await result if isawaitable(result) else result
        while executor.background_futures:
            await asyncio.wait(executor.background_futures)
    finally:
        for left in list(executor.background_futures):
            # Retrieve the exception, or asyncio logs it as never retrieved.
            left.add_done_callback(asyncio.Future.exception)
            left.cancel()
        executor.close()
    if executor.failure is not None:
        raise executor.failure
    return found
