"""Results of scans, the ports they scanned, and the progress of scan runs."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from sync.store.tables.column import Json, Key, Time, refers
from sync.store.tables.declare import entity, metadata, stamps

# One row for each host that scans found. An asset can have several records, each found in another way.
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
    # Open ports: port, protocol (transport), product, name, cpe; checkedAt: when a scan last found it open; protocols
    # (application); askedAt: when a scan detected the protocols, missing if they are a guess.
    Column("services", Json, nullable=False),
    Column("first_seen", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("match_key", Text, nullable=False, server_default=text("'new'")),
    Column("match_value", Text),
    # {id of a port set: when it was last scanned}: older reports of these ports no longer count.
    Column("looked", Json),
    # When it did not answer a scan, if that was after last_seen.
    Column("silent_at", Time),
    # Further results of the scan: {osMatches, cpe, scripts}.
    Column("detail", Json),
    # The application protocols of all its services.
    Column("protocols", Json, nullable=False, server_default=text("'[]'")),
    *stamps(),
    Index(None, "asset_id"),
)

# Sets of scanned ports, [[protocol, first, last], ...], by their digest: most hosts share a few sets.
port_sets = Table(
    "port_sets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ranges", Json, nullable=False),
)

# The progress of a scan run: after a kill the run resumes from here.
scan_marks = Table(
    "scan_marks",
    metadata,
    Column("run_id", Key, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    # Digest of the addresses and ports, in order; if it differs, the run scans everything again.
    Column("digest", Text, nullable=False),
    Column("done", Integer, nullable=False),
    # Addresses that could not be reached from here: nothing is concluded from their silence.
    Column("unlooked", Json, nullable=False),
    # Hosts that the scanner gave up on because they took too long.
    Column("unfinished", Json),
    # Whether the hosts that did not answer were noted.
    Column("is_sealed", Boolean, nullable=False),
)
