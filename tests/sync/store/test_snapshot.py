"""Copies of the database: one consistent moment, checked, for the owner alone, never in the place of another file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from sync.clock import timestamp
from sync.errors import BadInput, Conflict, RollcallError, StoreFull, StoreNewer, StoreUnreadable
from sync.secret.vault import change_key_file, create_key_file, new_key
from sync.store import Store
from sync.store.integrity import faults
from sync.store.snapshot import STEP_PAGES, back_up, examine, reading, restore
from sync.store.tables import organizations
from tests.sync.entra.clock import FakeClock


async def add(store: Store, clock: FakeClock, *names: str) -> None:
    """Create organizations."""
    now = timestamp(clock.now())
    async with store.write() as tx:
        await tx.execute(
            insert(organizations), [{"name": name, "created_at": now, "updated_at": now} for name in names]
        )


def names(path: Path) -> list[str]:
    """Read the names of the organizations of a copy."""
    with reading(path) as connection:
        return list(connection.scalars(select(organizations.c.name).order_by(organizations.c.name)))


def change(path: Path, *statements: str) -> None:
    """Change a closed database beside the product."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def test_backup_holds_what_was_committed_when_the_server_writes(
    store: Store, database: Path, clock: FakeClock, tmp_path: Path
) -> None:
    """It is one file for its owner alone, that needs no log beside it; the database goes on."""
    await add(store, clock, "committed")
    target = tmp_path / "copy.db"
    async with store.write() as tx:
        await tx.execute(text("UPDATE organizations SET name = 'not yet'"))
        done = back_up(database, target)
    assert (done.bytes, names(target)) == (target.stat().st_size, ["committed"])
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "data"]
    await add(store, clock, "after")


async def test_backup_is_one_moment_when_commits_come_between_its_steps(
    store: Store, database: Path, clock: FakeClock, tmp_path: Path
) -> None:
    """However long it takes, what is committed meanwhile is not in it, and does not make it begin anew."""
    await add(store, clock, *(f"{number:03}" + "x" * 8_000 for number in range(STEP_PAGES + 500)))
    before, steps = len(names(database)), []

    def meanwhile(done: int, pages: int) -> None:
        steps.append((done, pages))
        with closing(sqlite3.connect(database, timeout=5)) as other:
            other.execute("UPDATE organizations SET version = 7")
            other.execute("DELETE FROM organizations WHERE id = (SELECT max(id) FROM organizations)")
            other.commit()

    back_up(database, tmp_path / "copy.db", tell=meanwhile)
    assert len(steps) >= 2 and steps[-1][0] == steps[-1][1]
    with reading(tmp_path / "copy.db") as copy:
        assert copy.scalar(text("SELECT count(*) FROM organizations WHERE version = 0")) == before
    assert len(names(database)) == before - len(steps)


async def test_backup_never_takes_a_name_unless_told(database: Path, tmp_path: Path) -> None:
    """An existing file stays; with `replace` it is replaced at once; the database's own files never are."""
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(Conflict) as caught:
        back_up(database, target)
    assert caught.value.hint
    assert target.read_text() == "precious"
    back_up(database, target, replace=True)
    assert examine(target).revision
    before = database.read_bytes()
    for name in ("rollcall.db", "rollcall.key", "rollcall.lock", "rollcall.db-wal"):
        with pytest.raises(RollcallError):
            back_up(database, database.with_name(name), replace=True)
    assert database.read_bytes() == before


@pytest.mark.parametrize("place", ["missing/copy.db", "file/copy.db"])
async def test_backup_is_refused_when_no_file_can_be_made(database: Path, tmp_path: Path, place: str) -> None:
    """A mistyped folder is the caller's mistake, told in words."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput) as caught:
        back_up(database, tmp_path / place)
    assert caught.value.hint


async def test_backup_leaves_nothing_when_the_database_is_damaged(database: Path, tmp_path: Path) -> None:
    """A copy of damage would be found out when it is needed: it is not made, and the database not touched."""
    content = bytearray(database.read_bytes())
    content[8192 * 3 : 8192 * 3 + 4096] = b"\xa5" * 4096
    database.write_bytes(content)
    with pytest.raises(StoreUnreadable):
        back_up(database, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert database.read_bytes() == content
    with pytest.raises(StoreUnreadable):
        back_up(tmp_path / "nowhere.db", tmp_path / "copy.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


async def test_restored_database_is_the_backup_and_the_other_is_kept(
    store: Store, database: Path, clock: FakeClock, tmp_path: Path
) -> None:
    """What only the log held is kept too; the log is never taken for the restored database's."""
    await add(store, clock, "one")
    back_up(database, tmp_path / "copy.db")
    await add(store, clock, "two")
    # As a killed server leaves it: with a log that was not put into the file.
    crashed = tmp_path / "crashed"
    shutil.copytree(database.parent, crashed)
    await store.close()
    assert (crashed / "rollcall.db-wal").stat().st_size > 0
    _, replaced = restore(tmp_path / "copy.db", crashed / "rollcall.db", crashed / "aside.db")
    assert replaced
    assert (names(crashed / "rollcall.db"), names(crashed / "aside.db")) == (["one"], ["one", "two"])
    assert names(tmp_path / "copy.db") == ["one"]
    assert (crashed / "rollcall.db").stat().st_mode & 0o777 == 0o600


async def test_restore_needs_no_database_to_replace(database: Path, tmp_path: Path) -> None:
    """On a new machine there is none."""
    back_up(database, tmp_path / "copy.db")
    (tmp_path / "new").mkdir()
    _, replaced = restore(tmp_path / "copy.db", tmp_path / "new" / "rollcall.db", tmp_path / "new" / "aside")
    assert not replaced
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["rollcall.db"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_restored_database_belongs_to_the_server_when_root_restores(database: Path, tmp_path: Path) -> None:
    """The data directory's owner is whom the server runs as: it must be able to open what root has put there."""
    back_up(database, tmp_path / "copy.db")
    key = database.with_name("given-key")
    create_key_file(key)
    for path in (database.parent, key):
        os.chown(path, 4711, 4712)
    restore(tmp_path / "copy.db", database, database.with_name("aside"))
    change_key_file(key, [new_key()])
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (database, key)} == {(4711, 4712)}


async def test_restore_replaces_a_damaged_database_and_keeps_its_log(database: Path, tmp_path: Path) -> None:
    """That is what it is for: whatever lies there goes aside as it is, log included."""
    back_up(database, tmp_path / "copy.db")
    database.write_bytes(b"no database at all" * 1_000)
    database.with_name("rollcall.db-wal").write_bytes(b"nor this")
    aside = database.with_name("aside.db")
    restore(tmp_path / "copy.db", database, aside)
    assert examine(database).revision
    assert aside.read_bytes() == b"no database at all" * 1_000
    assert aside.with_name("aside.db-wal").read_bytes() == b"nor this"
    assert not database.with_name("rollcall.db-wal").exists()


def _text(path: Path) -> None:
    path.write_text("Dear diary, this is not a database.\n" * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _foreign(path: Path) -> None:
    path.unlink()
    change(path, "CREATE TABLE photos (id INTEGER PRIMARY KEY)")


def _newer(path: Path) -> None:
    change(path, "UPDATE alembic_version SET version_num = '9999'")


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8192])


def _dangling(path: Path) -> None:
    change(path, "INSERT INTO sites (organization_id, name, created_at, updated_at) VALUES (99, 'x', '', '')")


UNUSABLE = [_text, _empty, _foreign, _newer, _truncated, _dangling]


@pytest.mark.parametrize("spoil", UNUSABLE, ids=lambda spoil: spoil.__name__.strip("_"))
async def test_restore_is_refused_untouched_when_the_file_cannot_be_used(
    database: Path, tmp_path: Path, spoil: object
) -> None:
    """Foreign, newer, empty, cut, inconsistent: one error with advice; neither file nor database is changed."""
    spoiled = tmp_path / "spoiled.db"
    shutil.copy(database, spoiled)
    spoil(spoiled)  # type: ignore[operator]
    before, given = database.read_bytes(), spoiled.read_bytes()
    with pytest.raises((StoreUnreadable, StoreNewer)) as caught:
        restore(spoiled, database, database.with_name("aside"))
    assert caught.value.hint
    assert (database.read_bytes(), spoiled.read_bytes()) == (before, given)
    assert [path.name for path in database.parent.iterdir()] == ["rollcall.db"]


async def test_restore_is_refused_when_it_would_restore_itself_or_nothing(database: Path) -> None:
    """Names that a person mistypes: the database itself, a file that is not there, an aside that is taken."""
    for source in (database, database.with_name("missing.db")):
        with pytest.raises(BadInput):
            restore(source, database, database.with_name("aside"))
    copy, taken = database.with_name("copy.db"), database.with_name("taken.db")
    shutil.copy(database, copy)
    taken.write_text("precious")
    with pytest.raises(RollcallError):
        restore(copy, database, taken)
    assert taken.read_text() == "precious"


async def test_backup_says_so_when_there_is_no_room_for_it(database: Path, small_disk: Path) -> None:
    """A full disk at the target is not mistaken for one under the database; no half copy stays there."""
    with pytest.raises(StoreFull) as caught:
        back_up(database, small_disk / "copy.db")
    assert "backup" in caught.value.message and "not changed" in (caught.value.hint or "")
    assert list(small_disk.iterdir()) == []


async def test_faults_name_what_is_wrong(database: Path) -> None:
    """Empty for a sound file; the full check also sees rows that refer to nothing."""
    with reading(database) as connection:
        assert faults(connection, full=True) == faults(connection, full=False) == []
    _dangling(database)
    with reading(database) as connection:
        assert faults(connection, full=False) == []
        assert "sites" in faults(connection, full=True)[0]
