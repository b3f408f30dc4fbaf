"""Mutations of tasks: create, change, pause, hide, delete; several at once are in schema/mutations/bulk.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from schema.field.arguments import given
from schema.field.ids import decode_id
from schema.mutations.payload import MutationContext, mutation, payload, within
from schema.mutations.scan import PLACES, PROBE_CREDENTIAL, ScanInput, UpdateScanInput, changes_of_scan, new_scan
from schema.types import Task
from schema.types.schedule import ScheduleInput, schedule_given
from sync.errors import BadInput
from sync.tasks import task as tasks
from sync.tasks.run.state import TaskKind
from sync.tasks.task import NewConnector

TASK = payload("Task")
AGAIN = "Sent again with the same input, the first answer is returned and nothing is done."
FULL_ROUND_DAYS = (
    "Days after which the next due run reads everything again, to repair what Graph's changes missed; 0 is never, "
    "null is the server's setting."
)
_CREDENTIAL = "connector.azureAd.credential"


@strawberry.input(description="Reads users, groups, devices and memberships of an Entra tenant.")
class AzureAdConnectorInput:
    credential: strawberry.ID = strawberry.field(description="The credential to sign in with.")
    exclude_unknown: bool = strawberry.field(
        default=False, description="Leave out devices that no asset known from another source matches."
    )
    include_inactive: bool = strawberry.field(default=False, description="Make assets of disabled devices too.")
    full_round_days: int | None = strawberry.field(default=None, description=FULL_ROUND_DAYS)


@strawberry.input(one_of=True, description="The system that a connector task reads: exactly one.")
class ConnectorInput:
    azure_ad: AzureAdConnectorInput | None = strawberry.field(default=UNSET, description="Microsoft Entra ID.")


@strawberry.input(description="Changes of a connector; omitted fields keep their values.")
class UpdateAzureAdConnectorInput:
    credential: strawberry.ID | None = strawberry.field(default=UNSET, description="The credential to sign in with.")
    exclude_unknown: bool | None = strawberry.field(
        default=UNSET, description="Leave out devices that no asset known from another source matches."
    )
    include_inactive: bool | None = strawberry.field(default=UNSET, description="Make assets of disabled devices too.")
    full_round_days: int | None = strawberry.field(default=UNSET, description=FULL_ROUND_DAYS)


@strawberry.input(one_of=True, description="Changes of a task's connector.")
class UpdateConnectorInput:
    azure_ad: UpdateAzureAdConnectorInput | None = strawberry.field(default=UNSET, description="Microsoft Entra ID.")


@strawberry.input(description="A new task.")
class CreateTaskInput:
    name: str = strawberry.field(description="The task's name.")
    site: strawberry.ID = strawberry.field(
        description="The site to fill. A tenant that another site reads, too, is listed here again: its users and "
        "groups (`acrossSites` lists each once) and, permanently, an asset for each device."
    )
    description: str | None = strawberry.field(default=UNSET, description="What the task is for.")
    connector: ConnectorInput | None = strawberry.field(
        default=UNSET, description="The system to read; either this or `scan`."
    )
    scan: ScanInput | None = strawberry.field(default=UNSET, description="The scan; either this or `connector`.")
    schedule: ScheduleInput | None = strawberry.field(
        default=UNSET, description="The schedule; without one, the task runs only when it is triggered."
    )
    idempotency_key: str | None = strawberry.field(
        default=UNSET, description="Sent again with the same input, the first answer is returned and nothing is made."
    )


@strawberry.input(
    description="Changes of a task; omitted fields keep their values. An active run ends with the old values."
)
class UpdateTaskInput:
    task: strawberry.ID = strawberry.field(description="The task.")
    name: str | None = strawberry.field(default=UNSET, description="Its name; never null.")
    description: str | None = strawberry.field(default=UNSET, description="What the task is for.")
    connector: UpdateConnectorInput | None = strawberry.field(
        default=UNSET, description="Changes of the connector, for a connector task."
    )
    scan: UpdateScanInput | None = strawberry.field(default=UNSET, description="Changes of the scan, for a scan task.")
    schedule: ScheduleInput | None = strawberry.field(default=UNSET, description="The schedule; null removes it.")
    idempotency_key: str | None = strawberry.field(default=UNSET, description=AGAIN)


@strawberry.input(description="The task to delete, with its runs and their logs.")
class DeleteTaskInput:
    task: strawberry.ID = strawberry.field(description="The task.")
    idempotency_key: str | None = strawberry.field(default=UNSET, description=AGAIN)


@strawberry.input(description="The task whose schedule to suspend.")
class PauseTaskInput:
    task: strawberry.ID = strawberry.field(description="The task.")
    idempotency_key: str | None = strawberry.field(default=UNSET, description=AGAIN)


@strawberry.input(description="The task whose schedule to resume.")
class ResumeTaskInput:
    task: strawberry.ID = strawberry.field(description="The task.")
    idempotency_key: str | None = strawberry.field(default=UNSET, description=AGAIN)


@strawberry.input(description="The task to hide from everyday lists.")
class HideTaskInput:
    task: strawberry.ID = strawberry.field(description="The task.")
    hidden: bool = strawberry.field(default=True, description="Whether it is hidden.")
    idempotency_key: str | None = strawberry.field(default=UNSET, description=AGAIN)


@mutation(TASK, "Create a task; it runs by its schedule and when it is triggered.", task=(Task, "The new task."))
async def create_task(context: MutationContext, input: CreateTaskInput) -> int:
    """Create a task of the kind that the input holds."""
    if bool(input.connector) == bool(input.scan):
        raise BadInput("A task has either a connector or a scan.", path="connector" if input.connector else None)
    common: dict[str, Any] = {
        "organization_id": context.organization_id,
        "created_by": context.principal.name,
        "idempotency_key": given(input.idempotency_key),
    }
    context.committed(context.runtime.ticker.wake)
    if input.scan:
        site_id, schedule = _site_and_schedule(input)
        scan = new_scan(input.name, site_id, input.description or None, input.scan, schedule)
        with within(PROBE_CREDENTIAL, PLACES):
            return await tasks.create_scan(context.tx, context.clock, new=scan, **common)
    connector = _connector(input)
    with within(_CREDENTIAL):
        return await tasks.create_connector(context.tx, context.clock, new=connector, **common)


def _site_and_schedule(input: CreateTaskInput) -> tuple[int, Any]:
    site_id = decode_id(input.site, "site", "Site", "site")
    return site_id, schedule_given(input.schedule) if input.schedule else None


def _connector(input: CreateTaskInput) -> NewConnector:
    site_id, schedule = _site_and_schedule(input)
    connector = input.connector.azure_ad  # type: ignore[union-attr]
    assert connector  # noqa: S101 - exactly one of its fields: the input is @oneOf
    return NewConnector(
        name=input.name,
        site_id=site_id,
        credential_id=decode_id(connector.credential, "cred", "Credential", _CREDENTIAL),
        description=input.description or None,
        exclude_unknown=connector.exclude_unknown,
        include_inactive=connector.include_inactive,
        full_round_days=connector.full_round_days,
        schedule=schedule,
    )


@mutation(TASK, "Change a task.", once=True, task=(Task, "The changed task."))
async def update_task(context: MutationContext, input: UpdateTaskInput) -> int:
    """Change the fields of a task that the input holds."""
    kind, changes = _changes(input)
    with within(PROBE_CREDENTIAL if kind is TaskKind.SCAN else _CREDENTIAL, PLACES):
        return await _change(context, tasks.update_task, input, changes=changes, kind=kind)


def _changes(input: UpdateTaskInput) -> tuple[TaskKind | None, dict[str, Any]]:
    """Return the kind of task that the input is for, if it needs one, and the changes."""
    changes: dict[str, Any] = {
        name: getattr(input, name) for name in ("name", "description") if getattr(input, name) is not UNSET
    }
    if changes.get("name", "") is None:
        raise BadInput("A task has a name.", path="name")
    if input.schedule is not UNSET:
        changes["schedule"] = schedule_given(input.schedule) if input.schedule else None
    if input.connector and input.scan:
        raise BadInput("A task has either a connector or a scan.", path="connector")
    if input.scan:
        return TaskKind.SCAN, changes | changes_of_scan(input.scan)
    if not input.connector:
        return None, changes
    for name, value in vars(input.connector.azure_ad).items():
        if value is None and name != "full_round_days":
            raise BadInput("Leave it out to keep it as it is.", path=f"connector.azureAd.{to_camel_case(name)}")
        if value is not UNSET:
            changes[name] = value
    if (credential := changes.pop("credential", None)) is not None:
        changes["credential_id"] = decode_id(credential, "cred", "Credential", _CREDENTIAL)
    return TaskKind.CONNECTOR, changes


@mutation(
    TASK,
    "Delete a task with its runs and their logs; what it wrote into the inventory stays. "
    "Refused while a run of it is active.",
    noun="Task",
    once=True,
    deleted_id=(strawberry.ID, "The id of the deleted task."),
)
async def delete_task(context: MutationContext, input: DeleteTaskInput) -> int:
    """Delete a task without an active run."""
    return await tasks.delete_task(context.tx, organization_id=context.organization_id, task_id=_key(input.task))


@mutation(
    TASK,
    "Suspend a task's schedule; an active run continues, and the task can still be triggered.",
    once=True,
    task=(Task, "The task."),
)
async def pause_task(context: MutationContext, input: PauseTaskInput) -> int:
    """Suspend a task's schedule."""
    return await _change(context, tasks.pause_task, input, paused=True)


@mutation(
    TASK,
    "Resume a task's schedule at its next time; missed times are not caught up.",
    once=True,
    task=(Task, "The task."),
)
async def resume_task(context: MutationContext, input: ResumeTaskInput) -> int:
    """Resume a task's schedule."""
    return await _change(context, tasks.pause_task, input, paused=False)


@mutation(TASK, "Hide a task from everyday lists; it runs as before.", once=True, task=(Task, "The task."))
async def hide_task(context: MutationContext, input: HideTaskInput) -> int:
    """Hide a task from everyday lists, or show it again."""
    return await _change(context, tasks.hide_task, input, hidden=input.hidden)


async def _change(context: MutationContext, change: Callable[..., Awaitable[int]], input: Any, **what: Any) -> int:
    """Change the input's task, and wake the ticker."""
    context.committed(context.runtime.ticker.wake)
    key = _key(input.task)
    return await change(context.tx, context.clock, organization_id=context.organization_id, task_id=key, **what)


def _key(id: str) -> int:
    return decode_id(id, "task", "Task", "task")
