"""A real server that is asked for more than its memory holds, by many at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import orjson
import pytest

from bench.load import post
from bench.query import free_port, served
from tests.abuse.hostile import build_hostile, chain

CALLERS, MEMORY_MAX_MIB = 64, 600
# Answers of some 20 MB, which may be given, and some that are too large; by plans, and by the executor.
DOCUMENTS = (
    f"{{ users(first: 1) {{ nodes {{ {chain(3)} {chain(2)} }} }} }}",
    f"{{ users(first: 1) {{ nodes {{ {chain(4)} }} }} }}",
    f"{{ viewer {{ name }} users(first: 1) {{ nodes {{ {chain(3)} }} }} }}",
    "{ " + " ".join(f"a{n}: users(first: 300) {{ nodes {{ raw attributes {{ value }} }} }}" for n in range(9)) + " }",
)


@pytest.mark.slow(cases=0)
async def test_server_stays_small_when_many_ask_for_large_answers_at_once(tmp_path: Path) -> None:
    """64 at once: each is answered, refused as too large or too slow, or told when to come again."""
    data_dir = tmp_path / "data"
    token = await build_hostile(data_dir)
    port = free_port()
    async with served(data_dir, port, REQUEST_TIMEOUT_S="5", RESPONSE_CACHE_MIB="0") as process:
        requests = [
            post("/graphql", orjson.dumps({"query": text}), authorization=f"Bearer {token}", connection="close")
            for text in DOCUMENTS
        ]
        flood = [asyncio.ensure_future(_ask(port, requests[n % len(requests)])) for n in range(CALLERS)]
        largest = 0
        while not all(one.done() for one in flood):
            largest = max(largest, _memory_mib(process.pid))
            await asyncio.sleep(0.02)
        ends = Counter([await one for one in flood])
        assert largest < MEMORY_MAX_MIB, ends
        assert set(ends) <= {(200, ""), (200, "LIMIT_EXCEEDED"), (200, "TIMEOUT"), (503, "OVERLOADED")}
        assert ends[200, "LIMIT_EXCEEDED"] > 0
        small = post("/graphql", b'{"query":"{ users(first: 1) { nodes { id } } }"}', authorization=f"Bearer {token}")
        assert await _ask(port, small.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)) == (200, "")


async def _ask(port: int, request: bytes) -> tuple[int, str]:
    """Return the status of an answer and the code of its first error; what is long is read and forgotten."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    start = await reader.read(2_000)
    while await reader.read(1024 * 1024):
        pass
    writer.close()
    status = int(head.split(b" ", 2)[1])
    if status == 503:
        assert b"\r\nretry-after: " in head.lower()
    _, _, after = start.partition(b'"code":"')
    is_error = start.startswith(b'{"errors"')
    return status, after.split(b'"', 1)[0].decode() if is_error else ""


def _memory_mib(process_id: int) -> int:
    """Read how much memory a process has, where the system tells."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS"))
