"""A `rollcall demo` process: started, read and stopped as from a terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.canary import watch

SIZES = ("--users", "300", "--devices", "200", "--groups", "40")
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/graphql")
TOKEN = re.compile(r"\brc_[0-9A-Za-z]{49}\b")


def run_demo(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a demo to its end and return what it wrote."""
    return subprocess.run(
        [sys.executable, "-m", "server", "demo", "--port", "0", "--data", str(data), *options],
        capture_output=True,
        text=True,
        timeout=110,
        env=_environment(),
        check=False,
    )


@dataclass(frozen=True)
class ServingDemo:
    """A demo that has got to serving."""

    process: subprocess.Popen[str]
    origin: str
    token: str
    output: str

    def ask(self, document: str, **variables: object) -> dict[str, object]:
        """Send a document as any client would and return the whole answer."""
        answer = httpx.post(
            f"{self.origin}/graphql",
            json={"query": document, "variables": variables},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
            trust_env=False,
        )
        found: dict[str, object] = answer.json()
        return found

    def first_event(self, document: str, **variables: object) -> dict[str, object]:
        """Send a subscription and return the first answer that comes."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        body = {"query": document, "variables": variables}
        url = f"{self.origin}/graphql"
        with httpx.stream("POST", url, json=body, headers=headers, timeout=30, trust_env=False) as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    found: dict[str, object] = json.loads(line.removeprefix("data: "))
                    return found
        raise AssertionError("it ended without an answer")

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def serving_demo(data: Path) -> Iterator[ServingDemo]:
    """Run a demo until it serves; it is stopped when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "server", "demo", "--port", "0", "--data", str(data), *SIZES],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(),
    )
    try:
        assert process.stdout is not None
        output = ""
        while "Serving until" not in output:
            line = process.stdout.readline()
            assert line, f"the demo ended early: {output}"
            output += line
        (address,), (token,) = ADDRESS.findall(output), TOKEN.findall(output)
        yield ServingDemo(process, address, watch(token), output)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=30)


def _environment() -> dict[str, str]:
    # A width at which nothing that is read here is cut or wrapped.
    return {**os.environ, "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}
