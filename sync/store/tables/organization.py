"""Organizations and their sites."""

from __future__ import annotations

from sqlalchemy import Column, Text, UniqueConstraint, text

from sync.store.tables.column import Json, Key, refers
from sync.store.tables.declare import entity, stamps

organizations = entity(
    "organizations",
    Column("name", Text, nullable=False, unique=True),
    # Bumped by every transaction that changes this organization's inventory; rows carry the value that wrote them.
    Column("version", Key, nullable=False, server_default=text("0")),
    # Tombstones up to this version are gone: who has read less than that has to read everything again.
    Column("purged_version", Key, nullable=False, server_default=text("0")),
    # Days to keep things, by the names in sync/inventory/retention.py; what is missing is kept for good.
    Column("retention", Json),
    *stamps(),
)

sites = entity(
    "sites",
    refers("organization_id", "organizations"),
    Column("name", Text, nullable=False),
    Column("description", Text),
    # Networks and ranges that scans of the site may look at; missing: any.
    Column("scope", Json),
    *stamps(),
    UniqueConstraint("organization_id", "name"),
)
