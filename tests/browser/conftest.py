"""A server process on loopback with an empty inventory, and a Chromium that can reach nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.canary import watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

READY = re.compile(r"(http://\S+/graphql)")
TOKEN = re.compile(r"\brc_[0-9A-Za-z]{49}\b")
CHROMIUM_OPTIONS = [
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Any name or address but the server's fails at once: a page that asks for one cannot go unnoticed.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@dataclass(frozen=True)
class RunningServer:
    """A `rollcall serve` process, and the administrator's token of its first start."""

    url: str
    token: str


@dataclass
class Visit:
    """A page and everything it asked for or complained about."""

    page: Page
    server: RunningServer
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Go to GraphiQL as a person does: by its address."""
        self.page.goto(self.server.url)
        self.page.wait_for_selector(".graphiql-query-editor .CodeMirror")

    def sign_in(self, token: str) -> None:
        """Give a token to the page, and wait until it knows whether it is good."""
        self.page.fill("#token", token)
        self.page.click("#sign-in button[type=submit]")
        self.page.wait_for_selector("#state:is([data-state=accepted], [data-state=refused])")

    def run(self, document: str) -> str:
        """Write a document into the editor, run it, and return the result that the page shows.

        GraphiQL reads the operation's name 0.1 s after the last key; the open tab shows it then.
        """
        editor = self.page.locator(".graphiql-query-editor .CodeMirror")
        editor.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(document)
        self.page.wait_for_selector(f".graphiql-tab-active .graphiql-tab-button:text-is('{document.split()[1]}')")
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_selector(".result-window .CodeMirror-code :text('\"data\"')")
        return str(self.page.locator(".result-window .CodeMirror-code").inner_text())

    def strangers(self) -> list[str]:
        """Return every request that went anywhere but to the server the page came from."""
        own = urlsplit(self.server.url)[:2]
        return [url for url in self.requests if urlsplit(url)[:2] != own and not url.startswith("data:")]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Start the program on an empty data directory, as on a first day, and stop it as an operator does."""
    place = tmp_path_factory.mktemp("server")
    settings = {"ROLLCALL_DATA_DIR": str(place / "data"), "ROLLCALL_PORT": "0"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")} | settings
    command = [str(Path(sys.executable).with_name("rollcall")), "serve"]
    with (place / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            said = _until_ready(process.stdout)
            url, token = READY.search(said), TOKEN.search(said)
            assert url and token, f"The server did not start:\n{(place / 'server.log').read_text()}"
            yield RunningServer(url[1], watch(token[0]))
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert process.returncode == 0, (place / "server.log").read_text()


def _until_ready(output: IO[str]) -> str:
    """Read what the server says until it names its address, or ends."""
    said = ""
    for line in output:
        said += line
        if READY.search(line):
            break
    return said


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("There is no Chromium here. On Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, server: RunningServer) -> Iterator[Visit]:
    """Open a tab of a person who was never here, and write down every request, console error and exception.

    A profile shared by the tests would bring back the editor tabs of the one before.
    """
    person = chromium.new_context()
    page = person.new_page()
    page.set_default_timeout(20_000)
    visited = Visit(page, server)

    def note(request: Request) -> None:
        visited.requests.append(request.url)

    def complain(message: Any) -> None:
        if message.type in ("error", "warning"):
            visited.complaints.append(message.text)

    person.on("request", note)
    page.on("console", complain)
    page.on("pageerror", lambda error: visited.complaints.append(str(error)))
    page.on("websocket", lambda socket: visited.requests.append(socket.url))
    yield visited
    person.close()
