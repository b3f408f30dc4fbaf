"""Statements for many rows and lists as one parameter, on SQLite and, as text, on PostgreSQL; work on the thread."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql

from sync.clock import timestamp
from sync.errors import StoreFull
from sync.store import Store
from sync.store.statement.bulk import delete_rows, insert_missing, insert_rows, reserve_keys, update_rows, upsert_rows
from sync.store.statement.in_list import among
from sync.store.tables import edges, organizations, raw
from tests.sync.entra.clock import FakeClock


def named(clock: FakeClock, *names: str) -> list[dict[str, object]]:
    """Return organizations of these names."""
    now = timestamp(clock.now())
    return [{"name": name, "created_at": now, "updated_at": now} for name in names]


async def test_rows_are_inserted_updated_and_deleted_by_the_hundred(store: Store) -> None:
    """Each call tells how many rows it touched; what is there already is left alone or written over."""

    def work(tx: Connection) -> None:
        rows = [{"kind": 1, "from_id": 1, "to_id": number, "generation": 1} for number in range(1_000)]
        assert insert_rows(tx, edges, rows[:500]) == 500
        assert insert_missing(tx, edges, rows) == 500
        fresh = [row | {"generation": 2} for row in rows[:10]]
        assert update_rows(tx, edges, fresh, key=("kind", "from_id", "to_id")) == 10
        assert update_rows(tx, edges, fresh, key=("kind", "from_id", "to_id")) == 0
        upsert_rows(tx, edges, [row | {"generation": 3} for row in rows[:2]], key=("kind", "from_id", "to_id"))
        assert delete_rows(tx, edges, [{"to_id": 999}, {"to_id": 1_999}]) == 1
        counted = tx.execute(select(edges.c.generation, func.count()).group_by(edges.c.generation))
        assert {generation: number for generation, number in counted} == {1: 989, 2: 8, 3: 2}

    await store.transact(work)


async def test_keys_are_reserved_once_and_never_again(store: Store, clock: FakeClock) -> None:
    """Reserved keys go on after the last one ever used, also after its row is deleted."""

    def work(tx: Connection) -> None:
        first = reserve_keys(tx, organizations, 2)
        insert_rows(
            tx, organizations, [{"id": key} | row for key, row in zip(first, named(clock, "a", "b"), strict=True)]
        )
        delete_rows(tx, organizations, [{"id": first[1]}])
        (key,) = reserve_keys(tx, organizations, 1)
        assert key == first[1] + 1
        assert list(reserve_keys(tx, organizations, 0)) == []

    await store.transact(work)


async def test_list_of_any_length_is_one_parameter(store: Store, clock: FakeClock) -> None:
    """No list is too long, and none is empty by mistake."""
    statement = select(organizations.c.name).where(among(organizations.c.name, "names"))

    def work(tx: Connection) -> None:
        insert_rows(tx, organizations, named(clock, "a", "b", "c"))
        many = [*map(str, range(100_000)), "b"]
        assert tx.scalars(statement, {"names": many}).all() == ["b"]
        assert tx.scalars(statement, {"names": ()}).all() == []

    await store.transact(work)


def test_list_condition_is_in_the_words_of_postgresql_there() -> None:
    """The same statement compiles for PostgreSQL, with the list as one JSON parameter."""
    statement = select(raw.c.object_id).where(among(raw.c.object_id, "keys"))
    text = str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "json_array_elements_text(CAST(%(keys)s::VARCHAR AS JSON))" in text
    assert "AS BIGINT" in text


async def test_work_runs_on_the_thread_of_the_writer_and_rolls_back_whole(store: Store, clock: FakeClock) -> None:
    """The event loop goes on meanwhile; what raises leaves nothing; the next transaction works."""
    begun, go_on = threading.Event(), threading.Event()

    def fail(tx: Connection) -> None:
        insert_rows(tx, organizations, named(clock, "a"))
        begun.set()
        assert go_on.wait(10)
        raise StoreFull

    working = asyncio.create_task(store.transact(fail))
    assert await asyncio.to_thread(begun.wait, 10)
    go_on.set()
    with pytest.raises(StoreFull):
        await working
    assert await store.transact(lambda tx: tx.scalar(select(func.count()).select_from(organizations))) == 0


async def test_next_transaction_waits_behind_work_whose_caller_was_cancelled(store: Store, clock: FakeClock) -> None:
    """A cancelled caller leaves the work to finish; nobody gets into its transaction."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: Connection) -> None:
        begun.set()
        assert go_on.wait(10)
        insert_rows(tx, organizations, named(clock, "a"))

    working = asyncio.create_task(store.transact(slow))
    assert await asyncio.to_thread(begun.wait, 10)
    working.cancel()
    following = asyncio.create_task(store.transact(lambda tx: tx.scalars(select(organizations.c.name)).all()))
    await asyncio.sleep(0)
    go_on.set()
    assert await following == ["a"]
    with pytest.raises(asyncio.CancelledError):
        await working
