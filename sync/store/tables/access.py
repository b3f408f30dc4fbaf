"""Tokens, audit events and idempotency keys."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from sync.store.tables.column import Key, Time, refers
from sync.store.tables.declare import entity, metadata, stamps

tokens = entity(
    "tokens",
    refers("organization_id", "organizations"),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("created_by", Text),
    Column("expires_at", Time),
    Column("revoked_at", Time),
    Column("last_used_at", Time),
    *stamps(),
)

audit_events = entity(
    "audit_events",
    refers("organization_id", "organizations"),
    Column("at", Time, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("outcome", Text, nullable=False),
    Column("request_id", Text),
    Index(None, "organization_id", "at"),
)

# Results of mutations that had an idempotency key: a repeated request gets the stored result.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    refers("organization_id", "organizations"),
    Column("operation", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("input_hash", LargeBinary, nullable=False),
    Column("result_id", Key, nullable=False),
    Column("created_at", Time, nullable=False),
    PrimaryKeyConstraint("organization_id", "operation", "key"),
)
