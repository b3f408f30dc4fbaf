"""`rollcall task watch`: shows a run's progress by a subscription, and connects again when the connection breaks."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import click
import httpx

from server.command.progress import RunProgress
from sync.clock import Clock, SystemClock
from sync.errors import WatchFailed

DEFAULT_URL = "http://127.0.0.1:8000/graphql"
SILENCE_S = 60.0
RETRIES_MAX = 30
RETRY_S = 1.0
_LAST_RUN = "query($id: ID!) { task(id: $id) { lastRun { id } } }"
_RUN = """subscription($id: ID!) { taskRun(id: $id) {
  status phase finishedAt progress { stage done total remainingSeconds } errors { code message hint resource }
} }"""


@click.command()
@click.argument("id", metavar="ID")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="The server's endpoint.")
@click.option(
    "--token", prompt=True, hide_input=True, help="An API token; without this option, the command asks for it."
)
def watch(id: str, url: str, token: str) -> None:
    """Watch a run (run_…), or the latest run of a task (task_…), until it ends.

    Exits with 0 if the run succeeded, otherwise with 1.
    """
    run = asyncio.run(_watch(id, url, token.strip(), SystemClock()))
    click.echo(f"{run['status']}")
    for error in run["errors"]:
        place = f"{error['resource']}: " if error["resource"] else ""
        click.echo(f"  {error['code']}: {place}{error['message']} {error['hint'] or ''}".rstrip(), err=True)
    if run["status"] != "SUCCEEDED":
        sys.exit(1)


async def _watch(id: str, url: str, token: str, clock: Clock) -> dict[str, Any]:
    from rich.console import Console

    headers = {"Authorization": f"Bearer {token}"}
    timeout = httpx.Timeout(30.0, read=SILENCE_S)
    async with httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as client:
        run_id = await _run_of(client, url, id) if id.startswith("task_") else id
        with RunProgress(Console(stderr=True)) as progress:
            for _ in range(RETRIES_MAX):
                try:
                    async for run in _states(client, url, run_id):
                        progress.show(run)
                        if run["finishedAt"] or run["status"] == "NEEDS_CONFIRMATION":
                            return run
                except httpx.TransportError:
                    pass
                # The server stopped or the connection broke; the next subscription begins with the run's present state.
                await clock.sleep(RETRY_S)
    raise WatchFailed("The server cannot be reached.", hint="Check --url, and whether the server runs.")


async def _run_of(client: httpx.AsyncClient, url: str, task_id: str) -> str:
    body = {"query": _LAST_RUN, "variables": {"id": task_id}}
    try:
        answer = (await client.post(url, json=body)).json()
    except (httpx.TransportError, ValueError):
        raise WatchFailed("The server cannot be reached.", hint="Check --url, and whether the server runs.") from None
    _check(answer)
    task = answer["data"]["task"]
    if task is None or task["lastRun"] is None:
        raise WatchFailed("There is no such task." if task is None else "The task has not run yet.")
    return str(task["lastRun"]["id"])


async def _states(client: httpx.AsyncClient, url: str, run_id: str) -> AsyncIterator[dict[str, Any]]:
    body = {"query": _RUN, "variables": {"id": run_id}}
    async with client.stream("POST", url, json=body, headers={"Accept": "text/event-stream"}) as response:
        if response.status_code != httpx.codes.OK:
            await response.aread()
            _check(_json(response.text))
            raise WatchFailed(f"The server answered with status {response.status_code}.")
        async for line in response.aiter_lines():
            # One line holds a whole answer; skip comments and the names of events.
            if line.startswith("data: "):
                answer = _json(line.removeprefix("data: "))
                _check(answer)
                yield answer["data"]["taskRun"]


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _check(answer: dict[str, Any]) -> None:
    for error in answer.get("errors") or ():
        raise WatchFailed(error["message"], hint=(error.get("extensions") or {}).get("hint"))
