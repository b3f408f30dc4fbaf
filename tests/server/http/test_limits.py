"""The limits that the operator chose are the ones in force, and the ones that the server tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from schema import build_schema
from schema.limit.limits import bounds
from server.app import build_app
from server.operator.operations import make_first_token
from server.settings import Settings, read_settings
from sync.runtime import Config, Runtime
from tests.started import start_first

TELL = "{ server { limits { name value } } }"


@asynccontextmanager
async def served(data_dir: Path, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Serve a new installation with these settings."""
    await start_first(data_dir)
    runtime = await Runtime.open(Config(data_dir))
    try:
        token = await make_first_token(runtime)
        app = build_app(settings, runtime, build_schema())
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/graphql-response+json"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://rollcall.test", headers=headers) as client:
            yield client
    finally:
        await runtime.close()


async def ask(client: httpx.AsyncClient, query: str, **variables: Any) -> httpx.Response:
    """Send one operation."""
    return await client.post("/graphql", json={"query": query, "variables": variables})


async def test_server_tells_every_limit_in_force(data_dir: Path) -> None:
    """Those of the body, the document and the arguments, with the operator's values."""
    settings = read_settings({"ROLLCALL_QUERY_DEPTH_MAX": "4", "ROLLCALL_BODY_BYTES_MAX": "5000"})
    async with served(data_dir, settings) as client:
        told = (await ask(client, TELL)).json()["data"]["server"]["limits"]
    limits = {limit["name"]: limit["value"] for limit in told}
    assert limits["depth"] == 4
    assert limits["bodyBytes"] == 5_000
    assert limits["first"] == 1_000
    assert {bound.name for bound in bounds(settings.limits)} | {"variablesDepth", "variablesValues"} <= set(limits)


async def test_limit_is_held_when_the_operator_lowered_it(data_dir: Path) -> None:
    """A document beyond a lowered limit is a 400 that names it; so is one whose variables make it too dear."""
    settings = read_settings({"ROLLCALL_QUERY_DEPTH_MAX": "3", "ROLLCALL_QUERY_COST_MAX": "100"})
    page = "query($n: Int) { users(first: $n) { nodes { id } } }"
    async with served(data_dir, settings) as client:
        assert (await ask(client, TELL)).status_code == 200
        deep = await ask(client, "{ users(first: 1) { edges { node { manager { manager { id } } } } } }")
        assert (await ask(client, page, n=100)).status_code == 200
        dear = await ask(client, page, n=101)
    facts = [response.json()["errors"][0]["extensions"] for response in (deep, dear)]
    assert [response.status_code for response in (deep, dear)] == [400, 400]
    assert [(fact["which"], fact["limit"], fact["actual"]) for fact in facts] == [("depth", 3, 4), ("cost", 100, 101)]
