"""docs/tasks.md is a walk: its operations, sent in their order, do what the text says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from server.simulator import Simulator
from sync.clock import SystemClock
from tests.end_to_end.fault import at_request
from tests.house.test_documents import fences
from tests.sync.scan.network import Network

PATH = "docs/tasks.md"


class Reader:
    """A person who sends the operations of the document, with the ids that earlier answers had."""

    def __init__(self, network: Network) -> None:
        self._caller = network.caller()
        self.ids = {"site": f"site_{network.site_id}", "credential": f"cred_{network.credential_id}"}
        self.sent: list[str] = []

    async def send(self, name: str) -> Any:
        """Send the operation of that name; what it makes is what the next ones are about."""
        (text,) = (
            fence.body for fence in fences("graphql") if fence.path == PATH and name == _operation(fence.body)[0]
        )
        self.sent.append(name)
        wanted = _operation(text)[1]
        (answer,) = (await self._caller.data(text, **{key: self.ids[key] for key in wanted})).values()
        assert not answer.get("errors"), answer
        for kind in ("task", "run"):
            if "id" in (made := answer.get(kind) or {}):
                self.ids[kind] = made["id"]
        return answer


def _operation(text: str) -> tuple[str, list[str]]:
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode) and operation.name
    return operation.name.value, [part.variable.name.value for part in operation.variable_definitions or ()]


@pytest.fixture
async def network(data_dir: Path) -> AsyncIterator[Network]:
    """Return an installation whose clock is the machine's: schedules are days away, and stay so."""
    network = Network(Simulator(users=230, devices=60, groups=2, seed=7), data_dir)
    network.clock = SystemClock()
    await network.open()
    try:
        await network.furnish()
        yield network
    finally:
        await network.close()


@pytest.mark.slow(cases=0)
async def test_walk_of_the_document_goes_as_it_says(network: Network) -> None:
    """A weekly connector: next runs, triggered, watched, stopped, tried again, log; then a scan with a probe."""
    reader, engine = Reader(network), network.runtime.engine
    assert (await reader.send("Create"))["task"]["status"] == "SCHEDULED"
    ahead = await reader.send("Ahead")
    assert len(ahead["nextRuns"]) == 5 and ahead["schedule"]["days"] == ["MONDAY", "THURSDAY"]
    asked, goes_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        asked.set()
        await goes_on.wait()

    network.simulator.faults = at_request(1, hold)
    await reader.send("Trigger")
    await asked.wait()
    assert (await reader.send("Watch"))["status"] == "RUNNING"
    assert (await reader.send("Stop"))["run"]["stopAskedAt"]
    goes_on.set()
    await engine.idle()
    assert (await reader.send("Log"))["status"] == "STOPPED"
    stopped = reader.ids["run"]
    assert (await reader.send("Retry"))["run"]["retryOf"] == {"id": stopped}
    await engine.idle()
    log = await reader.send("Log")
    assert log["status"] == "SUCCEEDED" and log["log"]["totalCount"] == len(log["log"]["nodes"]) > 3
    assert (await reader.send("Change"))["task"]["schedule"]["kind"] == "CRON"
    assert (await reader.send("Pause"))["task"] == {"status": "PAUSED", "nextRunAt": None}
    assert (await reader.send("Resume"))["task"]["status"] == "SCHEDULED"
    assert (await reader.send("PauseAll"))["count"] == 2
    assert (await reader.send("Hide"))["task"] == {"hidden": True}
    assert (await reader.send("Delete"))["deletedId"] == reader.ids["task"]
    await _scan(network, reader)
    every = {_operation(fence.body)[0] for fence in fences("graphql") if fence.path == PATH}
    assert every == set(reader.sent)


async def _scan(network: Network, reader: Reader) -> None:
    # Two hosts have the names of devices.
    known = network.device_names()[:2]
    network.names = dict(zip(("127.0.0.3", "127.0.0.4"), known, strict=True))
    assert (await reader.send("CreateScan"))["task"]["kind"] == "SCAN"
    await reader.send("TriggerScan")
    await network.runtime.engine.idle()
    assert (await network.row(int(reader.ids["run"].removeprefix("run_")))).status == "SUCCEEDED"
    both, rest = await reader.send("InBoth"), await reader.send("NotInTheDirectory")
    found = {address for node in both["nodes"] for address in node["addresses"]}
    assert (both["totalCount"], rest["totalCount"]) == (2, 14)
    assert {"127.0.0.3", "127.0.0.4"} <= found
