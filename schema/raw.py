"""The JSON that a directory object was received as, for fields that have no column of their own."""

from __future__ import annotations

from sqlalchemy import select

from schema.context import Context
from schema.scalars import JSON
from sync.store.tables import raw


async def raw_of(context: Context, key: int) -> JSON | None:
    """Return what Graph sent for an object whose row the caller has already been shown."""
    rows = await context.fetch(select(raw.c.item).where(raw.c.object_id == key))
    return JSON(rows[0]["item"]) if rows else None
