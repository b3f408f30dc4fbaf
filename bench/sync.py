"""First syncs of tenants of several sizes: simulator and server in processes of their own, TLS and sign-in included."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from rich.console import Console

from server.demo.demo import Options, compare, stage, sync
from server.settings import outer_environment
from sync.clock import SystemClock

SIZES = ((2_000, 1_500, 200), (20_000, 10_000, 1_000))
HEADER = (
    "| users | devices | groups | edges | seconds | objects/s | requests | peak memory of the server, MB |\n"
    "|---|---|---|---|---|---|---|---|"
)


async def sync_table() -> str:
    """Sync each size into an empty folder; every row is also compared with the tenant's truth."""
    rows = [await _row(*size) for size in SIZES]
    return "\n".join((HEADER, *rows))


async def _row(users: int, devices: int, groups: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        options = Options(users, devices, groups, seed=1, port=0, data_dir=Path(folder))
        async with stage(options, outer_environment(), Console(stderr=True)) as place:
            quiet = Console(stderr=True, quiet=True)
            synced = await sync(place, SystemClock(), quiet)
            memory_mb = _peak_memory_mb(place.server.pid)
            outcome = await compare(place, quiet)
    if outcome.proof.differences:
        raise SystemExit(f"The inventory differs from the tenant: {outcome.proof.differences}")
    objects = users + devices + groups
    figures = (
        f"{users:,}",
        f"{devices:,}",
        f"{groups:,}",
        f"{outcome.proof.edges:,}",
        f"{synced.seconds:.1f}",
        f"{objects / synced.seconds:,.0f}",
        str(synced.run["requests"]["count"]),
        memory_mb,
    )
    return f"| {' | '.join(figures)} |"


def _peak_memory_mb(pid: int) -> str:
    """Read the most a process has had resident, where the system tells."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return f"{int(found[1]) / 1024:.0f}" if found else "unknown"
