"""Transactions: together or not at all, one writer at a time, readers that cannot write, typed errors."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Text, func, insert, literal, select, text

from sync.clock import timestamp
from sync.errors import RollcallError, StoreBusy, StoreError, StoreFull, StoreUnreadable
from sync.store import Store, engine
from sync.store.tables import organizations
from tests.sync.entra.clock import FakeClock


def row(clock: FakeClock, name: str) -> dict[str, str]:
    """Return a valid organization."""
    return {"name": name, "created_at": timestamp(clock.now()), "updated_at": timestamp(clock.now())}


async def names(store: Store) -> list[str]:
    """Read the names of all organizations."""
    async with store.read() as tx:
        return list(await tx.scalars(select(organizations.c.name).order_by(organizations.c.name)))


async def test_data_and_tables_roll_back_together_when_the_block_raises(store: Store, clock: FakeClock) -> None:
    """SQLite's driver would commit before DDL; here a table made in a failed transaction never was."""
    with pytest.raises(ZeroDivisionError):
        async with store.write() as tx:
            await tx.execute(insert(organizations).values(row(clock, "lost")))
            await tx.execute(text("CREATE TABLE extra (x)"))
            await tx.execute(insert(organizations).values(row(clock, "lost too")))
            raise ZeroDivisionError
    assert await names(store) == []
    async with store.read() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'extra'")) == 0


async def test_reader_is_refused_when_it_writes(store: Store, clock: FakeClock) -> None:
    """A read transaction can change nothing, whatever the statement."""
    for statement in (insert(organizations).values(row(clock, "x")), text("CREATE TABLE extra (x)")):
        with pytest.raises(StoreError):
            async with store.read() as tx:
                await tx.execute(statement)
    assert await names(store) == []


async def test_reader_sees_one_moment_when_a_writer_commits(store: Store, clock: FakeClock) -> None:
    """Every statement of a read block sees the same snapshot; the next block sees the commit."""
    async with store.read() as tx:
        count = select(func.count()).select_from(organizations)
        assert await tx.scalar(count) == 0
        async with store.write() as other:
            await other.execute(insert(organizations).values(row(clock, "new")))
        assert await tx.scalar(count) == 0
    assert await names(store) == ["new"]


async def test_writers_take_turns_when_many_want_to_write(store: Store, clock: FakeClock) -> None:
    """Twenty concurrent read-change-write blocks lose no update."""
    async with store.write() as tx:
        await tx.execute(insert(organizations).values(row(clock, "counter")))

    async def bump() -> None:
        async with store.write() as tx:
            version = await tx.scalar(select(organizations.c.version))
            await asyncio.sleep(0)
            await tx.execute(organizations.update().values(version=(version or 0) + 1))

    await asyncio.gather(*(bump() for _ in range(20)))
    async with store.read() as tx:
        assert await tx.scalar(select(organizations.c.version)) == 20


async def test_writer_is_told_busy_when_another_program_holds_the_file(
    store: Store, database: Path, clock: FakeClock
) -> None:
    """A foreign lock gives a retryable StoreBusy; readers go on; afterwards the writer does too."""
    await names(store)
    async with store.write() as tx:
        await tx.execute(text("PRAGMA busy_timeout = 50"))
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy) as caught:
        async with store.write() as tx:
            await tx.execute(insert(organizations).values(row(clock, "late")))
    assert caught.value.retryable and caught.value.hint
    assert await names(store) == []
    other.execute("ROLLBACK")
    other.close()
    async with store.write() as tx:
        await tx.execute(insert(organizations).values(row(clock, "late")))
    assert await names(store) == ["late"]


async def test_full_disk_keeps_what_was_committed_and_ends_when_space_returns(store: Store, clock: FakeClock) -> None:
    """SQLITE_FULL is StoreFull; the failed block left nothing, reads go on, and writing works again by itself."""
    async with store.write() as tx:
        await tx.execute(insert(organizations).values(row(clock, "before")))
        pages = await tx.scalar(text("PRAGMA page_count"))
    async with store.write() as tx:
        await tx.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StoreFull) as caught:
        async with store.write() as tx:
            for number in range(1_000):
                await tx.execute(insert(organizations).values(row(clock, f"{number:03d}" + "x" * 1_000)))
    assert caught.value.retryable and caught.value.hint
    assert await names(store) == ["before"]
    async with store.write() as tx:
        await tx.execute(text("PRAGMA max_page_count = 1073741823"))
    async with store.write() as tx:
        await tx.execute(insert(organizations).values(row(clock, "after")))
    assert await names(store) == ["after", "before"]


async def test_error_of_the_database_repeats_neither_sql_nor_values(store: Store, clock: FakeClock) -> None:
    """The message that travels on names neither the statement nor its parameters."""
    with pytest.raises(StoreError) as caught:
        async with store.write() as tx:
            await tx.execute(insert(organizations).values(row(clock, "Contoso")))
            await tx.execute(insert(organizations).values(row(clock, "Contoso")))
    said = f"{caught.value} {caught.value.hint} {caught.value.facts}"
    assert "Contoso" not in said and "INSERT" not in said and "organizations" not in said


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("SQLITE_FULL", StoreFull),
        ("SQLITE_BUSY", StoreBusy),
        ("SQLITE_BUSY_SNAPSHOT", StoreBusy),
        ("SQLITE_LOCKED", StoreBusy),
        ("SQLITE_NOTADB", StoreUnreadable),
        ("SQLITE_CORRUPT_INDEX", StoreUnreadable),
        ("SQLITE_READONLY_DIRECTORY", StoreUnreadable),
        ("SQLITE_CANTOPEN", StoreUnreadable),
        ("SQLITE_IOERR_WRITE", StoreFull),
        ("SQLITE_IOERR_SHMSIZE", StoreFull),
        ("SQLITE_IOERR_READ", StoreUnreadable),
        ("SQLITE_CONSTRAINT_UNIQUE", StoreError),
    ],
)
def test_store_error_is_typed_when_sqlite_names_it(name: str, error: type[RollcallError]) -> None:
    """Each family of SQLite errors has its own type."""
    raised = sqlite3.OperationalError("secret detail")
    raised.sqlite_errorname = name
    found = engine.store_error(raised)
    assert type(found) is error
    assert "secret" not in str(found)


@pytest.mark.parametrize(("one", "other"), [("ÄRGER", "ärger"), ("STRASSE", "straße"), ("İ", "i̇"), ("K", "k")])
async def test_fold_ignores_case_in_every_script(store: Store, one: str, other: str) -> None:
    """The function behind case-insensitive search knows more than ASCII, for readers and writers."""
    for block in (store.read(), store.write()):
        async with block as tx:
            fold = select(func.fold(literal(one, Text())) == func.fold(literal(other, Text())))
            assert await tx.scalar(fold) == 1


async def test_database_file_is_safe_against_power_loss_by_its_settings(store: Store) -> None:
    """The writer syncs every commit, checks foreign keys and writes ahead; the reader is query-only."""
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    async with store.write() as tx:
        assert {name: await tx.scalar(text(f"PRAGMA {name}")) for name in expected} == expected
    async with store.read() as tx:
        assert await tx.scalar(text("PRAGMA query_only")) == 1
