"""The snapshot of an operation is given back however the operation ends, so that no document can keep the reader."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import func, select, text

from schema.access import Principal, Role
from schema.context import Context
from sync.errors import StoreSlow
from sync.runtime import Runtime
from sync.store.tables import users
from tests.patience import PATIENCE_S


async def test_snapshot_is_given_back_when_a_read_begins_after_the_operation_ended(runtime: Runtime) -> None:
    """A resolver that a failing neighbour left behind reads nothing, and holds nothing."""
    async with Context(runtime, Principal(1, 1, Role.VIEWER, "v"), "request-1") as context:
        assert await context.fetch(select(users.c.id))
    late = asyncio.ensure_future(context.fetch(select(users.c.id)))
    with suppress(asyncio.CancelledError):
        await late
    assert late.cancelled()
    assert not runtime.store.asker.is_reading


ENDLESS = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")


async def test_statement_ends_when_its_operation_is_over(runtime: Runtime) -> None:
    """Nobody waits for a statement that was given up, and the server's own reads go on meanwhile."""
    principal = Principal(1, 1, Role.VIEWER, "v")
    async with asyncio.timeout(PATIENCE_S):
        async with Context(runtime, principal, "request-1") as context:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await context.fetch(ENDLESS)  # type: ignore[arg-type] # text is read like any statement
            async with runtime.store.read() as tx:
                assert await tx.scalar(select(func.count()).select_from(users)) is not None
        async with Context(runtime, principal, "request-2") as context:
            assert await context.fetch(select(users.c.id))


async def test_operation_ends_while_it_waits_for_another_one(runtime: Runtime) -> None:
    """Who waits for the reader can give up, and leaves it to those who wait on."""
    principal = Principal(1, 1, Role.VIEWER, "v")
    async with asyncio.timeout(PATIENCE_S), Context(runtime, principal, "request-1") as first:
        assert await first.fetch(select(users.c.id))
        async with Context(runtime, principal, "request-2") as second:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await second.fetch(select(users.c.id))
        await first.refresh()
        assert await first.fetch(select(users.c.id))


async def test_statement_ends_at_its_deadline(runtime: Runtime) -> None:
    """A statement that no plan runs has a deadline too, and the connection serves on."""
    runtime.store.asker.watch.time_s, usual = 0.2, runtime.store.asker.watch.time_s
    try:
        async with Context(runtime, Principal(1, 1, Role.VIEWER, "v"), "request-1") as context:
            with pytest.raises(StoreSlow):
                await context.fetch(ENDLESS)  # type: ignore[arg-type]
            assert await context.fetch(select(users.c.id))
    finally:
        runtime.store.asker.watch.time_s = usual
