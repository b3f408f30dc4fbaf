"""Lists page by page while somebody writes: rows that nobody touches are each seen once, whatever happens to others."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from schema.field.registry import NOUNS
from sync.store.statement.bulk import update_rows
from tests.api.lists import LISTS, ORDERABLE, as_argument, caller_for, id_of, in_order, visible
from tests.api.walk import document
from tests.api.world import Row, World

PAGE = 3
# Row n of a list is one that the writer changes, moves, removes or brings back, if n is a multiple of this.
TOUCHED_EVERY = 3
WRITTEN = ("User", "Group", "Asset", "Task", "TaskRun")


@pytest.fixture(scope="session")
async def busy(world: World) -> int:
    """Return an organization that is written to while its lists are read."""
    return await world.new_organization("Busy", seed=41)


# No column of its own: nothing can be written into it.
COMPUTED = ("User", "password_never_expires")


class Writer:
    """Moves rows about in one order's column, takes them away, and brings them back; the same seed does the same."""

    def __init__(self, world: World, noun: str, field: str, rows: list[Row], seed: str) -> None:
        self._world, self._table = world, NOUNS[noun].table
        self._column = NOUNS[noun].fields[field].column.name
        self._chance = Random(seed)  # noqa: S311 - repeatable
        self._touched = rows[::TOUCHED_EVERY]
        self._values = [row[self._column] for row in rows]
        self.touched = {id_of(noun, row) for row in self._touched}

    async def write(self) -> None:
        """Change a few rows in one transaction, as a sync does."""
        async with self._world.runtime.store.write() as tx:
            for row in self._chance.sample(self._touched, 3):
                values: dict[str, Any] = {}
                if self._column != "id":
                    values[self._column] = self._chance.choice(self._values)
                if "deleted_at" in self._table.c:
                    values["deleted_at"] = self._chance.choice([None, None, "2026-11-23T00:00:00.000Z"])
                if values:
                    await tx.run_sync(update_rows, self._table, [{"id": row["id"], **values}])

    async def restore(self) -> None:
        """Put every row back as it was, for the next walk."""
        async with self._world.runtime.store.write() as tx:
            for row in self._touched:
                await tx.run_sync(
                    update_rows, self._table, [{name: row[name] for name in row if name in self._table.c}]
                )


@pytest.mark.slow(cases=(8, 50))
@pytest.mark.parametrize(("noun", "name"), [pair for pair in ORDERABLE if pair[0] in WRITTEN and pair != COMPUTED])
async def test_walk_shows_each_untouched_row_once_when_others_are_written_between_its_pages(
    world: World, busy: int, noun: str, name: str
) -> None:
    """By every field that orders, with nulls and ties, up and down: nothing untouched is skipped or repeated."""
    caller, field = caller_for(world, noun, busy), LISTS[noun]
    rows, text = await visible(world, noun, caller), document(noun, field)
    writer = Writer(world, noun, name, rows, f"{noun} {name}")
    for direction in ("ASC", "DESC"):
        orders = [{"field": name, "direction": direction}]
        seen, cursor = [], None
        while True:
            paging = {"first": PAGE} | ({"after": cursor} if cursor else {})
            page = (await caller.data(text, **paging, orderBy=as_argument(orders)))[field]
            seen += [node["id"] for node in page["nodes"]]
            cursor = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
            await writer.write()
        await writer.restore()
        expected = [id for id in in_order(noun, rows, orders) if id not in writer.touched]
        assert [id for id in seen if id not in writer.touched] == expected
