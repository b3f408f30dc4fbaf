"""Mutations of runs: trigger, stop, try again, let remove what one was held for."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry import UNSET
from strawberry.types import Info

from schema.context import Context
from schema.field.ids import decode_id
from schema.list.connection import given
from schema.mutations.payload import mutate, once
from schema.mutations.task import AGAIN, TASK
from schema.types import TaskRun
from sync.tasks.run.queue import confirm_removal, retry_run, stop_run, trigger_task

TriggerTaskPayload = TASK.type("triggerTask", run=(TaskRun, "The queued run."))
StopRunPayload = TASK.type("stopRun", run=(TaskRun, "The run; one that was running ends after the page in hand."))
RetryRunPayload = TASK.type("retryRun", run=(TaskRun, "The new run, queued."))
ConfirmRemovalPayload = TASK.type("confirmRemoval", run=(TaskRun, "The run, queued again."))


@strawberry.input(description="Which task to run now.")
class TriggerTaskInput:
    task: strawberry.ID = strawberry.field(description="The task.")
    full: bool = strawberry.field(
        default=False,
        description="Read everything, not only what has changed, and repair what differs although no change of it "
        "was reported.",
    )
    idempotency_key: str | None = strawberry.field(
        default=UNSET, description="Sent again with the same input, the first run is returned and none is queued."
    )


@strawberry.input(description="Which run to stop.")
class StopRunInput:
    run: strawberry.ID = strawberry.field(description="A run that has not ended.")
    idempotency_key: str | None = strawberry.field(default=UNSET, description=AGAIN)


@strawberry.input(description="Which run to try again.")
class RetryRunInput:
    run: strawberry.ID = strawberry.field(description="A run that is PARTIAL, FAILED or STOPPED.")
    idempotency_key: str | None = strawberry.field(
        default=UNSET, description="Sent again with the same input, the first run is returned and none is queued."
    )


@strawberry.input(description="Which run may remove what it told of.")
class ConfirmRemovalInput:
    run: strawberry.ID = strawberry.field(description="A run that waits: its status is NEEDS_CONFIRMATION.")


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
            full=input.full,
            idempotency_key=given(input.idempotency_key),
        )
        return "TaskRun", key

    async def after(key: int) -> dict[str, Any]:
        context.runtime.engine.wake(key)
        return {"run": await context.load("TaskRun", key)}

    return await mutate(info, TASK, TriggerTaskPayload, work, after)


async def stop_run_(info: Info[Context, None], input: StopRunInput) -> Any:
    """Stop a run and tell the engine."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        async def stop() -> int:
            return await stop_run(
                tx,
                context.runtime.clock,
                organization_id=context.principal.organization_id,
                run_id=_key(input.run),
                stopped_by=context.principal.name,
            )

        return "TaskRun", await once(tx, info, input, stop)

    async def after(key: int) -> dict[str, Any]:
        context.runtime.engine.halt(key)
        return {"run": await context.load("TaskRun", key)}

    return await mutate(info, TASK, StopRunPayload, work, after)


async def retry_run_(info: Info[Context, None], input: RetryRunInput) -> Any:
    """Queue another run in place of one that did not succeed, and tell the engine."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        async def retry() -> int:
            return await retry_run(
                tx,
                context.runtime.clock,
                organization_id=context.principal.organization_id,
                run_id=_key(input.run),
                triggered_by=context.principal.name,
            )

        return "TaskRun", await once(tx, info, input, retry)

    async def after(key: int) -> dict[str, Any]:
        context.runtime.engine.wake(key)
        return {"run": await context.load("TaskRun", key)}

    return await mutate(info, TASK, RetryRunPayload, work, after)


async def confirm_removal_(info: Info[Context, None], input: ConfirmRemovalInput) -> Any:
    """Queue a run that was held, and tell the engine."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        key = _key(input.run)
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

    return await mutate(info, TASK, ConfirmRemovalPayload, work, after)


def _key(id: str) -> int:
    return decode_id(id, "run", "TaskRun", "run")
