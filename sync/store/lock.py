"""One process per data folder: advisory locks that the kernel drops when their holder dies, so they are never stale.

The folder itself is locked. The file beside the database says who holds it; deleting it gives nothing away.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from sync.errors import StoreLocked


class FileLock:
    """The claim of this process on a data directory; also tells others who holds it.

    Args:
        path: the lock file; its folder is what is claimed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: list[int] = []

    def acquire(self) -> None:
        """Take the lock at once or raise StoreLocked naming the holder's process id; never waits."""
        held: list[int] = []
        try:
            held.append(os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            try:
                fcntl.flock(held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:
                # A network file system may lock files alone; then the file is the lock.
                pass
            held.append(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            fcntl.flock(held[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(held[1], 0o600)
            os.ftruncate(held[1], 0)
            os.write(held[1], f"{os.getpid()}\n".encode())
        except BlockingIOError:
            _close(held)
            raise self._taken() from None
        except OSError:
            _close(held)
            raise
        self._held = held

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._held:
            os.ftruncate(self._held[1], 0)
        _close(self._held)
        self._held = []

    def _taken(self) -> StoreLocked:
        holder = ""
        with suppress(OSError):
            holder = self.path.read_bytes()[:32].decode("ascii", "replace").strip()
        return StoreLocked(
            f"Another Rollcall process{f' (id {holder})' if holder else ''} uses this data directory.",
            hint="Stop it first, or give this one another ROLLCALL_DATA_DIR.",
        )


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
