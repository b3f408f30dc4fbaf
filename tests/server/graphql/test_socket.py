"""Operations over graphql-transport-ws: who may connect, what is closed with which code, what each operation gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Scope
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.graphql.stream.live import Live
from server.graphql.stream.websocket import PROTOCOL, GraphQLSocket
from server.operator.operations import run_command
from sync.tasks.run.state import RunStatus
from tests.patience import PATIENCE_S
from tests.server.station import FOLLOW, INIT, WATCH, Station, hear, open_station, say, subscribe

HELLO = "{ viewer { name } }"


@pytest.fixture
async def station(data_dir: Path) -> AsyncIterator[Station]:
    """Return a served installation."""
    async with open_station(data_dir) as opened:
        yield opened


async def closed(opened: ClientConnection) -> int:
    """Return the code that the server closes a connection with."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            await opened.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


async def test_run_and_log_are_told_side_by_side_until_the_run_ends(station: Station) -> None:
    """Two subscriptions of one connection, each to its own `complete`."""
    run_id = await station.queue()
    got: dict[str, list[Any]] = {"state": [], "log": []}
    async with station.socket() as opened:
        await subscribe(opened, "state", WATCH, run=f"run_{run_id}")
        await subscribe(opened, "log", FOLLOW, run=f"run_{run_id}")
        first = await hear(opened)
        assert first["payload"]["data"]["taskRun"]["status"] == "QUEUED"
        await station.live_through(run_id)
        open_ = {"state", "log"}
        while open_:
            message = await hear(opened)
            if message["type"] == "complete":
                open_.remove(message["id"])
            else:
                got[message["id"]].append(message["payload"]["data"])
    assert got["state"][-1]["taskRun"]["status"] == "SUCCEEDED"
    assert [data["taskLog"]["message"] for data in got["log"]] == ["Reading.", "The run ended: SUCCEEDED."]
    await station.settled()


async def test_query_and_mutation_are_answered_once_when_sent(station: Station) -> None:
    """Any operation may come this way; a query has one answer and is complete."""
    async with station.socket() as opened:
        await subscribe(opened, "q", HELLO)
        name = {"data": {"viewer": {"name": "first administrator"}}}
        assert await hear(opened) == {"id": "q", "type": "next", "payload": name}
        assert await hear(opened) == {"id": "q", "type": "complete"}
        await subscribe(opened, "q", 'mutation { createSite(input: {name: "Harbour"}) { site { name } } }')
        assert (await hear(opened))["payload"]["data"]["createSite"]["site"] == {"name": "Harbour"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("", "BAD_USER_INPUT"),
        ("subscription { taskRun(id: 1.5) { id } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_operation_gets_an_error_when_it_cannot_run(station: Station, query: str, code: str) -> None:
    """One `error` message ends it; the connection goes on."""
    async with station.socket() as opened:
        await subscribe(opened, "a", query)
        message = await hear(opened)
        assert (message["type"], message["id"]) == ("error", "a")
        assert message["payload"][0]["extensions"]["code"] == code
        await subscribe(opened, "a", HELLO)
        assert (await hear(opened))["type"] == "next"


async def test_eleventh_subscription_is_refused_when_ten_are_open(station: Station) -> None:
    """It gets an error of its own; as soon as one of the ten ends there is room again."""
    run_id = await station.queue()
    async with station.socket() as opened:
        for number in range(11):
            await subscribe(opened, f"{number}", WATCH, run=f"run_{run_id}")
        messages = [await hear(opened) for _ in range(11)]
        (error,) = [message for message in messages if message["type"] == "error"]
        assert error["id"] == "10" and error["payload"][0]["extensions"]["which"] == "subscriptionsPerConnection"
        await say(opened, "complete", id="3")
        await subscribe(opened, "again", WATCH, run=f"run_{run_id}")
        assert (await hear(opened))["id"] == "again"
    await station.settled()


async def test_connection_is_closed_when_its_token_has_too_many(station: Station) -> None:
    """The hundred-and-first connection is asked to come later; the others go on."""
    async with station.socket() as first, AsyncExitStack() as others:
        (principal,) = station.live.holders
        for _ in range(99):
            others.enter_context(station.live.place(principal, "connectionsPerToken", 100))
        async with station.socket(init=False) as second:
            await say(second, INIT, payload={"Authorization": f"Bearer {station.token}"})
            assert await closed(second) == 1013
        await say(first, "ping")
        assert await hear(first) == {"type": "pong"}


async def test_connection_is_closed_when_the_token_is_revoked(station: Station) -> None:
    """At once, with the code that tells clients not to come back with it."""
    async with station.socket() as opened:
        await run_command(station.runtime, "token.revoke", {"id": 1})
        assert await closed(opened) == 4401


async def test_connection_is_closed_to_come_back_when_the_token_expires(station: Station) -> None:
    """With the code after which clients connect again, with a fresh token."""
    async with station.socket(token=await station.passing_token()) as opened:
        assert await closed(opened) == 4403


@pytest.mark.parametrize("payload", [{"headers": {"authorization": "TOKEN"}}, {"AUTHORIZATION": "TOKEN"}, None])
async def test_token_is_found_where_clients_send_it(station: Station, payload: dict[str, Any] | None) -> None:
    """In `connection_init`, alone or among headers, or in the handshake, as programs that are no browsers may."""
    token = f"Bearer {station.token}"
    filled = json.loads(json.dumps(payload).replace("TOKEN", token))
    handshake = {"Authorization": token} if payload is None else {"Authorization": "Bearer other"}
    async with station.socket(init=False, headers=handshake) as opened:
        await say(opened, INIT, **({} if payload is None else {"payload": filled}))
        assert await hear(opened) == {"type": "connection_ack"}


async def test_connection_is_closed_as_a_restart_when_the_server_stops(station: Station) -> None:
    """Clients take 1012 for an invitation to connect again; the subscription is not called complete."""
    run_id = await station.queue()
    async with station.socket() as opened:
        await subscribe(opened, "a", WATCH, run=f"run_{run_id}")
        await hear(opened)
        station.live.stop()
        assert await closed(opened) == 1012
    await station.settled()


async def test_nothing_is_left_when_the_caller_breaks_off(station: Station) -> None:
    """A connection that is cut takes its subscriptions with it."""
    run_id = await station.queue()
    async with station.socket() as opened:
        await subscribe(opened, "a", WATCH, run=f"run_{run_id}")
        await hear(opened)
        opened.transport.abort()
    await asyncio.wait_for(station.settled(), PATIENCE_S)


@pytest.mark.slow(cases=0)
async def test_slow_caller_gets_the_newest_state_and_the_whole_log(station: Station) -> None:
    """Who takes nothing meanwhile misses only what is past; the run never waits for it."""
    run_id = await station.queue()
    run = await station.claim(run_id)
    states: list[Any] = []
    entries: list[Any] = []
    async with station.socket() as opened:
        await subscribe(opened, "state", WATCH, run=f"run_{run_id}")
        await subscribe(opened, "log", FOLLOW, run=f"run_{run_id}")
        for number in range(60):
            await station.advance(run, number)
            await station.say(run, *(f"{number}:{part} " + "x" * 1_500 for part in range(50)))
        await run.finish(station.runtime.store, RunStatus.SUCCEEDED)
        ended = 0
        while ended < 2:
            message = await hear(opened)
            ended += message["type"] == "complete"
            if message["type"] == "next":
                (states if message["id"] == "state" else entries).append(message["payload"]["data"])
    assert states[-1]["taskRun"]["status"] == "SUCCEEDED" and len(states) < 60
    wanted = [f"{number}:{part}" for number in range(60) for part in range(50)]
    assert [data["taskLog"]["message"].split(" ")[0] for data in entries[:-1]] == wanted


@pytest.mark.slow(cases=5)
@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["{"], 4400),
        (["[]"], 4400),
        (['{"type": "nonsense"}'], 4401),
        (['{"type": "subscribe", "id": "a", "payload": {"query": "{ viewer { name } }"}}'], 4401),
        (['{"type": "connection_init"}'], 4401),
        (['{"type": "connection_init", "payload": {"Authorization": "Bearer rc_wrong"}}'], 4401),
        (['{"type": "connection_init", "payload": {"Authorization": 7}}'], 4401),
        (["INIT", "INIT"], 4429),
        (["INIT", '{"type": "nonsense"}'], 4400),
        (["INIT", '{"type": "subscribe", "id": "a"}'], 4400),
        (["INIT", '{"type": "subscribe", "id": "", "payload": {}}'], 4400),
        (["INIT", '{"type": "complete"}'], 4400),
        (["INIT", "WATCH", "WATCH"], 4409),
        (["INIT", "\x00"], 4400),
    ],
)
async def test_connection_is_closed_with_its_code_when_the_protocol_is_broken(
    station: Station, messages: list[str], code: int
) -> None:
    """Each mistake has the code that the protocol gives it."""
    run = f"run_{await station.queue()}"
    known = {
        "INIT": {"type": INIT, "payload": {"authorization": f"Bearer {station.token}"}},
        "WATCH": {"type": "subscribe", "id": "w", "payload": {"query": WATCH, "variables": {"run": run}}},
    }
    async with station.socket(init=False) as opened:
        for message in messages:
            await opened.send(json.dumps(known[message]) if message in known else message)
        assert await closed(opened) == code
    await station.settled()


async def test_ping_is_answered_before_and_after_the_token(station: Station) -> None:
    """A client may measure the way at any time."""
    async with station.socket(init=False) as opened:
        await say(opened, "ping")
        assert await hear(opened) == {"type": "pong"}
        await say(opened, INIT, payload={"Authorization": f"Bearer {station.token}"})
        assert await hear(opened) == {"type": "connection_ack"}
        await say(opened, "ping", payload={"at": 1})
        assert await hear(opened) == {"type": "pong"}


@pytest.mark.parametrize("offered", [["graphql-ws"], None])
async def test_older_protocol_is_not_offered_when_asked_for(station: Station, offered: Any) -> None:
    """The legacy sub-protocol, or none, is closed with 4406."""
    async with connect(station.url.replace("http", "ws", 1), subprotocols=offered, proxy=None) as opened:
        assert await closed(opened) == 4406


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [(None, True), ("SAME", True), ("https://ui.example", True), ("https://evil.example", False), ("null", False)],
)
async def test_page_of_another_origin_is_refused_at_the_handshake(
    data_dir: Path, origin: str | None, is_let_in: bool
) -> None:
    """Programs send no Origin; pages must be the server's own or of an origin that the operator named."""
    async with open_station(data_dir, cors_origins=("https://ui.example",)) as station:
        sent = station.url.removesuffix("/graphql") if origin == "SAME" else origin
        url = station.url.replace("http", "ws", 1)
        if is_let_in:
            async with connect(url, subprotocols=[PROTOCOL], origin=sent, proxy=None) as opened:  # type: ignore[list-item, arg-type]
                assert opened.subprotocol == PROTOCOL
        else:
            with pytest.raises(InvalidStatus) as caught:
                await connect(url, subprotocols=[PROTOCOL], origin=sent, proxy=None)  # type: ignore[list-item, arg-type]
            assert caught.value.response.status_code == 403


async def test_caller_without_a_token_is_closed_when_its_time_is_up() -> None:
    """Five seconds by default; whoever says nothing keeps no connection open."""
    sent: list[dict[str, Any]] = []
    connected = asyncio.Queue[dict[str, Any]]()
    connected.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        sent.append(message)

    async def nobody(_text: str, _scope: Scope) -> None:
        return None

    live = Live(None, make_context=lambda *_: None, until_void=lambda _: None)  # type: ignore[arg-type, return-value]
    await GraphQLSocket(live, nobody, init_s_max=0.01)({"subprotocols": [PROTOCOL]}, connected.get, send)
    assert [(message["type"], message.get("code")) for message in sent] == [
        ("websocket.accept", None),
        ("websocket.close", 4408),
    ]


async def test_message_that_is_too_long_closes_the_connection(station: Station) -> None:
    """A message may be as long as a body, not longer; a later caller is served as before."""
    async with station.socket() as opened:
        with pytest.raises(ConnectionClosed):
            await opened.send("x" * 20_000_000)
            await closed(opened)
            await opened.send("x")
    async with station.socket() as opened:
        await subscribe(opened, "a", HELLO)
        assert (await hear(opened))["type"] == "next"
