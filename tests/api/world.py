"""An open runtime with three organizations: one synced from a simulated tenant, two with rows written by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Select, Table, select

from schema.access import Principal, Role
from server.simulator import Simulator
from sync.clock import Clock
from sync.entra.cloud import Endpoints
from sync.entra.graph.client import GraphClient
from sync.entra.signin.token import SignIn, StaticToken
from sync.organization.organizations import create_organization
from sync.runtime import Config, Runtime
from sync.store import gram, tables
from tests.api.caller import Caller
from tests.api.rows import furnish
from tests.canary import canary_secret

CLIENT_SECRET = canary_secret("client-secret-of-the-world")
Row = Mapping[str, Any]

CREATE_CREDENTIAL = (
    "mutation($input: CreateCredentialInput!) { createCredential(input: $input) { credential { id } errors { code } } }"
)
CREATE_TASK = "mutation($input: CreateTaskInput!) { createTask(input: $input) { task { id } errors { code } } }"
TRIGGER = "mutation($input: TriggerTaskInput!) { triggerTask(input: $input) { run { id } errors { code } } }"


@dataclass
class World:
    """What the tests read. `home` is the synced organization; `beta` and `gamma` have rows written by hand."""

    runtime: Runtime
    simulator: Simulator
    home: int
    task: str = ""
    beta: int = 0
    gamma: int = 0
    # What the directory deleted between the two runs: kind → object ids.
    gone: dict[str, set[str]] = field(default_factory=dict)

    def caller(self, role: Role = Role.ADMINISTRATOR, organization: int | None = None) -> Caller:
        """Return a caller of an organization, by default the synced one."""
        name = f"{role.value.lower()} of {organization or self.home}"
        return Caller(self.runtime, Principal(1, organization or self.home, role, name))

    async def read(self, statement: Select[Any]) -> list[Row]:
        """Read rows past the schema: the truth that answers are compared with."""
        async with self.runtime.store.read() as tx:
            return [dict(row) for row in (await tx.execute(statement)).mappings()]

    async def rows(self, table: Table, organization: int) -> list[Row]:
        """Read an organization's rows that are not tombstones, by id."""
        statement = select(table).where(table.c.organization_id == organization).order_by(table.c.id)
        return [row for row in await self.read(statement) if row.get("deleted_at") is None]

    async def new_organization(self, name: str, *, seed: int) -> int:
        """Make an organization with rows in every table."""
        async with self.runtime.store.write() as tx:
            key = await create_organization(tx, self.runtime.clock, name)
            await furnish(tx, key, seed=seed)
        return key


def directory_of(simulator: Simulator) -> Config:
    """Return the connection part of a configuration: the simulator in this process, no socket."""
    here = Endpoints(simulator.origin, simulator.origin)

    @asynccontextmanager
    async def connect(sign_in: SignIn, clock: Clock) -> AsyncIterator[GraphClient]:
        transport = httpx.ASGITransport(app=simulator.app)
        tokens = StaticToken(simulator.issue_token)
        async with GraphClient(sign_in.endpoints, tokens, clock, transport=transport) as client:
            yield client

    return Config(Path(), custom=here, connect=connect)


@asynccontextmanager
async def open_world(data_dir: Path) -> AsyncIterator[World]:
    """Open a runtime, sync it twice with changes in between, and add the organizations written by hand."""
    simulator = Simulator(users=130, devices=110, groups=30, seed=7)
    settings = directory_of(simulator)
    runtime = await Runtime.open(Config(data_dir, custom=settings.custom, connect=settings.connect))
    try:
        world = World(runtime, simulator, home=1)
        await _prepare(world)
        await _sync(world)
        world.gone = _change(simulator)
        await _sync(world)
        await runtime.indexer.idle()
        # The index of texts has all of home, some rows of beta, and nothing of gamma.
        world.beta = await world.new_organization("Beta", seed=11)
        for table in gram.COLUMNS:
            assert await runtime.indexer.step(world.beta, table, rows_max=9)
        world.gamma = await world.new_organization("Gamma", seed=12)
        yield world
    finally:
        await runtime.close()


async def _prepare(world: World) -> None:
    caller = world.caller()
    secret = {
        "clientId": world.simulator.secret_app.client_id,
        "tenantId": world.simulator.tenant_id,
        "clientSecret": CLIENT_SECRET,
    }
    credential = {"name": "Directory", "cloud": "CUSTOM", "kind": {"azureClientSecret": secret}}
    made = await caller.data(CREATE_CREDENTIAL, input=credential)
    connector = {"azureAd": {"credential": made["createCredential"]["credential"]["id"]}}
    site = (await world.rows(tables.sites, world.home))[0]["id"]
    task = {"name": "Directory", "site": f"site_{site}", "connector": connector}
    world.task = (await caller.data(CREATE_TASK, input=task))["createTask"]["task"]["id"]


async def _sync(world: World) -> None:
    await world.caller().data(TRIGGER, input={"task": world.task})
    await world.runtime.engine.idle()
    last = (await world.read(select(tables.runs.c.status).order_by(tables.runs.c.id)))[-1]
    assert last["status"] == "SUCCEEDED"


def _change(simulator: Simulator) -> dict[str, set[str]]:
    """Delete objects of each kind, for good and restorably, and move some edges."""
    directory = simulator.directory
    gone: dict[str, set[str]] = {}
    for kind, doomed in (("users", (3, 40, 77)), ("groups", (0, 9, 12, 13)), ("devices", (1, 30, 60, 61))):
        ids = list(directory.ids(kind))
        gone[kind] = {ids[number] for number in doomed}
        for number in doomed:
            directory.delete(kind, ids[number], permanently=number % 2 == 0)
    manager, report = list(directory.ids("users"))[5:7]
    directory.link("manager", report, manager)
    group_id, member_id = next(iter(directory.edges("members")))
    directory.unlink("members", group_id, member_id)
    return gone
