"""A pytest plugin that fails the run when a secret of any test turns up where a secret must not be.

Every secret that a test invents carries a mark (`canary_secret`); a secret that the program invents, such as
an API token, is named with `watch`. At the end all that the run left behind is searched, in raw, hex, base64
and URL-encoded form: captured stdout, stderr and log records of every test, and every file under pytest's
temporary directory. With pytest-xdist each worker searches its own tests. It never prints what it found.
"""

from __future__ import annotations

import base64
import fnmatch
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

MARK = b"canary-"
# The mark alone is an English word; a secret has eight hexadecimal digits after it.
MARKED = re.compile(rb"canary-[0-9a-f]{8}")

# Files in which a secret stands rightly. Keep this short: each line takes a file out of the promise.
ALLOWED_FILES = {
    "given-*": "input that a test hands to the program, such as a *_FILE setting",
    "simulator.json": "what the simulator hands out, so that a person can sign in to it",
}

_watched: set[bytes] = set()


def canary_secret(name: str) -> str:
    """Return a secret for a test, the same for the same name; the search finds it wherever it leaks."""
    return f"{name}~canary-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def watch(secret: str) -> str:
    """Have the search look for this text too, such as an API token the program made; returns it unchanged."""
    if len(secret) < 12:
        raise ValueError("a secret this short would be found by chance")
    _watched.add(secret.encode())
    return secret


def forms(secret: bytes) -> dict[bytes, str]:
    """Return the forms of a secret to look for, each with its name.

    base64 depends on where the secret starts in the encoded text, so there are three, each without the
    characters at either end that also encode a neighbour, in the standard and the URL-safe alphabet.
    """
    found = {secret.hex().encode(): "hex", secret.hex().upper().encode(): "hex"}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret)
        known = encoded[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        found[known] = found[known.translate(bytes.maketrans(b"+/", b"-_"))] = "base64"
    every_byte = "".join(f"%{byte:02x}" for byte in secret)
    for quoted in (quote(secret, safe=""), every_byte, every_byte.upper()):
        found[quoted.encode()] = "URL-encoded"
    return found | {secret: "raw"}


class Search:
    """Looks for the mark and for every watched secret in bytes."""

    def __init__(self, watched: Iterable[bytes] = (), *, chunk_bytes: int = 8 * 1024 * 1024) -> None:
        self._chunk_bytes = chunk_bytes
        self._forms = {form: name for form, name in forms(MARK).items() if name != "raw"}
        for secret in watched:
            self._forms |= forms(secret)
        self._pattern = re.compile(b"|".join(re.escape(form) for form in sorted(self._forms)))
        self.overlap_bytes = max(map(len, self._forms)) + 64

    def find(self, content: bytes) -> str | None:
        """Return the form in which a secret stands in the content, or None."""
        if MARKED.search(content):
            return "raw"
        hit = self._pattern.search(content)
        return self._forms[hit.group()] if hit else None

    def find_in_file(self, path: Path) -> str | None:
        """Return the form in which a secret stands in a file, also in a gzip file, or None."""
        opener = gzip.open if path.suffix == ".gz" else open
        tail = b""
        try:
            with opener(path, "rb") as file:
                while chunk := file.read(self._chunk_bytes):
                    if form := self.find(tail + chunk):
                        return form
                    tail = chunk[-self.overlap_bytes :]
        except (OSError, EOFError, zlib.error):
            return None  # a socket, a file another process took away, or not gzip at all
        return None


def left_behind(directory: Path) -> Iterator[Path]:
    """Yield every regular file under a directory that no rule of ALLOWED_FILES takes out."""
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if not any(fnmatch.fnmatch(path.name, pattern) for pattern in ALLOWED_FILES):
            yield path


class Canary:
    """Collects what each test printed and logged, and searches it all when the session ends."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.hits: list[str] = []
        self._output: dict[tuple[str, str], str] = {}

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test wrote: it is searched at the end, when every watched secret is known."""
        if not self._searches:
            return
        for name, content in report.sections:
            self._output[report.nodeid, name] = content

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Search, or on the xdist controller take the workers' word, and fail the run for a hit."""
        if self._searches:
            self.hits.extend(self._search())
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["canary_hits"] = self.hits
        elif self.hits and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist found."""
        self.hits.extend(getattr(node, "workeroutput", {}).get("canary_hits", []))

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name each place, never the secret."""
        if self.hits:
            terminalreporter.section("SECRETS LEFT BEHIND", red=True, bold=True)
            for hit in sorted(set(self.hits)):
                terminalreporter.write_line(hit)

    @property
    def _searches(self) -> bool:
        """Tell whether tests run in this process: not so on the controller of pytest-xdist."""
        return not getattr(self.config.option, "numprocesses", None) or hasattr(self.config, "workeroutput")

    def _search(self) -> Iterator[str]:
        search = Search(_watched)
        for (nodeid, section), content in self._output.items():
            if form := search.find(content.encode("utf-8", "surrogateescape")):
                yield f"{nodeid}: {section.lower()} holds a secret ({form})"
        directory = self.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # no public way
        for path in left_behind(directory):
            if form := search.find_in_file(path):
                yield f"{path.relative_to(directory)}: the file holds a secret ({form})"


def pytest_configure(config: pytest.Config) -> None:
    """Register the search, once a process."""
    if not config.pluginmanager.has_plugin("canary-search"):
        config.pluginmanager.register(Canary(config), "canary-search")
