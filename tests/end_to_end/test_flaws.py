"""Records that came damaged: the run warns of each kind of damage once, counts it with what it writes, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sync.inventory.directory.kind import KINDS, Kind
from sync.store.tables import users
from tests.end_to_end.odd import Item, Odd

TOO_LARGE = 10**400


@pytest.fixture
async def odd(data_dir: Path) -> AsyncIterator[Odd]:
    """Return an open installation whose tenant is empty; each page is a transaction of its own."""
    odd = Odd(data_dir)
    odd.rows_ahead = 0
    await odd.open()
    try:
        await odd.furnish()
        yield odd
    finally:
        await odd.close()


def named(*names: Any) -> list[Item]:
    """Return a user for each name, which may be anything."""
    return [{"id": f"u{number}", "displayName": name, "accountEnabled": True} for number, name in enumerate(names)]


async def names(odd: Odd) -> dict[str, str | None]:
    """Return the stored names of users by id."""
    async with odd.runtime.store.read() as tx:
        return {row[0]: row[1] for row in await tx.execute(select(users.c.external_id, users.c.display_name))}


def facts(rows: list[Any]) -> list[tuple[str, str, str, int]]:
    """Return what warnings say: code, resource, property and number of records."""
    return [(row.code, *(row.facts[name] for name in ("resource", "property", "records"))) for row in rows]


async def test_run_has_one_warning_of_a_property_however_many_pages_have_it(odd: Odd) -> None:
    """Counted over all pages; it names kind, property and number, and says what to do; no value stands in it."""
    wrong = named("A", 4711, ["4711"], {"x": 4711}, "E", 4711)
    odd.pages = {"users": [wrong[:2], wrong[2:3], wrong[3:]], "groups": [[{"id": "g", "displayName": 4711}]]}
    run = await odd.run()
    assert (run.status, run.errors, run.counts["users"]) == ("SUCCEEDED", [], {"created": 6})
    told = sorted(await odd.warnings(run.id), key=lambda row: str(row.message))
    assert [row.message for row in told] == [
        f"{kind}: displayName had the wrong type in {records}: it is null there, and `raw` shows the received value."
        for kind, records in (("groups", "1 record"), ("users", "4 records"))
    ]
    assert sorted(facts(told)) == [
        ("WRONG_TYPE", "groups", "displayName", 1),
        ("WRONG_TYPE", "users", "displayName", 4),
    ]
    assert all(row.facts["hint"] and "4711" not in f"{row.message}{row.facts}" for row in told)
    assert await names(odd) == {"u0": "A", "u1": None, "u2": None, "u3": None, "u4": "E", "u5": None}


async def test_run_warns_and_keeps_the_name_when_a_record_comes_without_it(odd: Odd) -> None:
    """Each run warns for itself; a run whose records are whole warns of nothing."""
    whole = named("A", "B", "C")
    first = await odd.read({"users": whole})
    assert await odd.warnings(first.id) == []
    for _ in range(2):
        run = await odd.read({"users": [{"id": "u0", "accountEnabled": True}, {"id": "u1", "accountEnabled": True}]})
        told = await odd.warnings(run.id)
        assert [row.message for row in told] == [
            "users: 2 records came without displayName: the earlier value is kept."
        ]
        assert facts(told) == [("PROPERTY_MISSING", "users", "displayName", 2)]
        assert await names(odd) == {"u0": "A", "u1": "B", "u2": "C"}
    again = await odd.read({"users": [whole[0] | {"displayName": None}]})
    assert await odd.warnings(again.id) == []
    assert (await names(odd))["u0"] is None


async def test_warning_counts_on_when_the_run_was_cut_off(odd: Odd) -> None:
    """What was written is counted, once: a run that is taken up again does not begin a second warning."""
    odd.pages = {"users": [[item] for item in named(1, 2, 3, 4, 5)]}
    closing: list[asyncio.Task[None]] = []

    def stop(stream: str, number: int) -> None:
        if (stream, number) == ("users", 3) and not closing:
            closing.append(asyncio.create_task(odd.runtime.engine.stop()))

    odd.told = stop
    run_id = await odd.trigger()
    await odd.runtime.engine.idle()
    await asyncio.gather(*closing)
    assert (await odd.row(run_id)).status == "RUNNING"
    before = facts([row for row in await odd.warnings(run_id) if row.code])
    assert len(before) == 1 and 0 < before[0][-1] < 5
    await odd.close()
    await odd.open()
    await odd.runtime.engine.idle()
    assert (await odd.row(run_id)).status == "SUCCEEDED"
    assert facts([row for row in await odd.warnings(run_id) if row.code]) == [("WRONG_TYPE", "users", "displayName", 5)]


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize(
    "value", [TOO_LARGE, -TOO_LARGE, {"deep": [1, {"x": TOO_LARGE}]}], ids=["large", "low", "deep"]
)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_number_of_400_digits_ends_one_stream_and_not_the_run(odd: Odd, kind: Kind, value: Any) -> None:
    """The others are read and written, nothing goes, and the next run reads what was missed."""
    said: dict[str, list[Item]] = {one.plural: [{"id": one.name, "displayName": "N"}] for one in KINDS}
    await odd.read(said)
    changed = {stream: [items[0] | {"displayName": "M"}] for stream, items in said.items()}
    run = await odd.read(changed | {kind.plural: [said[kind.plural][0] | {"extension_x": value}]})
    assert run.status == "PARTIAL"
    assert [(error["code"], error["resource"]) for error in run.errors] == [("BAD_RESPONSE", kind.plural)]
    assert {stream for stream, numbers in run.counts.items() if "updated" in numbers} >= set(said) - {kind.plural}
    assert not any("removed" in numbers for numbers in run.counts.values())
    assert (await odd.read(changed)).status == "SUCCEEDED"
