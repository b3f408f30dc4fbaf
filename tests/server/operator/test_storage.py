"""Promises D1, D2: a full disk and a foreign lock are told for what they are, and nothing is lost by them.

Three ways to fill a disk: a small one, a limit of the database's pages, a limit of the process's file sizes.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sync.runtime import DATABASE_FILE
from sync.store.snapshot import examine
from tests.disk import small_disk_at
from tests.server.served import Served, served

CREATE = """mutation($name: String!, $description: String) {
  createSite(input: {name: $name, description: $description}) { site { id } errors { message } }
}"""
SITES = "{ sites(first: 500) { nodes { name } } }"
TRIES = 400
SLACK_BYTES = 64 * 1024


async def pragma(server: Served, statement: str) -> None:
    """Tell the writer's connection something."""
    async with server.runtime.store.write() as tx:
        await tx.execute(text(statement))


class Pages:
    """SQLite itself lets the database grow no further."""

    @asynccontextmanager
    async def disk(self, place: Path) -> AsyncIterator[Path]:
        """Any folder will do."""
        yield place

    async def fill(self, server: Served) -> None:
        """Allow no page more than there are."""
        await pragma(server, "PRAGMA max_page_count = 1")

    async def make_room(self, server: Served) -> None:
        """Allow what SQLite allows."""
        await pragma(server, "PRAGMA max_page_count = 1073741823")


class FileSize:
    """The process may write no byte beyond a place: how a quota looks, too."""

    @asynccontextmanager
    async def disk(self, place: Path) -> AsyncIterator[Path]:
        """Any folder will do; the limit ends with the test."""
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            yield place
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)

    async def fill(self, server: Served) -> None:
        """Set the limit a little beyond the log."""
        log = server.runtime.config.data_dir / (DATABASE_FILE + "-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + SLACK_BYTES, self._limits[1]))

    async def make_room(self, server: Served) -> None:
        """Set it back."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


class SmallDisk:
    """A real file system without a free block."""

    @asynccontextmanager
    async def disk(self, place: Path) -> AsyncIterator[Path]:
        """Mount it for the test."""
        with small_disk_at(place / "small", 8 * 1024) as path:
            self._filler = path / "filler"
            yield path

    async def fill(self, server: Served) -> None:
        """Leave a little room, so that some writes still succeed."""

        with self._filler.open("wb") as file:
            file.write(bytes(shutil.disk_usage(self._filler.parent).free - SLACK_BYTES))

    async def make_room(self, server: Served) -> None:
        """Delete what filled it."""
        self._filler.unlink()


async def create(server: Served, name: str) -> dict[str, Any]:
    """Create a site with a long description and return the answer."""
    variables = {"name": name, "description": "x" * 1_000}
    answer = await server.ask({"query": CREATE, "variables": variables})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def names(server: Served) -> list[str]:
    """Read the sites' names."""
    answer = (await server.ask({"query": SITES})).json()
    assert "errors" not in answer
    return [site["name"] for site in answer["data"]["sites"]["nodes"]]


def error_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what a program reads of the one error."""
    (error,) = answer["errors"]
    assert error["message"]
    extensions: dict[str, Any] = error["extensions"]
    return extensions


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("method", [Pages, FileSize, SmallDisk], ids=lambda method: method.__name__)
async def test_full_disk_is_told_and_left_behind(tmp_path: Path, method: type[Pages | FileSize | SmallDisk]) -> None:
    """What was answered is there, what was refused is not; queries go on, and writing does when there is room."""
    way = method()
    async with way.disk(tmp_path) as place:
        async with served(place / "data", requests_per_token=0) as server:
            kept = ["Primary"]
            await create(server, "before")
            kept.append("before")
            await way.fill(server)
            for number in range(TRIES):
                answer = await create(server, f"site {number}")
                if "errors" in answer:
                    break
                kept.append(f"site {number}")
            told = error_of(answer)
            assert (told["code"], told["retryable"], bool(told["hint"])) == ("STORE_FULL", True, True)
            for number in range(3):
                assert error_of(await create(server, f"full {number}"))["code"] == "STORE_FULL"
                assert sorted(await names(server)) == sorted(kept)
            assert (await server.client.get("/readyz")).status_code == 200
            await way.make_room(server)
            assert "errors" not in await create(server, "after")
            assert sorted(await names(server)) == sorted([*kept, "after"])
        assert examine(place / "data" / DATABASE_FILE).revision


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow(cases=0)
async def test_foreign_lock_is_told_and_waited_for(tmp_path: Path) -> None:
    """Another program's lock: queries answer, writes are STORE_BUSY soon; they succeed when it lets go, or dies."""
    async with served(tmp_path / "data") as server:
        await pragma(server, "PRAGMA busy_timeout = 100")
        database = server.runtime.config.data_dir / DATABASE_FILE
        holder = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLDER, str(database), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert holder.stdout is not None and await holder.stdout.readline() == b"held\n"
        try:
            for number in range(10):
                told = error_of(await create(server, f"locked {number}"))
                assert (told["code"], told["retryable"], bool(told["hint"])) == ("STORE_BUSY", True, True)
                assert await names(server) == ["Primary"]
        finally:
            holder.kill()
            await holder.wait()
        assert "errors" not in await create(server, "after")
        assert sorted(await names(server)) == ["Primary", "after"]
