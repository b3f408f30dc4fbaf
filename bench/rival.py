"""What the server is measured against, over the same tables: stock Strawberry, one SQL to JSON, constant bytes.

`python -m bench.rival PORT DATABASE`; none of them identifies callers, limits documents or writes a log.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import orjson
import strawberry
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from bench.shape import SHAPES

ASSET = (
    "id", "name", "names", "type", "os", "os_version", "manufacturer", "model", "serial", "alive", "scanned",
    "source_count", "first_seen", "last_seen", "updated_at",
)  # fmt: skip
USER = ("id", "display_name", "user_principal_name", "department", "account_enabled")
ASSETS = f"SELECT {', '.join(ASSET)} FROM assets WHERE organization_id = 1 AND deleted_at IS NULL"  # noqa: S608
GROUPS = "SELECT id, display_name FROM groups WHERE organization_id = 1 AND deleted_at IS NULL ORDER BY id LIMIT ?"
MEMBERS = (
    f"SELECT * FROM (SELECT e.from_id, {', '.join('u.' + name for name in USER)}, "  # noqa: S608
    "row_number() OVER (PARTITION BY e.from_id ORDER BY u.id) AS place "
    "FROM edges e JOIN users u ON u.id = e.to_id WHERE e.kind = 1 AND u.deleted_at IS NULL "
    "AND e.from_id IN (SELECT value FROM json_each(?))) WHERE place <= ?"
)


@strawberry.type
class User:
    """A user."""

    id: strawberry.ID
    display_name: str | None
    user_principal_name: str | None
    department: str | None
    account_enabled: bool | None


@strawberry.type
class Asset:
    """An asset."""

    id: strawberry.ID
    name: str | None
    names: list[str]
    type: str | None
    os: str | None
    os_version: str | None
    manufacturer: str | None
    model: str | None
    serial: str | None
    alive: bool | None
    scanned: bool
    source_count: int
    first_seen: str | None
    last_seen: str | None
    updated_at: str


@strawberry.type
class Users:
    """A list of users."""

    nodes: list[User]


@strawberry.type
class Group:
    """A group."""

    id: strawberry.ID
    display_name: str | None

    @strawberry.field
    async def users(self, info: Info[Any, None], first: int) -> Users:
        """Load the members of all groups at once."""
        return Users(nodes=await info.context["members"](first).load(int(self.id)))


@strawberry.type
class Groups:
    """A list of groups."""

    nodes: list[Group]


@strawberry.type
class Assets:
    """A list of assets."""

    nodes: list[Asset]
    total_count: int | None


@strawberry.type
class Query:
    """The same queries, as the handbook has them."""

    @strawberry.field
    async def assets(self, info: Info[Any, None], first: int, os: str | None = None) -> Assets:
        """List assets."""
        condition = " AND os = ?" if os else ""
        given = [os] if os else []
        rows = await info.context["fetch"](
            f"{ASSETS}{condition} ORDER BY {'name, ' if os else ''}id LIMIT ?", [*given, first]
        )
        total = None
        if os:
            number = "SELECT count(*) FROM assets WHERE organization_id = 1 AND deleted_at IS NULL AND os = ?"
            total = (await info.context["fetch"](number, given))[0][0]
        nodes = [
            Asset(**dict(zip(ASSET, row, strict=True)) | {"names": orjson.loads(row[2]), "scanned": row[10] == 1})
            for row in rows
        ]
        return Assets(nodes=nodes, total_count=total)

    @strawberry.field
    async def groups(self, info: Info[Any, None], first: int) -> Groups:
        """List groups."""
        rows = await info.context["fetch"](GROUPS, [first])
        return Groups(nodes=[Group(id=row[0], display_name=row[1]) for row in rows])


class Stock(GraphQL[Any, None]):
    """Strawberry's own application with its default configuration."""

    fetch: Callable[..., Any]

    async def get_context(self, request: Any, response: Any) -> Any:
        """Give resolvers the database and a loader."""
        loaders: dict[int, DataLoader[int, list[User]]] = {}

        def members(first: int) -> DataLoader[int, list[User]]:
            if first not in loaders:
                loaders[first] = DataLoader(load_fn=partial(self._members, first))
            return loaders[first]

        return {"fetch": self.fetch, "members": members}

    async def _members(self, first: int, keys: list[int]) -> list[list[User]]:
        found: dict[int, list[User]] = {key: [] for key in keys}
        for row in await self.fetch(MEMBERS, [orjson.dumps(keys).decode(), first]):
            found[row[0]].append(User(**dict(zip(USER, row[1:], strict=False)) | {"account_enabled": row[5] == 1}))
        return [found[key] for key in keys]


def build(database: Path) -> Starlette:
    """Put the rivals together."""
    stock = Stock(strawberry.Schema(Query))

    @asynccontextmanager
    async def opened(app: Starlette) -> AsyncIterator[None]:
        async with aiosqlite.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None) as connection:
            await connection.execute("PRAGMA cache_size=-65536")
            stock.fetch = connection.execute_fetchall
            app.state.connection = connection
            yield

    async def sql(request: Request) -> Response:
        await request.body()
        statement = SHAPES[request.path_params["shape"]].sql
        ((text,),) = await request.app.state.connection.execute_fetchall(statement)
        return Response(text, media_type="application/json")

    constant: dict[str, bytes] = {}

    async def same(request: Request) -> Response:
        await request.body()
        shape = request.path_params["shape"]
        if shape not in constant:
            ((text,),) = await request.app.state.connection.execute_fetchall(SHAPES[shape].sql)
            constant[shape] = text.encode()
        return Response(constant[shape], media_type="application/json")

    routes = [
        Route("/stock", stock),
        Route("/sql/{shape}", sql, methods=["POST"]),
        Route("/constant/{shape}", same, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=opened)


def main() -> None:
    """Serve until terminated."""
    port, database = int(sys.argv[1]), Path(sys.argv[2])
    config = uvicorn.Config(build(database), port=port, log_level="warning", access_log=False, server_header=False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
