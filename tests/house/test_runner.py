"""The test runner itself: nothing reaches the network, and a slow level never passes by skipping."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

from tests.house.source import ROOT, listed, modules
from tests.share import places


@pytest.mark.filterwarnings("ignore:A test tried")
def test_socket_is_refused_when_it_would_leave_the_machine() -> None:
    """A test that reaches out fails at once, instead of depending on somebody's server."""
    with socket.socket() as outward, pytest.raises(SocketConnectBlockedError):
        outward.connect(("192.0.2.1", 443))  # RFC 5737: an address that is nobody's


async def test_async_test_runs_on_asyncio_without_a_marker(anyio_backend_name: str) -> None:
    """Async tests are collected and run on the product's loop; none is silently left out."""
    assert anyio_backend_name == "asyncio"


def test_sync_test_takes_no_async_fixture() -> None:
    """Such a test passes when an async test has made the fixture before it, and breaks the others when none has."""
    sources = list(modules("tests/"))
    fixtures = {
        (node.name, module.path)
        for module in sources
        for node in module.tree.body
        if isinstance(node, ast.AsyncFunctionDef) and "pytest.fixture" in map(_called, node.decorator_list)
    }
    problems = [
        f"{module.path}:{node.lineno} {node.name}({argument.arg})"
        for module in sources
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for argument in node.args.args
        for name, path in fixtures
        if name == argument.arg and path in (module.path, f"{module.path.rpartition('/')[0]}/conftest.py")
        if repr(name) not in map(_first, node.decorator_list)
    ]
    assert not problems, listed(problems)


def _called(decorator: ast.expr) -> str:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _first(decorator: ast.expr) -> str:
    return ast.unparse(decorator.args[0]) if isinstance(decorator, ast.Call) and decorator.args else ""


@pytest.mark.slow(cases=1)
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


CASES = """import pytest

@pytest.mark.slow(cases=(2, 5))
@pytest.mark.parametrize("number", range(9))
def test_it(number): pass
"""


def test_share_of_a_test_is_so_many_cases_from_all_over_its_list() -> None:
    """None twice, and neither all from the beginning nor all from the end."""
    assert places(9, 3) == {1, 4, 7}
    assert places(9, 9) == set(range(9))
    assert all(len(places(there, wanted)) == wanted for there in range(1, 60) for wanted in range(there + 1))


@pytest.mark.slow(cases=0)
def test_share_grows_with_the_amount_that_is_asked_for(tmp_path: Path) -> None:
    """`make test` leaves cases out, `make test-slow` fewer, and `make night` none."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.share"]')
    (tmp_path / "test_cases.py").write_text(CASES)
    for amount, expected in (("test", 2), ("slow", 5), ("night", 9)):
        options = [f"--rootdir={tmp_path}", "--collect-only", f"--amount={amount}", "-c", str(ROOT / "pyproject.toml")]
        command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
        assert done.stdout.count("test_cases.py::test_it[") == expected, done.stdout + done.stderr


def test_number_of_a_share_is_taken_by_a_test_that_is_slow() -> None:
    """A module that asks for its numbers has a test marked `slow`: without one the larger numbers are never taken."""
    asking = [module for module in modules("tests/") if "tests.share.share" in module.imported]
    assert len(asking) > 9
    problems = [module.path for module in asking if "@pytest.mark.slow" not in module.text]
    assert not problems, listed(problems)
