"""One installation of the product, fed by a simulated tenant without a socket; opened, stopped and opened again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from sqlalchemy import select

from server.simulator import Simulator
from sync.clock import Clock
from sync.entra.cloud import Cloud, Endpoints
from sync.entra.graph.client import GraphClient
from sync.entra.signin.token import SignIn, StaticToken
from sync.organization.organizations import default_organization
from sync.runtime import DATABASE_FILE, Config, Runtime
from sync.secret.credentials import CredentialKind, NewCredential, create_credential
from sync.store import AnyRow
from sync.store.tables import metadata, run_log, runs, sites
from sync.tasks.defaults import FULL_ROUND_DAYS
from sync.tasks.engine.workplace import ROWS_AHEAD
from sync.tasks.run.queue import trigger_task
from sync.tasks.task import NewConnector, create_connector
from tests.started import start_first
from tests.sync.entra.clock import FakeClock

Dump = dict[str, list[tuple[Any, ...]]]


class Installation:
    """A data directory and the tenant its credential belongs to; `runtime` is set while it is open."""

    runtime: Runtime
    task_id: int
    credential_id: int
    organization_id: int
    site_id: int
    # Makes its tables itself: a process that is killed meanwhile must be the product alone.
    starts_anew = False

    def __init__(self, simulator: Simulator, data_dir: Path, clock: Clock | None = None) -> None:
        self.simulator, self.data_dir = simulator, data_dir
        self.clock = clock or FakeClock()
        self.rows_ahead, self.full_round_days = ROWS_AHEAD, FULL_ROUND_DAYS
        # Tests of failures look at one run; those of retries ask for more.
        self.run_retries = 0
        self.is_open = False

    @property
    def database(self) -> Path:
        """Return the database file."""
        return self.data_dir / DATABASE_FILE

    def config(self) -> Config:
        """Return what the product is opened with: the simulated tenant is its custom cloud."""
        endpoints = Endpoints(self.simulator.origin, self.simulator.origin)
        return Config(
            self.data_dir,
            custom=endpoints,
            connect=self.connect,
            rows_ahead=self.rows_ahead,
            full_round_days=self.full_round_days,
            run_retries=self.run_retries,
        )

    @asynccontextmanager
    async def connect(self, sign_in: SignIn, clock: Clock) -> AsyncIterator[GraphClient]:
        """Open a Graph client whose requests go straight into the simulator."""
        transport = httpx.ASGITransport(self.simulator.app)
        tokens = StaticToken(self.simulator.issue_token)
        async with GraphClient(sign_in.endpoints, tokens, clock, transport=transport) as client:
            yield client

    async def open(self, *, run_tasks: bool = True) -> None:
        """Open the product; runs left behind are taken up."""
        if not self.starts_anew:
            await start_first(self.data_dir)
        self.runtime = await Runtime.open(self.config(), clock=self.clock, run_tasks=run_tasks)
        self.is_open = True

    async def close(self) -> None:
        """Close the product as SIGTERM does."""
        if self.is_open:
            self.is_open = False
            await self.runtime.close()

    @asynccontextmanager
    async def furnished(self) -> AsyncIterator[Self]:
        """Open the product with a credential and a task that has not run, and close it in the end."""
        await self.open()
        try:
            await self.furnish()
            yield self
        finally:
            await self.close()

    async def furnish(self, **options: Any) -> None:
        """Create credential and task in the organization that the first start made."""
        async with self.runtime.store.write() as tx:
            self.organization_id = await default_organization(tx)
            mine = sites.c.organization_id == self.organization_id
            self.site_id = int(await tx.scalar(select(sites.c.id).where(mine)) or 0)
        self.credential_id = await self.add_credential(self.credential())
        self.task_id = await self.add_task("Directory", **options)

    def app(self) -> tuple[str, str, str]:
        """Return the client id, the tenant id and the secret of the app that signs in."""
        app = self.simulator.secret_app
        return app.client_id, self.simulator.tenant_id, app.client_secret

    def credential(self, name: str = "Entra", **more: Any) -> NewCredential:
        """Return the tenant's secret credential."""
        client_id, tenant_id, secret = self.app()
        values: dict[str, Any] = {
            "name": name,
            "kind": CredentialKind.AZURE_CLIENT_SECRET,
            "cloud": Cloud.CUSTOM,
            "client_id": client_id,
            "tenant_id": tenant_id,
            "secret": secret,
        }
        return NewCredential(**(values | more))

    async def add_credential(self, new: NewCredential, organization_id: int | None = None) -> int:
        """Create a credential and return its key."""
        async with self.runtime.store.write() as tx:
            return await create_credential(
                tx,
                self.clock,
                self.runtime.vault,
                self.runtime.custom,
                organization_id=organization_id or self.organization_id,
                new=new,
                created_by="test",
            )

    async def add_task(self, name: str, **more: Any) -> int:
        """Create a connector task and return its key."""
        new = NewConnector(
            name, more.pop("site_id", self.site_id), more.pop("credential_id", self.credential_id), **more
        )
        async with self.runtime.store.write() as tx:
            return await create_connector(
                tx, self.clock, organization_id=self.organization_id, new=new, created_by="test"
            )

    async def trigger(self, task_id: int | None = None, key: str | None = None, *, full: bool = False) -> int:
        """Queue a run and wake the engine, as the API does; returns the run's key."""
        run_id = await self.queue(task_id, key, full=full)
        self.runtime.engine.wake(run_id)
        return run_id

    async def queue(self, task_id: int | None = None, key: str | None = None, *, full: bool = False) -> int:
        """Queue a run and return its key; the engine is not told."""
        async with self.runtime.store.write() as tx:
            return await trigger_task(
                tx,
                self.clock,
                organization_id=self.organization_id,
                task_id=task_id or self.task_id,
                triggered_by="test",
                full=full,
                idempotency_key=key,
            )

    async def run(self, task_id: int | None = None, *, full: bool = False) -> AnyRow:
        """Run a task to its end and return the run's row."""
        run_id = await self.trigger(task_id, full=full)
        await self.runtime.engine.idle()
        return await self.row(run_id)

    async def row(self, run_id: int) -> AnyRow:
        """Return a run's row."""
        async with self.runtime.store.read() as tx:
            return (await tx.execute(select(runs).where(runs.c.id == run_id))).one()

    async def log(self, run_id: int) -> list[str]:
        """Return the messages of a run's log."""
        async with self.runtime.store.read() as tx:
            rows = await tx.scalars(select(run_log.c.message).where(run_log.c.run_id == run_id).order_by(run_log.c.id))
            return list(rows)

    async def dump(self, *without: str) -> Dump:
        """Return every column of every row of the tables, but those named and what the indexer writes behind a run."""
        async with self.runtime.store.read() as tx:
            return {
                table.name: sorted((tuple(row) for row in await tx.execute(select(table))), key=repr)
                for table in metadata.tables.values()
                if table.name not in (*without, "gram_marks")
            }
