"""All tables, one file a group, declared once for both SQLite and PostgreSQL.

Keys are integers; schema/ derives the ids that callers see. Rows of an organization have its id, so that a query needs
no join to stay inside it. The JSON received from Graph is in `raw`, to keep the other rows small.
"""

from sync.store.tables.access import audit_events, idempotency_keys, tokens
from sync.store.tables.alert import deliveries, webhooks
from sync.store.tables.asset import asset_keys, assets, device_keys, kept_apart, matches
from sync.store.tables.credential import credential_access, credentials, vault_proof
from sync.store.tables.declare import metadata
from sync.store.tables.directory import cursors, directories, edges, objects, raw
from sync.store.tables.directory_object import devices, groups, users
from sync.store.tables.internal import gram_marks, store_facts
from sync.store.tables.organization import organizations, sites
from sync.store.tables.scan import port_sets, scan_marks, scan_records
from sync.store.tables.work import run_log, runs, tasks

__all__ = [
    "asset_keys",
    "assets",
    "audit_events",
    "credential_access",
    "credentials",
    "cursors",
    "deliveries",
    "device_keys",
    "devices",
    "directories",
    "edges",
    "gram_marks",
    "groups",
    "idempotency_keys",
    "kept_apart",
    "matches",
    "metadata",
    "objects",
    "organizations",
    "port_sets",
    "raw",
    "run_log",
    "runs",
    "scan_marks",
    "scan_records",
    "sites",
    "store_facts",
    "tasks",
    "tokens",
    "users",
    "vault_proof",
    "webhooks",
]
