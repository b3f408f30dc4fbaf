"""Subscriptions to a run, its log and the inventories; each event follows a commit, and is read when it is sent.

A slow subscriber delays nothing. It gets the newest state of a run, and every entry of a log, because entries are read
from the table after the last one sent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import strawberry
from sqlalchemy import select

from schema.context import Context
from schema.field.registry import NOUNS
from schema.field.rows import row_columns, rows_of
from schema.field.scalars import BigInt
from schema.list.changes import ChangingInventory
from schema.types import TaskRun, TaskRunLogEntry
from sync.errors import NotFound
from sync.events import RUN
from sync.store.tables import organizations, run_log
from sync.tasks.run.log import Level

# The least time between two states, because a sync may commit thirty pages a second.
PACE_S = 0.1
ENTRIES_AT_ONCE = 100
# The noun of an inventory → its name in sync/events.py.
SUBJECTS = {"Asset": "assets", "User": "users", "Group": "groups"}


@strawberry.type(description="An inventory has changed.")
class InventoryChange:
    inventory: ChangingInventory = strawberry.field(description="The inventory.")
    version: BigInt = strawberry.field(description="The organization's version then; `changes` returns the changes.")


async def watch_run(context: Context, key: int) -> AsyncGenerator[TaskRun, None]:
    """Yield a run's present state, and its newest state after changes, until the run has ended.

    Raises:
        NotFound: there is no such run in the caller's organization, or no longer.
    """
    with context.runtime.events.subscribe(key, [RUN]) as news:
        while True:
            run = await _run(context, key)
            yield run
            if run.finished_at is not None:
                return
            await context.runtime.clock.sleep(PACE_S)
            await anext(news)


async def follow_log(context: Context, key: int, after: int, level: Level) -> AsyncGenerator[TaskRunLogEntry, None]:
    """Yield the entries of a run's log after the entry `after`, also future ones, until the run has ended.

    Raises:
        NotFound: there is no such run in the caller's organization, or no longer.
    """
    noun, levels = NOUNS["TaskRunLogEntry"], list(Level)
    mine = (run_log.c.run_id == key, run_log.c.level.in_(levels[levels.index(level) :]))
    rows_of_log = rows_of(noun, context.principal).with_only_columns(*row_columns(noun))
    entries = rows_of_log.where(*mine).order_by(run_log.c.id).limit(ENTRIES_AT_ONCE)
    with context.runtime.events.subscribe(key, [RUN]) as news:
        while True:
            # Read the run and its log in one snapshot: if the run has ended there, the log is complete there.
            run = await _run(context, key)
            rows = await context.fetch(entries.where(run_log.c.id > after))
            await context.refresh()
            for row in rows:
                after = row["key"]
                yield noun.type.of(row)
            if len(rows) == ENTRIES_AT_ONCE:
                continue
            if run.finished_at is not None:
                return
            await context.runtime.clock.sleep(PACE_S)
            await anext(news)


async def watch_inventories(context: Context, nouns: Sequence[str]) -> AsyncGenerator[InventoryChange, None]:
    """Yield the version of each inventory now, and after each change; never ends by itself."""
    key = context.principal.organization_id
    named = {SUBJECTS[noun]: noun for noun in nouns}
    with context.runtime.events.subscribe(key, list(named)) as news:
        rows = await context.fetch(select(organizations.c.version).where(organizations.c.id == key))
        await context.refresh()
        for noun in named.values():
            yield InventoryChange(inventory=ChangingInventory(noun), version=BigInt(rows[0]["version"]))
        async for happened in news:
            yield InventoryChange(inventory=ChangingInventory(named[happened.what]), version=BigInt(happened.version))
            await context.runtime.clock.sleep(PACE_S)


async def _run(context: Context, key: int) -> Any:
    run = await context.load("TaskRun", key)
    if run is None:
        raise NotFound("There is no such run.")
    return run
