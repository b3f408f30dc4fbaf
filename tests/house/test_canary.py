"""The search for leaked secrets finds what it must; tests/canary.py."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canary import ALLOWED_FILES, MARKED, Search, canary_secret, watch

ROOT = Path(__file__).parents[2]

LEAKY = """
import base64, gzip, logging, sqlite3, sys
from tests.canary import canary_secret, watch
SECRET = canary_secret("planted")
"""

PLANTS = {
    "stdout": "def test_leak():\n    print(SECRET)",
    "stderr": "def test_leak():\n    print(SECRET, file=sys.stderr)",
    "log": "def test_leak():\n    logging.getLogger('x').info('signing in with %s', SECRET)",
    "file": "def test_leak(tmp_path):\n    (tmp_path / 'server.log').write_text('x' * 99 + SECRET)",
    "gzip": "def test_leak(tmp_path):\n    (tmp_path / 'l.gz').write_bytes(gzip.compress(SECRET.encode()))",
    "base64": "def test_leak():\n    print(base64.b64encode(b'a:' + SECRET.encode()))",
    "database": (
        "def test_leak(tmp_path):\n"
        "    db = sqlite3.connect(tmp_path / 'rows.db')\n"
        "    db.execute('CREATE TABLE t (v BLOB)')\n"
        "    db.execute('INSERT INTO t VALUES (?)', (SECRET.encode().hex(),))\n"
        "    db.commit()\n"
        "    db.close()"
    ),
    "tempfile": (
        "import tempfile\n"
        "def test_leak():\n"
        "    with tempfile.NamedTemporaryFile('w', delete=False) as f:\n"
        "        f.write(SECRET)"
    ),
    "watched": "def test_leak():\n    print('token rc_Zm9vYmFyMTIz'); watch('rc_Zm9vYmFyMTIz')",
}


@pytest.fixture
def outside() -> Iterator[Path]:
    """Return a directory that this run does not search: what is planted there on purpose is no leak."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def run_pytest(directory: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a test file of its own with this project's conftest, and return what pytest said."""
    (directory / "test_planted.py").write_text(LEAKY + source)
    (directory / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "no:randomly"]
    command += [f"--rootdir={directory}", f"--basetemp={directory / 'base'}", str(directory), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=100)


@pytest.fixture(scope="module")
def leaky_run() -> Iterator[subprocess.CompletedProcess[str]]:
    """Run all the leaking tests once, on two workers."""
    with tempfile.TemporaryDirectory() as path:
        sources = (source.replace("test_leak", f"test_{place}") for place, source in PLANTS.items())
        yield run_pytest(Path(path), "\n".join(sources), "-n", "2")


@pytest.mark.slow(cases=0)
def test_run_fails_when_passing_tests_leak_on_workers(leaky_run: subprocess.CompletedProcess[str]) -> None:
    """Secrets left behind turn a run red in which every test passed, also with pytest-xdist."""
    assert f"{len(PLANTS)} passed" in leaky_run.stdout, leaky_run.stdout + leaky_run.stderr
    assert leaky_run.returncode == pytest.ExitCode.TESTS_FAILED


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("place", PLANTS)
def test_report_names_the_test_when_it_leaks(leaky_run: subprocess.CompletedProcess[str], place: str) -> None:
    """Each kind of leak is found, and traced to its test or file."""
    report = leaky_run.stdout.partition("SECRETS LEFT BEHIND")[2]
    assert any(place in line for line in report.splitlines() if "holds a secret" in line)


@pytest.mark.slow(cases=0)
def test_report_never_shows_the_secret(leaky_run: subprocess.CompletedProcess[str]) -> None:
    """The report of a leak is no leak itself."""
    assert not MARKED.search(leaky_run.stdout.encode())


def test_run_fails_when_a_test_leaks_without_workers(outside: Path) -> None:
    """The search works without pytest-xdist too."""
    done = run_pytest(outside, PLANTS["stdout"], "-n", "0")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr


def test_run_passes_when_secrets_stay_inside(outside: Path) -> None:
    """A test that only holds a secret, or hands it over in a file of the allowed kind, is no leak."""
    source = "def test_leak(tmp_path):\n    (tmp_path / 'given-secret').write_text(SECRET)"
    done = run_pytest(outside, source)
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr


@pytest.mark.parametrize("before", range(7))
def test_search_finds_a_secret_at_every_alignment_when_encoded(before: int) -> None:
    """base64 shifts with what stands in front; the search finds the mark wherever it starts."""
    encoded = base64.b64encode(b"u" * before + canary_secret("shifted").encode() + b"tail")
    assert Search().find(b"Authorization: Basic " + encoded) == "base64"


def test_search_finds_a_secret_when_it_crosses_two_reads(outside: Path) -> None:
    """A secret on the border between two chunks of a large file is found."""
    path = outside / "large.log"
    path.write_bytes(b"." * 90 + canary_secret("border").encode() + b"." * 200)
    assert Search(chunk_bytes=100).find_in_file(path) == "raw"


def test_search_finds_nothing_when_text_only_says_canary() -> None:
    """The word alone, as in this file's name, is no secret."""
    assert Search().find(b"tests/house/test_canary.py canary-search canary") is None


def test_watch_refuses_a_secret_when_it_is_too_short() -> None:
    """A few characters would be found by chance in any database file."""
    with pytest.raises(ValueError, match="short"):
        watch("rc_1")


def test_allowed_files_stay_few_and_say_why() -> None:
    """Each exception takes files out of the promise, so the list is short and reasoned."""
    assert len(ALLOWED_FILES) <= 4
    assert all(len(reason) > 20 for reason in ALLOWED_FILES.values())
