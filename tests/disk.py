"""A disk that is soon full: a small memory file system where that can be mounted; a loud skip elsewhere."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk_at(path: Path, size_kib: int) -> Iterator[Path]:
    """Mount a disk of some KiB at a path while the block runs; what lies there is copied out at the end.

    The search for secrets reads what a test leaves behind, so the files must outlive the disk.
    """
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k,mode=0700", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("NOT PROVEN HERE: a small disk can only be mounted by root; the other methods of a full disk run")
    try:
        yield path
    finally:
        kept = path.with_name(path.name + ".kept")
        subprocess.run(["cp", "-r", str(path), str(kept)], check=False, capture_output=True)
        subprocess.run(["umount", "-l", str(path)], check=True)
