"""Mutations of tasks: create, change, pause, hide, delete, one or many."""

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
from schema.types import Task
from sync.tasks.queue import confirm_removal, trigger_task
from sync.tasks.task import NewConnector, create_connector

_task = payload("Task")
CreateTaskPayload = _task.type("createTask", task=(Task, "The new task."))
UpdateTaskPayload = _task.type("updateTask", task=(Task, "The task."))
DeleteTaskPayload = _task.type("deleteTask", deleted_task=(strawberry.ID, "The id of the task that is gone."))
PauseTaskPayload = _task.type("pauseTask", task=(Task, "The task."))
ResumeTaskPayload = _task.type("resumeTask", task=(Task, "The task."))
HideTaskPayload = _task.type("hideTask", task=(Task, "The task."))
PauseTasksPayload = _task.type("pauseTasks", count=(int, "How many tasks were not paused yet."))
ResumeTasksPayload = _task.type("resumeTasks", count=(int, "How many tasks were paused."))
AGAIN = "Sent again with the same input, the first answer is returned and nothing is done."


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
    connector: ConnectorInput = strawberry.field(description="What it connects to.")
    schedule: ScheduleInput | None = strawberry.field(
        default=UNSET, description="When it comes due by itself; without one it runs when it is triggered."
    )
    idempotency_key: str | None = strawberry.field(
        default=UNSET, description="Sent again with the same input, the first answer is returned and nothing is made."
    )


async def create_task_(info: Info[Context, None], input: CreateTaskInput) -> Any:
    """Create a connector task."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        connector = input.connector.azure_ad
        assert connector  # noqa: S101 - exactly one of its fields: the input is @oneOf
        new = NewConnector(
            name=input.name,
            site_id=decode_id(input.site, "site", "Site", "site"),
            credential_id=decode_id(connector.credential, "cred", "Credential", "connector.azureAd.credential"),
            description=input.description or None,
            exclude_unknown=connector.exclude_unknown,
            include_inactive=connector.include_inactive,
            schedule=schedule_given(input.schedule) if input.schedule else None,
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

    return await mutate(info, _task, CreateTaskPayload, work, partial(_shown, context))


