"""Backups: copies a database that is in use, checks the copy, and restores it.

A connection that can neither write nor checkpoint reads the database beside the server. The copy is one snapshot,
however much is written meanwhile. Never overwrites a file unasked, and leaves no partial copy behind.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine

from sync.errors import BadInput, Conflict, StoreError, StoreFull, StoreUnreadable
from sync.store.engine import translated
from sync.store.integrity import faults
from sync.store.migrate import revision_of
from sync.store.statement.function import register

# 8 MiB at a time: large enough to be quick, small enough to show progress.
STEP_PAGES = 1_024
_BESIDE = ("-wal", "-shm", "-journal")

# Called with the number of pages done and the total.
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Copy:
    """A checked copy: its size, and the revision of its schema."""

    bytes: int
    revision: str


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """Open a read-only snapshot of a database that another process may be writing.

    Raises:
        StoreError: it is missing, damaged, or cannot be read.
    """
    engine = create_engine("sqlite://", creator=lambda: _open(path, "ro"), poolclass=NullPool, hide_parameters=True)
    try:
        with translated(), engine.begin() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
    finally:
        engine.dispose()


def back_up(database: Path, target: Path, *, replace: bool = False, tell: Tell | None = None) -> Copy:
    """Copy a database that may be in use to one file that only its owner can read, and check the copy.

    Raises:
        Conflict: a file of that name exists.
        BadInput: no file can be created there.
        StoreFull: the disk has no space for it.
        StoreError: the database cannot be read, or is damaged.
    """
    if target.exists() and not replace:
        raise Conflict("A file of that name exists already.", hint="Choose another name, or pass --replace.")
    if target.resolve().parent == database.resolve().parent and target.name.startswith(database.stem + "."):
        raise BadInput(
            "The backup would have the name of one of Rollcall's own files in the data directory.",
            hint="Choose another name or directory.",
        )
    with _part(target) as part:
        try:
            _copy(database, part, tell)
            found = examine(part)
        except StoreFull:
            raise StoreFull(
                "There is no space left for the backup.",
                hint="Free space on the disk of the backup. The database was not changed.",
            ) from None
        _place(part, target, replace=replace)
    return found


def examine(path: Path) -> Copy:
    """Check every page of a copy.

    Raises:
        StoreNewer, StoreUnreadable: a newer version or another program wrote it, or it is empty or damaged.
    """
    with reading(path) as connection:
        revision = revision_of(connection)
        if revision is None:
            raise StoreUnreadable("The file contains no inventory.", hint="Choose a file that `rollcall backup` made.")
        if faults(connection, full=True):
            raise StoreUnreadable("The database is damaged.", hint="Run `rollcall doctor --full` to see where.")
    return Copy(path.stat().st_size, revision)


def restore(source: Path, database: Path, aside: Path) -> tuple[Copy, bool]:
    """Replace the database by a copy; the caller holds the data directory's lock.

    Args:
        source: the copy; it is not changed.
        database: the file to replace; it may be missing.
        aside: the new name of the replaced database.

    Returns:
        The restored copy, and whether a database was replaced.

    Raises:
        BadInput: the source is missing, or is the database itself.
        StoreError: the source cannot be used, or the disk is full; nothing was changed.
    """
    if not source.is_file():
        raise BadInput("There is no such file.", hint="Name a file that `rollcall backup` made.")
    if database.exists() and source.samefile(database):
        raise BadInput("This is the database itself.", hint="Name a file that `rollcall backup` made.")
    with _part(database) as part:
        try:
            _copy(source, part)
            found = examine(part)
        except StoreFull:
            raise StoreFull(hint="Free space on the data directory's disk. Nothing was changed.") from None
        except StoreUnreadable as error:
            raise StoreUnreadable(
                f"The file cannot be restored: {error.message}", hint="Choose another backup. Nothing was changed."
            ) from None
        if os.geteuid() == 0:
            # Root restores for the user that the server runs as: the owner of the folder.
            owner = database.parent.stat()
            os.chown(part, owner.st_uid, owner.st_gid)
        replaced = _set_aside(database, aside)
        _place(part, database, replace=True)
    return found, replaced


def _open(path: Path, mode: str) -> sqlite3.Connection:
    if not path.exists():
        raise StoreUnreadable("There is no database yet.", hint="Check ROLLCALL_DATA_DIR.")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=5.0, isolation_level=None)
    register(connection)
    return connection


def _copy(source: Path, part: Path, tell: Tell | None = None) -> None:
    def progress(_status: int, remaining: int, total: int) -> None:
        if tell is not None:
            tell(total - remaining, total)

    with translated(), closing(_open(source, "ro")) as reader, closing(_open(part, "rw")) as writer:
        # Keep one snapshot for all steps: otherwise the copy restarts whenever the server commits.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=STEP_PAGES, progress=progress)
        # Make the copy one file; opening it for writing turns it into a WAL database again.
        writer.execute("PRAGMA journal_mode=DELETE")


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Create an empty file beside the target that only its owner can read; remove it afterwards in any case."""
    try:
        file, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise BadInput(
            f"The file cannot be created there ({error.strerror}).", hint="Choose a directory you can write to."
        ) from None
    os.close(file)
    part = Path(name)
    try:
        yield part
    finally:
        for name in (part.name, *(part.name + end for end in _BESIDE)):
            part.with_name(name).unlink(missing_ok=True)


def _place(part: Path, target: Path, *, replace: bool) -> None:
    """Give a finished copy its name, atomically and durably."""
    try:
        sync_to_disk(part)
        if replace:
            part.replace(target)
        else:
            _link(part, target, otherwise=os.rename)
        sync_to_disk(target.parent)
    except FileExistsError:
        raise Conflict("A file of that name exists already.", hint="Choose another name.") from None
    except OSError as error:
        raise StoreError(f"The file cannot be moved to its place ({error.strerror}).") from None


def _link(file: Path, name: Path, *, otherwise: Callable[[Path, Path], object]) -> None:
    """Give a file a second name; unlike a rename, this fails if a file of that name exists."""
    try:
        name.hardlink_to(file)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system has hard links.
        otherwise(file, name)


def sync_to_disk(path: Path) -> None:
    """Flush a file or a directory to disk (fsync)."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _set_aside(database: Path, aside: Path) -> bool:
    """Give the database a second name, its log's contents included; the first name stays until it is replaced."""
    if not database.exists():
        return False
    # SQLite would apply a log left behind to the restored database: empty it. The log of a damaged file is kept.
    with suppress(sqlite3.Error):
        with closing(_open(database, "ro")) as reader:
            reader.execute("SELECT count(*) FROM sqlite_master")
        with closing(_open(database, "rw")) as writer:
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    try:
        _link(database, aside, otherwise=shutil.copy2)
        for end in _BESIDE:
            with suppress(FileNotFoundError):
                database.with_name(database.name + end).rename(aside.with_name(aside.name + end))
    except OSError as error:
        raise StoreError(
            f"The present database cannot be set aside ({error.strerror}).", hint="Nothing was changed."
        ) from None
    return True
