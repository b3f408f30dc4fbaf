"""Checks of the machine: SQLite, the data directory and its permissions, the room on its disk."""

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
    """Tell whether SQLite of this version may lose pages when two connections write or checkpoint at once.

    Source: sqlite.org/wal.html#walresetbug; mended in 3.51.3, and in 3.50.7 and 3.44.6 for older lines.
    """
    if version[:2] in ((3, 44), (3, 50)):
        return version < {44: (3, 44, 6), 50: (3, 50, 7)}[version[1]]
    return (3, 7, 0) <= version < (3, 51, 3)


def check_sqlite(version: Version = sqlite3.sqlite_version_info[:3]) -> Iterator[Finding]:
    """Look at the library that Python is linked with."""
    name = "SQLite " + ".".join(map(str, version))
    if has_wal_reset_fault(version):
        yield doubtful(
            "sqlite",
            f"{name} may damage a database that two programs write at once (the WAL-reset fault).",
            "Rollcall itself writes through one connection and does not meet it: let no other program write to the "
            "database, copy it with `rollcall backup`, and take SQLite 3.51.3 or newer when your system has it.",
        )
    else:
        yield well("sqlite", f"{name}.")
    if not is_available():
        yield doubtful(
            "sqlite",
            "SQLite has no full-text tables (FTS5).",
            "Searches for parts of texts are slower; use another build.",
        )


def check_folder(data_dir: Path) -> Iterator[Finding]:
    """Look at the data directory and who can read what is in it."""
    if not data_dir.is_dir():
        yield doubtful("folder", f"There is no data directory {data_dir}.", "The first `rollcall serve` makes it.")
        return
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        yield wrong("folder", f"This user cannot write to {data_dir}.", "Run this, and the server, as its owner.")
        return
    found = list(exposures(data_dir))
    for one in found:
        if one.can_close:
            yield doubtful("folder", one.message, f"The next start closes it; or run: {one.command}")
        else:
            yield wrong("folder", f"{one.message} The server refuses it.", one.command)
    if not found:
        yield well("folder", f"{data_dir} belongs to its owner alone.")


def check_room(data_dir: Path) -> Iterator[Finding]:
    """Look at the free space, against what a backup or a migration would need."""
    place = next(folder for folder in (data_dir, *data_dir.absolute().parents) if folder.is_dir())
    database = data_dir / DATABASE_FILE
    held = database.stat().st_size if database.exists() else 0
    free = shutil.disk_usage(place).free
    told = f"{free // MIB:,} MiB are free; the database holds {held // MIB:,} MiB."
    if free < FREE_BYTES_MIN:
        yield wrong("room", told, "Free space: soon nothing can be written. What is stored stays readable.")
    elif free < held + FREE_BYTES_ENOUGH:
        yield doubtful("room", told, "Free space: a new version or a copy may need as much again as the database has.")
    else:
        yield well("room", told)
