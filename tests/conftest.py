"""What every test shares: asyncio, its own data directory, and a search for secrets when the run ends.

Sockets reach only this machine (pyproject.toml, --allow-hosts). Async tests run on asyncio, as the product.
"""

from __future__ import annotations

import gc
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.disk import small_disk_at

pytest_plugins = ["tests.canary", "tests.share"]

# The same examples on every machine and in every run, so that a red build can be repeated;
# `--hypothesis-profile=explore` looks further.
settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", max_examples=2_000, database=None, deadline=None)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options: in the slow levels a skipped test proves nothing and must not look like success."""
    parser.addoption("--no-skips", action="store_true", help="fail the run when a test is skipped")
    parser.addoption("--seeds", type=int, help="how many seeds of the simulation to live through, whatever the amount")
    parser.addoption("--kills", type=int, help="how often to kill a syncing process, whatever the amount")
    parser.addoption("--seed", type=int, help="live through this seed of the simulations alone")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Take what was imported and collected out of garbage collection: it lives as long as the run does."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for a skip, when it was asked for."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("\nSkipped tests count as failed here (--no-skips).", red=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop the product runs on."""
    return "asyncio"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return an empty data directory, readable by its owner only; searched for secrets when the run ends."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(scope="session", autouse=True)
def _temporary_files_under_the_search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Send `tempfile` of tests and of the programs they start to the directory the canary search reads."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("tempfile"))
    tempfile.tempdir = None
    yield
    os.environ.pop("TMPDIR")
    if before is not None:
        os.environ["TMPDIR"] = before
    tempfile.tempdir = None


@pytest.fixture(autouse=True)
def _settings_of_this_machine_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide ROLLCALL_* variables of the person who runs the tests: a test sets what it needs."""
    for name in [name for name in os.environ if name.startswith("ROLLCALL_")]:
        monkeypatch.delenv(name)


class _Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)


@pytest.fixture(autouse=True)
def _no_plan_fails(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which a plan raised: the executor's answer is right, so nothing else would show it."""
    kept, logger = _Kept(), logging.getLogger("rollcall.plan")
    logger.addHandler(kept)
    yield
    logger.removeHandler(kept)
    if request.node.get_closest_marker("plan_fails") is None:
        assert [record.getMessage() for record in kept.records] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 256 KiB."""
    with small_disk_at(tmp_path / "small", 256) as path:
        yield path
