"""Mutations of tasks and their runs: create, trigger, confirm."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry import UNSET
from strawberry.types import Info

from schema.connection import given
from schema.context import Context
from schema.ids import decode_id
from schema.mutations.payload import mutate, payload, within
from schema.mutations.scan import PLACES, ScanInput, new_scan
from schema.types import Task, TaskRun
from sync.errors import BadInput
from sync.tasks.queue import confirm_removal, trigger_task
from sync.tasks.task import NewConnector, create_connector, create_scan

_task = payload("Task")
CreateTaskPayload = _task.type("createTask", task=(Task, "The new task."))
TriggerTaskPayload = _task.type("triggerTask", run=(TaskRun, "The queued run."))
ConfirmRemovalPayload = _task.type("confirmRemoval", run=(TaskRun, "The run, queued again."))


@strawberry.input(description="Reads users, groups, devices and memberships of an Entra tenant.")
class AzureAdConnectorInput:
    """What a connector reads."""

    credential: strawberry.ID = strawberry.field(description="The credential to sign in with.")
    exclude_unknown: bool = strawberry.field(
        default=False, description="Leave out devices that no asset known from another source matches."
    )
    include_inactive: bool = strawberry.field(default=False, description="Make assets of disabled devices too.")


@strawberry.input(one_of=True, description="What a connector task connects to: exactly one.")
class ConnectorInput:
    """What a connector task connects to."""

    azure_ad: AzureAdConnectorInput | None = strawberry.field(default=UNSET, description="Microsoft Entra ID.")


@strawberry.input(description="A new task.")
class CreateTaskInput:
    """A new task."""

    name: str = strawberry.field(description="The task's name.")
    site: strawberry.ID = strawberry.field(description="The site it fills.")
    description: str | None = strawberry.field(default=UNSET, description="What the task is for.")
    connector: ConnectorInput | None = strawberry.field(
        default=UNSET, description="What it connects to; either this or `scan`."
    )
    scan: ScanInput | None = strawberry.field(default=UNSET, description="What it scans; either this or `connector`.")
    idempotency_key: str | None = strawberry.field(
        default=UNSET, description="Sent again with the same input, the first answer is returned and nothing is made."
    )


@strawberry.input(description="Which task to run now.")
class TriggerTaskInput:
    """Which task to run now."""

    task: strawberry.ID = strawberry.field(description="The task.")
    idempotency_key: str | None = strawberry.field(
        default=UNSET, description="Sent again with the same input, the first run is returned and none is queued."
    )


@strawberry.input(description="Which run may remove what it told of.")
class ConfirmRemovalInput:
    """Which run may remove what it told of."""

    run: strawberry.ID = strawberry.field(description="A run that waits: its status is NEEDS_CONFIRMATION.")


async def create_task_(info: Info[Context, None], input: CreateTaskInput) -> Any:
    """Create a task of the kind that the input holds."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        if bool(input.connector) == bool(input.scan):
            raise BadInput("A task has either a connector or a scan.", path="connector" if input.connector else None)
        site_id = decode_id(input.site, "site", "Site", "site")
        if input.scan:
            scan = new_scan(input.name, site_id, input.description or None, input.scan)
            with within("scan.probes.azureAd.credential", PLACES):
                key = await create_scan(
                    tx,
                    context.runtime.clock,
                    organization_id=context.principal.organization_id,
                    new=scan,
                    created_by=context.principal.name,
                    idempotency_key=given(input.idempotency_key),
                )
            return "Task", key
        connector = input.connector.azure_ad  # type: ignore[union-attr]
        assert connector  # noqa: S101 - exactly one of its fields: the input is @oneOf
        new = NewConnector(
            name=input.name,
            site_id=site_id,
            credential_id=decode_id(connector.credential, "cred", "Credential", "connector.azureAd.credential"),
            description=input.description or None,
            exclude_unknown=connector.exclude_unknown,
            include_inactive=connector.include_inactive,
        )
        with within("connector.azureAd.credential"):
            key = await create_connector(
                tx,
                context.runtime.clock,
                organization_id=context.principal.organization_id,
                new=new,
                created_by=context.principal.name,
                idempotency_key=given(input.idempotency_key),
            )
        return "Task", key

    async def after(key: int) -> dict[str, Any]:
        return {"task": await context.load("Task", key)}

    return await mutate(info, _task, CreateTaskPayload, work, after)


async def trigger_task_(info: Info[Context, None], input: TriggerTaskInput) -> Any:
    """Queue a run and tell the engine."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        key = await trigger_task(
            tx,
            context.runtime.clock,
            organization_id=context.principal.organization_id,
            task_id=decode_id(input.task, "task", "Task", "task"),
            triggered_by=context.principal.name,
            idempotency_key=given(input.idempotency_key),
        )
        return "TaskRun", key

    async def after(key: int) -> dict[str, Any]:
        context.runtime.engine.wake(key)
        return {"run": await context.load("TaskRun", key)}

    return await mutate(info, _task, TriggerTaskPayload, work, after)


async def confirm_removal_(info: Info[Context, None], input: ConfirmRemovalInput) -> Any:
    """Queue a run that was held, and tell the engine."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        key = decode_id(input.run, "run", "TaskRun", "run")
        await confirm_removal(
            tx,
            context.runtime.clock,
            organization_id=context.principal.organization_id,
            run_id=key,
            confirmed_by=context.principal.name,
        )
        return "TaskRun", key

    async def after(key: int) -> dict[str, Any]:
        context.runtime.engine.wake(key)
        return {"run": await context.load("TaskRun", key)}

    return await mutate(info, _task, ConfirmRemovalPayload, work, after)
