"""An installation for many short cases: opened once for a tiny tenant, set back to where it was between two cases."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from sync.clock import Clock
from sync.entra.cloud import Endpoints
from sync.entra.graph.client import BodyLimits, GraphClient
from sync.entra.signin.token import SignIn, StaticToken
from sync.inventory.directory.kind import Edge
from sync.runtime import Config, Runtime
from tests.canary import canary_secret
from tests.end_to_end.installation import Installation
from tests.end_to_end.tiny import ORIGIN, Serve, Target, Tiny
from tests.started import start_first
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.transport import Network

BODY_BYTES_MAX = 256 * 1024
LIMITS = BodyLimits(silence_s=0.2, headers_s=0.02, body_s=0.02, body_bytes=BODY_BYTES_MAX)
"""A page of a tiny tenant has some hundred bytes and comes at once: the limits are as small."""

PLURALS = ("users", "groups", "devices")
SHOWN = {
    "users": "SELECT id, external_id, display_name FROM users WHERE deleted_at IS NULL",
    "groups": "SELECT id, external_id, display_name FROM groups WHERE deleted_at IS NULL",
    "devices": "SELECT id, external_id, display_name FROM devices WHERE deleted_at IS NULL",
}
GONE = {kind: text.replace("IS NULL", "IS NOT NULL") for kind, text in SHOWN.items()}
DAYS_S = 2 * 86_400.0
TRIES = 1_000


class Case(Installation):
    """An installation that has read a tiny tenant; `begin` sets it back and takes one object of the target away."""

    clock: FakeClock

    def __init__(self, target: Target, data_dir: Path) -> None:
        self.target: Target = target
        self.tiny = Tiny(target)
        self.data_dir, self.clock, self.is_open = data_dir, FakeClock(), False
        # Decides about every request, by its number in the case.
        self.gate: Callable[[int, Serve], httpx.Response] | None = None
        self.requests = 0

    def config(self) -> Config:
        """Return what the product is opened with."""
        return Config(self.data_dir, custom=Endpoints(ORIGIN, ORIGIN), connect=self.connect, run_retries=0)

    @asynccontextmanager
    async def connect(self, sign_in: SignIn, clock: Clock) -> AsyncIterator[GraphClient]:
        """Open a Graph client whose network is the tiny tenant; every sign-in gives another token."""
        numbers = iter(range(1_000_000))
        tokens = StaticToken(lambda: f"{canary_secret('tiny')}-{next(numbers)}")
        async with GraphClient(sign_in.endpoints, tokens, clock, transport=Network(self._ask), limits=LIMITS) as client:
            yield client

    def _ask(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self.gate is None:
            return self.tiny(request)
        return self.gate(self.requests, lambda: self.tiny(request))

    def app(self) -> tuple[str, str, str]:
        """Return an app that the tenant knows."""
        return (
            "00000000-0000-0000-0000-000000000001",
            "00000000-0000-0000-0000-000000000002",
            canary_secret("tiny-secret"),
        )

    async def prepare(self) -> None:
        """Open the product, read the tenant once, and keep the database as it is then."""
        await start_first(self.data_dir)
        self.runtime = await Runtime.open(self.config(), clock=self.clock)
        self.is_open = True
        await self.furnish()
        assert (await self.run()).status == "SUCCEEDED"
        assert self.problems() == []
        self._template = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(self.database)) as live:
            live.backup(self._template)

    async def close(self) -> None:
        """Close the product and drop the template."""
        await super().close()
        self._template.close()

    async def begin(self) -> None:
        """Set database and tenant back, then change the tenant in a way that only a full round notices."""
        for _ in range(TRIES):
            if self._set_back():
                break
            # A reader of the product, such as the schedules', is in the middle of its statement.
            await anyio.sleep(0.01)
        else:
            pytest.fail("The database never came to rest.")
        self.tiny = Tiny(self.target)
        self.tiny.change()
        self.gate, self.requests = None, 0
        # What an earlier case was asked to wait is over.
        self.clock.moved_s += DAYS_S
        self.clock.slept.clear()

    def _set_back(self) -> bool:
        """Write the template over the database; False if somebody holds it."""

        def refuse_to_wait(status: int, _: int, __: int) -> None:
            if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise BlockingIOError

        with closing(sqlite3.connect(self.database)) as live:
            try:
                self._template.backup(live, progress=refuse_to_wait)
            except BlockingIOError:
                return False
        return True

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Read the database as it is, beside the product."""
        with closing(sqlite3.connect(self.database)) as live:
            return live.execute(text).fetchall()

    def lines(self, run_id: int) -> list[str]:
        """Return the messages of a run's log."""
        return [text for key, text in self.query("SELECT run_id, message FROM run_log ORDER BY id") if key == run_id]

    def removed(self) -> int:
        """Count what is gone: tombstones, and memberships less than the template's six."""
        gone = sum(len(self.query(GONE[kind])) for kind in PLURALS)
        return gone + max(0, 6 - len(self._members()))

    def problems(self) -> list[str]:
        """List how the visible rows and memberships differ from the tenant."""
        found: list[str] = []
        live: dict[int, str] = {}
        for kind in PLURALS:
            rows = self.query(SHOWN[kind])
            live |= {key: external_id for key, external_id, _ in rows}
            names = {external_id: name for _, external_id, name in rows}
            truth = {one: item.get("displayName") for one, item in self.tiny.objects[kind].items()}
            if names != truth:
                found.append(f"{kind}: {names} instead of {truth}")
        shown = {(live[one], live[two]) for one, two in self._members() if one in live and two in live}
        if shown != self.tiny.edges():
            found.append(f"members: {shown} instead of {self.tiny.edges()}")
        return found

    def _members(self) -> list[tuple[Any, ...]]:
        return [
            (one, two) for kind, one, two in self.query("SELECT kind, from_id, to_id FROM edges") if kind == Edge.MEMBER
        ]
