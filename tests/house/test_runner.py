"""The test runner itself: nothing reaches the network, and a slow level never passes by skipping."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

from tests.house.source import ROOT


@pytest.mark.filterwarnings("ignore:A test tried")
def test_socket_is_refused_when_it_would_leave_the_machine() -> None:
    """A test that reaches out fails at once, instead of depending on somebody's server."""
    with socket.socket() as outward, pytest.raises(SocketConnectBlockedError):
        outward.connect(("192.0.2.1", 443))  # RFC 5737: an address that is nobody's


async def test_async_test_runs_on_asyncio_without_a_marker(anyio_backend_name: str) -> None:
    """Async tests are collected and run on the product's loop; none is silently left out."""
    assert anyio_backend_name == "asyncio"


@pytest.mark.parametrize(("option", "status"), [("--no-skips", 1), ("--timeout=100", 0)])
def test_run_fails_for_a_skip_when_told_so(option: str, status: int) -> None:
    """`make browser` on a machine without a browser is a failure, not a success with a footnote."""
    with tempfile.TemporaryDirectory() as path:
        Path(path, "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
        Path(path, "test_skip.py").write_text("import pytest\n\ndef test_it():\n    pytest.skip('no browser')\n")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            str(ROOT / "pyproject.toml"),
            f"--rootdir={path}",
            path,
            option,
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == status, done.stdout + done.stderr
