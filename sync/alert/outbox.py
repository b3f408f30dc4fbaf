"""The outbox: messages as rows, written in the transaction of their event, so that both commit or neither."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, insert, select

from sync.alert.webhook import AlertEvent, DeliveryStatus
from sync.clock import Clock, timestamp
from sync.events import ALERT, note
from sync.store import AnyRow
from sync.store.tables import deliveries, runs, tasks, webhooks
from sync.tasks.run.state import RunStatus

_BAD = (RunStatus.FAILED, RunStatus.PARTIAL)
_TOLD_OF_ERRORS = ("code", "message", "hint", "resource")


def announce(tx: Connection, clock: Clock, run_id: int) -> None:
    """Write a message for each webhook that receives the event: a run has ended, or waits for a person."""
    statement = select(runs, tasks.c.name.label("task_name")).join_from(runs, tasks, tasks.c.id == runs.c.task_id)
    run = tx.execute(statement.where(runs.c.id == run_id)).one()
    event = _event(tx, run)
    if event is None:
        return
    mine = (webhooks.c.organization_id == run.organization_id, webhooks.c.is_enabled)
    hooks = tx.execute(select(webhooks.c.id, webhooks.c.events).where(*mine)).all()
    for hook in hooks:
        if event in hook.events:
            write(tx, clock, run.organization_id, hook.id, event, _about(run), run_id)


def write(
    tx: Connection,
    clock: Clock,
    organization_id: int,
    webhook_id: int,
    event: AlertEvent,
    about: dict[str, Any],
    run_id: int | None = None,
) -> int:
    """Write a message, due at once, and return its key."""
    now = timestamp(clock.now())
    body = {"event": event, "at": now, "organization": f"org_{organization_id}", **about}
    values = {
        "organization_id": organization_id,
        "webhook_id": webhook_id,
        "run_id": run_id,
        "event": event,
        "body": orjson.dumps(body).decode(),
        "status": DeliveryStatus.PENDING,
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
        "updated_at": now,
    }
    note(tx, ALERT, organization_id)
    return int(tx.execute(insert(deliveries).values(values).returning(deliveries.c.id)).scalar_one())


def _event(tx: Connection, run: AnyRow) -> AlertEvent | None:
    if run.status in _BAD:
        return AlertEvent.RUN_FAILED
    if run.status == RunStatus.NEEDS_CONFIRMATION:
        return AlertEvent.CONFIRMATION_NEEDED
    if run.status != RunStatus.SUCCEEDED:
        return None
    ended = runs.c.status.in_((*_BAD, RunStatus.SUCCEEDED))
    before = select(runs.c.status).where(runs.c.task_id == run.task_id, runs.c.id < run.id, ended)
    last = tx.scalar(before.order_by(runs.c.id.desc()).limit(1))
    return AlertEvent.RUN_RECOVERED if last in _BAD else None


def _about(run: AnyRow) -> dict[str, Any]:
    """Return the task, the run and its errors, with the ids of the API; never data of the inventory."""
    errors = [{name: error.get(name) for name in _TOLD_OF_ERRORS} for error in run.errors]
    return {
        "task": {"id": f"task_{run.task_id}", "name": run.task_name},
        "run": {"id": f"run_{run.id}", "status": run.status, "errors": errors},
    }
