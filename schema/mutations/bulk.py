"""Mutations of all tasks or runs that match a filter; a list with the same `where` returns the same rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import strawberry

from schema.field.registry import NOUNS
from schema.generated import named
from schema.list.narrowing import narrowed
from schema.mutations.payload import MutationContext, mutation
from schema.mutations.task import TASK
from schema.plan.statement import Statement
from sync.errors import BadInput
from sync.tasks.run import queue
from sync.tasks.task import set_paused

ROWS_MAX = 1_000
_TaskWhere = named("TaskWhere")
_TaskRunWhere = named("TaskRunWhere")
_WHERE = f"The filter; it may match at most {ROWS_MAX:,} rows."


@strawberry.input(description="The tasks whose schedules to suspend.")
class PauseTasksInput:
    where: _TaskWhere = strawberry.field(description=_WHERE)  # type: ignore[valid-type]


@strawberry.input(description="The tasks whose schedules to resume.")
class ResumeTasksInput:
    where: _TaskWhere = strawberry.field(description=_WHERE)  # type: ignore[valid-type]


@strawberry.input(description="The runs to stop.")
class StopRunsInput:
    where: _TaskRunWhere = strawberry.field(description=_WHERE)  # type: ignore[valid-type]


@mutation(
    TASK,
    "Suspend the schedules of all tasks that match a filter.",
    noun="Organization",
    count=(int, "How many tasks were not paused yet."),
)
async def pause_tasks(context: MutationContext, input: PauseTasksInput) -> int:
    """Suspend the schedules of tasks."""
    return await _set_paused(context, input.where, paused=True)


@mutation(
    TASK,
    "Resume the schedules of all tasks that match a filter.",
    noun="Organization",
    count=(int, "How many tasks were paused."),
)
async def resume_tasks(context: MutationContext, input: ResumeTasksInput) -> int:
    """Resume the schedules of tasks."""
    return await _set_paused(context, input.where, paused=False)


@mutation(
    TASK,
    "Stop all runs that match a filter.",
    noun="Organization",
    count=(int, "How many runs had not ended and were not asked to stop yet."),
)
async def stop_runs(context: MutationContext, input: StopRunsInput) -> int:
    """Stop runs and tell the engine."""
    keys = await _chosen(context, "TaskRun", input.where)
    stopped = await queue.stop_runs(context.tx, context.clock, keys, context.principal.name)
    for key in stopped:
        context.committed(partial(context.runtime.engine.halt, key))
    return await _counted(context, "TaskRun", stopped)


async def _set_paused(context: MutationContext, where: Any, *, paused: bool) -> int:
    keys = await _chosen(context, "Task", where)
    changed = await set_paused(context.tx, context.clock, keys, paused)
    context.committed(context.runtime.ticker.wake)
    return await _counted(context, "Task", changed)


async def _counted(context: MutationContext, noun: str, keys: Collection[int]) -> int:
    """Write an audit event for each row, and show their number; return the key of the organization."""
    await context.audit_each(noun, keys)
    context.show(count=len(keys))
    return context.organization_id


async def _chosen(context: MutationContext, noun: str, where: Any) -> Sequence[int]:
    """Return the keys of the caller's rows that match a filter.

    Raises:
        BadInput: the filter cannot be used, or matches too many rows.
        Forbidden: the filter uses a field that the caller may not read.
    """

    def choose() -> Statement:
        rows, _, _ = narrowed(context.operation.viewpoint, NOUNS[noun], {"where": where})
        return Statement.of(rows.limit(ROWS_MAX + 1))

    # A filter may cross a relation in each of its terms: it becomes SQL beside the event loop.
    chosen = await context.operation.aside(choose)
    values = tuple(chosen.fixed[name] for name in chosen.names)
    keys = (await context.tx.exec_driver_sql(chosen.sql, values)).scalars().all()
    if len(keys) > ROWS_MAX:
        hint = "Use a narrower filter, and repeat the mutation until no rows are left."
        raise BadInput(f"The filter matches more than {ROWS_MAX:,} rows.", hint=hint, path="where")
    return keys
