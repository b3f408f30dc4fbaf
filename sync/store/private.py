"""The data folder and its files belong to the user that the process runs as, and to nobody else.

Files that others could read are closed again, because earlier versions and copies left them so. Files that others could
change, or that another user owns, may hold anything: the start is refused, and the operator decides.
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
# How the names of all our files begin: the database with its log, the key, the lock, the control socket, copies.
OURS = ("rollcall.", ".rollcall.", "control.")
KEY_SUFFIX = ".key"
_log = logging.getLogger("rollcall.server")


@dataclass(frozen=True)
class Exposure:
    """One file, or the folder, that others can reach.

    `can_close` tells whether the right mode is all that it needs.
    """

    path: Path
    message: str
    command: str
    can_close: bool


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone, whatever the umask is."""
    for missing in reversed([one for one in (folder, *folder.absolute().parents) if not one.exists()]):
        missing.mkdir(mode=FOLDER_MODE, exist_ok=True)
        missing.chmod(FOLDER_MODE)


def make_private(folder: Path, user: int | None = None) -> None:
    """Take from others the right to read what is in a data folder.

    Args:
        folder: exists.
        user: who has to own it; the user of this process when None.

    Raises:
        StoreExposed: another user owns something, or others could change something, or read the key.
    """
    found = list(exposures(folder, user))
    for one in found:
        if not one.can_close:
            raise StoreExposed(one.message, hint=f"Look at what is in it, then run: {one.command}")
    for one in found:
        with suppress(FileNotFoundError):
            one.path.chmod(_mode(one.path.stat()))
            _log.warning("%s Its mode was set right.", one.message)


def exposures(folder: Path, user: int | None = None) -> Iterator[Exposure]:
    """Find what is open to others, the worst kind first for each path."""
    owner = os.geteuid() if user is None else user
    entries = [one for one in sorted(folder.iterdir()) if one.name.startswith(OURS)]
    for path in (folder, *entries):
        # Of a link both count: who owns it, and what it leads to. A log may vanish meanwhile.
        for look in (path.lstat, path.stat):
            with suppress(FileNotFoundError):
                if found := _exposure(path, look(), owner):
                    yield found
                    break


def _exposure(path: Path, info: os.stat_result, owner: int) -> Exposure | None:
    if info.st_uid != owner:
        return Exposure(
            path,
            f"{path} belongs to user {info.st_uid}, not to user {owner}, who runs this.",
            f"chown -h {owner} {shlex.quote(str(path))} (or run this as user {info.st_uid})",
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
