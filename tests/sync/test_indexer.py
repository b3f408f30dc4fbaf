"""The indexer: catches up in steps, goes on where it was, and answers stay right while it lags."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.indexer import Indexer
from sync.organization.organizations import create_organization, next_version
from sync.store import Store, gram
from sync.store.tables import assets, gram_marks
from tests.api.rows import Rows
from tests.sync.entra.clock import FakeClock

NUMBER = 25


@pytest.fixture
async def organization(store: Store, clock: FakeClock) -> int:
    """Return an organization with assets named host-00 and so on, a few of each version."""
    async with store.write() as tx:
        key = await create_organization(tx, clock, "A")
        rows = Rows(key, seed=1)
        for number in range(NUMBER):
            version = await tx.run_sync(next_version, key) if number % 4 == 0 else number // 4 + 1
            row = rows.row(assets, id=100 - number, site_id=1, name=f"host-{number:02}", version=version)
            await tx.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            await tx.execute(insert(assets).values(row))
        await tx.exec_driver_sql(
            "INSERT INTO sites (id, organization_id, name, created_at, updated_at) VALUES (1, ?, 's', '', '')", (key,)
        )
    return key


async def led_to(store: Store, organization: int, part: str) -> list[int]:
    """Return the keys that the index leads to, those it has not come to yet included."""
    wanted = gram.match(assets.c.name, [part])
    assert wanted is not None
    async with store.read() as tx:
        return sorted(await tx.scalars(gram.candidates(assets, wanted, organization, None)))


async def indexed(store: Store) -> int:
    """Return how many assets the index has."""
    async with store.read() as tx:
        statement = select(func.count()).select_from(gram.grams)
        wanted = gram.match(assets.c.name, ["host-"])
        return int(await tx.scalar(statement.where(gram.grams.c.grams.op("MATCH")(wanted))) or 0)


async def rename(store: Store, organization: int, key: int, **values: object) -> None:
    """Change an asset as a sync does."""
    async with store.write() as tx:
        version = await tx.run_sync(next_version, organization)
        await tx.execute(update(assets).where(assets.c.id == key).values(version=version, **values))


async def test_indexer_catches_up_and_then_has_nothing_to_do(store: Store, clock: FakeClock, organization: int) -> None:
    """Woken once it indexes every row; woken again it writes nothing."""
    indexer = Indexer(store, clock)
    indexer.wake()
    await indexer.idle()
    assert await indexed(store) == NUMBER
    assert await led_to(store, organization, "host-07") == [93]
    commits = store.commits
    indexer.wake()
    await indexer.idle()
    assert store.commits == commits


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("rows_max", [1, 3, 4, 5, NUMBER - 1, NUMBER, NUMBER + 1])
async def test_rows_are_found_after_every_step(
    store: Store, clock: FakeClock, organization: int, rows_max: int
) -> None:
    """A row is led to before it is indexed and after; each step does its share and no row is passed over."""
    indexer, steps = Indexer(store, clock), 0
    while await indexer.step(organization, assets, rows_max):
        steps += 1
        assert await indexed(store) == steps * rows_max
        for number in range(NUMBER):
            assert 100 - number in await led_to(store, organization, f"host-{number:02}")
    assert steps == (NUMBER - 1) // rows_max
    assert [await led_to(store, organization, f"host-{number:02}") for number in range(NUMBER)] == [
        [100 - number] for number in range(NUMBER)
    ]


async def test_changed_row_is_found_by_what_it_holds_now(store: Store, clock: FakeClock, organization: int) -> None:
    """Before the indexer comes by again, and after; the first text may stay in the index, the comparison tells."""
    indexer = Indexer(store, clock)
    await indexer.catch_up()
    await rename(store, organization, 90, name="renamed")
    assert await led_to(store, organization, "renamed") == [90]
    await indexer.catch_up()
    assert await led_to(store, organization, "renamed") == [90]
    await rename(store, organization, 90, name="renamed", deleted_at="2026-11-23T04:05:06.123Z")
    await indexer.catch_up()
    await rename(store, organization, 90, name="restored", deleted_at=None)
    assert await led_to(store, organization, "restored") == [90]
    await indexer.catch_up()
    assert await led_to(store, organization, "restored") == [90]


class Interrupted(Store):
    """A store on which a sync writes a page whenever somebody else is about to write."""

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Rename an asset, then give the turn."""
        async with super().write() as tx:
            version = await tx.run_sync(next_version, 1)
            await tx.execute(update(assets).where(assets.c.id == 76).values(version=version, name=f"name-{version}"))
        async with super().write() as tx:
            yield tx


async def test_row_written_while_another_is_indexed_is_not_passed_over(
    store: Store, database: Path, clock: FakeClock, organization: int
) -> None:
    """The place that is noted is that of what was read, not of what has been written since."""
    interrupted = Interrupted.at(database)
    try:
        await Indexer(interrupted, clock).catch_up()
    finally:
        await interrupted.close()
    async with store.read() as tx:
        name = await tx.scalar(select(assets.c.name).where(assets.c.id == 76))
    assert name is not None
    assert name.startswith("name-")
    assert await led_to(store, organization, name) == [76]


async def test_stopped_indexer_goes_on_with_the_next_start(store: Store, clock: FakeClock, organization: int) -> None:
    """Stopping ends after the rows in hand and wakes no more; another indexer goes on from there."""
    first = Indexer(store, clock)
    assert await first.step(organization, assets, 10)
    await first.stop()
    first.wake()
    await first.idle()
    assert await indexed(store) == 10
    await Indexer(store, clock).catch_up()
    assert await indexed(store) == NUMBER


async def test_organizations_are_indexed_apart(store: Store, clock: FakeClock, organization: int) -> None:
    """How far one organization's rows are indexed says nothing of another's."""
    async with store.write() as tx:
        other = await create_organization(tx, clock, "B")
        row = Rows(other, seed=2).row(
            assets, id=500, site_id=1, name="host-07", version=await tx.run_sync(next_version, other)
        )
        await tx.execute(insert(assets).values(row))
    while await Indexer(store, clock).step(organization, assets):
        pass
    assert 500 not in await led_to(store, organization, "host-07")
    assert 500 in await led_to(store, other, "host-07")
    await Indexer(store, clock).catch_up()
    async with store.read() as tx:
        marks = (await tx.execute(select(gram_marks.c.organization_id).distinct())).scalars()
        assert set(marks) == {organization, other}
