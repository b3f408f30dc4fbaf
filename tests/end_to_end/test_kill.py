"""Promises S5 and D5: after kill -9 no row is lost, doubled or torn, the run goes on, and what was told is there."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from sync.clock import SystemClock
from sync.indexer import Indexer
from sync.runtime import Config, Runtime
from sync.store import Store, gram
from sync.store.tables import runs, users
from tests.api.rows import furnish
from tests.end_to_end.installation import Installation
from tests.end_to_end.process import tenant
from tests.end_to_end.truth import differences
from tests.share import share

BATCH = share(10, 25)
KILLS_S = 900  # how long a batch may take; half a minute on a quiet machine
ROOT = Path(__file__).parents[2]


def killed(path: Path, requests: int, module: str = "process") -> int:
    """Run a syncing process, kill it after that many requests, and return how many it made."""
    command = [sys.executable, "-m", f"tests.end_to_end.{module}", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            seen = sum(1 for _ in zip(range(requests), process.stdout, strict=False))
        finally:
            process.kill()
    return seen


@pytest.mark.slow(cases=0)
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


@pytest.mark.slow(cases=0)
async def test_texts_are_found_after_kills_in_the_middle_of_indexing(data_dir: Path) -> None:
    """What a killed indexer wrote counts with the place it noted, or not at all: nothing is passed over."""
    path = data_dir / "rollcall.db"
    runtime = await Runtime.open(Config(data_dir), run_tasks=False)
    async with runtime.store.write() as tx:
        await furnish(tx, 1, seed=3)
    await runtime.close()
    for steps in (3, 1, 4):
        assert killed(path, steps, "indexing") == steps
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        await assert_found(path)
    store = Store.at(path)
    assert await Indexer(store, SystemClock()).step(1, users) is False
    await store.close()
    await assert_found(path)


async def assert_found(path: Path) -> None:
    """Assert that the index leads to each user by its display name."""
    store, found = Store.at(path), 0
    try:
        async with store.read() as tx:
            there = select(users.c.id, users.c.display_name).where(users.c.deleted_at.is_(None))
            for key, name in (await tx.execute(there)).all():
                if wanted := gram.match(users.c.display_name, [name or ""]):
                    assert key in list(await tx.scalars(gram.candidates(users, wanted, 1, None)))
                    found += 1
    finally:
        await store.close()
    assert found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Share the kills out: each batch has a database of its own."""
    if "kill_seed" in metafunc.fixturenames:
        kills = metafunc.config.getoption("--kills") or share(BATCH, 100, 1_000)
        metafunc.parametrize("kill_seed", range(kills // BATCH))


@pytest.mark.slow
@pytest.mark.timeout(KILLS_S)
def test_rows_are_those_of_the_cursor_after_every_kill(tmp_path: Path, kill_seed: int) -> None:
    """Killed at random moments of several runs, the file is whole each time, and in the end equal to the directory."""
    for name in ("data", "warm"):
        (tmp_path / name).mkdir(mode=0o700, exist_ok=True)
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "tests.end_to_end.killer", str(data_dir), str(BATCH), str(kill_seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=KILLS_S, check=False)
    assert done.returncode == 0, f"{' '.join(command[1:])}\n{done.stderr}"
    told = json.loads(done.stdout)
    assert told["kills"] == BATCH and told["runs"] >= 1


@pytest.mark.slow
@pytest.mark.timeout(KILLS_S)
def test_acknowledged_mutation_is_there_after_every_kill(tmp_path: Path, kill_seed: int) -> None:
    """What a caller was told of survives the process, with its audit event: both are in one transaction."""
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "tests.end_to_end.acknowledger", str(data_dir), str(BATCH), str(kill_seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=KILLS_S, check=False)
    assert done.returncode == 0, f"{' '.join(command[1:])}\n{done.stderr}"
    told = json.loads(done.stdout)
    assert told["kills"] == BATCH <= told["acknowledged"]
