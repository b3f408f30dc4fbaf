"""Requests for runs by people and schedules: queues, retries and stops runs, and confirms held removals."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.errors import BadInput, Conflict, NotFound
from sync.organization.idempotency import Idempotent
from sync.store import AnyRow
from sync.store.tables import runs, tasks
from sync.tasks.run.log import Level, write_log
from sync.tasks.run.retry import drop_retry
from sync.tasks.run.state import ACTIVE, MOVES, RETRYABLE, RunStatus, Trigger, check_move


async def trigger_task(
    tx: AsyncConnection,
    clock: Clock,
    *,
    organization_id: int,
    task_id: int,
    triggered_by: str,
    full: bool = False,
    idempotency_key: str | None = None,
) -> int:
    """Queue a run of a task and return its key; the caller wakes the engine after the commit.

    Args:
        full: read everything, not only changes.

    Raises:
        NotFound: there is no such task in the organization.
        BadInput: `full` was given for a task that reads no directory.
        Conflict: a run of the task is active, or the idempotency key was used with another input.
    """
    asked = {"task": task_id} | ({"full": True} if full else {})
    request = Idempotent(organization_id, "triggerTask", idempotency_key, asked)
    if (known := await request.result(tx)) is not None:
        return known
    mine = (tasks.c.id == task_id, tasks.c.organization_id == organization_id)
    task = (await tx.execute(select(tasks.c.credential_id).where(*mine))).first()
    if task is None:
        raise NotFound("There is no such task.", path="task")
    if full and task.credential_id is None:
        raise BadInput("The task reads no directory.", hint="Leave out `full`.", path="full")
    await _check_free(tx, task_id)
    run_id = await queue_run(
        tx,
        clock,
        organization_id=organization_id,
        task_id=task_id,
        trigger=Trigger.MANUAL,
        triggered_by=triggered_by,
        full=full,
    )
    await request.remember(tx, clock, run_id)
    return run_id


async def retry_run(tx: AsyncConnection, clock: Clock, *, organization_id: int, run_id: int, triggered_by: str) -> int:
    """Queue another run of the task of a run that ended without success, and return its key.

    It continues from the cursors of the directory: pages that the earlier run has written are not read again.

    Raises:
        NotFound: there is no such run in the organization.
        Conflict: the run has not ended or has succeeded, or a run of its task is active.
    """
    row = await _run(tx, organization_id, run_id)
    if row.status not in RETRYABLE:
        hint = "Trigger the task instead." if row.status == RunStatus.SUCCEEDED else "See its status."
        raise Conflict(f"A run that is {row.status} cannot be retried.", hint=hint, path="run")
    await _check_free(tx, row.task_id)
    return await queue_run(
        tx,
        clock,
        organization_id=organization_id,
        task_id=row.task_id,
        trigger=Trigger.RETRY,
        triggered_by=triggered_by,
        full=row.full,
        retry_of_id=run_id,
    )


async def retry_by_itself(tx: AsyncConnection, clock: Clock, run_id: int) -> int | None:
    """Queue the planned retry of a run and return its key; None if the run is gone, or a run of its task is active."""
    run = (await tx.execute(select(runs).where(runs.c.id == run_id))).first()
    if run is None or await active_run(tx, run.task_id) is not None:
        return None
    return await queue_run(
        tx,
        clock,
        organization_id=run.organization_id,
        task_id=run.task_id,
        trigger=Trigger.RETRY,
        triggered_by="retry",
        full=run.full,
        retry_of_id=run_id,
        retry_number=run.retry_number + 1,
    )


async def stop_run(tx: AsyncConnection, clock: Clock, *, organization_id: int, run_id: int, stopped_by: str) -> int:
    """Stop a run and return its key; the caller tells the engine after the commit.

    A running run finishes its current page first; stopping it again meanwhile has no effect.

    Raises:
        NotFound: there is no such run in the organization.
        Conflict: the run has ended.
    """
    row = await _run(tx, organization_id, run_id)
    if not MOVES[RunStatus(row.status)]:
        raise Conflict(f"The run has ended: {row.status}.", path="run")
    await stop_runs(tx, clock, [run_id], stopped_by)
    return run_id


async def stop_runs(tx: AsyncConnection, clock: Clock, keys: Sequence[int], stopped_by: str) -> list[int]:
    """Stop the runs that have not ended, and return the keys of those that were not asked to stop before."""
    open_ = [status for status, moves in MOVES.items() if moves]
    found = select(runs.c.id, runs.c.status).where(runs.c.id.in_(keys), runs.c.status.in_(open_))
    is_new = (runs.c.status != RunStatus.RUNNING) | runs.c.stop_asked_at.is_(None)
    stopped = (await tx.execute(found.where(is_new).order_by(runs.c.id))).all()
    now = timestamp(clock.now())
    for run_id, status in stopped:
        values: dict[str, str | None] = {"stop_asked_at": now, "updated_at": now}
        if status == RunStatus.RUNNING:
            text = f"{stopped_by} asked the run to stop; it finishes its current page."
        else:
            check_move(RunStatus(status), RunStatus.STOPPED)
            values |= {"status": RunStatus.STOPPED, "finished_at": now, "waits_for_id": None}
            text = f"{stopped_by} stopped the run."
        await tx.execute(update(runs).where(runs.c.id == run_id).values(values))
        await tx.run_sync(write_log, clock, run_id, Level.WARNING, text)
    return [run_id for run_id, _ in stopped]


async def queue_run(
    tx: AsyncConnection,
    clock: Clock,
    *,
    organization_id: int,
    task_id: int,
    trigger: Trigger,
    triggered_by: str,
    **more: object,
) -> int:
    """Insert a queued run of a task without an active run; it replaces a run that waits for confirmation or a retry."""
    await _supersede(tx, clock, task_id)
    await drop_retry(tx, clock, task_id, "a newer run of the task takes its place")
    now = timestamp(clock.now())
    statement = insert(runs).values(
        organization_id=organization_id,
        task_id=task_id,
        status=RunStatus.QUEUED,
        trigger=trigger,
        triggered_by=triggered_by,
        attempt=1,
        progress={},
        counts={},
        requests={},
        errors=[],
        created_at=now,
        updated_at=now,
        **more,
    )
    return int((await tx.execute(statement.returning(runs.c.id))).scalar_one())


async def active_run(tx: AsyncConnection, task_id: int) -> int | None:
    """Return the key of the task's queued or running run, if it has one."""
    found = select(runs.c.id).where(runs.c.task_id == task_id, runs.c.status.in_(ACTIVE)).limit(1)
    key: int | None = await tx.scalar(found)
    return key


async def _check_free(tx: AsyncConnection, task_id: int) -> None:
    if (active := await active_run(tx, task_id)) is None:
        return
    not_before = await tx.scalar(select(runs.c.not_before).where(runs.c.id == active))
    if not_before is not None:
        text = f"A run of this task waits until {not_before}, because Microsoft Graph asked for the wait."
        raise Conflict(text, hint="It goes on at that time; a new run would have to wait as long.", path="task")
    raise Conflict("A run of this task is active.", hint="Wait for it to end, or stop it.", path="task")


async def _run(tx: AsyncConnection, organization_id: int, run_id: int) -> AnyRow:
    mine = runs.c.id == run_id, runs.c.organization_id == organization_id
    row = (await tx.execute(select(runs.c.task_id, runs.c.status, runs.c.full, runs.c.removals).where(*mine))).first()
    if row is None:
        raise NotFound("There is no such run.", path="run")
    return row


async def _supersede(tx: AsyncConnection, clock: Clock, task_id: int) -> None:
    """Stop a run that waits for confirmation: the new run determines again what must be confirmed."""
    waits = select(runs.c.id).where(runs.c.task_id == task_id, runs.c.status == RunStatus.NEEDS_CONFIRMATION)
    now = timestamp(clock.now())
    for run_id in (await tx.scalars(waits)).all():
        check_move(RunStatus.NEEDS_CONFIRMATION, RunStatus.STOPPED)
        values = {"status": RunStatus.STOPPED, "finished_at": now, "updated_at": now}
        await tx.execute(update(runs).where(runs.c.id == run_id).values(values))
        await tx.run_sync(write_log, clock, run_id, Level.INFO, "A newer run of the task takes its place.")


async def confirm_removal(
    tx: AsyncConnection, clock: Clock, *, organization_id: int, run_id: int, confirmed_by: str
) -> None:
    """Confirm the removals that a run waits for, and queue it again; the caller wakes the engine after the commit.

    Further removals need a new confirmation.

    Raises:
        NotFound: there is no such run in the organization.
        Conflict: the run does not wait for a confirmation.
    """
    row = await _run(tx, organization_id, run_id)
    if row.status != RunStatus.NEEDS_CONFIRMATION:
        raise Conflict("The run does not wait for a confirmation.", hint="See its status and errors.", path="run")
    check_move(RunStatus(row.status), RunStatus.QUEUED)
    removals = {kind: {**held, "confirmed": True} for kind, held in (row.removals or {}).items()}
    values = {
        "status": RunStatus.QUEUED,
        "removals": removals,
        "stop_asked_at": None,
        "updated_at": timestamp(clock.now()),
    }
    await tx.execute(update(runs).where(runs.c.id == run_id).values(values))
    told = ", ".join(f"{held['rows']:,} of {held['of']:,} {kind}" for kind, held in sorted(removals.items()))
    await tx.run_sync(write_log, clock, run_id, Level.WARNING, f"{confirmed_by} confirmed the removal of {told}.")
