"""Promise D6: a backup that is taken while a sync writes is one committed moment, and a sync goes on from it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from sync.store.snapshot import back_up, restore
from tests.end_to_end.fault import App
from tests.end_to_end.installation import Installation
from tests.end_to_end.killer import problems, query, tenant
from tests.end_to_end.truth import differences

BACKUPS = 50


@pytest.mark.slow(cases=0)
async def test_backup_is_one_moment_when_a_sync_writes(tmp_path: Path) -> None:
    """Fifty backups at fifty requests: in each, rows, counters and cursors agree; the sync does not notice."""
    simulator, taken = tenant(0), 0
    installation = Installation(simulator, tmp_path / "data")

    async def copy(scope: Any, receive: Any, send: Any, app: App) -> None:
        nonlocal taken
        if taken < BACKUPS:
            folder = tmp_path / f"backup-{taken}"
            folder.mkdir()
            taken += 1
            beside = asyncio.to_thread(back_up, installation.database, folder / "rollcall.db")
            # Answered meanwhile: the copy and the writing of the page before it overlap.
            await asyncio.gather(beside, app(scope, receive, send))
        else:
            await app(scope, receive, send)

    await installation.open()
    await installation.furnish()
    simulator.faults = copy
    while taken < BACKUPS:
        assert (await installation.run()).status == "SUCCEEDED"
    simulator.faults = None
    await installation.close()
    torn = {number: problems(tmp_path / f"backup-{number}") for number in range(BACKUPS)}
    assert {number: found for number, found in torn.items() if found} == {}
    running = "SELECT count(*) FROM runs WHERE status = 'RUNNING'"
    assert sum(query(tmp_path / f"backup-{number}", running)[0][0] for number in range(BACKUPS)) >= 40


async def test_sync_goes_on_when_a_backup_was_restored(tmp_path: Path) -> None:
    """What was taken in the middle of a run and restored over a later database ends equal to the directory."""
    simulator = tenant(0)
    installation = Installation(simulator, tmp_path / "data")
    seen = 0

    async def copy(scope: Any, receive: Any, send: Any, app: App) -> None:
        nonlocal seen
        seen += 1
        if seen == 9:
            await asyncio.to_thread(back_up, installation.database, tmp_path / "middle.db")
        await app(scope, receive, send)

    await installation.open()
    await installation.furnish()
    simulator.faults = copy
    assert (await installation.run()).status == "SUCCEEDED"
    simulator.faults = None
    await installation.close()
    whole = shutil.copy(installation.database, tmp_path / "whole.db")
    aside = tmp_path / "data" / "rollcall.db.replaced"
    assert restore(tmp_path / "middle.db", installation.database, aside)[1]
    assert aside.read_bytes() == Path(whole).read_bytes()
    assert problems(tmp_path / "data") == []
    await installation.open()
    await installation.runtime.engine.idle()
    assert await differences(installation) == []
    await installation.close()
