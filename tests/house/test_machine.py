"""Nothing in the tree names the machine it was written on, or the registry it was installed from."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.house.source import ROOT, listed, tracked

# Folders that every machine has; a checkout below one of them proves nothing by its name.
EVERYWHERE = {
    Path("/", *name.split("/")) for name in ("", "tmp", "var", "var/tmp", "home", "root", "opt", "srv", "usr", "mnt")
}
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("yarnpkg", "com"))
]
HOME = re.compile(r"/(?:home|Users)/(?!runner\b)[a-z][\w.-]*/")


def texts() -> Iterator[tuple[str, str]]:
    """Yield path and text of every tracked text file."""
    for path in tracked():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            yield path, content.decode("utf-8", "replace")


def test_tracked_file_names_no_path_of_this_machine() -> None:
    """A path of somebody's checkout works for nobody else."""
    here = [f"{place}/" for place in (ROOT, *ROOT.parents) if place not in EVERYWHERE]
    problems = [f"{path}: {place}" for path, text in texts() for place in here if place in text]
    problems += [f"{path}: {match.group()}" for path, text in texts() for match in HOME.finditer(text)]
    assert not problems, listed(problems)


def test_tracked_file_names_no_registry() -> None:
    """Packages come from the index of whoever installs; the tree only holds their hashes."""
    problems = [f"{path}: {host}" for path, text in texts() for host in REGISTRIES if host in text]
    assert not problems, listed(problems)


def test_script_is_executable_and_parses() -> None:
    """Each file that starts with a shell's name can be run as it is."""
    problems = []
    for path, text in texts():
        if match := re.match(r"#!(/bin/sh|/usr/bin/env bash|/bin/bash)\n", text):
            shell = match.group(1).split("/")[-1].split()[-1]
            done = subprocess.run([shell, "-n", str(ROOT / path)], capture_output=True, text=True, check=False)
            problems += [f"{path}: {done.stderr}"] if done.returncode else []
            problems += [] if (ROOT / path).stat().st_mode & 0o111 else [f"{path} has no run bit"]
    assert not problems, listed(problems)
