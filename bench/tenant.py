"""A simulated tenant whose pages were rendered before anybody asks: what is measured then is the one who reads."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import orjson

from server.simulator import Simulator
from server.simulator.command import facts_of
from server.simulator.serving import running
from sync.entra.graph.stream import delta_url
from sync.inventory.directory.kind import KINDS

Recorded = dict[tuple[str, bytes], list[dict[str, Any]]]


class Replay:
    """Answers each page of a round as it was answered the first time; everything else goes to the simulator."""

    def __init__(self) -> None:
        self._recorded: Recorded = {}

    async def __call__(self, scope: Any, receive: Any, send: Any, app: Any) -> None:
        """Answer one request."""
        place = (scope["path"], scope["query_string"])
        if place in self._recorded:
            for message in self._recorded[place]:
                await send(message)
            return
        messages: list[dict[str, Any]] = []

        async def note(message: dict[str, Any]) -> None:
            messages.append(message)
            await send(message)

        await app(scope, receive, note)
        if scope["path"].endswith("/delta") and messages[0]["status"] == 200 and b"deltatoken" not in place[1]:
            self._recorded[place] = messages


def rounds() -> Iterator[str]:
    """Yield the path that begins the first round of each stream."""
    for kind in KINDS:
        yield delta_url(kind.plural, kind.select())


async def render(simulator: Simulator) -> int:
    """Walk every first round once, so that all its pages are kept; returns the number of pages."""
    simulator.faults = Replay()
    pages = 0
    headers = {"Authorization": f"Bearer {simulator.issue_token(lifetime_s=86_400)}", "Accept-Encoding": "gzip"}
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url=simulator.origin, headers=headers) as client:
        for path in rounds():
            url: str | None = f"/v1.0{path}"
            while url:
                body = orjson.loads((await client.get(url)).raise_for_status().content)
                url, pages = body.get("@odata.nextLink"), pages + 1
    return pages


async def serve(simulator: Simulator, folder: Path) -> None:
    """Serve until SIGTERM; prints what `rollcall simulate --json` prints once every page is ready."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with running(simulator, data_dir=folder) as address:
        await render(simulator)
        click.echo(orjson.dumps(facts_of(address)))
        await stop.wait()


if __name__ == "__main__":
    users, devices, groups, largest_group = map(int, sys.argv[2:6])
    tenant = Simulator(users=users, devices=devices, groups=groups, seed=1, largest_group=largest_group or None)
    asyncio.run(serve(tenant, Path(sys.argv[1])))
