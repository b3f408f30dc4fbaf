"""The package's name: `rollcall` on the package index belongs to others, and nobody is told to install theirs."""

from __future__ import annotations

import re
import tomllib

import pytest

from sync.product import DISTRIBUTION, version
from tests.house.source import ROOT, listed, read, tracked

INSTALLED = re.compile(
    r"\b(?:pip3?|pipx|uv|uvx|poetry|conda|easy_install)\b[^\n#]*?"
    r"(?:\b(?:install|add|run|download)\b|\buvx)[^\n#]*?[\s\"'`]rollcall(?![-\w./])",
)
EXTRA = re.compile(r"(?<![-\w])rollcall\[")
TEXTS = (".md", ".py", ".toml", ".in", ".txt", ".conf", ".service", ".yml", ".yaml")


@pytest.mark.parametrize(
    ("line", "is_foreign"),
    [
        ("pip install rollcall", True),
        ('pip install "rollcall==0.1.0"', True),
        ("python -m pip install -U rollcall", True),
        ("pipx install 'rollcall[otel]'", True),
        ("uv tool install rollcall", True),
        ("pip install rollcall-inventory", False),
        ('.venv/bin/pip install ".[otel]"', False),
        ("pip install --editable . # for the command rollcall", False),
    ],
)
def test_instruction_is_told_from_others_when_it_names_the_strangers_package(line: str, is_foreign: bool) -> None:
    """The next test finds what it is for."""
    assert bool(INSTALLED.search(line) or EXTRA.search(line)) is is_foreign


def test_no_text_tells_to_install_the_strangers_package() -> None:
    """Neither a document nor a hint of the program, nor an extra of that name."""
    problems = [
        f"{path}:{number}"
        for path in tracked()
        if path.endswith(TEXTS) and path != "tests/house/test_distribution.py"
        for number, line in enumerate(read(path).splitlines(), start=1)
        if INSTALLED.search(line) or EXTRA.search(line)
    ]
    assert not problems, listed(problems)


def test_version_is_that_of_our_own_package() -> None:
    """The name in pyproject.toml is the one that is asked for, and it is not the strangers'."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION != "rollcall"
    assert version() == project["version"]
