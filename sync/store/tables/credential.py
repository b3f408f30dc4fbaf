"""Credentials of directories, the organizations that may use them, and the proof of the sealing key."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from sync.store.tables.column import Json, Key, Time, refers
from sync.store.tables.declare import entity, metadata, stamps

credentials = entity(
    "credentials",
    refers("organization_id", "organizations"),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cloud", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("username", Text),
    Column("subscription_id", Text),
    Column("all_subscriptions", Boolean, nullable=False),
    Column("is_global", Boolean, nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("secret_set_at", Time, nullable=False),
    Column("secret_expires_at", Time),
    Column("last_used_at", Time),
    Column("last_verified_at", Time),
    Column("last_verification", Json),
    Column("created_by", Text),
    *stamps(),
    UniqueConstraint("organization_id", "name"),
)

# The root of derived keys, sealed at the first start: opening it at each start proves that the key is right.
vault_proof = Table(
    "vault_proof",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)

# The other organizations that may use a credential.
credential_access = Table(
    "credential_access",
    metadata,
    Column("credential_id", Key, ForeignKey("credentials.id", ondelete="CASCADE"), nullable=False),
    Column("organization_id", Key, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("credential_id", "organization_id"),
)
