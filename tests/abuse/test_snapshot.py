"""The snapshot of an operation is given back however the operation ends, so that no document can keep the reader."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sqlalchemy import select

from schema.access import Principal, Role
from schema.context import Context
from sync.runtime import Runtime
from sync.store.tables import users


async def test_snapshot_is_given_back_when_a_read_begins_after_the_operation_ended(runtime: Runtime) -> None:
    """A resolver that a failing neighbour left behind reads nothing, and holds nothing."""
    reader = runtime.store._reader
    async with Context(runtime, Principal(1, 1, Role.VIEWER, "v"), "request-1") as context:
        assert await context.fetch(select(users.c.id))
    late = asyncio.ensure_future(context.fetch(select(users.c.id)))
    with suppress(asyncio.CancelledError):
        await late
    assert late.cancelled()
    assert reader.pool.checkedout() == 0  # type: ignore[attr-defined]
