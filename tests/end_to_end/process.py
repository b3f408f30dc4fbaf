"""A process that syncs until somebody kills it; run as `python -m tests.end_to_end.process <data directory>`.

The tenant is the same in every process: it follows from its seed, its links too. Each request is told on stdout.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from server.simulator import Simulator
from tests.end_to_end.fault import App
from tests.end_to_end.installation import Installation


def tenant() -> Simulator:
    """Return the tenant that every process sees."""
    return Simulator(users=1_200, devices=900, groups=150, seed=11)


async def sync(data_dir: Path) -> None:
    """Sync from where the process before was killed."""
    simulator = tenant()

    async def tell(scope: Any, receive: Any, send: Any, app: App) -> None:
        sys.stdout.write("request\n")
        sys.stdout.flush()
        await app(scope, receive, send)

    simulator.faults = tell
    installation = Installation(simulator, data_dir)
    installation.starts_anew = True
    await installation.open()
    if installation.runtime.first_start:
        await installation.furnish()
        await installation.trigger()
    await installation.runtime.engine.idle()
    await installation.close()


if __name__ == "__main__":
    asyncio.run(sync(Path(sys.argv[1])))
