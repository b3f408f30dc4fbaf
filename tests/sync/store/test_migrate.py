"""Migrations: the old schema or the new one, nothing between; files of others are left alone."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import event, text

from sync.errors import StoreError, StoreMisfit, StoreNewer, StoreUnreadable
from sync.store import Store, migrations
from sync.store.facts import COMPATIBLE
from sync.store.migrate import configuration, differences, head, migrate
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


# What a program made between two releases may have done to the tables → what the error says of it.
MISFITS = {
    "ALTER TABLE sites DROP COLUMN description": "the column description of sites is missing",
    "ALTER TABLE sites ADD COLUMN place TEXT NOT NULL DEFAULT ''": None,
    "ALTER TABLE sites ADD COLUMN place TEXT": None,
    "DROP TABLE scan_marks": "the table scan_marks is missing",
    "DROP INDEX ix_edges_reverse": "the index ix_edges_reverse of edges is missing",
    "DROP INDEX ix_runs_status; CREATE INDEX ix_runs_status ON runs (status, id)": (
        "the index ix_runs_status of runs is status,id, not status"
    ),
    "DROP INDEX ix_assets_live_id; CREATE INDEX ix_assets_live_id ON assets (organization_id, deleted_at, id)": (
        "the index ix_assets_live_id of assets is organization_id,deleted_at,id, not "
        "organization_id,deleted_at,id, without tombstones"
    ),
    "DROP TABLE gram_marks; CREATE TABLE gram_marks (organization_id INTEGER, noun INTEGER NOT NULL, version INTEGER, "
    "row_id INTEGER, shape TEXT, PRIMARY KEY (organization_id, noun))": (
        "the column noun of gram_marks is INTEGER, not TEXT"
    ),
    "DROP TABLE gram_marks; CREATE TABLE gram_marks (organization_id INTEGER NOT NULL, noun TEXT NOT NULL, "
    "version INTEGER NOT NULL, row_id INTEGER NOT NULL, shape TEXT NOT NULL, more TEXT NOT NULL, "
    "PRIMARY KEY (organization_id, noun), FOREIGN KEY (organization_id) REFERENCES organizations (id))": (
        "the column more of gram_marks is not known"
    ),
    "CREATE UNIQUE INDEX mine ON sites (name)": "the unique name of sites is not known",
    "CREATE INDEX mine ON sites (name)": None,
    "CREATE TABLE mine (name TEXT NOT NULL)": None,
}


def change(path: Path, script: str) -> None:
    """Run statements on a closed file."""
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()


@pytest.mark.parametrize("script", MISFITS)
async def test_tables_that_do_not_fit_their_revision_are_refused_untouched(database: Path, script: str) -> None:
    """The error names the first difference; what can refuse no row of ours does no harm."""
    change(database, script)
    before, said = database.read_bytes(), MISFITS[script]
    if said is None:
        assert await try_migrate(database) is False
        return
    with pytest.raises(StoreMisfit) as caught:
        await try_migrate(database)
    assert said in caught.value.message
    assert caught.value.hint
    assert database.read_bytes() == before


@pytest.mark.parametrize("script", ["ALTER TABLE sites DROP COLUMN description", "CREATE TABLE store_facts (a TEXT)"])
async def test_upgrade_is_undone_when_the_old_tables_did_not_fit_theirs(data_dir: Path, script: str) -> None:
    """An old database with the right revision and the wrong tables stays what it was, whatever the migrations did."""
    path, store = data_dir / "old.db", Store.at(data_dir / "old.db")
    async with store.write() as tx:
        await tx.run_sync(lambda connection: command.upgrade(configuration(connection), "0001"))
    await store.close()
    change(path, script)
    before = tables(path)
    with pytest.raises(StoreMisfit, match="revision 0001"):
        await try_migrate(path)
    assert tables(path) == before


@pytest.mark.parametrize(
    ("declared", "is_refused"), [("9999 {head}", False), ("9999 9998", True), ("9998 {head}", True)]
)
async def test_newer_database_is_used_only_when_it_declares_this_version_compatible(
    database: Path, declared: str, is_refused: bool
) -> None:
    """The declaration is for one revision, and names the oldest that may go on with its tables."""
    newer = (
        "ALTER TABLE sites ADD COLUMN place TEXT NOT NULL DEFAULT ''; UPDATE alembic_version SET version_num = '9999'"
    )
    change(database, newer)
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO store_facts VALUES (?, ?)", (COMPATIBLE, declared.format(head=head())))
    connection.close()
    if is_refused:
        with pytest.raises(StoreNewer):
            await try_migrate(database)
        return
    assert await try_migrate(database) is False
    change(database, "ALTER TABLE sites DROP COLUMN description")
    with pytest.raises(StoreMisfit):
        await try_migrate(database)


# Revision → the digest of its file: what is out runs in the databases of others, and is never changed.
FROZEN = {"0001": "1ea6fff7769e4fdc4eb3bf03f596db16e1bee4949e31c9d18a3602e059fcc0fb"}


def test_migration_is_never_changed_when_it_is_out() -> None:
    """A database that has the revision would keep the old tables under its name: write a new revision instead."""
    files = {path.name[:4]: path for path in (Path(migrations.__file__).parent / "versions").glob("0*.py")}
    assert {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in FROZEN} == FROZEN
