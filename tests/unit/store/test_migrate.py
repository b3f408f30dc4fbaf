"""Migrations: the old schema or the new one, nothing between; files of others are left alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event, text

from sync.errors import StoreError, StoreNewer, StoreUnreadable
from sync.store import Store
from sync.store.migrate import differences, migrate
from sync.store.tables import metadata


async def try_migrate(path: Path) -> bool:
    """Open a file, migrate it and close it."""
    store = Store.at(path)
    try:
        return await migrate(store)
    finally:
        await store.close()


def tables(path: Path) -> set[str]:
    """List the tables of a closed file."""
    with sqlite3.connect(path) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return found


async def test_migrations_make_the_declared_tables_from_nothing(store: Store) -> None:
    """The migrations and tables.py say the same, so that a new column cannot be forgotten."""
    async with store.write() as tx:
        assert await tx.run_sync(differences) == []


async def test_differences_are_named_when_a_column_is_missing(store: Store) -> None:
    """The comparison is not blind: a dropped column shows."""
    async with store.write() as tx:
        await tx.execute(text("ALTER TABLE sites DROP COLUMN description"))
        assert "description" in str(await tx.run_sync(differences))


async def test_first_start_is_told_once(data_dir: Path) -> None:
    """Only the migration of an empty file is a first start."""
    assert [await try_migrate(data_dir / "new.db") for _ in range(3)] == [True, False, False]
    assert set(metadata.tables) <= tables(data_dir / "new.db")


async def test_first_start_leaves_nothing_when_any_statement_fails(data_dir: Path) -> None:
    """Whichever statement of the migration fails, the file stays empty and the next try succeeds."""
    path = data_dir / "new.db"

    async def migrate_until(fail_at: int) -> int:
        store, seen = Store.at(path), 0

        def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            nonlocal seen
            seen += statement.lstrip().startswith(("CREATE", "INSERT", "UPDATE"))
            if fail_at and seen == fail_at:
                raise InterruptedError

        event.listen(store._writer.sync_engine, "before_cursor_execute", note)
        try:
            await migrate(store)
        finally:
            await store.close()
        return seen

    for fail_at in (1, 2, 3, 10, 25, 40):
        with pytest.raises(InterruptedError):
            await migrate_until(fail_at)
        assert tables(path) == set()
    assert await migrate_until(0) > 40
    assert set(metadata.tables) <= tables(path)


async def test_database_of_a_newer_program_is_refused_untouched(database: Path) -> None:
    """An unknown revision is a newer one: refused with advice, not a byte changed."""
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(StoreNewer) as caught:
        await try_migrate(database)
    assert caught.value.hint
    assert database.read_bytes() == before


async def test_database_of_another_program_is_refused_untouched(data_dir: Path) -> None:
    """A foreign SQLite file is not taken over: no table is added, its journal mode is not changed."""
    path = data_dir / "photos.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnreadable) as caught:
        await try_migrate(path)
    assert caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["text", "header", "empty schema page", "truncated"])
async def test_damaged_file_is_refused_untouched(database: Path, kind: str) -> None:
    """Damage gives one typed error with advice, and the bytes stay for whoever repairs them."""
    content = bytearray(database.read_bytes())
    if kind == "text":
        content = bytearray(b"Dear diary, this is not a database.\n" * 100)
    elif kind == "header":
        content[:16] = b"\0" * 16
    elif kind == "empty schema page":
        content[100:8192] = b"\xff" * (8192 - 100)
    else:
        content = content[:8192]
    database.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        await try_migrate(database)
    assert isinstance(caught.value, StoreUnreadable)
    assert caught.value.hint
    assert database.read_bytes() == content
