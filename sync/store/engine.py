"""Connections: one writer that is also the only checkpointer, and readers that can never write.

On SQLite every write transaction starts with BEGIN IMMEDIATE, so that schema changes and data roll back together and
two writers can never deadlock; see docs/decisions/0002. Never logs SQL or parameters.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from sqlalchemy import Connection, ExceptionContext, Row, event, text
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
# Where a connection notes the error that may have ended its transaction.
ENDED_BY = "ended by"
# A row whose columns are known by name at the place that reads them.
AnyRow = Row[*tuple[Any, ...]]
WRITER_PRAGMAS = (
    "PRAGMA page_size=8192",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    # A damaged page is refused when it is read, not taken for what it may look like.
    "PRAGMA cell_size_check=ON",
    "PRAGMA foreign_keys=ON",
    # 16 MB: twice as much saves a few percent of a first sync, and counts for the whole life of the process.
    "PRAGMA cache_size=-16384",
    "PRAGMA temp_store=MEMORY",
    # 32 MB: a page of a sync touches many leaves of its indexes, and most of them again in the next page.
    "PRAGMA wal_autocheckpoint=4000",
)
# How SQLite calls a disk quota, a limit of file sizes, and a full disk under its shared memory.
FULL_TOO = ("SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE")
STATEMENT_S = 5.0
# A statement that no plan runs, such as one that groups a whole inventory: as long as a request may take.
ASKED_S = 10.0
# Where a write connection notes what its transaction changes: (key, what) → version; see sync/events.py.
CHANGED = "changed"
Changed = dict[tuple[int, str], int]
READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    "PRAGMA cell_size_check=ON",
    # 16 MB: each of the readers fills its own while the database grows. At 100,000 assets no measured query takes less
    # processor time with 64 MB, and a search that reads many rows by key takes 1.4 times as much with 8 MB.
    "PRAGMA cache_size=-16384",
    "PRAGMA temp_store=MEMORY",
)
# 2 MB: what the server itself has to know are few rows at a time, and several connections may be open for it.
OWN_PRAGMAS = (*READER_PRAGMAS, "PRAGMA cache_size=-2048")


class Store:
    """The open database: `write()` for one transaction at a time, `read()` for a consistent snapshot.

    What callers ask for is read apart from what the server itself has to know, so that it never waits for them. Jobs on
    the driver's own connection run `here`, in the thread that asks, or in a lane; operations that no plan answers are
    the `asker`'s. A slow one never holds up quick ones.
    """

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, asker: Asker, here: Reader, quick: Lane, slow: Lane
    ) -> None:
        self._writer = writer
        self._reader = reader
        self.asker = asker
        self._turn = asyncio.Lock()
        self.here, self.quick, self.slow = here, quick, slow
        # Grows with each write transaction: what was read at a number is still so while the number is the same.
        self.commits = 0
        # Called after each commit with what it changed, as `next_version` noted it.
        self.on_change: Callable[[Mapping[tuple[int, str], int]], None] = lambda _changed: None

    @classmethod
    def at(cls, path: Path, clock: Clock | None = None) -> Store:
        """Prepare the SQLite database in the file `path`; nothing is opened before the first transaction."""
        clock, connect = clock or SystemClock(), partial(_connect, path)
        return cls(
            _sqlite_engine(path, WRITER_PRAGMAS, BEGIN_WRITE),
            _sqlite_engine(path, OWN_PRAGMAS, BEGIN_READ),
            Asker(_sqlite_engine(path, READER_PRAGMAS, BEGIN_READ), Watch(clock, ASKED_S)),
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
        """Count what the tables hold now, so that the planner chooses by facts; a sample, done in milliseconds."""
        async with self.write() as connection:
            await connection.run_sync(analyze)

    async def close(self) -> None:
        """Close the readers first, so that the writer is the one that checkpoints."""
        self.here.close()
        await self.quick.close()
        await self.slow.close()
        await self.asker.close()
        await self._reader.dispose()
        await self._writer.dispose()


def analyze(connection: Connection) -> None:
    """Count what the tables hold now, in the caller's transaction; an index without counts is chosen by guess."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA analysis_limit=1000"))
    connection.execute(text("ANALYZE"))


class Asker:
    """Reads for callers whose operation no plan answers: one at a time, each statement with a deadline.

    Args:
        engine: of a reader of its own.
        watch: what the connection looks at while a statement runs.
    """

    def __init__(self, engine: AsyncEngine, watch: Watch) -> None:
        self.engine, self.watch = engine, watch
        self._turn = asyncio.Lock()
        event.listen(engine.sync_engine, "connect", self._watched)
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: watch.start())

    def _watched(self, connection: Any, _record: Any) -> None:
        connection.run_async(lambda driver: driver.set_progress_handler(self.watch.is_over, STEPS))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Run one read transaction; who waits for it may give up.

        Raises:
            StoreSlow: a statement took longer than any may.
        """
        with translated():
            async with self._turn, self.engine.begin() as connection:
                yield connection

    def break_off(self) -> None:
        """End the statement that runs: nobody waits for it any more."""
        self.watch.end()

    async def close(self) -> None:
        """Close the connection."""
        await self.engine.dispose()


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
        # The driver could not even read SQLite's message, which repeats what is damaged.
        raise StoreUnreadable(DAMAGED, hint=DAMAGED_HINT) from error


def store_error(error: BaseException | None) -> RollcallError:
    """Name what happened to the database."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_INTERRUPT":
        return StoreSlow(time_s=ASKED_S)
    if name.startswith("SQLITE_FULL"):
        return StoreFull(hint="Free space on the data directory's disk; Rollcall goes on by itself.")
    if name in FULL_TOO:
        return StoreFull(
            "The disk takes no more of the database.",
            hint="Free space on the data directory's disk, or raise its quota; if neither helps, check the disk.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusy("Another program holds a lock on the database.", hint="Try again.")
    # A text that is no UTF-8 any more; the driver gives that no name.
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
        # The driver's own transaction handling would commit before DDL; ours does not (SQLAlchemy: pysqlite recipe).
        connection.isolation_level = None
        _prepare(connection, pragmas)

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.info.pop(ENDED_BY, None)
        connection.exec_driver_sql(begin)

    @event.listens_for(engine.sync_engine, "handle_error")
    def tell_the_first(context: ExceptionContext) -> BaseException | None:
        # On a full disk SQLite ends the whole transaction; that its savepoints are gone then is not the reason.
        if context.connection is None or not isinstance(context.original_exception, sqlite3.OperationalError):
            return None
        if "no such savepoint" in str(context.original_exception) and ENDED_BY in context.connection.info:
            return store_error(context.connection.info[ENDED_BY])
        context.connection.info[ENDED_BY] = context.original_exception
        return None

    return engine


def _json_text(value: object) -> str:
    return orjson.dumps(value).decode()
