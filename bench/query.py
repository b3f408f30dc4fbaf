"""Requests a second and latency of the same queries, answered by this server and by what one would write instead.

Every figure of a table comes from one run, the contenders taking turns; one process serves, this one asks.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.inventory import Size, build
from bench.load import Load, load, post
from bench.shape import SHAPES
from server.settings import outer_environment
from sync.clock import SystemClock
from sync.runtime import DATABASE_FILE

ROUNDS = 5
SECONDS = 1.0
START_S = 120
STOCK, SQL, CONSTANT = "stock Strawberry", "one SQL", "constant bytes"
HEADER = (
    "| query | server | requests/s | p50 ms | p99 ms | CPU ms | of stock | of SQL | of constant |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


@dataclass
class Contender:
    """One server and what it is asked, by shape."""

    name: str
    port: int
    requests: Mapping[str, bytes]
    process_id: int
    # Processor time of the server in each round, which neighbours on the machine disturb less than the clock's.
    cpu_s: dict[str, float] = field(default_factory=dict)
    loads: dict[str, list[Load]] = field(default_factory=dict)

    async def round(self, shape: str, seconds: float) -> None:
        """Send a shape's request for some seconds."""
        before = _cpu_s(self.process_id)
        self.loads.setdefault(shape, []).append(await load(self.port, self.requests[shape], seconds))
        self.cpu_s[shape] = self.cpu_s.get(shape, 0) + _cpu_s(self.process_id) - before

    def cpu_ms(self, shape: str) -> float:
        """Return the server's processor time a request."""
        return 1000 * self.cpu_s[shape] / sum(len(one.latencies_s) for one in self.loads[shape])

    def rate(self, shape: str) -> float:
        """Return the median of the rounds' requests a second."""
        rates = sorted(one.requests_per_s for one in self.loads[shape])
        return rates[len(rates) // 2]

    def quantile_ms(self, shape: str, part: float) -> float:
        """Return a latency over all rounds."""
        latencies = [latency for one in self.loads[shape] for latency in one.latencies_s]
        return Load(1, latencies, 0).quantile_ms(part)


async def query_table(size: Size, *, rounds: int = ROUNDS, seconds: float = SECONDS) -> str:
    """Measure every shape against every contender."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        token = await build(data_dir, size)
        async with contenders(data_dir, token) as all_of_them:
            for shape in SHAPES:
                for contender in all_of_them:
                    await load(contender.port, contender.requests[shape], 0.3)
                for _ in range(rounds):
                    for contender in all_of_them:
                        await contender.round(shape, seconds)
            return "\n".join((HEADER, *(_row(shape, one, all_of_them) for shape in SHAPES for one in all_of_them)))


def _row(shape: str, one: Contender, all_of_them: list[Contender]) -> str:
    rivals = {contender.name: contender for contender in all_of_them}
    # Ratios of processor time a request: what one core can answer, whoever else is busy on the machine.
    ratios = [f"{rivals[name].cpu_ms(shape) / one.cpu_ms(shape):.2f}" for name in (STOCK, SQL, CONSTANT)]
    latencies = [f"{one.quantile_ms(shape, part):.1f}" for part in (0.5, 0.99)]
    figures = (f"{one.rate(shape):,.0f}", *latencies, f"{one.cpu_ms(shape):.2f}", *ratios)
    return f"| {' | '.join([SHAPES[shape].title, one.name, *figures])} |"


def _cpu_s(process_id: int) -> float:
    """Read the processor time a process has used, where the system tells."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def contenders(data_dir: Path, token: str) -> AsyncIterator[list[Contender]]:
    """Start the servers while the block runs; ours twice, on a copy of the data each, without and with kept answers."""
    copy = data_dir.with_name("copy")
    if not copy.exists():
        shutil.copytree(data_dir, copy)
    ours, kept, rival = free_port(), free_port(), free_port()
    async with (
        served(data_dir, ours, RESPONSE_CACHE_MIB="0") as plain,
        served(copy, kept) as keeping,
        rivals(rival, data_dir / DATABASE_FILE) as other,
    ):
        mine = {
            name: post("/graphql", orjson.dumps({"query": shape.ours}), authorization=f"Bearer {token}")
            for name, shape in SHAPES.items()
        }
        stock = {name: post("/stock", orjson.dumps({"query": shape.stock})) for name, shape in SHAPES.items()}
        yield [
            Contender("Rollcall", ours, mine, plain.pid),
            Contender("Rollcall, answers kept", kept, mine, keeping.pid),
            Contender(STOCK, rival, stock, other.pid),
            Contender(SQL, rival, {name: post(f"/sql/{name}", b"{}") for name in SHAPES}, other.pid),
            Contender(CONSTANT, rival, {name: post(f"/constant/{name}", b"{}") for name in SHAPES}, other.pid),
        ]


@asynccontextmanager
async def served(data_dir: Path, port: int, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run this server as an operator would."""
    given = {"DATA_DIR": str(data_dir), "PORT": str(port), **settings}
    environment = outer_environment() | {f"ROLLCALL_{name}": value for name, value in given.items()}
    async with running("-m", "server", "serve", port=port, environment=environment) as process:
        yield process


def rivals(port: int, database: Path) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Run the rivals."""
    return running("-m", "bench.rival", str(port), str(database), port=port, environment=dict(os.environ))


@asynccontextmanager
async def running(
    *arguments: str, port: int, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a Python program that listens on a port while the block runs; what it logs is thrown away."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_S):
            while not await _listens(port):
                await SystemClock().sleep(0.05)
        yield process
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
