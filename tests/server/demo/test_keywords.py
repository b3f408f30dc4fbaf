"""The examples of docs/keywords.md, run on what `rollcall demo` makes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from schema import build_schema
from schema.search.vocabulary.document import INVENTORIES
from schema.search.vocabulary.example import WITHOUT, examples
from schema.search.vocabulary.table import listed
from server.demo.client import Client
from tests.server.demo.examples import count_rows, demo_client, example_of

REPEAT = "write them anew: python -m tests.server.demo.examples"


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """Return a client of the demo's server."""
    build_schema()
    async with demo_client(tmp_path_factory.mktemp("demo")) as client:
        yield client


@pytest.mark.slow(cases=0)
async def test_example_of_a_keyword_finds_its_rows_in_the_demo(client: Client) -> None:
    """Each search finds exactly as many rows as the reference says, whatever the day."""
    kept = examples()
    found = {key: await count_rows(client, key[0], example.search) for key, example in kept.items()}
    assert found == {key: example.rows for key, example in kept.items()}, REPEAT


@pytest.mark.slow(cases=0)
async def test_keyword_without_an_example_finds_nothing_in_the_demo(client: Client) -> None:
    """Where the reference says that the demo has no such data, completion offers nothing that would find any."""
    for noun in INVENTORIES:
        for keyword in listed(noun):
            key = (noun, keyword.name)
            if not keyword.uncollected and key not in examples() and key not in WITHOUT:
                assert await example_of(client, noun, keyword) is None, REPEAT


def test_example_is_of_a_keyword_that_there_is() -> None:
    """Nothing is left over of a keyword that was renamed, and none finds nothing."""
    build_schema()
    known = {(noun, keyword.name) for noun in INVENTORIES for keyword in listed(noun) if not keyword.uncollected}
    assert examples().keys() <= known and WITHOUT.keys() <= known
    assert all(example.rows for example in examples().values())
