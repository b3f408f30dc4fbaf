"""One process per data folder: advisory locks, which the kernel drops when their holder dies, so they are never stale.

The folder itself is locked. The lock file names the holder; deleting the file does not release the folder.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from sync.errors import StoreLocked


class FileLock:
    """This process's lock on a data folder.

    Args:
        path: the lock file in that folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: list[int] = []

    def acquire(self) -> None:
        """Take the lock without waiting.

        Raises:
            StoreLocked: another process holds it; the message names its process id.
        """
        held: list[int] = []
        try:
            held.append(os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            try:
                fcntl.flock(held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:
                # A network file system may lock files only; the file lock below then protects the folder.
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
        """Release the lock; does nothing if it is not held."""
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
            hint="Stop that process first, or set ROLLCALL_DATA_DIR to another directory.",
        )


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
