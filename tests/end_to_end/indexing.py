"""Index texts a row at a time until somebody kills the process: `python -m tests.end_to_end.indexing <database>`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sync.clock import SystemClock
from sync.indexer import Indexer
from sync.store import Store
from sync.store.tables import users


async def index(path: Path) -> None:
    """Index the first organization's users, telling of each on stdout."""
    store = Store.at(path)
    indexer = Indexer(store, SystemClock())
    while await indexer.step(1, users, rows_max=1):
        sys.stdout.write("step\n")
        sys.stdout.flush()
    await store.close()


if __name__ == "__main__":
    asyncio.run(index(Path(sys.argv[1])))
