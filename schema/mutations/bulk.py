"""Mutations of many tasks or runs at once: those that a filter chooses, as a list with the same `where` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry.types import Info

from schema.context import Context
from schema.field.registry import NOUNS
from schema.generated import named
from schema.list.connection import narrowed
from schema.mutations.payload import audit_each, mutate
from schema.mutations.task import TASK
from sync.errors import BadInput
from sync.tasks.run.queue import stop_runs
from sync.tasks.task import set_paused

ROWS_MAX = 1_000
PauseTasksPayload = TASK.type("pauseTasks", count=(int, "How many tasks were not paused yet."))
ResumeTasksPayload = TASK.type("resumeTasks", count=(int, "How many tasks were paused."))
StopRunsPayload = TASK.type("stopRuns", count=(int, "How many runs had not ended and were not asked to stop yet."))
_TaskWhere = named("TaskWhere")
_TaskRunWhere = named("TaskRunWhere")
_WHERE = f"Which ones, {ROWS_MAX:,} at most."


@strawberry.input(description="Whose schedules to suspend.")
class PauseTasksInput:
    where: _TaskWhere = strawberry.field(description=_WHERE)  # type: ignore[valid-type]


@strawberry.input(description="Whose schedules go on.")
class ResumeTasksInput:
    where: _TaskWhere = strawberry.field(description=_WHERE)  # type: ignore[valid-type]


@strawberry.input(description="Which runs to stop.")
class StopRunsInput:
    where: _TaskRunWhere = strawberry.field(description=_WHERE)  # type: ignore[valid-type]


async def pause_tasks_(info: Info[Context, None], input: PauseTasksInput) -> Any:
    """Suspend the schedules of tasks."""
    return await _set_paused(info, PauseTasksPayload, input, paused=True)


async def resume_tasks_(info: Info[Context, None], input: ResumeTasksInput) -> Any:
    """Let the schedules of tasks go on."""
    return await _set_paused(info, ResumeTasksPayload, input, paused=False)


async def stop_runs_(info: Info[Context, None], input: StopRunsInput) -> Any:
    """Stop runs and tell the engine."""
    context = info.context
    stopped: list[int] = []

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        keys = await _chosen(tx, context, "TaskRun", input.where)
        stopped.extend(await stop_runs(tx, context.runtime.clock, keys, context.principal.name))
        await audit_each(tx, context, info.field_name, "TaskRun", stopped)
        return "Organization", context.principal.organization_id

    async def after(_key: int) -> dict[str, Any]:
        for key in stopped:
            context.runtime.engine.halt(key)
        return {"count": len(stopped)}

    return await mutate(info, TASK, StopRunsPayload, work, after)


async def _set_paused(info: Info[Context, None], type_: Any, input: Any, *, paused: bool) -> Any:
    context = info.context
    changed: list[int] = []

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        keys = await _chosen(tx, context, "Task", input.where)
        changed.extend(await set_paused(tx, context.runtime.clock, keys, paused))
        await audit_each(tx, context, info.field_name, "Task", changed)
        return "Organization", context.principal.organization_id

    async def after(_key: int) -> dict[str, Any]:
        context.runtime.ticker.wake()
        return {"count": len(changed)}

    return await mutate(info, TASK, type_, work, after)


async def _chosen(tx: AsyncConnection, context: Context, noun: str, where: Any) -> Sequence[int]:
    """Return the keys of the rows that a filter chooses among those that the caller may see.

    Raises:
        BadInput: the filter cannot be used, or chooses too many.
        Forbidden: it compares what the caller may not read.
    """
    rows, _, _ = narrowed(context.viewpoint, NOUNS[noun], {"where": where})
    keys = (await tx.scalars(rows.limit(ROWS_MAX + 1))).all()
    if len(keys) > ROWS_MAX:
        hint = "Send it again, with a narrower filter, until none are left."
        raise BadInput(f"The filter chooses more than {ROWS_MAX:,} rows.", hint=hint, path="where")
    return keys
