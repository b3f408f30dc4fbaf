"""Requests a second and latency of the same queries, answered by this server and by what one would write instead.

Every figure of a table comes from one run, the contenders taking turns; one process serves, this one asks.
"""

from __future__ import annotations

import asyncio
import os
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
START_S = 30
HEADER = (
    "| query | server | requests/s | p50 ms | p99 ms | of stock | of SQL | of constant |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass
class Contender:
    """One server and what it is asked, by shape."""

    name: str
    port: int
    requests: Mapping[str, bytes]
    loads: dict[str, list[Load]] = field(default_factory=dict)

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
                        one = await load(contender.port, contender.requests[shape], seconds)
                        contender.loads.setdefault(shape, []).append(one)
            return "\n".join((HEADER, *(_row(shape, one, all_of_them) for shape in SHAPES for one in all_of_them)))


def _row(shape: str, one: Contender, all_of_them: list[Contender]) -> str:
    rates = {contender.name: contender.rate(shape) for contender in all_of_them}
    ratios = [f"{one.rate(shape) / rates[name]:.2f}" for name in ("stock Strawberry", "one SQL", "constant bytes")]
    latencies = [f"{one.quantile_ms(shape, part):.1f}" for part in (0.5, 0.99)]
    return f"| {' | '.join([SHAPES[shape].title, one.name, f'{one.rate(shape):,.0f}', *latencies, *ratios])} |"


@asynccontextmanager
async def contenders(data_dir: Path, token: str) -> AsyncIterator[list[Contender]]:
    """Start the servers while the block runs."""
    ours, rival = free_port(), free_port()
    async with served(data_dir, ours), rivals(rival, data_dir / DATABASE_FILE):
        bearer = f"Bearer {token}"
        mine = {
            name: post("/graphql", orjson.dumps({"query": shape.ours}), authorization=bearer)
            for name, shape in SHAPES.items()
        }
        stock = {name: post("/stock", orjson.dumps({"query": shape.stock})) for name, shape in SHAPES.items()}
        yield [
            Contender("Rollcall", ours, mine),
            Contender("stock Strawberry", rival, stock),
            Contender("one SQL", rival, {name: post(f"/sql/{name}", b"{}") for name in SHAPES}),
            Contender("constant bytes", rival, {name: post(f"/constant/{name}", b"{}") for name in SHAPES}),
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
