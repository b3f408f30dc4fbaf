"""The second reading of the oracle: what GraphQL shows, compared by the demo's own proof; opens no socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from schema.access import Principal, Role
from server.demo.client import Client
from server.demo.proof import Truth, prove
from server.simulator import Simulator
from tests.api.caller import Caller
from tests.end_to_end.installation import Installation


class Reader(Client):
    """Asks the schema of an open installation as its administrator."""

    def __init__(self, installation: Installation) -> None:
        principal = Principal(1, installation.organization_id, Role.ADMINISTRATOR, "seeded")
        self._caller = Caller(installation.runtime, principal)

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Run a query that must succeed and return its data."""
        # Not `Caller.data`, which has every document planned anew for each of the many runtimes of a night.
        data: dict[str, Any] = (await self._caller.execute(document, **variables)).ok()
        return data


class Told(Truth):
    """What the tenant of this process really holds."""

    def __init__(self, simulator: Simulator) -> None:
        self._directory = simulator.directory

    async def rows(self, path: str) -> AsyncIterator[Any]:
        """Yield the objects of a kind, or the pairs of an edge."""
        relation = path.removeprefix("edges/")
        found = self._directory.edges(relation) if relation != path else self._directory.truth(path)
        for row in found:
            yield row


async def differences_told(installation: Installation) -> list[str]:
    """List how what GraphQL tells differs from the directory; empty when they are equal."""
    return (await prove(Reader(installation), Told(installation.simulator))).differences
