"""Webhooks, and the messages that were or will be sent to them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Text, UniqueConstraint

from sync.store.tables.column import Json, Time, refers
from sync.store.tables.declare import entity, stamps

webhooks = entity(
    "webhooks",
    refers("organization_id", "organizations"),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    # The events that it receives.
    Column("events", Json, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("secret_set_at", Time, nullable=False),
    Column("created_by", Text),
    *stamps(),
    UniqueConstraint("organization_id", "name"),
)

# Written in the transaction of the event and sent later: a run never waits for them, and a restart loses none.
deliveries = entity(
    "deliveries",
    refers("organization_id", "organizations"),
    refers("webhook_id", "webhooks", ondelete="CASCADE"),
    refers("run_id", "runs", nullable=True, ondelete="CASCADE"),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    # The earliest time of the next attempt, while the delivery is pending.
    Column("next_attempt_at", Time),
    Column("last_attempt_at", Time),
    # The outcome of the last attempt: its HTTP status, or the reason why there was no answer.
    Column("http_status", Integer),
    Column("error", Text),
    *stamps(),
    Index(None, "webhook_id"),
    Index(None, "run_id"),
    Index(None, "status", "next_attempt_at"),
)
