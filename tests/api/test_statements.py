"""How many SQL statements a query costs: as many for five hundred rows as for one, and no more than it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from tests.api.caller import Caller
from tests.api.world import World

# List → what is selected of each row, relations to one row included, and the statements that costs.
LISTS = {
    "users": ("id displayName createdAt site { name organization { name } }", 3),
    "groups": ("id displayName kind site { name }", 2),
    "assets": ("id name sources site { name organization { name } } organization { name }", 3),
    "sites": ("id name organization { name }", 2),
    "credentials": ("id name organization { name }", 2),
    "tasks": ("id name site { name } credential { name organization { name } }", 4),
    "taskRuns": ("id status progress { done } counts { created } errors { code } task { name site { name } }", 3),
}


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """Collect the statements that readers send, transactions left out."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    engine = world.runtime.store.asker.engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


async def cost(world: World, caller: Caller, text: str, **variables: Any) -> int:
    """Return how many statements a document costs; the indexer, a reader as well, has nothing to do meanwhile."""
    await world.runtime.indexer.idle()
    with counted(world) as statements:
        await caller.data(text, **variables)
    return len(statements)


@pytest.mark.parametrize("field", LISTS)
async def test_list_costs_the_same_statements_for_one_row_and_for_many(world: World, field: str) -> None:
    """A flat list with relations to one row costs a statement each, however many rows it has."""
    selected, expected = LISTS[field]
    text = f"query($first: Int) {{ {field}(first: $first) {{ nodes {{ {selected} }} }} }}"
    caller = world.caller(organization=world.beta)
    assert [await cost(world, caller, text, first=first) for first in (1, 7, 500)][1:] == [expected] * 2
    # One row may lack a relation, never have more.
    assert await cost(world, caller, text, first=1) <= expected


async def test_total_count_costs_a_statement_only_when_it_is_selected(world: World) -> None:
    """A list is one statement, with totalCount two."""
    assert await cost(world, world.caller(), "{ users { nodes { id } } }") == 1
    assert await cost(world, world.caller(), "{ users { totalCount nodes { id } } }") == 2


async def test_malformed_id_costs_no_statement(world: World) -> None:
    """An id is checked before the database is asked."""
    with counted(world) as statements:
        assert (await world.caller().ask('{ site(id: "user_1") { id } }')).code == "BAD_USER_INPUT"
    assert statements == []


async def test_refused_document_costs_no_statement(world: World) -> None:
    """Access is checked before anything runs."""
    with counted(world) as statements:
        answer = await world.caller().ask('mutation { createOrganization(input: {name: "x"}) { errors { code } } }')
    assert (answer.code, statements) == ("FORBIDDEN", [])
