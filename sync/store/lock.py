"""One process per SQLite file: an advisory lock the kernel drops when its holder dies, so it can never be stale."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sync.errors import StoreLocked


class FileLock:
    """The claim of this process on a data directory; also tells others who holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or raise StoreLocked naming the holder's process id; never waits."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 32).decode("ascii", "replace").strip()
            os.close(file)
            raise StoreLocked(
                f"Another Rollcall process{f' (id {holder})' if holder else ''} uses this data directory.",
                hint="Stop it first, or give this one another ROLLCALL_DATA_DIR.",
            ) from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None
