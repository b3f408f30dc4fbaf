"""What others notice of a query that never ends, and what a flood of requests is told, over real sockets."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

import orjson

from bench.inventory import Size, build
from bench.load import post
from bench.query import free_port, served
from sync.clock import SystemClock

FLOOD = 1_000
# Words in no row and too short for the index; grouped by an attribute, which no plan answers.
SEARCH = " or ".join(f"{a}{b}" for a in "qxzjkvwyg" for b in "qxzjkvwygf")
RUNAWAYS = {
    "a count": "query($s: String) { assets(search: $s) { totalCount } }",
    "an aggregate": """query($s: String) {
      assetsAggregate(search: $s, groupBy: [{attribute: {source: "azuread", name: "model"}}]) { groupCount }
    }""",
}
QUICK = "{ users(first: 10) { nodes { id displayName } } }"
HEADER = (
    "| what | answers | last after, s | health p50, ms | p99, ms | a query p50, ms | p99, ms |\n"
    "|---|---|---|---|---|---|---|"
)


async def attack_table(assets: int) -> str:
    """Measure at a number of assets."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        return await attacks(data_dir, await build(data_dir, Size.of_assets(assets)))


async def attacks(data_dir: Path, token: str) -> str:
    """Measure the inventory in a data directory; the flood comes first, so that its last answers are in the way."""
    bearer, port, rows = f"Bearer {token}", free_port(), [HEADER]
    async with served(data_dir, port, RESPONSE_CACHE_MIB="0"):
        quick = _request(bearer, QUICK)
        await _status(port, quick)
        for name, query in RUNAWAYS.items():
            await _status(port, _request(bearer, query, s=SEARCH))
            rows.append(await _attacked(port, f"{name} that never ends", [_request(bearer, query, s=SEARCH)], quick))
        rows.append(await _attacked(port, f"{FLOOD:,} quick queries at once", [quick] * FLOOD, quick))
        runaway = _request(bearer, RUNAWAYS["a count"], s=SEARCH)
        rows.append(await _attacked(port, f"{FLOOD:,} that never end", [runaway] * FLOOD, quick))
        rows.append(await _attacked(port, "afterwards", [quick], quick))
    return "\n".join(rows)


async def _attacked(port: int, name: str, requests: list[bytes], quick: bytes) -> str:
    started = time.perf_counter()
    attack = asyncio.gather(*(_status(port, request) for request in requests))
    latencies: dict[bytes, list[float]] = {HEALTH: [], quick: []}
    while not attack.done() or not latencies[quick]:
        for request, found in latencies.items():
            asked = time.perf_counter()
            if await _status(port, request) != "200":
                raise RuntimeError("a bystander was refused")
            found.append(time.perf_counter() - asked)
        await SystemClock().sleep(0.01)
    answers = Counter(await attack)
    told = ", ".join(f"{number:,} x {status}" for status, number in sorted(answers.items()))
    figures = [_ms(found, part) for found in latencies.values() for part in (0.5, 0.99)]
    return f"| {name} | {told} | {time.perf_counter() - started:.1f} | {' | '.join(figures)} |"


def _ms(latencies_s: list[float], part: float) -> str:
    ordered = sorted(latencies_s)
    return f"{1000 * ordered[min(int(len(ordered) * part), len(ordered) - 1)]:.1f}"


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def _request(bearer: str, query: str, **variables: str) -> bytes:
    body = orjson.dumps({"query": query, "variables": variables})
    accept = "application/graphql-response+json"
    return post("/graphql", body, authorization=bearer, accept=accept, connection="close")


async def _status(port: int, request: bytes) -> str:
    """Send a request and return the status of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0].split()[1].decode()
