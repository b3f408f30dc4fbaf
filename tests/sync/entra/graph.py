"""A Graph that answers from a script, over ASGI, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from sync.entra.cloud import Endpoints
from sync.entra.graph.client import BodyLimits, GraphClient
from sync.entra.graph.retry import RetryPolicy
from sync.entra.signin.token import StaticToken, TokenProvider
from tests.canary import canary_secret
from tests.sync.entra.clock import FakeClock

ORIGIN = "https://graph.test"
ENDPOINTS = Endpoints("https://login.test", ORIGIN)
TOKEN = canary_secret("graph-token")


@dataclass(frozen=True)
class Reply:
    """One answer: a status, headers and a body that is sent as JSON unless it is bytes."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> bytes:
        """Return the body's bytes."""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    host: str
    path: str
    query: str
    headers: Mapping[str, str]


def refusal(status: int, code: str = "SomeCode", message: str = "text", **headers: str) -> Reply:
    """Return Graph's error shape."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"error": {"code": code, "message": message, "innerError": {}}}, sent)


def page(*ids: str, next_link: str | None = None, delta_link: str | None = None) -> Reply:
    """Return a page of items with the ids given; links are paths below the origin or whole addresses."""
    body: dict[str, Any] = {"value": [{"id": name} for name in ids]}
    for key, link in (("@odata.nextLink", next_link), ("@odata.deltaLink", delta_link)):
        if link is not None:
            body[key] = ORIGIN + link if link.startswith("/") else link
    return Reply(200, body)


class ScriptedGraph:
    """An ASGI app that gives one answer after the other; a function makes an answer from the request."""

    def __init__(self, *replies: Reply | Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        self._replies: Sequence[Reply | Callable[[Asked], Reply]] = replies

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; asking more often than the script is long is an error."""
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        self.asked.append(Asked(headers["host"], path, query, headers))
        assert len(self.asked) <= len(self._replies), f"asked once more than scripted: {path}?{query}"
        reply = self._replies[len(self.asked) - 1]
        reply = reply if isinstance(reply, Reply) else reply(self.asked[-1])
        sent = {"content-type": "application/json"} | dict(reply.headers)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.payload()})


def client_of(
    app: Any,
    *,
    clock: FakeClock | None = None,
    tokens: TokenProvider | None = None,
    policy: RetryPolicy | None = None,
    limits: BodyLimits | None = None,
) -> GraphClient:
    """Return a client of an ASGI app, on a virtual clock."""
    return GraphClient(
        ENDPOINTS,
        tokens or StaticToken(TOKEN),
        clock or FakeClock(),
        transport=httpx.ASGITransport(app),
        policy=policy or RetryPolicy(),
        limits=limits or BodyLimits(),
    )
