"""Whole copies of a database: taken from a file that is in use, looked through, and put in another's place.

A copy is read beside the server by a connection that can neither write nor checkpoint, and is one consistent moment,
however much is written meanwhile. Never overwrites what it was not told to, and leaves no half copy behind.
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

# 8 MiB at a time: enough to be quick, short enough to tell how far it is.
STEP_PAGES = 1_024
_BESIDE = ("-wal", "-shm", "-journal")

# Told how many pages are done, of how many.
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Copy:
    """A copy that was looked through: its size and the schema it holds."""

    bytes: int
    revision: str


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """Open one snapshot of a database that another process may be writing; it cannot be changed through it.

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
    """Copy a database that may be in use to one file that only its owner can read, and look the copy through.

    Raises:
        Conflict: there is a file of that name.
        BadInput: no file can be made there.
        StoreFull: there is no room for it.
        StoreError: the database cannot be read, or is damaged.
    """
    if target.exists() and not replace:
        raise Conflict("There is a file of that name already.", hint="Choose another name, or pass --replace.")
    if target.resolve().parent == database.resolve().parent and target.name.startswith(database.stem + "."):
        raise BadInput("The backup would take the place of a file of the data directory.", hint="Choose another place.")
    with _part(target) as part:
        try:
            _copy(database, part, tell)
            found = examine(part)
        except StoreFull:
            raise StoreFull(
                "There is no space left for the backup.", hint="Free space where it goes; the database was not touched."
            ) from None
        _place(part, target, replace=replace)
    return found


def examine(path: Path) -> Copy:
    """Look a copy through to its last page.

    Raises:
        StoreNewer, StoreUnreadable: another program's, a newer version's, empty or damaged.
    """
    with reading(path) as connection:
        revision = revision_of(connection)
        if revision is None:
            raise StoreUnreadable("The file holds no inventory.", hint="Choose a file that rollcall backup made.")
        if faults(connection, full=True):
            raise StoreUnreadable("The database is damaged.", hint="`rollcall doctor --full` says where.")
    return Copy(path.stat().st_size, revision)


def restore(source: Path, database: Path, aside: Path) -> tuple[Copy, bool]:
    """Put a copy in the database's place; whoever calls holds the data directory's lock.

    Args:
        source: is only read.
        database: what is replaced, if it is there.
        aside: where the replaced database goes.

    Returns:
        What was restored, and whether a database was replaced.

    Raises:
        StoreError: the source cannot be used, or there is no room; nothing was changed.
    """
    if not source.is_file():
        raise BadInput("There is no such file.", hint="Name a file that rollcall backup made.")
    if database.exists() and source.samefile(database):
        raise BadInput("This is the database itself.", hint="Name a file that rollcall backup made.")
    with _part(database) as part:
        try:
            _copy(source, part)
            found = examine(part)
        except StoreFull:
            raise StoreFull(hint="Free space on the data directory's disk; nothing was changed.") from None
        except StoreUnreadable as error:
            raise StoreUnreadable(
                f"The file cannot be restored: {error.message}", hint="Choose another backup; nothing was changed."
            ) from None
        if os.geteuid() == 0:
            # Restored by root, it is still for whom the server runs as.
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
        # One snapshot for all steps: without it a copy begins anew whenever the server commits.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=STEP_PAGES, progress=progress)
        # The copy is one file: what makes it a WAL database is left to whoever opens it to write.
        writer.execute("PRAGMA journal_mode=DELETE")


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Make an empty file beside the target that only its owner can read; it is gone afterwards, whatever happens."""
    try:
        file, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise BadInput(
            f"No file can be made there ({error.strerror}).", hint="Choose a directory you can write to."
        ) from None
    os.close(file)
    part = Path(name)
    try:
        yield part
    finally:
        for name in (part.name, *(part.name + end for end in _BESIDE)):
            part.with_name(name).unlink(missing_ok=True)


def _place(part: Path, target: Path, *, replace: bool) -> None:
    """Give a finished copy its name, at once and for good."""
    try:
        sync_to_disk(part)
        if replace:
            part.replace(target)
        else:
            _link(part, target, otherwise=os.rename)
        sync_to_disk(target.parent)
    except FileExistsError:
        raise Conflict("There is a file of that name already.", hint="Choose another name.") from None
    except OSError as error:
        raise StoreError(f"The file cannot be put in its place ({error.strerror}).") from None


def _link(file: Path, name: Path, *, otherwise: Callable[[Path, Path], object]) -> None:
    """Give a file a second name; unlike a rename, it fails when somebody has made a file of that name meanwhile."""
    try:
        name.hardlink_to(file)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system has links.
        otherwise(file, name)


def sync_to_disk(path: Path) -> None:
    """Have a file or a directory outlive a loss of power."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _set_aside(database: Path, aside: Path) -> bool:
    """Keep the database under another name, with what its log holds; it stays in its place until it is replaced."""
    if not database.exists():
        return False
    # A log that were left behind would be taken for the restored database's. One of a damaged file is kept as it is.
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
            f"The present database cannot be kept aside ({error.strerror}).", hint="Nothing was changed."
        ) from None
    return True
