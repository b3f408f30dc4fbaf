"""Completion of a field that has more values than are counted."""

from __future__ import annotations

from sqlalchemy import insert, select

from schema.search.completion.values import FACETS_MAX
from sync.store import tables
from tests.api.completing import complete
from tests.api.rows import Rows
from tests.api.world import World

COMMON = 300


async def test_values_are_said_to_be_cut_and_each_is_found_by_its_beginning(office: World) -> None:
    """Without a text some values are offered, and said not to be all; with its beginning any value is offered."""
    rows = Rows(office.home, seed=1)
    async with office.runtime.store.write() as tx:
        site = (await tx.execute(select(tables.sites.c.id).limit(1))).scalar_one()
        names = ["aaa"] * COMMON + [f"zz {number:04}" for number in range(FACETS_MAX + 100)]
        made = [rows.row(tables.assets, site_id=site, type=name) for name in names]
        await tx.execute(insert(tables.assets), made)
    caller = office.caller()
    offered = await complete(caller, "ASSETS", "type:")
    assert offered["isComplete"] is False
    assert ("aaa", None) in [(item["label"], item["count"]) for item in offered["items"]]
    for number in (0, FACETS_MAX + 99):
        offered = await complete(caller, "ASSETS", f'type:"zz {number:04}')
        (value,) = [item for item in offered["items"] if item["kind"] == "VALUE"]
        assert (value["label"], value["count"], offered["isComplete"]) == (f"zz {number:04}", 1, True)
