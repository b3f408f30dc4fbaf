"""The `rollcall` command as a person meets it: a real process, its lines, its exit codes, its signals."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE_S

TOKEN = re.compile(r"rc_[0-9A-Za-z]{49}\b")
COMMAND = (sys.executable, "-c", "from server.command.cli import main; main(prog_name='rollcall')")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass
class Rollcall:
    """Runs the command on one data directory."""

    data_dir: Path

    def environment(self, **settings: str) -> dict[str, str]:
        """The caller's environment without its own ROLLCALL_* and with the test's."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_")}
        mine = {"ROLLCALL_DATA_DIR": str(self.data_dir), "ROLLCALL_PORT": "0", **settings}
        return {**inherited, **mine, "PYTHONWARNINGS": "error"}

    async def start(self, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            env=self.environment(**settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, **settings: str) -> Done:
        """Run a command to its end."""
        process = await self.start(*arguments, **settings)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def serving(self, **settings: str) -> AsyncIterator[Serving]:
        """Serve while the block runs; killed if the block did not end it."""
        process = await self.start("serve", **settings)
        try:
            assert process.stdout is not None
            said = ""
            while "/graphql" not in said:
                line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
                assert line, (await process.stderr.read()).decode() if process.stderr else ""
                said += line.decode()
            address = re.search(r"http://\S+/graphql", said)
            assert address is not None
            yield Serving(process, address[0], said)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@dataclass(frozen=True)
class Serving:
    """A server that listens."""

    process: asyncio.subprocess.Process
    address: str
    said: str

    async def status(self, token: str) -> int:
        """Ask one thing and return the status."""
        async with httpx.AsyncClient() as client:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.post(self.address, json={"query": "{__typename}"}, headers=headers)
            return answer.status_code


@pytest.fixture
def rollcall(tmp_path: Path) -> Rollcall:
    """The command on an empty data directory."""
    return Rollcall(tmp_path / "data")


@pytest.mark.slow(cases=0)
async def test_tokens_are_made_listed_and_revoked_while_no_server_runs(rollcall: Rollcall) -> None:
    """The commands open the database themselves, on a directory that does not even exist yet."""
    made = await rollcall.run("token", "create", "--name", "ci", "--role", "user", "--days", "7")
    assert (made.code, made.err) == (0, "")
    assert TOKEN.fullmatch(made.out.strip())
    listed = await rollcall.run("token", "list", "--json")
    (row,) = [json.loads(line) for line in listed.out.splitlines()]
    assert (row["name"], row["role"], row["revoked_at"]) == ("ci", "USER", None)
    assert made.out.strip() not in listed.out
    assert (await rollcall.run("token", "revoke", str(row["id"]))).code == 0
    table = (await rollcall.run("token", "list")).out.splitlines()
    assert table[0].split() == ["id", "prefix", "name", "role", "organization", "expires_at", "revoked_at"]
    assert not table[1].endswith("-")


@pytest.mark.slow(cases=0)
async def test_tokens_are_made_and_revoked_while_the_server_runs(rollcall: Rollcall) -> None:
    """First start shows a working token once; the same commands go through the running server, at once."""
    async with rollcall.serving() as server:
        (first,) = TOKEN.findall(server.said)
        assert await server.status(first) == 200
        made = await rollcall.run("token", "create", "--name", "ui")
        assert (made.code, made.err) == (0, "")
        assert await server.status(made.out.strip()) == 200
        assert (await rollcall.run("token", "revoke", "1")).code == 0
        assert await server.status(first) == 401
        server.process.send_signal(signal.SIGTERM)
        out, err = await server.process.communicate()
    for secret in (first, made.out.strip()):
        assert secret not in (out + err).decode()
    async with rollcall.serving() as again:
        assert not TOKEN.findall(again.said)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_server_stops_cleanly_on_a_signal(rollcall: Rollcall, name: str) -> None:
    """Exit 0, one JSON object a line in the log, and nothing left behind but the data."""
    async with rollcall.serving() as server:
        server.process.send_signal(getattr(signal, name))
        _, err = await asyncio.wait_for(server.process.communicate(), PATIENCE_S)
        assert server.process.returncode == 0
    events = [json.loads(line)["event"] for line in err.decode().splitlines()]
    assert events[0] == "server.started"
    assert events[-1] == "server.stopped"
    assert sorted(path.name for path in rollcall.data_dir.iterdir()) == [
        "rollcall.db",
        "rollcall.key",
        "rollcall.lock",
    ]


@pytest.mark.slow(cases=0)
async def test_second_server_is_refused_on_the_same_data(rollcall: Rollcall) -> None:
    """One writer a database: the second says so in one line and the first goes on."""
    async with rollcall.serving() as server:
        second = await rollcall.run("serve")
        assert_one_line(second, 1, f"Another Rollcall process (id {server.process.pid})")
        assert await server.status("x") == 401


async def test_server_is_refused_when_its_port_is_in_use(rollcall: Rollcall) -> None:
    """One line names the address; no database is made for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await rollcall.run("serve", ROLLCALL_PORT=str(port))
    assert_one_line(done, 2, f"port {port}")
    assert not rollcall.data_dir.exists()


def _file_in_the_way(data_dir: Path) -> None:
    data_dir.write_text("a file, not a directory")


def _foreign_file(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    (data_dir / "rollcall.db").touch(mode=0o600)
    (data_dir / "rollcall.db").write_bytes(b"not a database at all " * 500)


def _newer_database(data_dir: Path) -> None:
    with sqlite3.connect(data_dir / "rollcall.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()


def _key_gone(data_dir: Path) -> None:
    (data_dir / "rollcall.key").unlink()


def _key_malformed(data_dir: Path) -> None:
    (data_dir / "rollcall.key").write_text("nonsense")


BROKEN: list[tuple[Callable[[Path], None], bool, str]] = [
    (_file_in_the_way, False, "data directory"),
    (_foreign_file, False, "not a Rollcall database"),
    (_newer_database, True, "newer"),
    (_key_gone, True, "key"),
    (_key_malformed, True, "key"),
]


@pytest.mark.slow(cases=2)
@pytest.mark.parametrize(("break_it", "made_first", "words"), BROKEN)
@pytest.mark.parametrize("command", [("serve",), ("token", "list")])
async def test_command_fails_in_one_line_when_the_data_cannot_be_used(
    rollcall: Rollcall,
    break_it: Callable[[Path], None],
    made_first: bool,
    words: str,
    command: tuple[str, ...],
) -> None:
    """Whatever is wrong with the directory, the database or the key: one line, exit 1, no traceback."""
    if made_first:
        assert (await rollcall.run("migrate")).code == 0
    break_it(rollcall.data_dir)
    database = rollcall.data_dir / "rollcall.db"
    before = database.read_bytes() if database.exists() else None
    assert_one_line(await rollcall.run(*command), 1, words)
    assert (database.read_bytes() if database.exists() else None) == before


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("command", [("serve",), ("migrate",), ("token", "list")])
async def test_command_fails_in_one_line_when_settings_are_wrong(rollcall: Rollcall, command: tuple[str, ...]) -> None:
    """Every bad key in one line, no value, exit 2."""
    done = await rollcall.run(*command, ROLLCALL_LOG_LEVEL="canary-value", ROLLCALL_GRAFIQL="on")
    assert_one_line(done, 2, "ROLLCALL_GRAPHIQL?")
    assert "ROLLCALL_LOG_LEVEL" in done.err
    assert "canary-value" not in done.err


async def test_unusable_keys_are_told_without_repeating_them(rollcall: Rollcall) -> None:
    """A malformed ROLLCALL_KEYS is one line that does not hold it."""
    done = await rollcall.run("serve", ROLLCALL_KEYS="k1:canary-value")
    assert_one_line(done, 1, "key")
    assert "canary-value" not in done.err


async def test_migrate_shows_the_first_token_on_an_empty_directory(rollcall: Rollcall) -> None:
    """Whichever command makes the database shows the token; the next one does not."""
    first, second = await rollcall.run("migrate"), await rollcall.run("migrate")
    assert (first.code, second.code) == (0, 0)
    assert len(TOKEN.findall(first.out)) == 1
    assert not TOKEN.findall(second.out)


async def test_command_that_is_not_installed_fails_in_one_line(rollcall: Rollcall) -> None:
    """Help lists what exists without importing it; version and help need no settings at all."""
    done = await rollcall.run("--help", ROLLCALL_NONSENSE="1")
    assert done.code == 0
    for name in ("demo", "migrate", "schema", "serve", "simulate", "token"):
        assert f"\n  {name} " in done.out
    version = await rollcall.run("--version", ROLLCALL_NONSENSE="1")
    assert re.fullmatch(r"rollcall \d+\.\d+\.\d+\n", version.out)


def assert_one_line(done: Done, code: int, words: str) -> None:
    """Check that a command failed as every expected failure does."""
    assert done.code == code, done.err
    assert done.err.startswith("rollcall: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert "Traceback" not in done.err
    assert not done.out
