"""A real server under attack, over real sockets: what is too much is refused or ended, everybody else is served."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from bench.inventory import Size, build
from bench.load import post
from bench.query import free_port, served
from tests.patience import PATIENCE_S

ASSETS, FLOOD = 20_000, 300
# Many words that no row holds, too short for the index: tens of millions of comparisons.
SEARCH = " or ".join(f"{a}{b}" for a in "qxzjkvwyg" for b in "qxzjkvwygf")
# Fewer of them, so that reading the query takes less than answering it.
SHORT = SEARCH[: 20 * len("qx or ") - len(" or ")]
RUNAWAY = "query($s: String) { assets(search: $s) { totalCount } }"
AGGREGATE = """query($s: String) {
  assetsAggregate(search: $s, groupBy: [{attribute: {source: "azuread", name: "systemLabels"}}]) { count groupCount }
}"""
QUICK = "{ users(first: 10) { nodes { id displayName } } }"


@dataclass(frozen=True)
class Server:
    """A server of another process, and a client with as many connections as it wants."""

    client: httpx.AsyncClient
    port: int

    async def ask(self, query: str, **variables: Any) -> httpx.Response:
        """Send an operation."""
        return await self.client.post("/graphql", json={"query": query, "variables": variables})

    async def is_healthy(self) -> bool:
        """Tell whether the server says that it is up and ready."""
        answers = [await self.client.get(path) for path in ("/healthz", "/readyz")]
        return [answer.status_code for answer in answers] == [200, 200]


@asynccontextmanager
async def running(data_dir: Path, token: str, **settings: str) -> AsyncIterator[Server]:
    """Run a server on an inventory."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/graphql-response+json"}
    limits = httpx.Limits(max_connections=None)
    port = free_port()
    async with served(data_dir, port, RESPONSE_CACHE_MIB="0", **settings):
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, limits=limits, timeout=PATIENCE_S, trust_env=False
        ) as client:
            yield Server(client, port)


@pytest.fixture(scope="module")
async def inventory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the data directory of an inventory and a token for it."""
    data_dir = tmp_path_factory.mktemp("flood") / "data"
    return data_dir, await build(data_dir, Size(ASSETS, 100, 10))


def codes(answer: httpx.Response) -> list[str]:
    """Return the codes of an answer's errors."""
    return [error["extensions"]["code"] for error in answer.json().get("errors", ())]


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("query", [RUNAWAY, AGGREGATE], ids=["a plan", "the executor"])
async def test_runaway_query_ends_at_its_deadline_and_others_are_served_meanwhile(
    inventory: tuple[Path, str], query: str
) -> None:
    """It is a TIMEOUT; health, readiness and other callers are answered before it is."""
    async with running(*inventory, REQUEST_TIMEOUT_S="1") as server:
        await server.ask(query, s=SEARCH)
        runaways = [asyncio.ensure_future(server.ask(query, s=SEARCH)) for _ in range(3)]
        others = 0
        while not all(runaway.done() for runaway in runaways):
            assert await server.is_healthy()
            assert codes(await server.ask(QUICK)) == []
            others += not all(runaway.done() for runaway in runaways)
        answers = [await runaway for runaway in runaways]
        assert [codes(answer) for answer in answers] == [["TIMEOUT"]] * 3
        assert {answer.status_code for answer in answers} == {504}
        assert others > 0
        assert codes(await server.ask(QUICK)) == []


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("query", [RUNAWAY, AGGREGATE], ids=["plans", "the executor"])
async def test_flood_is_answered_or_told_to_come_again(inventory: tuple[Path, str], query: str) -> None:
    """Hundreds of runaway queries: each ends typed, what is refused says when to come again, and health holds."""
    async with running(*inventory, REQUEST_TIMEOUT_S="3") as server:
        await server.ask(query, s=SHORT)
        flood = [asyncio.ensure_future(server.ask(query, s=SHORT)) for _ in range(FLOOD)]
        while not all(one.done() for one in flood):
            assert await server.is_healthy()
        answers = [await one for one in flood]
        ends = Counter((answer.status_code, *codes(answer)) for answer in answers)
        assert set(ends) <= {(503, "OVERLOADED"), (504, "TIMEOUT"), (200,)}
        assert ends[503, "OVERLOADED"] > 0
        assert all(int(one.headers["retry-after"]) > 0 for one in answers if one.status_code == 503)
        # The first request after the flood is an ordinary one.
        assert codes(await server.ask(QUICK)) == []


@pytest.mark.slow(cases=0)
async def test_thousand_callers_are_answered_at_once(inventory: tuple[Path, str]) -> None:
    """What is quick is never refused, however many ask."""
    data_dir, token = inventory
    request = post("/graphql", orjson.dumps({"query": QUICK}), authorization=f"Bearer {token}", connection="close")
    async with running(data_dir, token) as server:
        heads = await asyncio.gather(*(head_of(server.port, request) for _ in range(1_000)))
        assert Counter(heads) == {b"HTTP/1.1 200 OK": 1_000}
        assert await server.is_healthy()


async def head_of(port: int, request: bytes) -> bytes:
    """Return the first line of the answer to a request; the client costs as little as can be."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0]
