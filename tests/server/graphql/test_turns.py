"""The loop goes on while an operation runs that never waits for anything, and it ends at its deadline."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import strawberry

from schema.limit.budget import AnswerLimits, Budget
from server.graphql.errors import Refused
from server.graphql.execution import Execution
from server.graphql.executor.turns import Turns
from server.graphql.operation import Answer, Trace
from server.graphql.request import GraphQLRequest

ITEMS = 400


@strawberry.type
class Item:
    """A row of a list that is there at once."""

    number: int

    @strawberry.field
    def items(self) -> list[Item]:
        """Have as many again."""
        return [Item(number=number) for number in range(ITEMS)]

    @strawberry.field
    async def later(self) -> int:
        """Answer after a moment, as what is read does."""
        await asyncio.sleep(0)
        return self.number


@strawberry.type
class Query:
    """Lists that no cost limits here."""

    @strawberry.field
    def items(self) -> list[Item]:
        """List items."""
        return [Item(number=number) for number in range(ITEMS)]


DOCUMENTS = {
    "one list": "{ items { a: number b: number c: number } }",
    "a list in a list": "{ items { items { number } } }",
    "introspection": "{ __schema { " + " ".join(f"a{n}: types {{ fields {{ name }} }}" for n in range(100)) + " } }",
    "answers that come later": "{ items { later } }",
}
LASTING = "{ items { items { items { items { number } } } } }"


class TickingClock:
    """A clock that goes on by half a millisecond each time that it is looked at."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        """Return the time."""
        self.now_s += 0.0005
        return self.now_s


def execution_of(timeout_s: float = 60.0, **more: Any) -> Execution:
    """Return an execution of the schema above."""
    return Execution(strawberry.Schema(Query), request_timeout_s=timeout_s, **more)


async def answer_of(execution: Execution, document: str) -> Answer:
    """Run a document."""
    prepared = await execution.prepare(GraphQLRequest(document, None, {}), read_only=True, trace=Trace())
    context = SimpleNamespace(principal=None)
    return await execution.execute(prepared, context, request_id="request-1", trace=Trace())


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("name", DOCUMENTS)
async def test_loop_goes_on_while_an_operation_completes_what_is_there_at_once(name: str) -> None:
    """By a clock that ticks with each look, other tasks have their turn at least every few hundred items."""
    execution = execution_of()
    clock = TickingClock()
    execution.runner.turns = Turns(clock)  # type: ignore[arg-type] # of a clock it asks nothing else
    rounds, longest, before = 0, 0.0, 0.0

    async def beat() -> None:
        nonlocal rounds, longest, before
        while True:
            if rounds:
                longest = max(longest, clock.now_s - before)
            rounds, before = rounds + 1, clock.now_s
            await asyncio.sleep(0)

    beating = asyncio.ensure_future(beat())
    answer = await answer_of(execution, DOCUMENTS[name])
    beating.cancel()
    assert "errors" not in orjson.loads(answer.body)
    assert rounds > 10
    # A slice, what a round of the loop adds to it, and the looks of those who wait.
    assert longest < 0.3


async def test_operation_that_never_waits_ends_at_its_deadline() -> None:
    """It is a TIMEOUT."""
    answer = await answer_of(execution_of(0.05), LASTING)
    (error,) = orjson.loads(answer.body)["errors"]
    assert error["extensions"]["code"] == "TIMEOUT"
    assert answer.outcome == "timeout"


async def test_introspection_is_counted_while_it_is_told() -> None:
    """Whatever was expected of it: beyond the limit it ends with LIMIT_EXCEEDED and no data."""
    answer = await answer_of(
        execution_of(budget=Budget(AnswerLimits(introspection_max=500))), DOCUMENTS["introspection"]
    )
    (error,) = orjson.loads(answer.body)["errors"]
    assert (error["extensions"]["which"], error["extensions"]["limit"]) == ("introspectionCost", 500)
    assert "data" not in orjson.loads(answer.body)


async def test_answer_is_the_same_in_slices_as_at_once() -> None:
    """Order, nesting and null of a list stay, whether it is completed in one go or in many."""
    found = []
    for clock in (None, TickingClock()):
        execution = execution_of()
        execution.runner.turns = Turns(clock)  # type: ignore[arg-type] # of a clock it asks nothing else
        found.append((await answer_of(execution, "{ items { number later } }")).body)
    assert found[0] == found[1]
    assert [item["number"] for item in orjson.loads(found[0])["data"]["items"]] == list(range(ITEMS))


async def test_request_is_refused_when_too_many_are_to_be_read() -> None:
    """Documents are read one after another beside the loop; one too many is told to come again."""
    execution = execution_of()
    jobs = [
        asyncio.ensure_future(answer_of(execution, f"{{ items {{ a{number}: number }} }}")) for number in range(400)
    ]
    ends = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, Refused)]
    assert {(one.status, one.code) for one in refused} == {(503, "OVERLOADED")}
    assert len(refused) + sum(isinstance(end, Answer) for end in ends) == 400
