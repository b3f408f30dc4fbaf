"""A process that syncs one tenant into an empty folder and says how long it took: Rollcall without its server."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson
import uvloop
from sqlalchemy import func, select

from sync.credentials import CredentialKind, NewCredential, create_credential
from sync.entra.cloud import Cloud, Endpoints
from sync.organizations import default_organization
from sync.runtime import Config, Runtime
from sync.store.tables import edges, runs, sites
from sync.tasks.task import NewConnector, create_connector, trigger_task


async def furnish(runtime: Runtime, tenant: Mapping[str, str]) -> tuple[int, int]:
    """Make a credential and a task; returns organization and task."""
    async with runtime.store.write() as tx:
        organization_id = await default_organization(tx)
        site_id = int(await tx.scalar(select(sites.c.id)) or 0)
        new = NewCredential(
            name="tenant",
            kind=CredentialKind.AZURE_CLIENT_SECRET,
            cloud=Cloud.CUSTOM,
            client_id=tenant["clientId"],
            tenant_id=tenant["tenantId"],
            secret=tenant["clientSecret"],
        )
        credential_id = await create_credential(
            tx,
            runtime.clock,
            runtime.vault,
            runtime.custom,
            organization_id=organization_id,
            new=new,
            created_by="bench",
        )
        task = NewConnector("bench", site_id, credential_id)
        task_id = await create_connector(
            tx, runtime.clock, organization_id=organization_id, new=task, created_by="bench"
        )
    return organization_id, task_id


async def round_of(runtime: Runtime, organization_id: int, task_id: int) -> dict[str, Any]:
    """Run the task once and return what it took."""
    async with runtime.store.write() as tx:
        run_id = await trigger_task(
            tx, runtime.clock, organization_id=organization_id, task_id=task_id, triggered_by="bench"
        )
    started, worked = time.perf_counter(), time.process_time()
    runtime.engine.wake(run_id)
    await runtime.engine.idle()
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - worked
    async with runtime.store.read() as tx:
        run = (await tx.execute(select(runs).where(runs.c.id == run_id))).one()
        number = await tx.scalar(select(func.count()).select_from(edges))
    assert run.status == "SUCCEEDED", run.errors
    done = sum(stage["done"] for stage in run.progress.values())
    return {"seconds": seconds, "cpu_s": cpu_s, "objects": done, "edges": number, "requests": run.requests["count"]}


async def main(folder: Path, tenant: Mapping[str, str]) -> None:
    """Sync once from nothing and once again without a change; print both."""
    endpoints = Endpoints(tenant["origin"], tenant["origin"], Path(tenant["caFile"]))
    runtime = await Runtime.open(Config(folder, custom=endpoints))
    try:
        organization_id, task_id = await furnish(runtime, tenant)
        click.echo(orjson.dumps([await round_of(runtime, organization_id, task_id) for _ in range(2)]))
    finally:
        await runtime.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), orjson.loads(sys.argv[2])))
