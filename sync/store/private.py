"""Keeps the data folder and its files private to the user that the process runs as.

The start takes the right to read files from other users: earlier versions and copies gave it to them. It refuses files
that others could change or that another user owns: they may contain anything, so that the operator must decide.
"""

from __future__ import annotations

import logging
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sync.errors import StoreExposed

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_READ, _WRITE = 0o055, 0o022
# Starts of the names of Rollcall's files: the database with its log, the key, the lock, the control socket, copies.
OURS = ("rollcall.", ".rollcall.", "control.")
KEY_SUFFIX = ".key"
_log = logging.getLogger("rollcall.server")


@dataclass(frozen=True)
class Exposure:
    """A file or folder that others can reach; `can_close`: setting its mode is enough to fix it."""

    path: Path
    message: str
    command: str
    can_close: bool


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents for this user only, whatever the umask is."""
    for missing in reversed([one for one in (folder, *folder.absolute().parents) if not one.exists()]):
        missing.mkdir(mode=FOLDER_MODE, exist_ok=True)
        missing.chmod(FOLDER_MODE)


def make_private(folder: Path, user: int | None = None) -> None:
    """Take from other users the right to read a data folder and its files.

    Args:
        folder: must exist.
        user: the required owner; the user of this process when None.

    Raises:
        StoreExposed: another user owns a file, or others can change one, or others can read the key.
    """
    found = list(exposures(folder, user))
    for one in found:
        if not one.can_close:
            raise StoreExposed(one.message, hint=f"Check its contents, then run: {one.command}")
    for one in found:
        with suppress(FileNotFoundError):
            one.path.chmod(_mode(one.path.stat()))
            _log.warning("%s Its mode was corrected.", one.message)


def exposures(folder: Path, user: int | None = None) -> Iterator[Exposure]:
    """Find the files that others can reach: at most one exposure a path, the worst."""
    owner = os.geteuid() if user is None else user
    entries = [one for one in sorted(folder.iterdir()) if one.name.startswith(OURS)]
    for path in (folder, *entries):
        # Check a symbolic link and its target. A log file may vanish meanwhile.
        for look in (path.lstat, path.stat):
            with suppress(FileNotFoundError):
                if found := _exposure(path, look(), owner):
                    yield found
                    break


def _exposure(path: Path, info: os.stat_result, owner: int) -> Exposure | None:
    if info.st_uid != owner:
        return Exposure(
            path,
            f"{path} belongs to user {info.st_uid}, not to user {owner}, who runs Rollcall.",
            f"chown -h {owner} {shlex.quote(str(path))} (or run Rollcall as user {info.st_uid})",
            can_close=False,
        )
    if stat.S_ISLNK(info.st_mode):
        return None
    command = f"chmod {_mode(info):o} {shlex.quote(str(path))}"
    if info.st_mode & _WRITE:
        return Exposure(path, f"Other users can change {path}.", command, can_close=False)
    if info.st_mode & _READ:
        return Exposure(path, f"Other users can read {path}.", command, can_close=path.suffix != KEY_SUFFIX)
    return None


def _mode(info: os.stat_result) -> int:
    return FOLDER_MODE if stat.S_ISDIR(info.st_mode) else FILE_MODE
