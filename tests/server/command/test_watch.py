"""`rollcall task watch`: a program of its own that draws a run of a served installation and tells how it ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sync.errors import Unavailable
from sync.tasks.run.state import RunStatus
from tests.patience import PATIENCE_S
from tests.server.station import Station, open_station


@pytest.fixture
async def station(data_dir: Path) -> AsyncIterator[Station]:
    """Return a served installation."""
    async with open_station(data_dir) as opened:
        yield opened


async def start(station: Station, id: str, token: str | None = None) -> asyncio.subprocess.Process:
    """Start to watch."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "task", "watch", id, "--url", station.url, "--token", token or station.token,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def end(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """Wait for the end; return the exit code and what was written."""
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), err.decode()


async def test_run_is_drawn_until_it_has_succeeded(station: Station) -> None:
    """Lines of progress while it runs, its status at the end, and exit code 0; a task stands for its latest run."""
    run_id = await station.queue()
    process = await start(station, f"task_{station.installation.task_id}")
    while not len(station.live):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)
    await station.live_through(run_id)
    code, out, err = await end(process)
    assert (code, out) == (0, "SUCCEEDED\n"), err
    assert "users: 1000 of 1000" in err


@pytest.mark.slow(cases=0)
async def test_failure_is_told_with_its_hint_when_the_run_has_failed(station: Station) -> None:
    """What went wrong and what to do stands below the status, and the exit code is 1."""
    run_id = await station.queue()
    run = await station.claim(run_id)
    await run.fail(station.runtime.store, Unavailable(hint="Check the network."), "users")
    await run.finish(station.runtime.store, RunStatus.FAILED)
    code, out, err = await end(await start(station, f"run_{run_id}"))
    assert (code, out) == (1, "FAILED\n")
    assert "UNAVAILABLE: users: Microsoft Graph or Entra ID did not answer. Check the network." in err


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize(
    ("id", "token", "told"),
    [
        ("run_99", None, "There is no such run."),
        ("task_99", None, "There is no such task."),
        ("task_1", None, "The task has not run yet."),
        ("asset_1", None, "This is not the id of a TaskRun."),
        ("run_1", "rc_wrong", "A valid API token is needed."),
    ],
)
async def test_mistake_is_told_in_one_line_when_there_is_nothing_to_watch(
    station: Station, id: str, token: str | None, told: str
) -> None:
    """No traceback, exit code 1."""
    code, out, err = await end(await start(station, id, token))
    assert (code, out) == (1, "")
    assert err.startswith(f"rollcall: {told}") and err.count("\n") == 1
