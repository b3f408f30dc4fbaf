"""A small schema behind the real endpoint, edge and request log: what the handler does, without an inventory."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import strawberry
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route

from server.graphql.errors import Refused
from server.graphql.execution import Execution
from server.graphql.handler import GraphQLEndpoint
from server.graphql.ide.page import ide_asset, ide_page
from server.http.origins import OriginCheck
from server.observe.logs import AccessLog, configure_logs
from sync.clock import SystemClock
from sync.errors import BadInput, StoreBusy

TOKEN = "canary-token"
CANARY = "canary-text-of-an-unknown-exception"


def pytest_configure(config: pytest.Config) -> None:
    """Name the level that needs Node."""
    config.addinivalue_line("markers", "clients: real JavaScript clients; needs node and `npm ci`")


@strawberry.input
class Reading:
    """An input with a field that may hold a secret."""

    secret: str
    count: int = 1


@strawberry.type
class Query:
    """One field for each thing that can happen."""

    @strawberry.field
    def hello(self, name: str = "world") -> str:
        """Greet."""
        return f"hello {name}"

    @strawberry.field
    def read(self, reading: Reading) -> int:
        """Take an input."""
        return reading.count

    @strawberry.field
    def broken(self) -> str | None:
        """Fail unexpectedly, where null may stand."""
        raise RuntimeError(CANARY)

    @strawberry.field
    def broken_utterly(self) -> str:
        """Fail unexpectedly, where null may not stand."""
        raise RuntimeError(CANARY)

    @strawberry.field
    def refused(self) -> str | None:
        """Refuse on purpose."""
        raise BadInput("The name is empty.", hint="Give it one.", path="name")

    @strawberry.field
    def busy(self) -> str | None:
        """Refuse for now."""
        raise StoreBusy()

    @strawberry.field
    async def slow(self) -> str:
        """Never answer."""
        await asyncio.Event().wait()
        return "never"

    @strawberry.field
    def long(self, characters: int) -> str:
        """Answer at length."""
        return "x" * characters

    @strawberry.field
    def surrogate(self) -> str:
        """Answer what JSON cannot hold."""
        return "\ud800"


@strawberry.type
class Mutation:
    """One mutation that counts how often it ran."""

    @strawberry.mutation
    def touch(self) -> int:
        """Change something."""
        touched.append(1)
        return len(touched)


@strawberry.type
class Subscription:
    """One subscription."""

    @strawberry.subscription
    async def ticks(self) -> AsyncIterator[int]:
        """Tick once."""
        yield 1


touched: list[int] = []


@pytest.fixture(scope="session")
def small_schema() -> strawberry.Schema:
    """A schema with a field for each thing that can happen."""
    return strawberry.Schema(Query, Mutation, Subscription)


@dataclass(frozen=True)
class Probe:
    """A client of the small application, signed in unless told otherwise."""

    client: httpx.AsyncClient
    endpoint: GraphQLEndpoint

    async def post(self, query: str, *, accept: str | None = None, **body: object) -> httpx.Response:
        """Send one operation the usual way."""
        headers = {"Accept": accept} if accept else {}
        return await self.client.post("/graphql", json={"query": query, **body}, headers=headers)

    async def raw(self, content: bytes, **headers: str) -> httpx.Response:
        """Send any bytes as a body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(
            "/graphql", content=content, headers={"Content-Type": "application/json", **named}
        )


OpenProbe = Callable[..., AbstractAsyncContextManager[Probe]]


@pytest.fixture
def open_probe(small_schema: strawberry.Schema) -> OpenProbe:
    """Open a probe with options of its own."""

    @asynccontextmanager
    async def open_one(
        *,
        request_timeout_s: float = 10.0,
        body_bytes_max: int = 256 * 1024,
        cors_origins: tuple[str, ...] = (),
        cors_headers: tuple[str, ...] = (),
        introspection: bool = True,
        page: bool = True,
        proxy_adds_token: bool = False,
        **execution: Any,
    ) -> AsyncIterator[Probe]:
        endpoint = GraphQLEndpoint(
            Execution(
                small_schema,
                request_timeout_s=request_timeout_s,
                introspection=introspection,
                **execution,
            ),
            identify=identify_canary,
            make_context=lambda principal, _: nullcontext(SimpleNamespace(principal=principal)),
            body_bytes_max=body_bytes_max,
            request_timeout_s=request_timeout_s,
            page=ide_page if page else None,
            proxy_adds_token=proxy_adds_token,
        )
        app = small_app(endpoint, cors_origins, cors_headers)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://rollcall.test",
            headers={"Authorization": f"Bearer {TOKEN}"},
        ) as client:
            yield Probe(client, endpoint)

    return open_one


@pytest.fixture
async def probe(open_probe: OpenProbe) -> AsyncIterator[Probe]:
    """A probe with the usual options."""
    async with open_probe() as one:
        yield one


@pytest.fixture(autouse=True)
def _untouched() -> Iterator[None]:
    touched.clear()
    yield


async def identify_canary(request: Request) -> str:
    """Know one caller."""
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        raise Refused(401, "UNAUTHENTICATED", "A valid API token is needed.", headers={"WWW-Authenticate": "Bearer"})
    return "canary"


def small_app(
    endpoint: GraphQLEndpoint, cors_origins: tuple[str, ...] = (), cors_headers: tuple[str, ...] = ()
) -> Starlette:
    """The endpoint in its layers, in the order of server/app.py."""
    return Starlette(
        routes=[Route("/graphql", endpoint), Route("/graphiql/{version}/{name}", ide_asset)],
        middleware=[
            Middleware(AccessLog, clock=SystemClock()),
            Middleware(OriginCheck, cors_origins=cors_origins, cors_headers=cors_headers),
        ],
    )


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Logs at debug into memory; the process's own configuration comes back afterwards."""
    root = logging.getLogger()
    before = root.handlers, root.level
    stream = io.StringIO()
    configure_logs("debug", "json", stream)
    yield stream
    root.handlers, root.level = before[0], before[1]
    root.setLevel(before[1])
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """Read what was logged, one object a line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]
