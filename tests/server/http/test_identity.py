"""API tokens at the door: one answer to every bad one, at once after a revocation, and no database read for garbage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import strawberry
from starlette.requests import Request

from schema.access import Role
from server.app import build_app
from server.graphql.errors import Refused
from server.http.identity import Identity, bearer
from server.operator.operations import make_first_token, run_command
from server.settings import Settings
from sync.clock import SystemClock
from sync.organization.organizations import default_organization
from sync.organization.tokens import KnownTokens, create_token
from sync.runtime import Config, Runtime
from sync.store import Store
from tests.started import start_first

ASK = {"query": "{__typename}"}


class SteppedClock(SystemClock):
    """A clock whose date a test moves."""

    def __init__(self) -> None:
        self.date = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the date the test chose."""
        return self.date


class CountingStore:
    """A store that counts its reads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0
        self.commits = store.commits

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        """Count and read."""
        self.reads += 1
        async with self._store.read() as tx:
            yield tx


@dataclass
class House:
    """A new installation with its first token, and a client without one."""

    runtime: Runtime
    clock: SteppedClock
    token: str
    client: httpx.AsyncClient

    async def ask(self, *authorization: str) -> httpx.Response:
        """Ask one thing with these Authorization headers."""
        headers = [("Authorization", text) for text in authorization]
        return await self.client.post("/graphql", json=ASK, headers=headers)


@pytest.fixture
async def house(tmp_path: Path, small_schema: strawberry.Schema) -> AsyncIterator[House]:
    """Open a new installation in memory of the test's own directory."""
    clock = SteppedClock()
    await start_first(tmp_path / "data")
    runtime = await Runtime.open(Config(data_dir=tmp_path / "data"), clock=clock, run_tasks=False)
    try:
        token = await make_first_token(runtime)
        app = build_app(Settings(failed_logins_per_address=0), runtime, small_schema)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rollcall.test") as client:
            yield House(runtime, clock, token, client)
    finally:
        await runtime.close()


async def test_first_token_is_an_administrator_s(house: House) -> None:
    """The token that the first start shows works and reaches everything of its organization."""
    assert (await house.ask(f"Bearer {house.token}")).json() == {"data": {"__typename": "Query"}}
    principal = await Identity(Settings(), house.runtime).identify(request(f"Bearer {house.token}"))
    assert (principal.role, principal.name) == (Role.SUPERUSER, "first administrator")


async def test_every_bad_token_gets_the_same_answer(house: House) -> None:
    """Missing, malformed, mistyped, unknown, expired and revoked: equal bytes but for the request id."""
    async with house.runtime.store.write() as tx:
        made = [
            await create_token(
                tx,
                house.clock,
                organization_id=await default_organization(tx),
                name=name,
                role="VIEWER",
                lifetime_days=days,
            )
            for name, days in (("expired", 1), ("revoked", None))
        ]
    await run_command(house.runtime, "token.revoke", {"id": made[1].id})
    house.clock.date += timedelta(days=2)
    other = await unknown_token(house.clock)
    bad = [
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        (house.token,),
        (f"Basic {house.token}",),
        (f"Bearer{house.token}",),
        (f"Bearer {house.token} x",),
        (f"Bearer {house.token}x",),
        (f"Bearer {house.token[:-1]}",),
        (f"Bearer {house.token[:-1]}{'a' if house.token[-1] != 'a' else 'b'}",),
        (f"Bearer {house.token.swapcase()}",),
        (f"Bearer {'x' * 5_000}",),
        (f"Bearer {house.token}", f"Bearer {house.token}"),
        (f"Bearer {other}",),
        (f"Bearer {made[0].text}",),
        (f"Bearer {made[1].text}",),
    ]
    answers = [await house.ask(*authorization) for authorization in bad]
    assert {answer.status_code for answer in answers} == {401}
    bodies = {answer.text.replace(answer.headers["x-request-id"], "ID") for answer in answers}
    assert len(bodies) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="rollcall"'}
    assert (await house.ask(f"bearer   {house.token}")).status_code == 200


async def test_revocation_acts_on_the_next_request(house: House) -> None:
    """A token that has just been used is refused right after it was revoked."""
    assert (await house.ask(f"Bearer {house.token}")).status_code == 200
    await run_command(house.runtime, "token.revoke", {"id": 1})
    assert (await house.ask(f"Bearer {house.token}")).status_code == 401


async def test_garbage_costs_no_database_read(house: House) -> None:
    """A wrong shape or checksum is refused without asking the database; a good token costs one read until a commit."""
    store = CountingStore(house.runtime.store)
    runtime = SimpleNamespace(tokens=KnownTokens(cast("Store", store), house.clock))
    identify = Identity(Settings(), cast("Runtime", runtime)).identify
    wrong = f"{house.token[:-1]}{'a' if house.token[-1] != 'a' else 'b'}"
    for text in ("", "Bearer x", f"Bearer {wrong}", f"Bearer {house.token}x"):
        with pytest.raises(Refused):
            await identify(request(text))
    assert store.reads == 0
    for _ in range(3):
        await identify(request(f"Bearer {house.token}"))
    assert store.reads == 1
    store.commits += 1
    await identify(request(f"Bearer {house.token}"))
    assert store.reads == 2


@pytest.mark.parametrize(
    ("headers", "text"),
    [(["Bearer a"], "a"), (["bearer \t a"], None), (["BEARER a "], "a"), (["Bearer a", "Bearer a"], None), ([], None)],
)
def test_bearer_takes_exactly_one_well_formed_header(headers: list[str], text: str | None) -> None:
    """One header, one scheme, one token."""
    assert bearer(headers) == text


async def test_health_needs_no_token_and_readiness_tells_the_truth(house: House) -> None:
    """/healthz answers whatever the database does; /readyz is 503 once the database cannot be read."""
    for path in ("/healthz", "/readyz"):
        assert (await house.client.get(path)).status_code == 200
    working, house.runtime.store = house.runtime.store, Store.at(Path("/nowhere/at/all.db"))
    try:
        assert (await house.client.get("/healthz")).status_code == 200
        answer = await house.client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
        assert "nowhere" not in answer.text
    finally:
        await house.runtime.store.close()
        house.runtime.store = working


async def test_unknown_path_and_method_get_the_standard_shape(house: House) -> None:
    """404 and 405 outside /graphql look like every other error."""
    for method, path, status in (("GET", "/nothing", 404), ("POST", "/healthz", 405), ("GET", "/graphql//", 404)):
        response = await house.client.request(method, path)
        assert response.status_code == status
        assert response.json()["errors"][0]["extensions"]["requestId"] == response.headers["x-request-id"]


def test_settings_reach_the_custom_cloud() -> None:
    """The operator's origins become the runtime's custom cloud; without them there is none."""
    from server.operator.operations import runtime_config

    assert runtime_config(Settings()).custom is None
    custom = replace(Settings(), custom_authority_url="https://a.test", custom_graph_url="https://b.test")
    endpoints = runtime_config(custom).custom
    assert endpoints is not None
    assert (endpoints.authority, endpoints.graph) == ("https://a.test", "https://b.test")


async def unknown_token(clock: SteppedClock) -> str:
    """Make a well-formed token that this installation does not know."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        runtime = await Runtime.open(Config(data_dir=Path(folder)), clock=clock, run_tasks=False)
        try:
            return await make_first_token(runtime)
        finally:
            await runtime.close()


def request(authorization: str) -> Request:
    """Make a request with one header."""
    return Request({"type": "http", "headers": [(b"authorization", authorization.encode())]})
