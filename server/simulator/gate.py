"""The outermost layer: classifies every request, passes it to the faults, and logs its final answer."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.simulator.asked import SCOPE_KEY, Asked
from server.simulator.graph.carrier import ConnectionCut, ConnectionSilent
from server.simulator.graph.query import parse_options
from server.simulator.graph.route import stream_of, template_of, without_turn
from server.simulator.request_log import Entry
from server.simulator.state import SimulatedTenant

NO_ANSWER = 0  # the status of a request that was never answered


class Gate:
    """The outermost layer of one tenant; requests to the admin API pass it untouched."""

    def __init__(self, app: ASGIApp, simulator: SimulatedTenant) -> None:
        self._app = app
        self._simulator = simulator
        self._number = 0
        self._last: dict[str, tuple[str, int]] = {}  # stream → URL of the last request, and its page number

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on and log its answer."""
        # The admin API has no faults: a test must be able to switch them off.
        if scope["type"] != "http" or scope["path"].startswith("/_simulator"):
            await self._app(scope, receive, send)
            return
        asked = scope[SCOPE_KEY] = self._classify(scope)
        log, answered = self._simulator.requests, False

        def write_down(status: int) -> None:
            nonlocal answered
            answered = True
            stream = next(iter(asked.pages), None)
            log.record(Entry(asked.method, asked.template, status, stream, asked.fault), asked.url, units=asked.units)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                write_down(message["status"])
            await send(message)

        faults = self._simulator.faults
        try:
            if faults is None:
                await self._app(scope, receive, counted)
            else:
                await faults(scope, receive, counted, self._app)
        except (ConnectionCut, ConnectionSilent):
            if not answered:
                write_down(NO_ANSWER)
            raise

    def _classify(self, scope: Scope) -> Asked:
        self._number += 1
        query = scope["query_string"].decode("latin-1")
        url = f"{self._simulator.origin}{scope['path']}{'?' if query else ''}{query}"
        template = template_of(scope["path"])
        asked = Asked(self._simulator, self._number, scope["method"], url, template)
        stream = stream_of(template)
        if stream:
            options = parse_options(parse_qsl(query, keep_blank_values=True))
            follows = "skiptoken" in options
            asked.pages[stream] = self._page(stream, url, follows)
            if template == "/v1.0/groups/delta":
                self._count_members(asked, options.get("skiptoken", ""))
        return asked

    def _count_members(self, asked: Asked, token: str) -> None:
        """Count a page of groups for the stream of members, too, if it continues a large group's members."""
        if self._simulator.continues_group(token):
            asked.pages["members"] = self._page("members", asked.url, follows="members" in self._last)
        else:
            self._last.pop("members", None)

    def _page(self, stream: str, url: str, follows: bool) -> int:
        url = without_turn(url)
        last, number = self._last.get(stream, ("", 0))
        if url != last:
            number = number + 1 if follows else 1
        self._last[stream] = (url, number)
        return number
