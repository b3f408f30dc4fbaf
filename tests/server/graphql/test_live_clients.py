"""Subscriptions as JavaScript programs have them: graphql-ws and graphql-sse, quick, slow and gone."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.operator.operations import run_command
from sync.tasks.run.state import RunStatus
from tests.patience import PATIENCE_S
from tests.server.station import Station, open_station

LIVE = Path(__file__).with_name("live")
KINDS = pytest.mark.parametrize("kind", ["ws", "sse"])

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("node") is None, reason="needs node"),
    pytest.mark.skipif(not (LIVE / "node_modules").is_dir(), reason="needs `npm ci` in tests/server/graphql/live"),
]


@pytest.fixture
async def station(data_dir: Path) -> AsyncIterator[Station]:
    """Return a served installation."""
    async with open_station(data_dir) as opened:
        yield opened


class Program:
    """A JavaScript program that watches a run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def hear(self) -> dict[str, Any] | None:
        """Return the next thing that happened to it; None when it has ended."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
        return json.loads(line) if line else None

    async def until(self, name: str, **wanted: Any) -> dict[str, Any]:
        """Return the first thing that fits."""
        while event := await self.hear():
            if event.get("name", name) == name and wanted.items() <= event.items():
                return event
        raise AssertionError(f"it ended before {wanted}")

    async def rest(self) -> list[dict[str, Any]]:
        """Return everything until it ends."""
        found = []
        while event := await self.hear():
            found.append(event)
        await self.process.wait()
        return found


@asynccontextmanager
async def program(station: Station, kind: str, run_id: int, mode: str = "quick") -> AsyncIterator[Program]:
    """Start the program; it is stopped when the block ends."""
    process = await asyncio.create_subprocess_exec(
        "node", "watch.js", kind, station.url, station.token, f"run_{run_id}", mode,
        cwd=LIVE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def states(heard: list[dict[str, Any]]) -> list[str]:
    """Return the states of the run that a program was told of."""
    return [event["data"]["taskRun"]["status"] for event in heard if event.get("name") == "state" and "data" in event]


def messages(heard: list[dict[str, Any]]) -> list[str]:
    """Return the entries of the log that a program was given."""
    return [event["data"]["taskLog"]["message"] for event in heard if event.get("name") == "log" and "data" in event]


def completed(heard: list[dict[str, Any]]) -> set[str]:
    """Return what came to its own end."""
    return {event["name"] for event in heard if event["event"] == "complete"}


@KINDS
async def test_client_is_told_everything_when_it_watches_a_run(station: Station, kind: str) -> None:
    """From the queue to the end, state and log, and both iterations end by themselves."""
    run_id = await station.queue()
    async with program(station, kind, run_id) as watching:
        await watching.until("state", event="next")
        await station.live_through(run_id)
        heard = await watching.rest()
        assert watching.process.returncode == 0
    assert states(heard)[-1] == "SUCCEEDED"
    assert messages(heard) == ["Reading.", "The run ended: SUCCEEDED."]
    assert completed(heard) == {"state", "log"}
    await station.settled()


@KINDS
async def test_slow_client_gets_the_newest_state_and_every_entry(station: Station, kind: str) -> None:
    """A client that takes its time ends with the newest state; no entry is missing or there twice."""
    run_id = await station.queue()
    run = await station.claim(run_id)
    async with program(station, kind, run_id, "slow") as watching:
        await watching.until("state", event="next")
        for number in range(40):
            await station.advance(run, number)
            await station.say(run, *(f"{number}:{part} " + "x" * 1_000 for part in range(10)))
        await run.finish(station.runtime.store, RunStatus.SUCCEEDED)
        heard = await watching.rest()
    assert states(heard)[-1] == "SUCCEEDED"
    wanted = [f"{number}:{part}" for number in range(40) for part in range(10)]
    assert [message.split(" ")[0] for message in messages(heard)[:-1]] == wanted
    await station.settled()


@KINDS
async def test_server_forgets_a_client_when_it_is_killed(station: Station, kind: str) -> None:
    """A program that ends without a word leaves nothing open, though the run goes on."""
    run_id = await station.queue()
    async with program(station, kind, run_id, "leave") as watching:
        await watching.rest()
        await asyncio.wait_for(station.settled(), PATIENCE_S)


@KINDS
async def test_client_is_told_why_when_its_token_is_revoked(station: Station, kind: str) -> None:
    """It ends, and does not come back with the same token again and again."""
    run_id = await station.queue()
    async with program(station, kind, run_id) as watching:
        await watching.until("state", event="next")
        await run_command(station.runtime, "token.revoke", {"id": 1})
        heard = await watching.rest()
    if kind == "ws":
        assert {"event": "closed", "code": 4401} in heard
        assert {event["error"]["code"] for event in heard if event["event"] == "error"} == {4401}
    else:
        codes = [event["errors"][0]["extensions"]["code"] for event in heard if "errors" in event]
        assert set(codes) == {"UNAUTHENTICATED"} and "state" in completed(heard)
    await station.settled()


@KINDS
async def test_client_comes_back_by_itself_when_the_server_restarts(station: Station, kind: str) -> None:
    """The end of a server is no end of a subscription: it goes on with the state that is there by then."""
    run_id = await station.queue()
    async with program(station, kind, run_id) as watching:
        await watching.until("state", event="next")
        await station.stop()
        await station.start()
        await watching.until("state", event="next")
        await station.live_through(run_id)
        heard = await watching.rest()
    assert states(heard)[-1] == "SUCCEEDED"
    assert completed(heard) == {"state", "log"}
    await station.settled()
