"""What scans found of assets, what they looked at, and where a scan run stands."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from sync.store.tables.column import Json, Key, Time, refers
from sync.store.tables.declare import entity, metadata, stamps

# One row a host that scans found; several records of one asset are several ways it was found.
scan_records = entity(
    "scan_records",
    refers("organization_id", "organizations"),
    refers("site_id", "sites"),
    Column("asset_id", Key, ForeignKey("assets.id", ondelete="CASCADE"), nullable=False),
    Column("names", Json, nullable=False),
    Column("addresses", Json, nullable=False),
    Column("macs", Json, nullable=False),
    Column("type", Text),
    Column("os", Text),
    Column("os_version", Text),
    Column("manufacturer", Text),
    Column("model", Text),
    Column("serial", Text),
    Column("alive", Boolean, nullable=False),
    # How it was found, such as TCP or ARP.
    Column("detected_by", Text),
    # Open ports: port, protocol (of transport), product, name, cpe; checkedAt, when a scan last found it open;
    # protocols (of applications), and askedAt, when a scan asked for them, if they are no guess.
    Column("services", Json, nullable=False),
    Column("first_seen", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("match_key", Text, nullable=False, server_default=text("'new'")),
    Column("match_value", Text),
    # {id of a set of ports: when it was last looked at}: what an older report says of them no longer counts.
    Column("looked", Json),
    # When it did not answer, if that was after it was last seen.
    Column("silent_at", Time),
    # {osMatches, cpe, scripts}: what else a scan told.
    Column("detail", Json),
    # The application protocols of all its services.
    Column("protocols", Json, nullable=False, server_default=text("'[]'")),
    *stamps(),
    Index(None, "asset_id"),
)

# Ports that scans looked at, [[protocol, first, last], ...], by their digest: most hosts share a few such sets.
port_sets = Table(
    "port_sets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ranges", Json, nullable=False),
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
