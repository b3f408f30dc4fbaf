"""A filtered and sorted page, searches for parts of texts, a count, and the server's memory, as the inventory grows."""

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
# What is asked, by its column: `after` is the cursor of the page before.
PAGE = """
query($after: String) {
  assets(first: 50, after: $after, where: {os: {eq: "Windows"}}, orderBy: [{field: NAME}]) {
    pageInfo { hasNextPage endCursor } nodes { id name os lastSeen }
  }
}
"""
SEARCH = """
query($search: String) {
  assets(first: 50, search: $search, orderBy: [{field: NAME}]) { nodes { id name os lastSeen } }
}
"""
COUNT = """
query($os: String) { assets(where: {os: {eq: $os}, lastSeen: {olderThan: "30d"}}) { totalCount } }
"""
# A word in few rows, one in all of them, a pattern, one too short for the index, one in none, and a name in full.
SEARCHES = ("00777", "contoso", "host-00%77", "a%", "zebra", "name:=host-0000777")
# What no row is, by an index and by that of parts of texts.
RARE = ('os: {eq: "AIX"}', 'manufacturer: {eq: "Nobody"}')
ASKED = ("page", "by cursor", *(f"`{search}`" for search in (*SEARCHES, *RARE)), "count")
HEADER = f"| assets | {' | '.join(ASKED)} | memory, MB |\n|---{'|---' * (len(ASKED) + 1)}|"


async def growth_table(sizes: tuple[int, ...]) -> str:
    """Measure pages, searches and a count at each number of assets, p50 in ms; answers are not kept."""
    return "\n".join((HEADER, *[await _row(assets) for assets in sizes]))


async def _row(assets: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        return await growth_row(assets, data_dir, await build(data_dir, Size.of_assets(assets)))


async def growth_row(assets: int, data_dir: Path, token: str) -> str:
    """Measure the inventory in a data directory."""
    bearer, port = f"Bearer {token}", free_port()
    async with served(data_dir, port, RESPONSE_CACHE_MIB="0") as process:
        first = request_of(bearer, PAGE)
        asked = [first, request_of(bearer, PAGE, after=await _cursor(port, first))]
        asked += [request_of(bearer, SEARCH, search=search) for search in SEARCHES]
        asked += [request_of(bearer, PAGE.replace('os: {eq: "Windows"}', rare)) for rare in RARE]
        asked.append(request_of(bearer, COUNT, os="Windows"))
        latencies = []
        for request in asked:
            # The first times compile the plan and find the lane it runs in.
            await load(port, request, 0.3, connections=1)
            latencies.append((await load(port, request, SECONDS, connections=1)).quantile_ms(0.5))
        memory_mb = _memory_mb(process.pid)
    return f"| {assets:,} | {' | '.join(f'{latency:.2f}' for latency in latencies)} | {memory_mb} |"


def request_of(bearer: str, query: str, **variables: str) -> bytes:
    """Write the request of a query."""
    body = orjson.dumps({"query": query, "variables": variables})
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
