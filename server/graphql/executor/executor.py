"""The executor of graphql-core, with three changes: it works in slices, counts an answer's size, and can be stopped.

graphql-core completes a list in one go, however long it is. Here a list is completed in slices, and every awaited
value of a resolver waits for its turn. So the event loop stays responsive, and an operation can end at its deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from inspect import CORO_CREATED, getcoroutinestate, iscoroutine
from typing import Any

import orjson
from graphql import GraphQLError, GraphQLList, GraphQLNonNull, GraphQLOutputType, GraphQLResolveInfo, is_leaf_type
from graphql.pyutils import Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.limit.budget import LOADED_FACTOR, NoMemory, Tally
from server.graphql.executor.turns import Turns
from sync.errors import AnswerTooLarge

# Most list items awaited at the same time, and the least length of a list that is written as JSON once complete.
AWAITED_MAX, LONG = 200, 8
# Number of noted coroutines at which those that have begun are dropped.
NOTED_MIN = 1_000
# Memory of an object and of each of its fields, in addition to the answer's text.
OBJECT_BYTES, FIELD_BYTES = 232, 40


class _Stopped(GraphQLError):
    """Ends the remaining work of an operation that has ended, as an error of a field that is never reported."""

    def __init__(self) -> None:
        super().__init__("The operation has ended.")


class CountingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation; call `begin` first."""

    turns: Turns
    tally: Tally
    # The reason why the operation as a whole has no answer.
    failure: AnswerTooLarge | NoMemory | None = None
    _introspected = 0

    def begin(self, turns: Turns, tally: Tally) -> None:
        """Set the turns to wait for and the tally to count in."""
        self.turns, self.tally = turns, tally
        self._introspected, self.failure = 0, None
        self._noted: list[Any] = []
        self._noted_max = NOTED_MIN

    def close(self) -> None:
        """Close the coroutines that never began because the operation ended; Python would warn of them."""
        for coroutine in self._not_begun():
            coroutine.close()
        self._noted = []

    def note(self, value: Any) -> Any:
        """Remember a coroutine for `close`, and return the value."""
        if iscoroutine(value):
            self._noted.append(value)
            if len(self._noted) > self._noted_max:
                self._noted = self._not_begun()
                self._noted_max = NOTED_MIN + 2 * len(self._noted)
        return value

    def _not_begun(self) -> list[Any]:
        return [coroutine for coroutine in self._noted if getcoroutinestate(coroutine) == CORO_CREATED]

    def execute_field(self, *field: Any) -> Any:
        """Execute one field, and note its coroutine."""
        return self.note(super().execute_field(*field))

    def complete_awaitable_value(
        self, return_type: Any, details: Any, info: Any, path: Any, result: Any, context: Any
    ) -> Any:
        """Complete an awaited value of a resolver, in turn."""
        self.note(result)
        in_turn = self.note(self._in_turn(result))
        return self.note(super().complete_awaitable_value(return_type, details, info, path, in_turn, context))

    async def _in_turn(self, result: Any) -> Any:
        await self.turns.turn()
        self.check()
        found = await result
        await self.turns.turn()
        self.check()
        return found

    def complete_iterable_value(
        self, item_type: Any, details: Any, info: Any, path: Any, items: Iterable[Any], context: Any
    ) -> Any:
        """Complete a list; a long one in slices."""
        found = list(items)
        if info.parent_type.name.startswith("__"):
            self._count_introspected(len(found))
        return self.note(_ListCompletion(self, item_type, details, info, path, context).of(found))

    def complete_leaf_value(self, return_type: Any, result: Any) -> Any:  # type: ignore[override] # static there
        """Complete a leaf, and count its size."""
        found = StrawberryGraphQLCoreExecutionContext.complete_leaf_value(return_type, result)
        if isinstance(found, str):
            size = len(found) + 2 if found.isascii() else len(found.encode("utf-8", "replace")) + 2
            self._count(size, size)
        elif isinstance(found, dict | list):
            size = _json_bytes(found)
            self._count(size, LOADED_FACTOR * size)
        else:
            self._count(4, 8)
        return found

    def execute_fields(self, parent_type: Any, source: Any, path: Any, fields: Any, context: Any) -> Any:
        """Execute the fields of an object, and count the size of their names."""
        self._count(sum(map(len, fields)) + 4 * len(fields), OBJECT_BYTES + FIELD_BYTES * len(fields))
        return self.note(super().execute_fields(parent_type, source, path, fields, context))

    def handle_field_error(self, raw_error: Exception, *more: Any) -> None:
        """Record the error of a field, or stop the operation if the answer is too large or memory is short."""
        cause: BaseException | None = raw_error
        while cause is not None and not isinstance(cause, AnswerTooLarge | NoMemory):
            cause = getattr(cause, "original_error", None)
        if isinstance(cause, AnswerTooLarge | NoMemory):
            raise self._stop(cause)
        self.check()
        super().handle_field_error(raw_error, *more)

    def check(self) -> None:
        """Raise `_Stopped` if the operation has ended."""
        if self.failure is not None:
            raise _Stopped()

    def _stop(self, cause: AnswerTooLarge | NoMemory) -> _Stopped:
        self.failure = self.failure or cause
        return _Stopped()

    def _count(self, written: int, held: int) -> None:
        self.check()
        try:
            self.tally.reach(self.tally.written_bytes + written)
            self.tally.hold(held)
        except (AnswerTooLarge, NoMemory) as cause:
            raise self._stop(cause) from None

    def _count_introspected(self, number: int) -> None:
        self._introspected += number
        limit = self.tally.budget.limits.introspection_max
        if self._introspected > limit:
            text = f"The answer would describe more than {limit} parts of the schema."
            hint = "Select `types` once, and nest fewer lists."
            facts = {"which": "introspectionCost", "limit": limit, "actual": self._introspected}
            raise self._stop(AnswerTooLarge(text, hint=hint, **facts))


@dataclass
class _ListCompletion:
    """The completion of one list."""

    executor: CountingExecutor
    item_type: GraphQLOutputType
    details: Any
    info: GraphQLResolveInfo[Any]
    path: Path
    context: Any
    done: list[Any] = field(default_factory=list)
    # The indexes in `done` of items that are still awaited.
    pending: list[int] = field(default_factory=list)

    def of(self, items: list[Any]) -> Any:
        """Return the completed list, or a coroutine that completes it."""
        left = iter(items)
        is_spent = self.executor.turns.is_spent
        try:
            for item in left:
                self._add(item)
                if len(self.pending) >= AWAITED_MAX or is_spent():
                    break
        except Exception:
            # As in graphql-core, the awaited items run to their end in the background.
            if self.pending:
                self.executor.settle_in_background([self.done[index] for index in self.pending])
            raise
        if len(self.done) == len(items) and not self.pending:
            return self._written()
        return self._rest(left)

    async def _rest(self, left: Iterator[Any]) -> Any:
        turns = self.executor.turns
        for item in left:
            if len(self.pending) >= AWAITED_MAX:
                await self._settle()
            await turns.turn()
            self.executor.check()
            self._add(item)
        await self._settle()
        await turns.turn()
        return self._written()

    def _add(self, item: Any) -> None:
        executor, index = self.executor, len(self.done)
        path = self.path.add_key(index, None)
        if executor.is_awaitable(item):
            awaited = executor.complete_awaitable_list_item_value(
                item, self.item_type, self.details, self.info, path, self.context
            )
            self.done.append(executor.note(awaited))
            self.pending.append(index)
        elif executor.complete_list_item_value(
            item, self.done, self.item_type, self.details, self.info, path, self.context
        ):
            executor.note(self.done[index])
            self.pending.append(index)

    async def _settle(self) -> None:
        pending, self.pending = self.pending, []
        found = await gather_with_cancel(*(self.done[index] for index in pending))
        for index, value in zip(pending, found, strict=True):
            self.done[index] = value

    def _written(self) -> Any:
        """Return a long list of objects as JSON, which takes less memory and less time at the end."""
        if len(self.done) < LONG or is_leaf_type(_item_of(self.item_type)):
            return self.done
        try:
            return orjson.Fragment(orjson.dumps(self.done))
        except TypeError:
            # JSON cannot hold some value; writing the whole answer reports the error.
            return self.done


def _item_of(type_: Any) -> Any:
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return type_


def _json_bytes(value: Any) -> int:
    try:
        return len(orjson.dumps(value))
    except TypeError:
        return 0
