"""Organizations and their sites."""

from __future__ import annotations

from sqlalchemy import Column, Text, UniqueConstraint, text

from sync.store.tables.column import Json, Key, refers
from sync.store.tables.declare import entity, stamps

organizations = entity(
    "organizations",
    Column("name", Text, nullable=False, unique=True),
    # Every transaction that changes this organization's inventory increments it and stores it in the changed rows.
    Column("version", Key, nullable=False, server_default=text("0")),
    # Tombstones up to this version were removed: a client at an older version must read everything again.
    Column("purged_version", Key, nullable=False, server_default=text("0")),
    # {name in sync/inventory/retention.py: days to keep}; data without an entry is kept for ever.
    Column("retention", Json),
    *stamps(),
)

sites = entity(
    "sites",
    refers("organization_id", "organizations"),
    Column("name", Text, nullable=False),
    Column("description", Text),
    # Networks and ranges that scans of the site may scan; null: any.
    Column("scope", Json),
    *stamps(),
    UniqueConstraint("organization_id", "name"),
)
