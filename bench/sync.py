"""First syncs of several sizes: tenant and server in processes of their own, TLS and sign-in included.

The tenant's pages are rendered before, so that what is measured is the one who reads.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console

from bench.bare import bare_upsert_s
from bench.load import load, post
from server.demo.demo import Stage, server_of, sync
from server.settings import outer_environment
from sync.clock import SystemClock
from sync.runtime import DATABASE_FILE
from sync.tasks.engine.workplace import ROWS_AHEAD

HEADER = (
    "| users | devices | groups | edges | seconds | objects/s | of a bare upsert | objects/CPU s | of a bare upsert |"
    " requests | one by one | memory before, MB | at its peak |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)
QUERY = "{ users(first: 20) { nodes { id displayName email } } }"
# Nobody asks so much of one server in so short a time; its limits are not what is measured.
UNLIMITED = {f"ROLLCALL_REQUESTS_PER_{one}": "0" for one in ("TOKEN", "ADDRESS")}
QUIET = Console(stderr=True, quiet=True)


@dataclass(frozen=True)
class Tenant:
    """What a tenant has; 0 members in its largest group means half of the users."""

    users: int
    devices: int
    groups: int
    largest_group: int = 0

    @property
    def objects(self) -> int:
        """How many objects a first round reads."""
        return self.users + self.devices + self.groups


SIZES = (
    Tenant(20_000, 10_000, 1_000),
    Tenant(60_000, 30_000, 10_000),
    Tenant(150_000, 0, 2, largest_group=150_000),
)
LARGE = (Tenant(600_000, 300_000, 100_000), Tenant(1_000_000, 0, 2, largest_group=1_000_000))


async def sync_table(*, full: bool = False) -> str:
    """Sync each size into an empty folder, then one of them while queries are asked."""
    rows = [await _row(tenant) for tenant in (*SIZES, *(LARGE if full else ()))]
    return "\n".join((HEADER, *rows, "", await _queries(SIZES[1])))


async def _row(tenant: Tenant) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with stage(tenant, folder) as place:
            before_mb, before_s = memory_mb(place.server.pid, "VmRSS"), cpu_used_s(place.server.pid)
            synced = await sync(place, SystemClock(), QUIET)
            peak_mb, cpu_s = memory_mb(place.server.pid, "VmHWM"), cpu_used_s(place.server.pid) - before_s
            counts = (await place.client.ask(_COUNTS, id=synced.run["id"]))["taskRun"]["counts"]
        requests = synced.run["requests"]["count"]
        edges = sum(one["created"] for one in counts if one["inventory"] in _EDGES)
        transactions = -(-(tenant.objects + edges) // ROWS_AHEAD)
        bare_s, bare_cpu_s = bare_upsert_s(folder / "server" / DATABASE_FILE, folder / "bare.db", transactions)
    # What every open program does: pages of 999, and for each group its members, for each device its owners.
    one_by_one = -(-tenant.users // 999) + -(-tenant.devices // 999) + -(-tenant.groups // 999) + tenant.groups
    figures = (
        *(f"{number:,}" for number in (tenant.users, tenant.devices, tenant.groups, edges)),
        f"{synced.seconds:.1f}",
        f"{tenant.objects / synced.seconds:,.0f}",
        f"{bare_s / synced.seconds:.2f}",
        f"{tenant.objects / cpu_s:,.0f}",
        f"{bare_cpu_s / cpu_s:.2f}",
        f"{requests:,}",
        f"{one_by_one:,}",
        f"{before_mb:.0f}",
        f"{peak_mb:.0f}",
    )
    return f"| {' | '.join(figures)} |"


async def _queries(tenant: Tenant) -> str:
    """Ask a simple query, one after the other, before and during a first sync; answers are not kept."""
    with tempfile.TemporaryDirectory() as name:
        async with stage(tenant, Path(name), ROLLCALL_RESPONSE_CACHE_MIB="0") as place:
            port = int(place.origin.rpartition(":")[2])
            request = post("/graphql", orjson.dumps({"query": QUERY}), authorization=f"Bearer {place.token}")
            await load(port, request, 1, connections=1)
            idle = await load(port, request, 5, connections=1)
            syncing = asyncio.create_task(sync(place, SystemClock(), QUIET))
            latencies_s: list[float] = []
            while not syncing.done():
                latencies_s += (await load(port, request, 0.5, connections=1)).latencies_s
            await syncing
    p95_ms = sorted(latencies_s)[int(len(latencies_s) * 0.95)] * 1000
    return f"A query of 20 users, p95: {idle.quantile_ms(0.95):.1f} ms idle, {p95_ms:.1f} ms while syncing."


@asynccontextmanager
async def stage(tenant: Tenant, folder: Path, **settings: str) -> AsyncIterator[Stage]:
    """Start a tenant and a server that is connected to it by name only."""
    environment = outer_environment() | UNLIMITED | settings
    async with _tenant(tenant, folder) as facts:
        async with server_of(facts, folder / "server", 0, environment, QUIET) as place:
            yield place


@asynccontextmanager
async def _tenant(tenant: Tenant, folder: Path) -> AsyncIterator[Mapping[str, str]]:
    """Run bench/tenant.py while the block runs."""
    arguments = ("-W", "ignore", "-m", "bench.tenant", str(folder), *(str(number) for number in vars(tenant).values()))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    assert process.stdout is not None
    try:
        facts: dict[str, str] = orjson.loads(await process.stdout.readline())
        yield facts
    finally:
        process.terminate()
        await process.wait()


def memory_mb(pid: int, what: str) -> float:
    """Read what a process has resident (VmRSS), or the most it has had (VmHWM), where the system tells."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(rf"{what}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else float("nan")


def cpu_used_s(pid: int) -> float:
    """Read the processor time that a process has used, where the system tells."""
    status = Path(f"/proc/{pid}/stat")
    if not status.exists():
        return float("nan")
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


_EDGES = frozenset({"memberships", "groupOwners", "deviceOwners", "deviceUsers", "managers"})
_COUNTS = "query($id: ID!) { taskRun(id: $id) { counts { inventory created } } }"
