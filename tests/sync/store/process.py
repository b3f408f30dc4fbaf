"""Another process that takes the lock of a data directory; run as `python -m tests.sync.store.process <lock file>`."""

from __future__ import annotations

import sys
from pathlib import Path

from sync.store.lock import FileLock

if __name__ == "__main__":
    FileLock(Path(sys.argv[1])).acquire()
    sys.stdout.write("locked\n")
    sys.stdout.flush()
    sys.stdin.read()
