"""How large an answer may be: noticed while it is built, whoever builds it."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schema import build_schema
from schema.limit.budget import MIB, AnswerLimits, Budget, NoMemory, Tally
from schema.limit.limits import Limits
from schema.plan import Plans
from server.graphql.errors import Refused
from sync.errors import StoreCrowded
from sync.runtime import Config, Runtime
from tests.abuse.conftest import Front, StillClock, execution_of
from tests.abuse.hostile import LARGE, build_hostile, chain

BOTH = ("planned", "executed")
LIMIT, MEMORY = MIB // 4, 16 * MIB


@pytest.fixture(scope="module")
async def hostile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runtime]:
    """Return a runtime on an inventory that answers much."""
    data_dir = tmp_path_factory.mktemp("hostile") / "data"
    await build_hostile(data_dir)
    runtime = await Runtime.open(Config(data_dir), clock=StillClock(), run_tasks=False)
    try:
        yield runtime
    finally:
        await runtime.close()


def front_of(runtime: Runtime, budget: Budget) -> Front:
    """Return a front whose answers may come to so much."""
    more: dict[str, Any] = {"budget": budget}
    plans = Plans(build_schema(), runtime, **more)
    # Nothing here is about time.
    more["request_timeout_s"] = 300.0
    return Front(runtime, execution_of(Limits(), **more), execution_of(Limits(), plans, **more))


async def one(front: Front, way: str, document: str) -> dict[str, Any]:
    """Run an operation one way."""
    execution = front.planned if way == "planned" else front.execution
    return await front.run(execution, document, {})


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("way", BOTH)
@pytest.mark.parametrize("name", LARGE)
async def test_answer_is_refused_while_it_is_built_when_it_is_too_large(hostile: Runtime, name: str, way: str) -> None:
    """It is LIMIT_EXCEEDED with a hint and no data, and it never takes much more memory than all answers may."""
    budget = Budget(AnswerLimits(bytes_max=LIMIT), MEMORY)
    front = front_of(hostile, budget)
    tracemalloc.start()
    try:
        answer = await one(front, way, f"{{ {LARGE[name]} }}")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    (error,) = answer["errors"]
    facts = error["extensions"]
    assert "data" not in answer
    assert facts["code"] == "LIMIT_EXCEEDED" and facts["hint"]
    # What the executor reads for all fields at once may take the memory before any of it is in the answer.
    assert (facts["which"], facts["limit"]) in {("answerBytes", LIMIT), ("answersBytes", MEMORY)}
    assert facts["actual"] > facts["limit"]
    # What is counted is about half of what Python takes for small records.
    assert peak < 3 * MEMORY
    assert budget.taken_bytes == 0


@pytest.mark.parametrize("way", BOTH)
async def test_list_without_a_size_is_counted_while_it_is_read(hostile: Runtime, way: str) -> None:
    """An asset of 3,000 devices, expected to have two: refused as too dear where the limit is lower."""
    document = "{ assets(first: 10) { nodes { azureAd { id deviceId } } } }"
    answer = await one(front_of(hostile, Budget(AnswerLimits(rows_max=2_000))), way, document)
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["which"]) == ("LIMIT_EXCEEDED", "cost")
    assert 2_000 < error["extensions"]["actual"] < 2_100
    answer = await one(front_of(hostile, Budget(AnswerLimits(rows_max=4_000))), way, document)
    assert len(answer["data"]["assets"]["nodes"][0]["azureAd"]) == 3_000


FITTING = {
    "a list in itself": f"users(first: 1) {{ nodes {{ {chain(2)} }} }}",
    "under many names": "users(first: 2) { nodes { a: manager { " + chain(1) + " } b: manager { " + chain(2) + " } } }",
    "the same id": "nodes(ids: [" + '"user_1" ' * 30 + f"]) {{ ... on User {{ raw {chain(1)} }} }}",
    "received objects": "a: users { nodes { raw } } b: users(first: 300) { nodes { attributes { name value } raw } }",
    "both styles": f"users(first: 2) {{ edges {{ cursor node {{ {chain(2)} }} }} nodes {{ {chain(2)} }} totalCount }}",
    "many rows": "assets(first: 1000) { nodes { id azureAd { id groups { totalCount } } owners(first: 3) "
    "{ nodes { id manager { id displayName } } pageInfo { hasNextPage endCursor } } } }",
}


@pytest.mark.slow(cases=2)
@pytest.mark.parametrize("name", FITTING)
async def test_answer_is_whole_when_it_fits(hostile: Runtime, name: str) -> None:
    """Written in pieces by a plan and by the executor: the same data from both."""
    front = front_of(hostile, Budget(AnswerLimits(bytes_max=256 * MIB), 2**40))
    planned, executed = [await one(front, way, f"{{ {FITTING[name]} }}") for way in BOTH]
    assert "errors" not in planned
    assert planned == executed


@pytest.mark.parametrize("way", BOTH)
async def test_answer_waits_for_memory_and_is_told_to_come_again_when_there_is_none(hostile: Runtime, way: str) -> None:
    """Others hold all the memory: a large answer is 503 with Retry-After after a while, a small one is answered."""
    budget = Budget(AnswerLimits(bytes_max=4 * MIB), 4 * MIB, wait_s=0.05)
    front = front_of(hostile, budget)
    large, small = f"{{ users(first: 1) {{ nodes {{ {_deep()} }} }} }}", "{ users(first: 2) { nodes { id } } }"
    others = Tally(budget)
    others.hold(4 * MIB)
    with pytest.raises(Refused) as refused:
        await one(front, way, large)
    assert (refused.value.status, refused.value.code, refused.value.headers) == (
        503,
        "OVERLOADED",
        {"Retry-After": "1"},
    )
    assert "errors" not in await one(front, way, small)
    others.close()
    patient = Budget(AnswerLimits(bytes_max=4 * MIB), 16 * MIB, wait_s=30)
    front, others = front_of(hostile, patient), Tally(patient)
    others.hold(16 * MIB)
    asyncio.get_running_loop().call_later(0.05, others.close)
    assert "errors" not in await one(front, way, large)
    assert patient.taken_bytes == 0


def _deep() -> str:
    return "managerChain { id managerChain { id displayName email } }"


async def test_budget_serves_those_who_wait_in_their_order() -> None:
    """Who asks for much is not overtaken by who asks for little."""
    budget, order = Budget(bytes_max=10, wait_s=30), list[int]()
    assert budget.take(10)

    async def ask(number: int) -> None:
        await budget.reserve(number)
        order.append(number)

    waiting = [asyncio.ensure_future(ask(number)) for number in (8, 1, 1)]
    await asyncio.sleep(0)
    for _ in range(10):
        budget.give(1)
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == [8, 1, 1]
    assert budget.taken_bytes == 10


async def test_budget_refuses_who_waits_too_long_and_leaves_nothing_taken() -> None:
    """The one behind it gets its turn."""
    budget = Budget(bytes_max=10, wait_s=0.01)
    assert budget.take(5)
    with pytest.raises(StoreCrowded):
        await budget.reserve(6)
    await budget.reserve(5)
    assert budget.taken_bytes == 10


def test_tally_reserves_nothing_for_a_small_answer() -> None:
    """The first 64 KiB are free; from then on it reserves in steps, and a whole answer gives back the rest."""
    budget = Budget(bytes_max=4 * MIB)
    tally = Tally(budget)
    tally.hold(64 * 1024)
    assert budget.taken_bytes == 0
    tally.hold(1)
    assert budget.taken_bytes == MIB
    tally.hold(MIB)
    assert budget.taken_bytes == 2 * MIB
    tally.finish(100 * 1024)
    assert budget.taken_bytes == 100 * 1024
    other = Tally(budget)
    with pytest.raises(NoMemory):
        other.hold(4 * MIB)
    tally.close()
    tally.close()
    assert budget.taken_bytes == 0
