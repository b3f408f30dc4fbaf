"""The context of one operation: the caller, and one snapshot of the data that all its reads share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

import orjson
from sqlalchemy import RowMapping, Select
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry.dataloader import DataLoader

from schema.access import Principal
from schema.field.registry import NOUNS
from schema.field.resolution import Every, Gathered, Linked
from schema.field.rows import KEYS, among, keys_text, row_columns, rows_of, tied
from schema.filter.where import Viewpoint
from schema.limit.budget import LOADED_FACTOR, Tally
from sync.runtime import Runtime
from sync.store.engine import translated

AnySelect = Select[*tuple[Any, ...]]
# Rows that are made into records in one turn.
SLICE = 200


def _seen(done: asyncio.Future[Any]) -> None:
    """Note that the error was looked at."""
    if not done.cancelled():
        done.exception()


class _Loader(DataLoader[int, Any]):
    """A loader whose answers belong to all who asked for them.

    Several fields may wait for the same row. One that is given up, because its neighbour failed, must not take the
    answer away from the others: they would be cancelled as well, and with them the whole request.
    """

    def load(self, key: int) -> Awaitable[Any]:
        """Return what is loaded, or will be."""
        row = asyncio.ensure_future(super().load(key))
        waiting = asyncio.shield(row)
        # A caller whose operation is over does not read the outcome.
        for future in (row, waiting):
            future.add_done_callback(_seen)
        return waiting


class Context:
    """The context of one operation; `async with` it, so that its snapshot is given back.

    Args:
        runtime: the open process.
        principal: who asks; every read stays inside its organization.
        request_id: for audit and errors.
        limits: what was checked before the operation began, by name; for those who ask.
    """

    def __init__(
        self, runtime: Runtime, principal: Principal, request_id: str, limits: Mapping[str, int] | None = None
    ) -> None:
        self.runtime, self.principal, self.request_id = runtime, principal, request_id
        # One moment is "now" for the whole operation.
        self.viewpoint = Viewpoint(principal, runtime.clock.now())
        self.limits = limits or {}
        # While the executor runs: what the answer has come to, and how work in the event loop waits for its turn.
        self.tally: Tally | None = None
        self.turn: Callable[[], Awaitable[None]] = _at_once
        self._stack = AsyncExitStack()
        self._snapshot: AsyncConnection | None = None
        self._is_over = False
        # Resolvers run side by side, but a connection takes one statement at a time.
        self._turn = asyncio.Lock()
        # The task that opens the snapshot.
        self._opening: asyncio.Future[Any] | None = None
        self._loaders: dict[Hashable, DataLoader[int, Any]] = {}
        self._seen: set[Hashable] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        if self._opening is not None:
            self._opening.cancel()
        elif self._turn.locked():
            self.runtime.store.asker.break_off()
        # Most operations are answered by a plan and open nothing.
        if self._snapshot is not None or self._turn.locked():
            await self.refresh()

    async def refresh(self) -> None:
        """End the snapshot: later reads see what has been committed since."""
        async with self._turn:
            self._snapshot = None
            self._loaders.clear()
            await self._stack.aclose()

    async def fetch(self, statement: AnySelect, given: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """Run a read in the operation's snapshot; `given` are the values of its own parameters.

        A resolver may be cancelled because its neighbour failed; the statement is finished all the same, because
        cancelling one would take the connection with it. When the operation itself is over, the statement ends too.
        """
        reading = asyncio.ensure_future(self._fetch(statement, given))
        # A cancelled caller does not read the outcome.
        reading.add_done_callback(_seen)
        return await asyncio.shield(reading)

    async def _fetch(self, statement: AnySelect, given: Mapping[str, Any] | None) -> Sequence[RowMapping]:
        async with self._turn:
            if self._is_over:
                # A resolver whose neighbour's failure ended the operation: a snapshot for it would never be given back.
                raise asyncio.CancelledError
            if self._snapshot is None:
                self._opening = asyncio.ensure_future(self._stack.enter_async_context(self.runtime.store.asker.read()))
                try:
                    self._snapshot = await self._opening
                finally:
                    self._opening = None
            # The snapshot outlives this block, so it cannot name the driver's errors for us.
            rows: list[RowMapping] = []
            with translated():
                for part in (await self._snapshot.execute(statement, given)).mappings().partitions(SLICE):
                    rows += part
                    if self.tally is not None:
                        self.tally.hold(sum(_bytes_of(value) for row in part for value in row.values()))
                    await self.turn()
            return rows

    async def _in_turn(self, rows: Sequence[RowMapping]) -> AsyncIterator[RowMapping]:
        for number, row in enumerate(rows):
            if not number % SLICE:
                await self.turn()
            yield row

    def is_first(self, what: Hashable) -> bool:
        """Tell whether something happens for the first time in this operation, and remember it."""
        is_new = what not in self._seen
        self._seen.add(what)
        return is_new

    async def _listed(self, statement: AnySelect, given: Mapping[str, Any]) -> Sequence[RowMapping]:
        """Read lists that take no size: no more than may still be counted, and one."""
        if self.tally is None:
            return await self.fetch(statement, given)
        found = await self.fetch(statement.limit(self.tally.rows_left + 1), given)
        self.tally.count(len(found))
        return found

    def loader(self, key: Hashable, load: Callable[[list[int]], Awaitable[Sequence[Any]]]) -> DataLoader[int, Any]:
        """Return the loader of this operation that is known by `key`; `load` answers many at once, in order."""
        if key not in self._loaders:
            self._loaders[key] = _Loader(load_fn=load)
        return self._loaders[key]

    async def load(self, noun: str, key: int | None) -> Any:
        """Return one record by key, or None when it is not there for this caller; asks for many keys at once."""
        if key is None:
            return None
        return await self.loader(noun, lambda keys: self._load_many(noun, keys)).load(key)

    async def _load_many(self, noun: str, keys: Sequence[int]) -> list[Any]:
        entry = NOUNS[noun]
        statement = rows_of(entry, self.principal).with_only_columns(*row_columns(entry)).where(among(entry.key))
        rows = self._in_turn(await self.fetch(statement, _keys(keys)))
        found = {row["key"]: entry.type.of(row) async for row in rows}
        return [found.get(key) for key in keys]

    async def follow(self, form: Every | Linked, key: int) -> list[Any]:
        """Return the records that a relation leads to from a record, by key; asks for many records at once."""
        return await self.loader(form, lambda keys: self._follow_many(form, keys)).load(key)  # type: ignore[no-any-return]

    async def _follow_many(self, form: Every | Linked, keys: Sequence[int]) -> list[list[Any]]:
        noun = NOUNS[form.target]
        found: dict[int, list[Any]] = {key: [] for key in keys}
        statement = tied(noun, self.principal, form.pairs, row_columns(noun))
        read = self._listed if isinstance(form, Every) else self.fetch
        async for row in self._in_turn(await read(statement, _keys(keys))):
            found[row["parent"]].append(noun.type.of(row))
        return [found[key] for key in keys]

    async def gather(self, form: Gathered, key: int) -> list[RowMapping]:
        """Return the rows that a field gathers for a record; asks for many records at once."""
        return await self.loader(form, lambda keys: self._gather_many(form, keys)).load(key)  # type: ignore[no-any-return]

    async def _gather_many(self, form: Gathered, keys: Sequence[int]) -> list[list[RowMapping]]:
        rows = form.rows()
        found: dict[int, list[RowMapping]] = {key: [] for key in keys}
        for row in await self._listed(rows.where(among(rows.selected_columns["parent"])), _keys(keys)):
            found[row["parent"]].append(row)
        return [found[key] for key in keys]


async def _at_once() -> None:
    pass


def _bytes_of(value: Any) -> int:
    """Return about how much memory a value of a row takes."""
    if isinstance(value, dict | list):
        return LOADED_FACTOR * len(orjson.dumps(value))
    return len(value) + 50 if isinstance(value, str) else 30


def _keys(keys: Sequence[int]) -> dict[str, Any]:
    return {KEYS: keys_text(keys)}
