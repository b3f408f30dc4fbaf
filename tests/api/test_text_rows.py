"""Rows that the database writes as JSON itself say what the executor says, byte for byte where bytes are hard."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import update

from sync.store import tables
from tests.api.test_plan import planned
from tests.api.world import World

ASSETS = "{ assets(first: 500) { nodes { id name names os alive scanned lastSeen } } }"
HARD = {
    "quoted": "say \"\\ / ' %s ? :a",
    "control": "".join(map(chr, range(1, 32))) + "\x7f\u2028",
    "null": "before\0after",
    "astral": "\U0001f600 \ufeff\uffff é",
    "json": '{"a": [1, null]}',
    "number": "0012",
    "empty": "",
}


@pytest.mark.parametrize("kind", HARD)
async def test_text_is_written_as_it_is_stored_whatever_is_in_it(office: World, kind: str) -> None:
    """Quotes, control characters and what looks like JSON come out of the database's hands as they went in."""
    text = HARD[kind]
    async with office.runtime.store.write() as tx:
        await tx.execute(update(tables.assets).values(name=text, names=[text, text]))
    response = await planned(office.caller(organization=office.beta), ASSETS)
    assert response is not None
    nodes = orjson.loads(response.body)["data"]["assets"]["nodes"]
    assert {(node["name"], *node["names"]) for node in nodes} == {(text, text, text)}
    assert (await office.caller(organization=office.beta).ask(ASSETS)).data["assets"]["nodes"] == nodes


async def test_columns_are_read_as_before_when_the_database_cannot_write_rows(
    office: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another SQLite only makes it slower: no statement asks it for JSON, and the answer is the same."""
    written = await planned(office.caller(organization=office.beta), ASSETS)
    monkeypatch.setattr("schema.plan.compile.is_available", lambda: False)
    monkeypatch.setattr("schema.plan.compile.row_text", None)
    read = await planned(office.caller(organization=office.beta), f"{ASSETS} ")  # compiled anew
    assert written is not None
    assert read is not None
    assert read.body == written.body


@pytest.mark.parametrize("alive", [None, False, True])
async def test_boolean_is_written_as_one(office: World, alive: bool | None) -> None:
    """The database knows numbers only; callers see true, false and null."""
    async with office.runtime.store.write() as tx:
        await tx.execute(update(tables.assets).values(alive=alive))
    response = await planned(office.caller(organization=office.beta), "{ assets { nodes { alive } } }")
    assert response is not None
    nodes = orjson.loads(response.body)["data"]["assets"]["nodes"]
    assert nodes
    assert all(node["alive"] is alive for node in nodes)


@pytest.mark.plan_fails
@pytest.mark.parametrize("number", [2**31, -(2**31) - 1])
async def test_number_that_no_int_holds_is_left_to_the_executor(office: World, number: int) -> None:
    """The executor says which row has it; the database's text would have shown it."""
    async with office.runtime.store.write() as tx:
        await tx.execute(update(tables.assets).values(source_count=number))
    assert await planned(office.caller(organization=office.beta), "{ assets { nodes { name } } }") is not None
    assert await planned(office.caller(organization=office.beta), "{ assets { nodes { sourceCount } } }") is None


async def test_more_fields_than_the_database_takes_in_one_row_are_shown_all(office: World) -> None:
    """A call in SQLite has room for so many; a selection has not to end there."""
    names = [f"a{number}" for number in range(100)]
    text = f"{{ assets {{ nodes {{ {' '.join(f'{name}: name' for name in names)} }} }} }}"
    response = await planned(office.caller(organization=office.beta), text)
    assert response is not None
    assert orjson.loads(response.body)["data"]["assets"]["nodes"]
    assert all(list(node) == names for node in orjson.loads(response.body)["data"]["assets"]["nodes"])


@pytest.mark.parametrize(
    "page",
    ["first: 3", "last: 3", "first: 3, orderBy: [{field: ID, direction: DESC}]", "first: 3, where: {id: {in: []}}"],
)
@pytest.mark.parametrize(
    "shown", ["nodes { id displayName }", "totalCount a: nodes { id }", "nodes { id } edges { cursor }"]
)
async def test_page_of_each_group_is_the_same_however_it_is_read(world: World, page: str, shown: str) -> None:
    """One text, rows of text or rows of columns: a group's users are those of the executor, in its order."""
    text = f"{{ groups(first: 100) {{ nodes {{ id users({page}) {{ {shown} }} }} }} users({page}) {{ {shown} }} }}"
    answer = await world.caller().ask(text)
    assert answer.problems == ()
    response = await planned(world.caller(), text)
    assert response is not None
    assert orjson.loads(response.body)["data"] == answer.data
