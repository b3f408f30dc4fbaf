"""Subscriptions over server-sent events: from the first state to the end, for slow readers, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select

from schema.limit.limits import Limits
from server.operator.operations import run_command
from sync.organization.organizations import create_organization
from sync.organization.tokens import create_token
from sync.store.tables import credential_access, credentials
from sync.tasks.run.state import RunStatus
from tests.patience import PATIENCE_S
from tests.server.station import FOLLOW, WATCH, Station, events, open_station, told


@pytest.fixture
async def station(data_dir: Path) -> AsyncIterator[Station]:
    """Return a served installation."""
    async with open_station(data_dir) as opened:
        yield opened


async def test_run_is_told_from_now_to_its_end_when_watched(station: Station) -> None:
    """The state at the start, changes after it, the last state as it ended, then `complete`; nothing stays open."""
    run_id = await station.queue()
    async with station.sse(WATCH, run=f"run_{run_id}") as response:
        stream = events(response)
        assert await anext(stream) == (":", "")
        name, first = await anext(stream)
        assert (name, first["data"]["taskRun"]["status"]) == ("next", "QUEUED")
        await station.live_through(run_id)
        rest = [event async for event in stream]
    *_, last, end = rest
    ended = {"status": "SUCCEEDED", "phase": None, "progress": [{"stage": "users", "done": 1_000, "total": 1_000}]}
    assert last == ("next", {"data": {"taskRun": ended}})
    assert end == ("complete", None)
    await station.settled()


async def test_log_goes_on_behind_the_entry_that_is_known_when_followed_again(station: Station) -> None:
    """Every entry once and in order, those written before the subscription and those after it."""
    run_id = await station.queue()
    run = await station.claim(run_id)
    await station.say(run, "one", "two")
    async with station.sse(FOLLOW, run=f"run_{run_id}") as response:
        heard = [data["data"]["taskLog"] async for name, data in _first(response, 2)]
    assert [entry["message"] for entry in heard] == ["one", "two"]
    await station.say(run, "three")
    async with station.sse(FOLLOW, run=f"run_{run_id}", after=heard[0]["id"]) as response:
        stream = events(response)
        before = [await anext(stream) for _ in range(3)][1:]
        await station.say(run, *(f"line {number}" for number in range(250)))
        await run.finish(station.runtime.store, RunStatus.SUCCEEDED)
        after = [event async for event in stream if event[0] == "next"]
    messages = [data["data"]["taskLog"]["message"] for _, data in [*before, *after]]
    expected = ["two", "three", *(f"line {number}" for number in range(250)), "The run ended: SUCCEEDED."]
    assert messages == expected


async def _first(response: httpx.Response, number: int) -> AsyncIterator[tuple[str, Any]]:
    async for event in events(response):
        if event[0] == "next":
            yield event
            number -= 1
        if not number:
            return


@pytest.mark.slow(cases=0)
async def test_slow_reader_gets_the_newest_state_of_a_run_and_the_whole_log(station: Station) -> None:
    """Who reads nothing meanwhile is sent no state that is past, and every entry of the log; the writer never waits."""
    run_id = await station.queue()
    run = await station.claim(run_id)
    async with (
        station.sse(WATCH, run=f"run_{run_id}") as states,
        station.sse(FOLLOW, run=f"run_{run_id}") as entries,
    ):
        for number in range(60):
            await station.advance(run, number)
            # Large enough to fill every buffer on the way.
            await station.say(run, *(f"{number}:{part} " + "x" * 1_500 for part in range(50)))
        await run.finish(station.runtime.store, RunStatus.SUCCEEDED)
        seen = [data["data"]["taskRun"] for name, data in await told(states) if name == "next"]
        heard = [data["data"]["taskLog"]["message"] for name, data in await told(entries) if name == "next"]
    assert seen[-1]["status"] == "SUCCEEDED" and len(seen) < 60
    wanted = [f"{number}:{part}" for number in range(60) for part in range(50)]
    assert [message.split(" ")[0] for message in heard[:-1]] == wanted
    await station.settled()


async def test_lists_without_a_size_are_counted_in_each_event(data_dir: Path) -> None:
    """A credential is shared with more organizations than an answer may have rows: the event is refused, not cut."""
    query = "subscription($run: ID!) { taskRun(id: $run) { status task { credential { sharedWith { id } } } } }"
    async with open_station(data_dir, limits=Limits(cost=10)) as station:
        store, clock = station.runtime.store, station.runtime.clock
        run_id = await station.queue()
        async with store.write() as tx:
            credential = await tx.scalar(select(credentials.c.id))
            for number in range(11):
                key = await create_organization(tx, clock, f"Branch {number}")
                await tx.execute(insert(credential_access).values(credential_id=credential, organization_id=key))
        async with station.sse(query, run=f"run_{run_id}") as response:
            stream = events(response)
            await anext(stream)
            (error,) = (await anext(stream))[1]["errors"]
    assert (error["extensions"]["code"], error["extensions"]["which"]) == ("LIMIT_EXCEEDED", "cost")


async def test_inventories_are_told_with_their_version_when_a_sync_changes_them(station: Station) -> None:
    """First what is there, so that nothing is missed between asking and listening; then each change."""
    query = "subscription { inventoryChanged(inventories: [USERS]) { inventory version } }"
    async with station.sse(query) as response:
        stream = events(response)
        await anext(stream)
        assert (await anext(stream))[1]["data"]["inventoryChanged"] == {"inventory": "USERS", "version": 0}
        await station.installation.run()
        name, data = await anext(stream)
    changed = data["data"]["inventoryChanged"]
    assert (name, changed["inventory"]) == ("next", "USERS") and changed["version"] > 0
    await station.settled()


async def test_stream_ends_with_an_error_when_the_token_is_revoked(station: Station) -> None:
    """At once, not with the next event: the caller is told why, and that it is over."""
    run_id = await station.queue()
    async with station.sse(WATCH, run=f"run_{run_id}") as response:
        stream = events(response)
        await anext(stream), await anext(stream)
        await run_command(station.runtime, "token.revoke", {"id": 1})
        (name, data), end = [event async for event in stream]
    assert (name, data["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")
    assert end == ("complete", None)
    await station.settled()


async def test_stream_ends_without_complete_when_the_token_expires(station: Station) -> None:
    """A client that takes this for a lost connection comes back, with a fresh token."""
    run_id = await station.queue()
    async with station.sse(WATCH, token=await station.passing_token(), run=f"run_{run_id}") as response:
        found = [name async for name, _ in events(response)]
    assert "next" in found and "complete" not in found
    await station.settled()


async def test_stream_ends_without_complete_when_the_server_stops(station: Station) -> None:
    """A clean end of the response that a client takes for a lost connection, so that it comes back."""
    run_id = await station.queue()
    async with station.sse(WATCH, run=f"run_{run_id}") as response:
        stream = events(response)
        await anext(stream), await anext(stream)
        station.live.stop()
        assert [event async for event in stream] == [(":", "stopping")]
    await station.settled()


async def test_nothing_is_left_of_a_stream_when_the_reader_leaves(station: Station) -> None:
    """A connection that breaks off gives up its subscription without waiting for the next event."""
    run_id = await station.queue()
    async with station.sse(WATCH, run=f"run_{run_id}") as response:
        await anext(events(response))
        assert len(station.live) == 1
    await asyncio.wait_for(station.settled(), PATIENCE_S)


@pytest.mark.slow(cases=3)
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('subscription { taskRun(id: "run_99") { id } }', "NOT_FOUND"),
        ('subscription { taskRun(id: "task_1") { id } }', "BAD_USER_INPUT"),
        ('subscription { taskLog(run: "run_1", after: "run_1") { id } }', "BAD_USER_INPUT"),
        ("subscription { inventoryChanged(inventories: []) { version } }", "BAD_USER_INPUT"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ('subscription { taskRun(id: "run_1") { task { site { assets(first: 1000) { nodes { owners { name: id } } } } '
         "runs(first: 1000) { nodes { log(first: 1000) { nodes { id } } } } } } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)  # fmt: skip
async def test_stream_says_what_is_wrong_and_ends_when_it_cannot_run(station: Station, query: str, code: str) -> None:
    """One event with the error, then `complete`: limits, roles and validation count as for any operation."""
    async with station.sse(query) as response:
        (name, data), end = await told(response)
    assert (name, data["errors"][0]["extensions"]["code"], end) == ("next", code, ("complete", None))


async def test_run_of_another_organization_is_not_found_when_watched(station: Station) -> None:
    """Whose run it is cannot be told from one that is not there."""
    run_id, runtime = await station.queue(), station.runtime
    async with runtime.store.write() as tx:
        other = await create_organization(tx, runtime.clock, "Other")
        token = await create_token(tx, runtime.clock, organization_id=other, name="other", role="SUPERUSER")
    for query in (WATCH, FOLLOW):
        async with station.sse(query, token=token.text, run=f"run_{run_id}") as response:
            (_, data), _ = await told(response)
        assert data["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_query_is_one_event_when_only_events_are_accepted(station: Station) -> None:
    """The same endpoint answers any operation in the form that is asked for; without a token it is plain JSON."""
    async with station.sse("{ viewer { name } }") as response:
        assert await told(response) == [
            ("next", {"data": {"viewer": {"name": "first administrator"}}}),
            ("complete", None),
        ]
    async with station.sse("{ viewer { name } }", token="rc_none") as response:
        assert response.status_code == 401 and response.headers["content-type"].startswith("application/json")


async def test_place_is_refused_when_a_token_has_too_many(station: Station) -> None:
    """The hundred-and-first subscription of a token is 429; the place comes back with the end of another."""
    run_id = await station.queue()
    principal = None
    async with station.sse(WATCH, run=f"run_{run_id}") as response:
        await anext(events(response))
        (principal,) = station.live.holders
        places = [station.live.place(principal) for _ in range(99)]
        for place in places:
            place.__enter__()
        async with station.sse(WATCH, run=f"run_{run_id}") as refused:
            assert refused.status_code == 429
            await refused.aread()
            assert refused.json()["errors"][0]["extensions"]["which"] == "subscriptionsPerToken"
        for place in places:
            place.__exit__(None, None, None)
    await station.settled()
