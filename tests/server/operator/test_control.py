"""The control socket: commands reach the process that holds the database, and nothing else gets through."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from server.operator.operations import COMMANDS, run_command
from server.operator.socket import (
    REQUEST_BYTES_MAX,
    SOCKET_NAME,
    SOCKET_PATH_BYTES_MAX,
    ControlSocket,
    Refusal,
    ask_server,
)
from sync.errors import BadInput
from sync.organization.tokens import find_token
from sync.runtime import Config, Runtime
from tests.patience import PATIENCE_S
from tests.started import start_first

CREATE = {"name": "ci", "role": "USER", "organization": None, "lifetime_days": 1}


@pytest.fixture(params=["short", "long"])
async def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    """A runtime in a directory whose path fits a socket address, and in one whose path does not."""
    data_dir = tmp_path / ("d" if request.param == "short" else "d" * SOCKET_PATH_BYTES_MAX)
    await start_first(data_dir)
    runtime = await Runtime.open(Config(data_dir=data_dir), run_tasks=False)
    try:
        yield runtime
    finally:
        await runtime.close()


async def test_command_is_carried_out_by_the_running_server(runtime: Runtime) -> None:
    """Create, list and revoke through the socket, wherever the data directory lies."""
    data_dir = runtime.config.data_dir
    async with ControlSocket(runtime, data_dir):
        made = await ask_server(data_dir, "token.create", CREATE)
        assert made is not None
        assert await find_token(runtime.store, runtime.clock, made["token"]) is not None
        listed = await ask_server(data_dir, "token.list", {})
        assert listed is not None
        assert [(row["id"], row["name"], row["role"]) for row in listed["tokens"]] == [(made["id"], "ci", "USER")]
        assert made["token"] not in str(listed)
        await ask_server(data_dir, "token.revoke", {"id": made["id"]})
    assert await find_token(runtime.store, runtime.clock, made["token"]) is None


async def test_nobody_is_asked_when_no_server_runs(runtime: Runtime) -> None:
    """None before, and None after; a socket that a killed server left is no server either."""
    data_dir = runtime.config.data_dir
    assert await ask_server(data_dir, "token.list", {}) is None
    async with ControlSocket(runtime, data_dir):
        pass
    assert not (data_dir / SOCKET_NAME).exists()
    assert not (data_dir / SOCKET_NAME).is_symlink()
    assert await ask_server(data_dir, "token.list", {}) is None


async def test_socket_takes_the_place_of_one_that_a_killed_server_left(runtime: Runtime) -> None:
    """A stale file or link is replaced."""
    data_dir = runtime.config.data_dir
    (data_dir / SOCKET_NAME).symlink_to("/nowhere/control.sock")
    assert await ask_server(data_dir, "token.list", {}) is None
    async with ControlSocket(runtime, data_dir):
        assert await ask_server(data_dir, "token.list", {}) == {"tokens": []}


async def test_socket_is_its_owner_s_alone(runtime: Runtime) -> None:
    """Mode 0600, in a directory that is closed to others."""
    data_dir = runtime.config.data_dir
    async with ControlSocket(runtime, data_dir):
        path = (data_dir / SOCKET_NAME).resolve()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX


async def test_refusal_comes_back_as_the_server_worded_it(runtime: Runtime) -> None:
    """The caller learns code, message and hint."""
    data_dir = runtime.config.data_dir
    async with ControlSocket(runtime, data_dir):
        with pytest.raises(Refusal, match="no such token") as caught:
            await ask_server(data_dir, "token.revoke", {"id": 99})
        assert caught.value.code == "NOT_FOUND"


LINES = [
    b"\n",
    b"x\n",
    b"[]\n",
    b"{}\n",
    b'{"command":"token.list"}\n',
    b'{"command":null,"arguments":{}}\n',
    b'{"command":"token.drop","arguments":{}}\n',
    b'{"command":"token.list","arguments":[]}\n',
    b'{"command":"token.revoke","arguments":{"id":true}}\n',
    b'{"command":"token.revoke","arguments":{"id":"1"}}\n',
    b"[" * 10_000 + b"\n",
]


@pytest.mark.parametrize("line", LINES)
async def test_malformed_request_is_refused(tmp_path: Path, line: bytes) -> None:
    """Every malformed line gets one refusal, and the socket goes on."""
    await start_first(tmp_path / "d")
    runtime = await Runtime.open(Config(data_dir=tmp_path / "d"), run_tasks=False)
    try:
        async with ControlSocket(runtime, runtime.config.data_dir):
            reader, writer = await asyncio.open_unix_connection(runtime.config.data_dir / SOCKET_NAME)
            writer.write(line)
            reply = orjson.loads(await reader.readline())
            writer.close()
            assert (reply["ok"], reply["error"]["code"]) == (False, "BAD_USER_INPUT")
            assert await ask_server(runtime.config.data_dir, "token.list", {}) == {"tokens": []}
    finally:
        await runtime.close()


async def test_flood_is_cut_off(runtime: Runtime) -> None:
    """A line beyond the limit closes the connection without an answer, and the socket goes on."""
    data_dir = runtime.config.data_dir
    async with ControlSocket(runtime, data_dir):
        reader, writer = await asyncio.open_unix_connection((data_dir / SOCKET_NAME).resolve())
        writer.write(b"x" * (4 * REQUEST_BYTES_MAX))
        assert await read_to_end(reader) == b""
        writer.close()
        assert await ask_server(data_dir, "token.list", {}) == {"tokens": []}


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_command_refuses_arguments_it_does_not_know(tmp_path: Path, name: str) -> None:
    """Names and types are checked for every command."""
    await start_first(tmp_path / "d")
    runtime = await Runtime.open(Config(data_dir=tmp_path / "d"), run_tasks=False)
    try:
        with pytest.raises(BadInput):
            await run_command(runtime, name, {"unknown": 1})
        for argument in COMMANDS[name].arguments:
            with pytest.raises(BadInput):
                await run_command(runtime, name, {argument: [1]})
    finally:
        await runtime.close()


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    """Read until the other side closes, however it closes."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionError:
        return b""
