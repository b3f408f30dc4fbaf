"""Requests that come again: read once, but identified, admitted and run each time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schema import build_schema
from server.app import GRAPHQL_PATH, build_app
from server.graphql.handler import GraphQLEndpoint
from server.graphql.replay import BODY_BYTES_MAX, Repeats
from server.http.identity import Identity
from server.operator.operations import make_first_token, run_command
from server.settings import Settings
from sync.clock import SystemClock
from sync.organization.organizations import create_site, default_organization
from sync.runtime import Config, Runtime
from tests.canary import watch
from tests.server.conftest import small_app
from tests.started import start_first

SITES = {"query": "{ sites { nodes { id name } } }"}


@dataclass
class Counting:
    """The application behind the repeats; counts what it is asked."""

    app: ASGIApp
    calls: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count and answer."""
        self.calls += 1
        await self.app(scope, receive, send)


@dataclass
class House:
    """An installation whose requests pass the repeats first."""

    runtime: Runtime
    inner: Counting
    front: Repeats
    client: httpx.AsyncClient

    async def ask(self, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Send one operation."""
        return await self.client.post(GRAPHQL_PATH, json=body or SITES, headers=headers)


def _in_one_message(app: ASGIApp) -> ASGIApp:
    """Hand bodies over as a server does that has read them with the head; the test transport cuts them up."""

    async def whole(scope: Scope, receive: Receive, send: Send) -> None:
        message: Message = {"more_body": True}
        body = b""
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def one() -> Message:
            return waiting.pop() if waiting else await receive()

        await app(scope, one, send)

    return whole


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Open a new installation."""
    await start_first(tmp_path / "data")
    runtime = await Runtime.open(Config(data_dir=tmp_path / "data"), run_tasks=False)
    try:
        token = await make_first_token(runtime)
        watch(token)
        app = build_app(Settings(), runtime, build_schema())
        endpoint = next(route.app for route in app.routes if isinstance(route, Route) and route.path == GRAPHQL_PATH)
        # The same endpoint behind the other layers, but without repeats of its own.
        inner = Counting(small_app(cast("GraphQLEndpoint", endpoint), ()))
        front = Repeats(
            inner,
            endpoint=cast("GraphQLEndpoint", endpoint),
            path=GRAPHQL_PATH,
            recall=Identity(Settings(), runtime).recall,
            body_timeout_s=0.05,
        )
        headers = {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(_in_one_message(front))
        async with httpx.AsyncClient(transport=transport, base_url="http://rollcall.test", headers=headers) as client:
            yield House(runtime, inner, front, client)
    finally:
        await runtime.close()


async def test_request_is_read_once_when_it_comes_again(house: House) -> None:
    """The answers are the same to the last header; only the first two were read: the first to know the caller."""
    answers = [await house.ask() for _ in range(4)]
    assert house.inner.calls == 2
    assert len({answer.content for answer in answers}) == 1
    headers = [{**answer.headers, "x-request-id": ""} for answer in answers]
    assert all(header == headers[0] for header in headers)
    assert "content-security-policy" in headers[0]


async def test_answer_is_new_when_something_was_written_in_between(house: House) -> None:
    """A repeated request is run, not replayed."""
    for _ in range(3):
        await house.ask()
    async with house.runtime.store.write() as tx:
        await create_site(tx, SystemClock(), await default_organization(tx), "Harbour")
    names = [node["name"] for node in (await house.ask()).json()["data"]["sites"]["nodes"]]
    assert "Harbour" in names


async def test_token_is_refused_when_it_was_revoked_in_between(house: House) -> None:
    """Who is known by his request is not known by it alone."""
    for _ in range(3):
        assert (await house.ask()).status_code == 200
    await run_command(house.runtime, "token.revoke", {"id": 1})
    assert (await house.ask()).status_code == 401


async def test_request_is_read_when_anything_about_it_differs(house: House) -> None:
    """One header or one blank more is another request."""
    for _ in range(3):
        await house.ask()
    before = house.inner.calls
    assert (
        (await house.ask(Accept="application/graphql-response+json"))
        .headers["content-type"]
        .startswith("application/graphql-response+json")
    )
    assert (await house.ask({"query": SITES["query"] + " "})).json() == (await house.ask()).json()
    assert (await house.ask(Origin="https://evil.example")).status_code == 403
    assert house.inner.calls == before + 3


@pytest.mark.parametrize(
    "body",
    [
        {"query": "{ sites { nodes { nothing } } }"},
        {"query": "{ sites(first: 0) { nodes { id } } }"},
        {"query": "{ server { version } }"},
        {"query": SITES["query"] + " " * BODY_BYTES_MAX},
    ],
    ids=["invalid", "refused", "without a plan", "long"],
)
async def test_request_is_read_each_time_when_no_plan_answered_it_or_it_is_long(
    house: House, body: dict[str, Any]
) -> None:
    """Only what a plan answers is kept, and nothing that takes much memory."""
    await house.ask()
    for _ in range(3):
        await house.ask(body)
    assert house.inner.calls == 4


async def test_mutation_runs_each_time_it_is_sent(house: House) -> None:
    """The same bytes, three sites asked for: the second and third are refused for their name."""
    mutation = 'mutation { createSite(input: {name: "Quay"}) { site { id } errors { code } } }'
    answers = [(await house.ask({"query": mutation})).json()["data"]["createSite"] for _ in range(3)]
    assert [bool(answer["site"]) for answer in answers] == [True, False, False]


async def test_body_is_whole_when_it_comes_late_or_in_pieces(house: House) -> None:
    """What was looked at first is not lost for who reads the request in the ordinary way."""
    await house.ask()
    for pieces, pause_s in (([b'{"query":"{ sites ', b'{ nodes { id name } } }"}'], 0.0), ([b""], 0.001), ([b""], 0.1)):
        whole = b"".join(pieces) or b'{"query":"{ sites { nodes { id name } } }"}'
        sent = await _send(house, pieces if pieces != [b""] else [whole], pause_s)
        assert sent == (await house.ask()).content


async def _send(house: House, pieces: list[bytes], pause_s: float) -> bytes:
    request = house.client.build_request("POST", GRAPHQL_PATH, json=SITES)
    headers = [(name.lower(), value) for name, value in request.headers.raw if name.lower() != b"content-length"]
    scope = {"type": "http", "method": "POST", "path": GRAPHQL_PATH, "query_string": b"", "scheme": "http"}
    scope |= {"headers": headers, "http_version": "1.1", "root_path": "", "raw_path": GRAPHQL_PATH.encode()}
    waiting = list(pieces)
    sent = bytearray()

    async def receive() -> Message:
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.extend(message.get("body", b""))

    await house.front(scope, receive, send)
    return bytes(sent)


async def test_long_answer_is_compressed_for_who_takes_it(house: House) -> None:
    """The repeated answer has its own length and encoding."""
    async with house.runtime.store.write() as tx:
        organization = await default_organization(tx)
        for number in range(400):
            await create_site(tx, SystemClock(), organization, f"Site {number}")
    body = {"query": "{ sites(first: 1000) { nodes { id name createdAt } } }"}
    answers = [await house.ask(body) for _ in range(3)]
    assert {answer.headers["content-encoding"] for answer in answers} == {"gzip"}
    assert len({answer.content for answer in answers}) == 1
