"""The audit log: one row for each action or refusal, in the transaction of the action; never a secret."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.store.tables import audit_events


@dataclass(frozen=True)
class Event:
    """An action in an organization: its actor, its target, and its outcome (`OK` or the code of the refusal)."""

    organization_id: int
    actor: str
    action: str
    outcome: str = "OK"
    target: str | None = None


async def record(tx: AsyncConnection, clock: Clock, event: Event, request_id: str | None = None) -> None:
    """Write an event in the caller's transaction."""
    values = vars(event) | {"at": timestamp(clock.now()), "request_id": request_id}
    await tx.execute(insert(audit_events).values(values))
