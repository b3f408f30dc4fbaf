"""Where assets live, what of it may be scanned, and how far a run has come in scanning it.

Declared here because sync/store/tables.py, which shows them, is long; import them from there.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from sync.store.column import Json, Key, refers
from sync.store.declare import entity, metadata, stamps

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

# Where a scan run stands: what a kill left is taken up from here.
scan_marks = Table(
    "scan_marks",
    metadata,
    Column("run_id", Key, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    # Names the addresses and ports, in order; other ones mean that everything is looked at again.
    Column("digest", Text, nullable=False),
    Column("done", Integer, nullable=False),
    # Addresses there was no way to: nothing is concluded from their silence.
    Column("unlooked", Json, nullable=False),
    # Hosts that the scanner gave up because they took too long.
    Column("unfinished", Json),
    # Whether those that did not answer were noted.
    Column("is_sealed", Boolean, nullable=False),
)
