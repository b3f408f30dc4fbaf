"""Mutations of runs: trigger, stop, try again, let remove what one was held for."""

from __future__ import annotations

from functools import partial

import strawberry
from strawberry import UNSET

from schema.field.ids import decode_id
from schema.list.connection import given
from schema.mutations.payload import MutationContext, mutation
from schema.mutations.task import AGAIN, TASK
from schema.types import TaskRun
from sync.tasks.run import queue


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
    "Stop a run. One that is running finishes the page in hand; what it has written stays.",
    once=True,
    run=(TaskRun, "The run; one that was running ends after the page in hand."),
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
    "Try a run again that did not succeed: a new run that goes on from where the directory's streams are.",
    once=True,
    run=(TaskRun, "The new run, queued."),
)
async def retry_run(context: MutationContext, input: RetryRunInput) -> int:
    """Queue another run in place of one that did not succeed, and tell the engine."""
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
    "Let a run remove what it was held for; what goes beyond that is asked for again.",
    run=(TaskRun, "The run, queued again."),
)
async def confirm_removal(context: MutationContext, input: ConfirmRemovalInput) -> int:
    """Queue a run that was held, and tell the engine."""
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
    """Wake the engine for a run once it is committed."""
    context.committed(partial(context.runtime.engine.wake, run))
    return run


def _key(id: str) -> int:
    return decode_id(id, "run", "TaskRun", "run")
