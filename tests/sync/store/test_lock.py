"""One process per data directory; a dead holder holds nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.errors import StoreLocked
from sync.store.lock import FileLock

ROOT = Path(__file__).parents[3]


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that holds the lock while the block runs."""
    command = [sys.executable, "-m", "tests.sync.store.process", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


def test_lock_names_its_holder_when_another_process_has_it(tmp_path: Path) -> None:
    """The second process is refused at once, told the first one's id and what to do."""
    with holder(tmp_path / "lock") as process, pytest.raises(StoreLocked) as caught:
        FileLock(tmp_path / "lock").acquire()
    assert str(process.pid) in str(caught.value)
    assert caught.value.hint


def test_lock_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    """After kill -9 nobody has to remove a file: the kernel gave the lock back."""
    with holder(tmp_path / "lock") as process:
        process.kill()
        process.wait()
        lock = FileLock(tmp_path / "lock")
        lock.acquire()
        lock.release()


@pytest.mark.parametrize("harm", ["deleted", "replaced", "emptied"])
def test_lock_is_refused_while_it_is_held_whatever_happens_to_its_file(tmp_path: Path, harm: str) -> None:
    """The folder is what is locked: who deletes the file admits no second process."""
    path = tmp_path / "lock"
    with holder(path):
        if harm == "emptied":
            path.write_text("")
        else:
            path.unlink()
        if harm == "replaced":
            path.touch()
        with pytest.raises(StoreLocked):
            FileLock(path).acquire()
    FileLock(path).acquire()


def test_lock_can_be_taken_again_when_it_was_released(tmp_path: Path) -> None:
    """Releasing gives the lock back, twice does no harm, and two holders in one process exclude each other too."""
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    one.acquire()
    with pytest.raises(StoreLocked):
        other.acquire()
    one.release()
    one.release()
    other.acquire()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    other.release()
