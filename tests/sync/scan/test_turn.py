"""Scans of a site take turns: one that is queued says which run it waits for, and waits for nobody once it runs."""

from __future__ import annotations

import asyncio

from tests.sync.scan.network import Network

RUNS = "query($id: ID!) { taskRun(id: $id) { status waitsFor { id } log { nodes { message } } } }"


async def test_queued_run_says_what_it_waits_for(network: Network) -> None:
    """The second and the third wait for the first; when it has ended, the third waits for the second."""
    gates = {f"127.0.0.{number}": asyncio.Event() for number in (1, 2, 3)}
    reached = {address: asyncio.Event() for address in gates}

    async def wait(address: str) -> None:
        reached[address].set()
        await gates[address].wait()

    network.on_look_up = wait
    keys = []
    for address in gates:
        task = await network.add_scan(address, ports="9")
        keys.append(await network.trigger(task))
        if len(keys) == 1:
            await reached[address].wait()

    async def waits_for(key: int) -> str | None:
        shown = (await network.caller().data(RUNS, id=f"run_{key}"))["taskRun"]
        found: str | None = shown["waitsFor"] and shown["waitsFor"]["id"]
        return found

    first, second, third = keys
    while await waits_for(third) is None or await waits_for(second) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert [await waits_for(key) for key in keys] == [None, f"run_{first}", f"run_{first}"]
    assert any(f"run_{first}" in line and "'Scan'" in line for line in await network.log(second))
    gates["127.0.0.1"].set()
    await reached["127.0.0.2"].wait()
    assert [await waits_for(key) for key in keys] == [None, None, f"run_{second}"]
    for gate in gates.values():
        gate.set()
    await network.runtime.engine.idle()
    assert [(await network.row(key)).status for key in keys] == ["SUCCEEDED"] * 3
    assert [await waits_for(key) for key in keys] == [None] * 3
