"""Mutations of runs: trigger, stop, retry, confirm removals."""

from __future__ import annotations

from functools import partial

import strawberry
from strawberry import UNSET

from schema.field.arguments import given
from schema.field.ids import decode_id
from schema.mutations.payload import MutationContext, mutation
from schema.mutations.task import AGAIN, TASK
from schema.types import TaskRun
from sync.tasks.run import queue


@strawberry.input(description="The task to run now.")
class TriggerTaskInput:
    task: strawberry.ID = strawberry.field(description="The task.")
    full: bool = strawberry.field(
        default=False,
        description="Read everything, not only the changes, and repair differences that were not reported as changes.",
    )
    idempotency_key: str | None = strawberry.field(
        default=UNSET, description="Sent again with the same input, the first run is returned and none is queued."
    )


@strawberry.input(description="The run to stop.")
class StopRunInput:
    run: strawberry.ID = strawberry.field(description="A run that has not ended.")
    idempotency_key: str | None = strawberry.field(default=UNSET, description=AGAIN)


@strawberry.input(description="The run to retry.")
class RetryRunInput:
    run: strawberry.ID = strawberry.field(description="A run that is PARTIAL, FAILED or STOPPED.")
    idempotency_key: str | None = strawberry.field(
        default=UNSET, description="Sent again with the same input, the first run is returned and none is queued."
    )


@strawberry.input(description="The run that may remove the rows that it reported.")
class ConfirmRemovalInput:
    run: strawberry.ID = strawberry.field(description="A run that waits: its status is NEEDS_CONFIRMATION.")


@mutation(TASK, "Run a task now; refused while a run of it is active.", run=(TaskRun, "The queued run."))
async def trigger_task(context: MutationContext, input: TriggerTaskInput) -> int:
    """Queue a run and tell the engine."""
    key = await queue.trigger_task(
        context.tx,
        context.clock,
        organization_id=context.organization_id,
        task_id=decode_id(input.task, "task", "Task", "task"),
        triggered_by=context.principal.name,
        full=input.full,
        idempotency_key=given(input.idempotency_key),
    )
    return _woken(context, key)


@mutation(
    TASK,
    "Stop a run. A running one finishes its current page; everything it has written stays.",
    once=True,
    run=(TaskRun, "The run; a running one ends after its current page."),
)
async def stop_run(context: MutationContext, input: StopRunInput) -> int:
    """Stop a run and tell the engine."""
    key = await queue.stop_run(
        context.tx,
        context.clock,
        organization_id=context.organization_id,
        run_id=_key(input.run),
        stopped_by=context.principal.name,
    )
    context.committed(partial(context.runtime.engine.halt, key))
    return key


@mutation(
    TASK,
    "Retry a run that did not succeed: queue a new run that continues from the last positions of the streams.",
    once=True,
    run=(TaskRun, "The new run, queued."),
)
async def retry_run(context: MutationContext, input: RetryRunInput) -> int:
    """Queue a new run for one that did not succeed, and tell the engine."""
    key = await queue.retry_run(
        context.tx,
        context.clock,
        organization_id=context.organization_id,
        run_id=_key(input.run),
        triggered_by=context.principal.name,
    )
    return _woken(context, key)


@mutation(
    TASK,
    "Let a held run remove the rows that it reported; if it would remove more, it is held again.",
    run=(TaskRun, "The run, queued again."),
)
async def confirm_removal(context: MutationContext, input: ConfirmRemovalInput) -> int:
    """Queue a held run again, and tell the engine."""
    key = _key(input.run)
    await queue.confirm_removal(
        context.tx,
        context.clock,
        organization_id=context.organization_id,
        run_id=key,
        confirmed_by=context.principal.name,
    )
    return _woken(context, key)


def _woken(context: MutationContext, run: int) -> int:
    """Wake the engine for a run after the commit."""
    context.committed(partial(context.runtime.engine.wake, run))
    return run


def _key(id: str) -> int:
    return decode_id(id, "run", "TaskRun", "run")
