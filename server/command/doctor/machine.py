"""Checks of the machine: SQLite, the data directory and its permissions, the free space on its disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from server.command.doctor.finding import Finding, doubtful, well, wrong
from sync.runtime import DATABASE_FILE
from sync.store.gram import is_available
from sync.store.private import exposures

Version = tuple[int, int, int]
MIB = 1024 * 1024
FREE_BYTES_MIN = 64 * MIB
FREE_BYTES_ENOUGH = 256 * MIB


def has_wal_reset_fault(version: Version) -> bool:
    """Return whether this version of SQLite may lose pages when two connections write or checkpoint at once.

    Source: sqlite.org/wal.html#walresetbug; fixed in 3.51.3, and in 3.50.7 and 3.44.6 for older lines.
    """
    if version[:2] in ((3, 44), (3, 50)):
        return version < {44: (3, 44, 6), 50: (3, 50, 7)}[version[1]]
    return (3, 7, 0) <= version < (3, 51, 3)


def check_sqlite(version: Version = sqlite3.sqlite_version_info[:3]) -> Iterator[Finding]:
    """Check the SQLite library that Python uses."""
    name = "SQLite " + ".".join(map(str, version))
    if has_wal_reset_fault(version):
        yield doubtful(
            "sqlite",
            f"{name} may damage a database that two programs write at once (the WAL-reset bug).",
            "Rollcall is safe, because it writes through one connection: let no other program write to the database, "
            "copy it with `rollcall backup`, and install SQLite 3.51.3 or newer when your system offers it.",
        )
    else:
        yield well("sqlite", f"{name}.")
    if not is_available():
        yield doubtful(
            "sqlite",
            "SQLite has no full-text tables (FTS5).",
            "Searches for parts of texts are slower; install a Python whose SQLite has FTS5.",
        )


def check_folder(data_dir: Path) -> Iterator[Finding]:
    """Check the data directory and the permissions of its files."""
    if not data_dir.is_dir():
        yield doubtful("folder", f"There is no data directory {data_dir}.", "The first `rollcall serve` creates it.")
        return
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        yield wrong(
            "folder", f"This user cannot write to {data_dir}.", "Run this command and the server as the folder's owner."
        )
        return
    found = list(exposures(data_dir))
    for one in found:
        if one.can_close:
            yield doubtful("folder", one.message, f"The next start mends this; or run: {one.command}")
        else:
            yield wrong("folder", f"{one.message} The server does not start with this.", one.command)
    if not found:
        yield well("folder", f"Only the owner can read {data_dir}.")


def check_room(data_dir: Path) -> Iterator[Finding]:
    """Compare the free space with the space that a backup or a migration needs."""
    place = next(folder for folder in (data_dir, *data_dir.absolute().parents) if folder.is_dir())
    database = data_dir / DATABASE_FILE
    held = database.stat().st_size if database.exists() else 0
    free = shutil.disk_usage(place).free
    told = f"{free // MIB:,} MiB are free; the database holds {held // MIB:,} MiB."
    if free < FREE_BYTES_MIN:
        yield wrong("room", told, "Free some space: writes will fail soon. Stored data stays readable.")
    elif free < held + FREE_BYTES_ENOUGH:
        yield doubtful("room", told, "Free some space: a migration or a backup may need the database's size again.")
    else:
        yield well("room", told)
