"""A client of our GraphQL API that uses only what any program can: HTTP, a bearer token and documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from sync.errors import DemoFailed

TIMEOUT_S = 30.0


class Client:
    """Asks one server with one token; use it as an async context manager."""

    def __init__(self, origin: str, token: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=origin, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Run a query or mutation and return its data.

        Raises:
            DemoFailed: the answer has errors, of its own or in a payload.
        """
        answer = (await self._http.post("/graphql", json={"query": document, "variables": variables})).json()
        if refused := answer.get("errors"):
            raise _failed(refused, [error.get("extensions", {}).get("hint") for error in refused])
        data: dict[str, Any] = answer["data"]
        for payload in data.values():
            if isinstance(payload, dict) and (refused := payload.get("errors")):
                raise _failed(refused, [error.get("hint") for error in refused])
        return data

    async def each(self, document: str, root: str, **variables: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield every node of a root list, page by page; the document must take `$after` and select `pageInfo`."""
        after = None
        while True:
            page = (await self.ask(document, after=after, **variables))[root]
            for node in page["nodes"]:
                yield node
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]


def _failed(errors: Sequence[Mapping[str, Any]], hints: Iterable[str | None]) -> DemoFailed:
    """Return an error with each different message and hint."""
    told, known = dict.fromkeys(error["message"] for error in errors), dict.fromkeys(filter(None, hints))
    return DemoFailed(" ".join(told), hint=" ".join(known) or None)
