"""The database layer: tables, connections, migrations. Of Rollcall it imports only sync.errors and sync.clock."""

from sync.store.engine import AnyRow, Store

__all__ = ["AnyRow", "Store"]
