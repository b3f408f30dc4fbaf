"""kill -9 in the middle of a sync: no row is lost, doubled or torn, and the run goes on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select

from sync.store.tables import runs
from tests.sync.installation import Installation
from tests.sync.process import tenant
from tests.sync.truth import differences

ROOT = Path(__file__).parents[2]


def killed(data_dir: Path, requests: int) -> int:
    """Run a syncing process, kill it after that many requests, and return how many it made."""
    command = [sys.executable, "-m", "tests.sync.process", str(data_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            seen = sum(1 for _ in zip(range(requests), process.stdout, strict=False))
        finally:
            process.kill()
    return seen


async def test_inventory_is_equal_after_three_kills_in_the_middle_of_a_run(data_dir: Path) -> None:
    """Each process goes on where the last one was killed; the fourth ends the same run, and equal."""
    created = []
    for requests in (7, 4, 5):
        assert killed(data_dir, requests) == requests
        with sqlite3.connect(data_dir / "rollcall.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            created.append(database.execute("SELECT count(*) FROM objects").fetchone()[0])
        database.close()
    assert created == sorted(created)
    installation = Installation(tenant(), data_dir)
    await installation.open()
    try:
        await installation.runtime.engine.idle()
        async with installation.runtime.store.read() as tx:
            (run,) = (await tx.execute(select(runs))).all()
        assert (run.status, run.attempt) == ("SUCCEEDED", 4)
        assert run.counts["users"] == {"created": 1_200}
        assert run.counts["devices"] == {"created": 900}
        assert await differences(installation) == []
    finally:
        await installation.close()
