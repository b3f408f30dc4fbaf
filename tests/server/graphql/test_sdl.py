"""Addresses that clients and code generators ask: `/schema.graphql`, and `/graphql/` with a slash at its end."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.house.source import read
from tests.server.served import SITES, Served, served


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Return a server as it comes."""
    async with served(tmp_path_factory.mktemp("sdl") / "data") as one:
        yield one


async def test_schema_is_served_to_a_caller_with_a_token(server: Served) -> None:
    """It is the one that is committed; the tag of an answer, or `*`, makes the next one empty."""
    first = await server.client.get("/schema.graphql")
    assert (first.status_code, first.text) == (200, read("schema/schema.graphql"))
    for known in (first.headers["etag"], f'"other", {first.headers["etag"]}', "*"):
        again = await server.client.get("/schema.graphql", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    refused = await server.client.get("/schema.graphql", headers={"Authorization": "Bearer none"})
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_schema_is_not_served_when_introspection_is_off(tmp_path: Path) -> None:
    """Nobody learns it in another way."""
    async with served(tmp_path / "data", introspection=False) as server:
        assert (await server.client.get("/schema.graphql")).status_code == 404


async def test_endpoint_is_found_with_a_slash_at_its_end(server: Served) -> None:
    """As an operator's proxy or a client's base address may have it."""
    plain = await server.ask()
    slashed = await server.client.post("/graphql/", json=SITES)
    assert plain.json()["data"]["sites"]["nodes"]
    assert slashed.json() == plain.json()


async def test_body_may_begin_with_a_byte_order_mark(server: Served) -> None:
    """Some programs of Windows write one."""
    headers = {"Content-Type": "application/json"}
    body = BOM_UTF8 + b'{"query": "{ __typename }"}'
    assert (await server.client.post("/graphql", content=body, headers=headers)).json() == {
        "data": {"__typename": "Query"}
    }


async def test_answer_is_not_sent_again_when_the_caller_has_any(server: Served) -> None:
    """`If-None-Match: *` asks for nothing that the caller has in whatever version."""
    asked = {"query": "{ sites { nodes { name } } }"}
    first = await server.client.get("/graphql", params=asked)
    again = await server.client.get("/graphql", params=asked, headers={"If-None-Match": "*"})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
