"""The floor everything stands on: tables, connections, migrations; imports nothing of ours but errors and clock."""

from sync.store.engine import AnyRow, Store

__all__ = ["AnyRow", "Store"]
