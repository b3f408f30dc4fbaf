"""An installation whose tenant says exactly what a test writes, in JSON of any kind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
from sqlalchemy import select

from sync.clock import Clock
from sync.entra.cloud import Endpoints
from sync.entra.graph.client import GraphClient
from sync.entra.signin.token import SignIn, StaticToken
from sync.runtime import Config
from sync.store import AnyRow
from sync.store.tables import run_log
from sync.tasks.engine.workplace import ROWS_AHEAD
from sync.tasks.run.log import Level
from tests.canary import canary_secret
from tests.end_to_end.installation import Installation
from tests.end_to_end.tiny import ORIGIN
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.transport import Network, answer

Item = dict[str, Any]


class Odd(Installation):
    """`pages` holds what each stream says in the next round, page by page; a round of changes says it too."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir, self.clock, self.is_open = data_dir, FakeClock(), False
        self.rows_ahead, self.full_round_days = ROWS_AHEAD, 0
        self.pages: dict[str, list[list[Item]]] = {}
        # Told of each page that is asked for: its stream and number.
        self.told: Callable[[str, int], object] = lambda stream, number: None

    def config(self) -> Config:
        """Return what the product is opened with."""
        ahead, days = self.rows_ahead, self.full_round_days
        return Config(
            self.data_dir,
            custom=Endpoints(ORIGIN, ORIGIN),
            connect=self.connect,
            rows_ahead=ahead,
            full_round_days=days,
        )

    @asynccontextmanager
    async def connect(self, sign_in: SignIn, clock: Clock) -> AsyncIterator[GraphClient]:
        """Open a Graph client whose network is the tenant."""
        transport = Network(self._ask)
        tokens = StaticToken(lambda: canary_secret("odd"))
        async with GraphClient(sign_in.endpoints, tokens, clock, transport=transport) as client:
            yield client

    def app(self) -> tuple[str, str, str]:
        """Return an app that the tenant knows."""
        return (
            "00000000-0000-0000-0000-000000000001",
            "00000000-0000-0000-0000-000000000002",
            canary_secret("odd-secret"),
        )

    async def read(self, said: Mapping[str, Iterable[Item]], *, full: bool = False) -> AnyRow:
        """Run the task with one page of each stream that is named, nothing of the others."""
        self.pages = {stream: [list(items)] for stream, items in said.items()}
        return await self.run(full=full)

    async def warnings(self, run_id: int) -> list[AnyRow]:
        """Return the warnings of a run."""
        mine = (run_log.c.run_id == run_id, run_log.c.level == Level.WARNING)
        async with self.runtime.store.read() as tx:
            return list((await tx.execute(select(run_log).where(*mine).order_by(run_log.c.id))).all())

    def _ask(self, request: httpx.Request) -> httpx.Response:
        stream, _, rest = request.url.path.removeprefix("/v1.0/").partition("/")
        if rest == "$count":
            return answer(b"0", headers={"content-type": "text/plain"})
        query = parse_qs(request.url.query.decode())
        if query.get("$select", [""])[0].startswith("id,registered"):
            return answer({"value": [{"id": "d0", "registeredOwners@delta": []}], "@odata.deltaLink": f"{ORIGIN}/x"})
        number = int(query.get("$skiptoken", ["0"])[0])
        self.told(stream, number)
        pages = self.pages.get(stream) or [[]]
        link = f"{ORIGIN}/v1.0/{stream}/delta?"
        more = number + 1 < len(pages)
        name, token = ("nextLink", f"$skiptoken={number + 1}") if more else ("deltaLink", "$deltatoken=x")
        # Python's own JSON: it writes whole numbers of any length.
        return answer(json.dumps({"value": pages[number], f"@odata.{name}": link + token}).encode())
