"""The context of one operation: the caller, and one snapshot of the data that all its reads share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self, TypeVar

import orjson
from sqlalchemy import Connection, MappingResult, RowMapping, Select
from strawberry import UNSET
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from schema.access import Principal
from schema.field.registry import NOUNS
from schema.field.resolution import Every, Gathered, Linked
from schema.field.rows import KEYS, among, keys_text, row_columns, rows_of, tied
from schema.filter.where import Viewpoint
from schema.limit.budget import LOADED_FACTOR, Tally
from schema.worker import Worker
from sync.runtime import Runtime
from sync.store.engine import Snapshot

T = TypeVar("T")
AnySelect = Select[*tuple[Any, ...]]
# Rows that are made into records in one turn.
SLICE = 200
# Prepares the arguments of fields. One thread for the process, because several would slow the event loop.
_WORKER = Worker("operations")


def _seen(done: asyncio.Future[Any]) -> None:
    """Retrieve the exception, or asyncio logs it as never retrieved."""
    if not done.cancelled():
        done.exception()


class _Loader(DataLoader[int, Any]):
    """A loader whose waiting callers can be cancelled one by one.

    Several fields may wait for the same row. If one of them is cancelled because another field failed, the rest must
    still get the row; otherwise they would be cancelled, too, and with them the whole request.
    """

    def load(self, key: int) -> Awaitable[Any]:
        """Return a future of the row."""
        row = asyncio.ensure_future(super().load(key))
        waiting = asyncio.shield(row)
        # The caller may be cancelled and never read the outcome.
        for future in (row, waiting):
            future.add_done_callback(_seen)
        return waiting


class Context:
    """The context of one operation; use it as an async context manager, which releases the snapshot.

    Args:
        runtime: the open runtime.
        principal: the caller; every read stays inside its organization.
        request_id: for audit events and errors.
        limits: the limits in force by name, for `server { limits }`.
    """

    def __init__(
        self, runtime: Runtime, principal: Principal, request_id: str, limits: Mapping[str, int] | None = None
    ) -> None:
        self.runtime, self.principal, self.request_id = runtime, principal, request_id
        # The whole operation has the same "now".
        self.viewpoint = Viewpoint(principal, runtime.clock.now())
        self.limits = limits or {}
        # Set while the executor runs: the tally of the answer, and the function that waits for a turn.
        self.tally: Tally | None = None
        self.turn: Callable[[], Awaitable[None]] = _at_once
        self._stack = AsyncExitStack()
        self._snapshot: Snapshot | None = None
        self._is_over = False
        # Resolvers run concurrently, but a connection runs one statement at a time.
        self._turn = asyncio.Lock()
        # The task that opens the snapshot.
        self._opening: asyncio.Future[Any] | None = None
        self._loaders: dict[Hashable, DataLoader[int, Any]] = {}
        self._seen: set[Hashable] = set()
        self._prepared: dict[Hashable, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        if self._opening is not None:
            self._opening.cancel()
        elif self._turn.locked():
            self.runtime.store.asker.break_off()
        # Most operations are answered by a plan and open no snapshot.
        if self._snapshot is not None or self._turn.locked():
            await self.refresh()

    async def refresh(self) -> None:
        """End the snapshot; later reads see later commits."""
        async with self._turn:
            self._snapshot = None
            self._loaders.clear()
            await self._stack.aclose()

    async def fetch(self, statement: AnySelect, given: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """Run a read in the operation's snapshot; `given` holds the values of the statement's parameters.

        If a resolver is cancelled because another field failed, its statement still runs to the end: cancelling it
        would close the connection. When the operation ends, the statement ends, too.
        """
        reading = asyncio.ensure_future(self._fetch(statement, given))
        # A cancelled caller does not read the outcome.
        reading.add_done_callback(_seen)
        return await asyncio.shield(reading)

    async def _fetch(self, statement: AnySelect, given: Mapping[str, Any] | None) -> Sequence[RowMapping]:
        async with self._turn:
            if self._is_over:
                # The operation has ended: a snapshot opened now would never be released.
                raise asyncio.CancelledError
            if self._snapshot is None:
                self._opening = asyncio.ensure_future(self._stack.enter_async_context(self.runtime.store.asker.read()))
                try:
                    self._snapshot = await self._opening
                finally:
                    self._opening = None
            # Statements become SQL in the asker's thread, and values are converted there.
            result, part = await self._snapshot.run(partial(_start, statement, given))
            rows: list[RowMapping] = []
            while part:
                rows += part
                if self.tally is not None:
                    self.tally.hold(sum(_bytes_of(value) for row in part for value in row.values()))
                await self.turn()
                part = await self._snapshot.run(partial(_continue, result)) if len(part) == SLICE else []
            return rows

    async def aside(self, make: Callable[[], T]) -> T:
        """Run a long computation in the worker thread."""
        return await _WORKER.run(make)

    async def prepared(self, info: Any, arguments: Mapping[str, Any], make: Callable[[], T]) -> T:
        """Prepare a field's arguments once in the operation, for all parents of the field.

        Conditions are prepared in the worker thread, because each of their terms may cross a relation.
        """
        raw = info._raw_info if isinstance(info, Info) else info
        # Merged fields of one response name have equal arguments. The document outlives the operation, so ids are safe.
        what = (id(raw.field_nodes[0]), raw.parent_type.name)
        if what not in self._prepared:
            is_asked = any(arguments.get(name, UNSET) is not UNSET for name in ("where", "search"))
            making = asyncio.ensure_future(self.aside(make) if is_asked else _made(make))
            making.add_done_callback(_seen)
            self._prepared[what] = making
        # Shield it: when a failing neighbour cancels one parent, the others still wait.
        return await asyncio.shield(self._prepared[what])

    async def _in_turn(self, rows: Sequence[RowMapping]) -> AsyncIterator[RowMapping]:
        for number, row in enumerate(rows):
            if not number % SLICE:
                await self.turn()
            yield row

    def is_first(self, what: Hashable) -> bool:
        """Return whether this is the first call with `what` in this operation."""
        is_new = what not in self._seen
        self._seen.add(what)
        return is_new

    async def _listed(self, statement: AnySelect, given: Mapping[str, Any]) -> Sequence[RowMapping]:
        """Read lists without a size argument, at most one row more than the rest of the limit."""
        if self.tally is None:
            return await self.fetch(statement, given)
        found = await self.fetch(statement.limit(self.tally.rows_left + 1), given)
        self.tally.count(len(found))
        return found

    def loader(self, key: Hashable, load: Callable[[list[int]], Awaitable[Sequence[Any]]]) -> DataLoader[int, Any]:
        """Return this operation's loader for `key`; `load` returns the values of many keys in their order."""
        if key not in self._loaders:
            self._loaders[key] = _Loader(load_fn=load)
        return self._loaders[key]

    async def load(self, noun: str, key: int | None) -> Any:
        """Return one record by key, or None if it does not exist for this caller; keys are read in batches."""
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
        """Return the records to which a relation leads from a record; records are read in batches."""
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
        """Return the rows that a field gathers for a record; records are read in batches."""
        return await self.loader(form, lambda keys: self._gather_many(form, keys)).load(key)  # type: ignore[no-any-return]

    async def _gather_many(self, form: Gathered, keys: Sequence[int]) -> list[list[RowMapping]]:
        rows = form.rows()
        found: dict[int, list[RowMapping]] = {key: [] for key in keys}
        for row in await self._listed(rows.where(among(rows.selected_columns["parent"])), _keys(keys)):
            found[row["parent"]].append(row)
        return [found[key] for key in keys]


async def _at_once() -> None:
    pass


async def _made(make: Callable[[], T]) -> T:
    return make()


def _start(
    statement: AnySelect, given: Mapping[str, Any] | None, connection: Connection
) -> tuple[MappingResult, Sequence[RowMapping]]:
    result = connection.execute(statement, given).mappings()
    return result, result.fetchmany(SLICE)


def _continue(result: MappingResult, _connection: Connection) -> Sequence[RowMapping]:
    return result.fetchmany(SLICE)


def _bytes_of(value: Any) -> int:
    """Return the approximate memory of a value of a row, in bytes."""
    if isinstance(value, dict | list):
        return LOADED_FACTOR * len(orjson.dumps(value))
    return len(value) + 50 if isinstance(value, str) else 30


def _keys(keys: Sequence[int]) -> dict[str, Any]:
    return {KEYS: keys_text(keys)}
