"""Connections: one writer, which alone checkpoints, and readers that cannot write.

On SQLite every write transaction starts with BEGIN IMMEDIATE: schema changes and data roll back together, and two
writers never deadlock (docs/decisions/0002). Never logs SQL or parameters.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from sqlalchemy import Connection, Engine, ExceptionContext, Row, StaticPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sync.clock import Clock, SystemClock
from sync.errors import RollcallError, StoreBusy, StoreError, StoreFull, StoreSlow, StoreUnreadable
from sync.store.integrity import DAMAGED, DAMAGED_HINT
from sync.store.lane import STEPS, Lane, Reader, Watch
from sync.store.one_hop import in_thread
from sync.store.statement.digits import read_json
from sync.store.statement.function import register

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
BUSY_TIMEOUT_MS = 5_000
BEGIN_WRITE, BEGIN_READ = "BEGIN IMMEDIATE", "BEGIN DEFERRED"
# Key in `connection.info` of the error that may have ended the transaction.
ENDED_BY = "ended by"
# A row of any columns; the reader knows their names.
AnyRow = Row[*tuple[Any, ...]]
WRITER_PRAGMAS = (
    "PRAGMA page_size=8192",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    # Refuse a damaged page when it is read, instead of reading garbage from it.
    "PRAGMA cell_size_check=ON",
    "PRAGMA foreign_keys=ON",
    # 16 MB: twice as much saves a few percent of a first sync, but stays allocated as long as the process lives.
    "PRAGMA cache_size=-16384",
    "PRAGMA temp_store=MEMORY",
    # 32 MB: each page of a sync touches many index leaves, and the next page touches most of them again.
    "PRAGMA wal_autocheckpoint=4000",
)
# SQLite's errors for a disk quota or file size limit, and for a full disk under its shared memory.
FULL_TOO = ("SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE")
STATEMENT_S = 5.0
# Limit for a statement that no plan runs, such as one that groups a whole inventory: the limit of a request.
ASKED_S = 10.0
# Key in `connection.info` of what a write transaction changes: (key, noun) → version; see sync/events.py.
CHANGED = "changed"
Changed = dict[tuple[int, str], int]
READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    "PRAGMA cell_size_check=ON",
    # 16 MB for each reader. Measured at 100,000 assets: 64 MB saves no processor time on any query, and with 8 MB a
    # search that reads many rows by key takes 1.4 times as long.
    "PRAGMA cache_size=-16384",
    "PRAGMA temp_store=MEMORY",
)
# 2 MB: the server's own reads are few rows each, and several such connections may be open.
OWN_PRAGMAS = (*READER_PRAGMAS, "PRAGMA cache_size=-2048")


class Store:
    """The open database: `write()` for one transaction at a time, `read()` for a consistent snapshot.

    Callers' queries have their own connections, so that the server's own reads never wait for them. Compiled plans run
    on the driver's connection: `here`, in the calling thread, or in the `quick` or `slow` lane. Operations without a
    plan go through the `asker`.
    """

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, asker: Asker, here: Reader, quick: Lane, slow: Lane
    ) -> None:
        self._writer = writer
        self._reader = reader
        self.asker = asker
        self._turn = asyncio.Lock()
        self.here, self.quick, self.slow = here, quick, slow
        # Counts write transactions: a value read earlier is still current while this number is unchanged.
        self.commits = 0
        # Called after each commit with the changes that `next_version` noted.
        self.on_change: Callable[[Mapping[tuple[int, str], int]], None] = lambda _changed: None

    @classmethod
    def at(cls, path: Path, clock: Clock | None = None) -> Store:
        """Prepare the SQLite database in the file `path`; nothing is opened before the first transaction."""
        clock, connect = clock or SystemClock(), partial(_connect, path)
        return cls(
            _sqlite_engine(path, WRITER_PRAGMAS, BEGIN_WRITE),
            _sqlite_engine(path, OWN_PRAGMAS, BEGIN_READ),
            Asker(_asker_engine(connect), Watch(clock, ASKED_S)),
            Reader(partial(_connect, path, timeout_s=0), clock),
            Lane(Reader(connect, clock), clock, "store-quick"),
            Lane(Reader(connect, clock), clock, "store-slow"),
        )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Run one write transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreFull, StoreBusy, StoreUnreadable: nothing of the block was written.
        """
        with translated():
            changed: Changed = {}
            try:
                async with self._turn, self._writer.begin() as connection:
                    connection.info[CHANGED] = changed
                    yield connection
            finally:
                self.commits += 1
            self.on_change(changed)

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run one write transaction as a plain function, on the writer's own thread; for work of many statements.

        Raises:
            StoreFull, StoreBusy, StoreUnreadable, or what `work` raises: nothing was written.
        """
        with translated():
            changed: Changed = {}

            def noted(tx: Connection) -> T:
                tx.info[CHANGED] = changed
                return work(tx)

            try:
                async with self._turn, self._writer.connect() as connection:
                    result = await in_thread(connection, BEGIN_WRITE, noted)
            finally:
                self.commits += 1
            self.on_change(changed)
            return result

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Run one read transaction: every statement of the block sees the same snapshot."""
        with translated():
            async with self._reader.begin() as connection:
                yield connection

    async def analyze(self) -> None:
        """Update the query planner's statistics from a sample, in milliseconds."""
        async with self.write() as connection:
            await connection.run_sync(analyze)

    async def close(self) -> None:
        """Close all connections, the readers first, so that the writer does the last checkpoint."""
        self.here.close()
        await self.quick.close()
        await self.slow.close()
        await self.asker.close()
        await self._reader.dispose()
        await self._writer.dispose()


def analyze(connection: Connection) -> None:
    """Update the query planner's statistics in the caller's transaction; without them it guesses which index to use."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA analysis_limit=1000"))
    connection.execute(text("ANALYZE"))


class Asker:
    """Reads for operations without a compiled plan: one transaction at a time, each statement with a deadline.

    Statements become SQL in its own thread: a condition may cross a relation in each term, and its compilation would
    block the event loop.

    Args:
        engine: has a read connection of its own, used by the asker's thread only.
        watch: the connection checks it while a statement runs.
    """

    def __init__(self, engine: Engine, watch: Watch) -> None:
        self.engine, self.watch = engine, watch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-asker")
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._is_closed = False
        event.listen(engine, "connect", self._watched)
        event.listen(engine, "before_cursor_execute", lambda *_: watch.start())

    def _watched(self, connection: sqlite3.Connection, _record: Any) -> None:
        connection.set_progress_handler(self.watch.is_over, STEPS)

    @property
    def is_reading(self) -> bool:
        """Whether a snapshot is open."""
        return self._connection is not None and self._connection.in_transaction()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Snapshot]:
        """Run one read transaction; `break_off` ends it early.

        Raises:
            StoreSlow: a statement exceeded its deadline.
        """
        with translated():
            async with self._turn:
                self.watch.is_abandoned = False
                try:
                    yield Snapshot(self, await self._run(self._begin))
                finally:
                    # The thread runs one job after the other, so an abandoned statement has ended by then.
                    await self._run(self._end)

    def break_off(self) -> None:
        """End the running statement, or the next one: its caller has given up."""
        self.watch.is_abandoned = True

    async def close(self) -> None:
        """Close the connection; closing twice does nothing more."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._run(self._dispose)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        # Shield it: the thread must finish its job, such as the end of a snapshot, even if the caller is cancelled.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def _begin(self) -> Connection:
        if self._connection is None:
            self._connection = self.engine.connect()
        self._connection.begin()
        return self._connection

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.rollback()

    def _dispose(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self.engine.dispose()


@dataclass(frozen=True)
class Snapshot:
    """One read transaction of the asker."""

    asker: Asker
    connection: Connection

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Read in the asker's thread.

        Raises:
            StoreSlow: a statement took longer than any may.
        """
        with translated():
            return await self.asker._run(partial(work, self.connection))


@contextmanager
def translated() -> Iterator[None]:
    """Raise the store's own errors in place of the driver's; neither SQL nor paths stay in the message."""
    try:
        yield
    except DBAPIError as error:
        raise store_error(error.orig) from error
    except sqlite3.Error as error:
        raise store_error(error) from error
    except UnicodeDecodeError as error:
        # SQLite's message repeats the damaged bytes, so that the driver could not decode it.
        raise StoreUnreadable(DAMAGED, hint=DAMAGED_HINT) from error


def store_error(error: BaseException | None) -> RollcallError:
    """Translate a driver's error into the store's own."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_INTERRUPT":
        return StoreSlow(time_s=ASKED_S)
    if name.startswith("SQLITE_FULL"):
        return StoreFull(hint="Free space on the data directory's disk; Rollcall then continues by itself.")
    if name in FULL_TOO:
        return StoreFull(
            "The disk refused to store more of the database.",
            hint="Free space on the data directory's disk, or raise its quota; if neither helps, check the disk.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusy("Another program holds a lock on the database.", hint="Try again.")
    # Stored text is no longer UTF-8; the driver gives this error no name.
    is_torn = not name and str(error).startswith("Could not decode")
    if is_torn or name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return StoreUnreadable(DAMAGED, hint=DAMAGED_HINT)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_IOERR")):
        return StoreUnreadable(hint="Check the permissions and the disk of the data directory.")
    return StoreError(f"The database refused an operation ({name or type(error).__name__}).")


def _connect(path: Path, timeout_s: float = BUSY_TIMEOUT_MS / 1000) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, cached_statements=512)
    _prepare(connection, READER_PRAGMAS)
    return connection


def _prepare(connection: Any, pragmas: tuple[str, ...]) -> None:
    register(connection)
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(pragma)
    cursor.close()


def _sqlite_engine(path: Path, pragmas: tuple[str, ...], begin: str) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=1,
        max_overflow=0,
        pool_timeout=60,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        json_serializer=_json_text,
        json_deserializer=read_json,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # Turn off the driver's own transactions: they commit before DDL (SQLAlchemy's pysqlite recipe).
        connection.isolation_level = None
        _prepare(connection, pragmas)

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.info.pop(ENDED_BY, None)
        connection.exec_driver_sql(begin)

    @event.listens_for(engine.sync_engine, "handle_error")
    def tell_the_first(context: ExceptionContext) -> BaseException | None:
        # A full disk makes SQLite end the whole transaction. Report that, not the missing savepoint that follows.
        if context.connection is None or not isinstance(context.original_exception, sqlite3.OperationalError):
            return None
        if "no such savepoint" in str(context.original_exception) and ENDED_BY in context.connection.info:
            return store_error(context.connection.info[ENDED_BY])
        context.connection.info[ENDED_BY] = context.original_exception
        return None

    return engine


def _asker_engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=StaticPool,
        pool_reset_on_return=None,
        hide_parameters=True,
        json_serializer=_json_text,
        json_deserializer=read_json,
    )

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(BEGIN_READ)

    return engine


def _json_text(value: object) -> str:
    return orjson.dumps(value).decode()
