"""The root of all subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from schema.context import Context
from schema.field.arguments import given
from schema.field.ids import decode_id
from schema.list.changes import ChangingInventory
from schema.live import InventoryChange, follow_log, watch_inventories, watch_run
from schema.types import TaskRun, TaskRunLogEntry
from schema.types.run import LogLevel
from sync.errors import BadInput
from sync.tasks.run.log import Level

RUN = strawberry.argument(description="The run.")
AFTER = strawberry.argument(description="The id of the last known entry; without it, the log starts at its beginning.")
LEVEL = strawberry.argument(description="The least level of entries; all by default.")
INVENTORIES = strawberry.argument(description="The inventories; all three by default.")


@strawberry.type(description="All subscriptions, over server-sent events or graphql-transport-ws.")
class Subscription:
    @strawberry.subscription(
        description="A run now and after each change; ends with the run. A slow client gets only the newest state."
    )
    def task_run(self, info: Info[Context, None], id: Annotated[strawberry.ID, RUN]) -> AsyncGenerator[TaskRun, None]:
        """Watch a run."""
        return watch_run(info.context, decode_id(id, "run", "TaskRun"))

    @strawberry.subscription(
        description="The entries of a run's log in order, each once, also future ones; ends with the run."
    )
    def task_log(
        self,
        info: Info[Context, None],
        run: Annotated[strawberry.ID, RUN],
        after: Annotated[strawberry.ID | None, AFTER] = UNSET,
        level: Annotated[LogLevel | None, LEVEL] = UNSET,
    ) -> AsyncGenerator[TaskRunLogEntry, None]:
        """Follow a log."""
        key, last, least = decode_id(run, "run", "TaskRun", "run"), given(after), given(level)
        behind = decode_id(last, "log", "TaskRunLogEntry", "after") if last is not None else 0
        return follow_log(info.context, key, behind, Level[least.name] if least else Level.DEBUG)

    @strawberry.subscription(
        description="The version of each inventory now and after each committed change; then read `changes`."
    )
    def inventory_changed(
        self,
        info: Info[Context, None],
        inventories: Annotated[list[ChangingInventory] | None, INVENTORIES] = UNSET,
    ) -> AsyncGenerator[InventoryChange, None]:
        """Watch inventories."""
        asked = given(inventories)
        if asked is not None and not asked:
            raise BadInput("inventories is empty.", hint="Omit it to watch all.", path="inventories")
        return watch_inventories(info.context, [each.value for each in asked or ChangingInventory])
