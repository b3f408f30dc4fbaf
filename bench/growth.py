"""One page of a filtered and sorted list, first and by cursor, and the server's memory, as the inventory grows."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

import orjson

from bench.inventory import Size, build
from bench.load import load, post
from bench.query import free_port, served

SECONDS = 2.0
HEADER = "| assets | first page p50 ms | page by cursor p50 ms | memory of the server, MB |\n|---|---|---|---|"
PAGE = """
query($after: String) {
  assets(first: 50, after: $after, where: {os: {eq: "Windows"}}, orderBy: [{field: NAME}]) {
    pageInfo { hasNextPage endCursor } nodes { id name os lastSeen }
  }
}
"""


async def growth_table(sizes: tuple[int, ...]) -> str:
    """Measure one page at each number of assets; answers are not kept."""
    return "\n".join((HEADER, *[await _row(assets) for assets in sizes]))


async def _row(assets: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        data_dir, port = Path(folder) / "data", free_port()
        bearer = f"Bearer {await build(data_dir, Size.of_assets(assets))}"
        async with served(data_dir, port, RESPONSE_CACHE_MIB="0") as process:
            first = _request(bearer, None)
            latencies = [(await load(port, first, SECONDS, connections=1)).quantile_ms(0.5)]
            cursor = await _cursor(port, first)
            latencies.append((await load(port, _request(bearer, cursor), SECONDS, connections=1)).quantile_ms(0.5))
            memory_mb = _memory_mb(process.pid)
    return f"| {assets:,} | {latencies[0]:.2f} | {latencies[1]:.2f} | {memory_mb} |"


def _request(bearer: str, cursor: str | None) -> bytes:
    body = orjson.dumps({"query": PAGE, "variables": {"after": cursor}})
    return post("/graphql", body, authorization=bearer, connection="keep-alive")


async def _cursor(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    answer = orjson.loads(await reader.readexactly(length))
    writer.close()
    cursor: str = answer["data"]["assets"]["pageInfo"]["endCursor"]
    return cursor


def _memory_mb(pid: int) -> str:
    """Read what a process has resident, where the system tells."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return f"{int(found[1]) / 1024:.0f}" if found else "unknown"
