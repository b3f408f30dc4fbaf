"""Compiled plans: they answer as the executor does, stay inside the organization and the memory, and give way to it.

`Caller.ask` compares each answer of every test in this folder with the plan's; here is what only plans promise.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import tracemalloc
from collections.abc import Iterator
from random import Random
from typing import Any

import orjson
import pytest
from graphql import OperationDefinitionNode, get_named_type, parse
from graphql.execution.values import get_variable_values
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from schema import build_schema
from schema.access import Role
from schema.plan import AskedQuery, Plans, Response
from schema.plan.lane_choice import Caution, LaneChoice, Where
from schema.plan.response import OVERHEAD_BYTES
from sync.errors import StoreCrowded, StoreSlow
from sync.store import tables
from sync.store.lane import JOBS_MAX
from tests.api.caller import Caller, plans_of
from tests.api.documents import VALUES, Documents
from tests.api.lists import LISTS, SCHEMA, id_of, visible
from tests.api.world import World
from tests.share import share
from tests.sync.entra.clock import FakeClock

# What a front end asks; each has a plan, and its statements are counted.
TRIES = 20
PLANNED = {
    "flat": ("{ assets(first: %d) { nodes { id name names scanned alive createdAt sources } } }", 1),
    "count": ("{ users(first: %d) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node { id } } } }", 2),
    "to one": ("{ users(first: %d) { nodes { id site { name organization { name } } manager { displayName } } } }", 4),
    "to many": ("{ groups(first: %d) { nodes { id users(first: 5) { totalCount nodes { id } } } } }", 3),
    "members": ("{ groups(first: %d) { nodes { members { nodes { ... on User { id } ... on Asset { id } } } } } }", 6),
    "gathered": ("{ assets(first: %d) { nodes { matches { key } attributes { name } azureAd { id raw } } } }", 5),
    "counted": ("{ groups(first: %d) { nodes { userCount kind } } }", 2),
    "runs": ("{ taskRuns(first: %d) { nodes { progress { stage done } counts { created } task { status } } } }", 3),
}


def asked(document: str, **variables: Any) -> AskedQuery:
    """Return a document as the server hands it over."""
    tree = parse(document)
    operation = next(node for node in tree.definitions if isinstance(node, OperationDefinitionNode))
    values = get_variable_values(build_schema()._schema, operation.variable_definitions or (), variables)
    assert not isinstance(values, list)
    return AskedQuery(document.encode(), tree, operation, values, orjson.dumps(variables))


async def planned(caller: Caller, document: str, **variables: Any) -> Response | None:
    """Return what plans answer, None if they leave it to the executor."""
    return await plans_of(caller.runtime).answer(asked(document, **variables), caller.principal)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
@settings(max_examples=share(25, 200, 1_250))
async def test_plan_answers_as_the_executor_does_whatever_is_selected(world: World, seed: int) -> None:
    """Documents made from the schema: `ask` runs both ways and compares."""
    document = Documents(Random(seed)).document()  # noqa: S311 - the same document for the same seed
    answer = await world.caller(organization=world.beta).ask(document, **VALUES)
    assert answer.problems == ()


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
@settings(max_examples=share(15, 100))
async def test_plan_leaves_mistakes_to_the_executor_wherever_they_are(world: World, seed: int) -> None:
    """Wrong arguments at any depth: what the executor calls an error no plan answers.

    Where no row is, the executor never reads an argument below it, but a plan reads them all; it may give up.
    """
    document = Documents(Random(seed), is_wrong=True).document()  # noqa: S311 - the same document for the same seed
    caller = world.caller(organization=world.beta)
    answer = await caller.execute(document, **VALUES)
    assert not answer.problems or await planned(caller, document, **VALUES) is None
    assert {problem.code for problem in answer.problems} <= {"BAD_USER_INPUT", "BAD_CURSOR", "BAD_SEARCH"}


@pytest.mark.slow
async def test_generated_documents_are_answered_by_plans_and_hold_what_plans_must_know(world: World) -> None:
    """The comparison above compares: nearly every document has a plan, and the hard parts of GraphQL are in them."""
    texts = [Documents(Random(seed)).document() for seed in range(200)]  # noqa: S311
    lists = [text for text in texts if "Aggregate" not in text][: share(50, 200)]
    answered = [await planned(world.caller(organization=world.beta), text, **VALUES) for text in lists]
    assert sum(answer is not None for answer in answered) > 0.85 * len(lists)
    for part in ("... on Node", "...F0", "@skip", "@include", "node(", "nodes(", "$size", "transitive", "search:"):
        assert any(part in text for text in texts), part


@pytest.mark.parametrize("name", LISTS.values())
async def test_plan_exists_for_every_list(world: World, name: str) -> None:
    """Every list of the root is compiled, so that a change that refuses one is seen."""
    assert await planned(world.caller(), f"{{ {name} {{ totalCount nodes {{ __typename id }} }} }}") is not None


@pytest.mark.parametrize("name", PLANNED)
async def test_plan_costs_the_same_statements_for_one_row_and_for_many(world: World, name: str) -> None:
    """A level is one statement however many rows the level above it has."""
    text, most = PLANNED[name]
    plans = Plans(build_schema(), world.runtime)
    counts = [(await counted(world, plans, text % first))[1] for first in (1, 500)]
    assert counts[0] <= counts[1] == most


async def test_nodes_cost_a_statement_for_each_kind_however_many_ids_are_sent(world: World) -> None:
    """Two ids of two kinds cost what hundreds cost; what fragments ask of their relations is a statement more each."""
    text = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on User { site { name } } ... on Group { userCount } } }"
    users, groups = await world.rows(tables.users, world.home), await world.rows(tables.groups, world.home)
    for most in (1, 500):
        ids = [f"user_{row['id']}" for row in users[:most]] + [f"group_{row['id']}" for row in groups[:most]]
        data, statements = await counted(world, Plans(build_schema(), world.runtime), text, ids=ids)
        assert ([node["id"] for node in data["nodes"]], statements) == (ids, 4)


async def counted(world: World, plans: Plans, document: str, **variables: Any) -> tuple[Any, int]:
    """Return the data of a plan's answer, and how many SELECTs it took; one that moved to a lane runs its own again."""
    statements: list[str] = []
    store = world.runtime.store

    async def trace(to: Any) -> None:
        store.here.run(lambda connection, _: connection.set_trace_callback(to), time_s=1)
        for lane in (store.quick, store.slow):
            await lane.run(lambda connection, _: connection.set_trace_callback(to), time_s=1)

    await trace(statements.append)
    response = await plans.answer(asked(document, **variables), world.caller().principal)
    await trace(None)
    assert response is not None
    return orjson.loads(response.body)["data"], sum(statement.startswith("SELECT") for statement in set(statements))


async def test_plan_shows_each_organization_its_own_rows(world: World) -> None:
    """Two organizations share a plan and no row."""
    text = "{ users(first: 1000) { nodes { id groups { nodes { id } } } } organizations { nodes { id } } }"
    found = {}
    for organization in (world.home, world.beta, world.gamma):
        response = await planned(world.caller(organization=organization), text)
        assert response is not None
        data = orjson.loads(response.body)["data"]
        assert [node["id"] for node in data["organizations"]["nodes"]] == [f"org_{organization}"]
        found[organization] = {node["id"] for node in data["users"]["nodes"]}
    assert all(found.values())
    assert len(set.union(*found.values())) == sum(map(len, found.values()))


LOOK_UPS = [
    name
    for name, field in (SCHEMA.query_type.fields if SCHEMA.query_type else {}).items()
    if {"id", "by"} & set(field.args) and name != "node"
]
MISTAKES = [
    '{ users(after: "no cursor") { nodes { id } } }',
    '{ groups { nodes { members(after: "no cursor") { nodes { id } } } } }',
    "{ users(first: 0) { nodes { id } } }",
    "{ users(first: 1, last: 1) { nodes { id } } }",
    '{ users(search: "(") { nodes { id } } }',
    '{ users(search: "nope:1") { nodes { id } } }',
    "{ users(where: {}) { nodes { id } } }",
    '{ users(where: {id: {eq: "asset_1"}}) { nodes { id } } }',
    '{ user(by: {id: "asset_1"}) { id groups { nodes { id } } } }',
    '{ user(by: {email: "\\u0000"}) { id } }',
    '{ taskRun(id: "") { id log { nodes { id } } } }',
    '{ taskRun(id: "run_99999999999999999999") { id } }',
    '{ node(id: "x") { id } }',
    '{ nodes(ids: ["user_1", "x"]) { id } }',
    '{ assets(where: {addresses: {inNetwork: "x"}}) { nodes { id } } }',
]


def noun_of(look_up: str) -> str:
    """Return the noun that a look-up leads to."""
    assert SCHEMA.query_type
    return str(get_named_type(SCHEMA.query_type.fields[look_up].type).name)


def nested_documents() -> Iterator[str]:
    """Write each look-up with each list of its row, alone and two at once, and a list beside them at the root."""
    for name in LOOK_UPS:
        noun = noun_of(name)
        argument = "by: {id: $id}" if "by" in SCHEMA.query_type.fields[name].args else "id: $id"  # type: ignore[union-attr]
        lists = [
            f"{field} {{ totalCount nodes {{ __typename }} }}"
            for field, declared in SCHEMA.type_map[noun].fields.items()  # type: ignore[attr-defined]
            if get_named_type(declared.type).name.endswith("Connection")
        ]
        for list_ in [*lists, " ".join(lists[:4])] if lists else ["__typename"]:
            yield f"query($id: ID!) {{ {name}({argument}) {{ id {list_} }} sites(first: 1) {{ nodes {{ id }} }} }}"


@pytest.mark.slow(cases=24)
@pytest.mark.parametrize("document", [*nested_documents()])
async def test_plan_exists_for_every_look_up_with_a_list(world: World, document: str) -> None:
    """A look-up and the lists of its row each take their own arguments; `ask` compares with the executor."""
    name = document.partition("{ ")[2].partition("(")[0]
    noun = noun_of(name)
    caller = world.caller(Role.SUPERUSER, world.beta)
    rows = await visible(world, noun, caller)
    mine = [row for row in rows if row.get("organization_id", row["id"]) == world.beta]
    answer = await caller.ask(document, id=id_of(noun, mine[0]))
    assert answer.ok()[name]["id"] == id_of(noun, mine[0])
    assert await planned(caller, document, id=id_of(noun, mine[0])) is not None


async def test_mistake_of_a_caller_is_no_failure_of_a_plan(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a caller gets wrong is answered as such; nothing is logged as if the server had failed."""
    for text in MISTAKES:
        assert (await world.caller().ask(text)).problems
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING] == []


async def test_plans_are_bounded(world: World) -> None:
    """However many documents are sent, so many plans are kept and no more."""
    plans = Plans(build_schema(), world.runtime, plans_max=8)
    for number in range(30):
        await plans.answer(asked(f"{{ a{number}: sites {{ totalCount }} }}"), world.caller().principal)
    assert len(plans.kept) == 8


@pytest.mark.parametrize(
    "text",
    [
        "{ users(first: 0) { nodes { id } } }",
        '{ users(after: "no cursor") { nodes { id } } }',
        '{ user(by: {id: "asset_1"}) { id } }',
        "{ users(where: {}) { nodes { id } } }",
        "{ __schema { types { name } } }",
        "{ viewer { name } }",
    ],
)
async def test_plan_gives_way_when_the_executor_knows_better(world: World, text: str) -> None:
    """Errors and what has no form are left to the executor."""
    assert await planned(world.caller(), text) is None


@pytest.mark.parametrize("directive", ["include", "skip"])
@pytest.mark.parametrize("place", ["at the root", "on a fragment", "below a list"])
async def test_plan_gives_way_when_null_is_given_for_a_flag_that_has_a_default(
    world: World, directive: str, place: str
) -> None:
    """Null overrides the default of a nullable variable; a flag that is null is the executor's error, at its place."""
    flag = f"@{directive}(if: $x)"
    selections = {
        "at the root": f"users(first: 1) {flag} {{ nodes {{ id }} }}",
        "on a fragment": f"... on Query {flag} {{ users(first: 1) {{ nodes {{ id }} }} }}",
        "below a list": f"users(first: 1) {{ nodes {{ id manager {flag} {{ id }} }} }}",
    }
    text = f"query($x: Boolean = true) {{ __typename {selections[place]} }}"
    assert await planned(world.caller(), text) is not None
    assert await planned(world.caller(), text, x=None) is None
    answer = await world.caller().ask(text, x=None)
    assert len(answer.problems) == 1


@pytest.mark.plan_fails
async def test_plan_gives_way_when_a_row_breaks_the_promise_of_its_type(office: World) -> None:
    """A stored value that the schema has no word for is the executor's error, with its path, not a wrong answer."""
    row = {"organization_id": 1, "site_id": 1, "name": "odd", "kind": "UNHEARD_OF"}
    flags = dict.fromkeys(("exclude_unknown", "include_inactive", "paused", "hidden"), False)
    times = dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00.000Z")
    async with office.runtime.store.write() as tx:
        await tx.execute(insert(tables.tasks).values(**row, **flags, **times))
    assert await planned(office.caller(), "{ tasks { nodes { name } } }") is not None
    assert await planned(office.caller(), "{ tasks { nodes { kind } } }") is None


async def test_response_is_kept_until_something_is_written(office: World) -> None:
    """What was answered is recalled, bytes and all; after a commit it is read again and tagged anew."""
    plans = Plans(build_schema(), office.runtime, responses_bytes_max=1_000_000)
    caller, text = office.caller(), "{ sites { nodes { name } } }"
    assert plans.recall(asked(text), caller.principal) is None
    store = office.runtime.store
    for _ in range(TRIES):  # The server writes by itself now and then, and what was kept before is forgotten then.
        commits = store.commits
        first = await plans.answer(asked(text), caller.principal)
        recalled = plans.recall(asked(text), caller.principal)
        if store.commits == commits:
            break
    assert first is recalled
    async with office.runtime.store.write() as tx:
        await tx.execute(tables.sites.update().where(tables.sites.c.name == "Primary").values(name="Renamed"))
    assert plans.recall(asked(text), caller.principal) is None
    second = await plans.answer(asked(text), caller.principal)
    assert first is not None and second is not None
    assert first.tag != second.tag
    assert orjson.loads(second.body)["data"]["sites"]["nodes"] == [{"name": "Renamed"}]


async def test_kept_response_takes_no_more_memory_than_is_counted(office: World) -> None:
    """The limit of all kept responses is one of memory: nothing that a response holds on to is left out of it."""
    plans = Plans(build_schema(), office.runtime, responses_bytes_max=10_000_000)
    caller, text = office.caller(), "query($first: Int!) { users(first: $first) { nodes { id displayName email } } }"
    # As the server does: asks for what is kept, then answers.
    assert plans.recall(asked(text, first=1), caller.principal) is None
    await plans.answer(asked(text, first=1), caller.principal)
    store = office.runtime.store
    for _ in range(TRIES):  # The server writes by itself now and then, and what was kept before is forgotten then.
        commits = store.commits
        tracemalloc.start()
        try:
            kept = [await plans.answer(asked(text, first=first), caller.principal) for first in range(2, 32)]
            snapshot = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
        recalled = [plans.recall(asked(text, first=first), caller.principal) for first in range(2, 32)]
        if store.commits == commits:
            break
    assert kept == recalled
    # Beside the responses there are bindings of variables, which have a limit of their own.
    written_in = [tracemalloc.Filter(True, f"*/{name}.py") for name in ("plans", "response", "trim")]
    held_bytes = sum(trace.size for trace in snapshot.filter_traces(written_in).traces)
    assert 0 < held_bytes <= sum(len(response.body) + OVERHEAD_BYTES for response in kept if response is not None)


async def test_runaway_read_ends_at_its_deadline_and_others_do_not_notice(world: World) -> None:
    """A read that never ends is moved out of the way of quick ones, then broken off; nothing hangs."""
    store = world.runtime.store

    def endless(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        ).fetchone()

    runaway = asyncio.ensure_future(store.slow.run(endless, time_s=1.0))
    await asyncio.sleep(0)
    for first in (1, 10, 1000):
        assert (
            await planned(world.caller(), f"{{ users(first: {first}) {{ nodes {{ id displayName }} }} }}") is not None
        )
    assert not runaway.done()
    with pytest.raises(StoreSlow):
        await runaway


async def test_plan_moves_out_of_the_way_when_it_is_slow_and_back_when_it_is_quick(world: World) -> None:
    """What outlasts its place runs in a lane from then on; what is quick there runs at once again, a little later."""
    clock, store = FakeClock(), world.runtime.store
    caution = Caution(clock)
    pace = LaneChoice(caution, caution.first())
    assert pace.where is Where.HERE

    def long(connection: sqlite3.Connection, _: object) -> None:
        text = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT max(i) FROM n"
        connection.execute(text).fetchone()

    async def places() -> list[Where]:
        await pace.run(store, lambda connection, _: connection.execute("SELECT 1").fetchone())
        return [pace.where, caution.first()]

    await pace.run(store, long)
    assert Where.HERE not in await places()
    await clock.sleep(1.0)
    assert await places() == [Where.HERE, Where.HERE]


async def test_read_is_refused_when_too_many_wait_and_taken_again_when_they_are_over(world: World) -> None:
    """A lane has room for so many jobs; one more is told to come again, and what was given up makes room."""
    lane, gate = world.runtime.store.slow, threading.Event()
    jobs = [asyncio.ensure_future(lane.run(lambda *_: gate.wait(60), time_s=60)) for _ in range(JOBS_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(StoreCrowded):
        await lane.run(lambda *_: None, time_s=1)
    for job in jobs[1:]:
        job.cancel()
    await asyncio.wait(jobs[1:])
    last = asyncio.ensure_future(lane.run(lambda *_: "answered", time_s=60))
    gate.set()
    assert await last == "answered"
    assert await jobs[0]
