"""The entry point of Graph: routing, headers, error bodies and $batch."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from server.simulator.asked import SCOPE_KEY, Asked
from server.simulator.graph.delta import Delta
from server.simulator.graph.exchange import Call, GraphAnswer, GraphRefused, bad_request, error_body
from server.simulator.graph.listing import GraphLists
from server.simulator.graph.query import known_options
from server.simulator.graph.route import BY_DEVICE_ID, DELTA_SEGMENTS, graph_template, segments_of, stream_of
from server.simulator.graph.throttle import Throttle
from server.simulator.request_log import Entry, RequestLog
from server.simulator.signin.token import TokenRefused, Tokens
from server.simulator.tenant.directory import TenantDirectory
from server.simulator.tenant.population import KINDS
from sync.clock import Clock

JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
BATCH_MAX = 20
GZIP_FROM_BYTES = 1_024
CHALLENGE = (
    'Bearer realm="", authorization_uri="{origin}/common/oauth2/authorize", '
    'client_id="00000003-0000-0000-c000-000000000000"'
)
TOO_MANY = "Too many requests. Please retry after the time that the Retry-After header names."


class Graph:
    """Serves `/v1.0` of one tenant."""

    def __init__(
        self,
        directory: TenantDirectory,
        listing: GraphLists,
        delta: Delta,
        tokens: Tokens,
        throttle: Throttle,
        log: RequestLog,
        clock: Clock,
    ) -> None:
        self.origin = ""
        self.listing = listing
        self.delta = delta
        self._directory = directory
        self._tokens = tokens
        self._throttle = throttle
        self._log = log
        self._clock = clock
        self._serial = 0

    async def respond(self, request: Request) -> Response:
        """Answer one HTTP request."""
        segments = segments_of(request.scope["path"])
        pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        request_id = self._request_id()
        try:
            principal = self._tokens.check(request.headers.get("authorization", ""))
        except TokenRefused as refused:
            challenge = {"WWW-Authenticate": CHALLENGE.format(origin=self.origin)}
            error = GraphRefused(401, "InvalidAuthenticationToken", str(refused), challenge)
            answer = self._refusal(error, request.headers, request_id)
        else:
            body = await request.body() if request.method == "POST" else b""
            try:
                call = Call(request.method, segments, known_options(pairs), request.headers, principal, body)
            except GraphRefused as refused:
                answer = self._refusal(refused, request.headers, request_id)
            else:
                answer = self._metered(call, request_id)
            asked: Asked = request.scope[SCOPE_KEY]
            asked.units = answer.units
        return self._encode(answer, request, request_id)

    def _metered(self, call: Call, request_id: str) -> GraphAnswer:
        """Answer one call, charge its units, and refuse it if the quota is used up."""
        try:
            answer = self._batch(call) if call.segments == ("$batch",) else self.answer(call)
        except GraphRefused as refused:
            answer = self._refusal(refused, call.headers, request_id)
        low = call.headers.get("x-ms-throttle-priority", "").lower() == "low"
        verdict = self._throttle.charge(call.principal.client_id, answer.units, low=low)
        if verdict.refused:
            throttled = GraphRefused(429, "TooManyRequests", TOO_MANY, verdict.headers)
            return self._refusal(throttled, call.headers, request_id, units=answer.units)
        answer.headers |= verdict.headers
        return answer

    def answer(self, call: Call) -> GraphAnswer:
        """Answer one call, alone or from a batch.

        Raises:
            GraphRefused: with Graph's own code and message.
        """
        if call.method != "GET":
            raise GraphRefused(
                405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."
            )
        first, *rest = call.segments
        by_device_id = BY_DEVICE_ID.match(first)
        if by_device_id and not rest:
            return self.listing.device_by_device_id(by_device_id[1], call)
        if first in KINDS and len(rest) == 3 and rest[2] == "$count":
            return self.listing.count_related(first, rest[0], rest[1], call)
        if first not in KINDS or len(rest) > 2:
            raise bad_request(f"Resource not found for the segment '{first}'.", "BadRequest")
        if not rest:
            return self.listing.collection(first, call)
        if len(rest) == 2:
            return self.listing.related(first, rest[0], rest[1], call)
        if rest[0] in DELTA_SEGMENTS:
            return self.delta.answer(first, call)
        return self.listing.count(first, call) if rest[0] == "$count" else self.listing.single(first, rest[0], call)

    # $batch

    def _batch(self, call: Call) -> GraphAnswer:
        try:
            requests = orjson.loads(call.body)["requests"]
            ids = [str(item["id"]) for item in requests]
            paths = [str(item["url"]) for item in requests]
            if not all(isinstance(item["method"], str) for item in requests):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            raise bad_request("Invalid batch payload format.", "BadRequest") from error
        if len(requests) > BATCH_MAX:
            raise bad_request(f"Number of batch request steps exceeds the maximum value of {BATCH_MAX}.", "BadRequest")
        if len(set(ids)) != len(ids):
            raise bad_request("Duplicate request id in the batch.", "BadRequest")
        done: dict[str, dict[str, Any]] = {}
        for request_id, path, item in zip(ids, paths, requests, strict=True):
            failed = any(
                done.get(str(other), {"status": 424})["status"] >= 400 for other in item.get("dependsOn") or ()
            )
            done[request_id] = self._batch_item(call, request_id, path, item, failed)
        # Graph answers in any order: reverse it, so that no client relies on positions.
        return GraphAnswer(body={"responses": list(reversed(done.values()))}, units=0)

    def _batch_item(self, call: Call, item_id: str, path: str, item: Mapping[str, Any], failed: bool) -> dict[str, Any]:
        target, _, query = path.removeprefix(f"{self.origin}/v1.0").partition("?")
        segments = segments_of(target)
        headers = {str(name).lower(): str(value) for name, value in (item.get("headers") or {}).items()}
        method = item["method"].upper()
        try:
            if failed:
                raise GraphRefused(424, "FailedDependency", "Failed Dependency")
            options = known_options(parse_qsl(query, keep_blank_values=True))
            headers.setdefault("x-ms-throttle-priority", call.headers.get("x-ms-throttle-priority", ""))
            answer = self._metered(Call(method, segments, options, headers, call.principal), self._request_id())
        except GraphRefused as refused:
            answer = self._refusal(refused, headers, self._request_id())
        template = graph_template(segments)
        self._log.record_item(Entry(method, template, answer.status, stream_of(template)), units=answer.units)
        raw = answer.raw()
        body = orjson.loads(raw) if not isinstance(answer.body, str) else answer.body
        shown = {"Content-Type": "application/json", "x-ms-resource-unit": str(answer.units)} | answer.headers
        return {"id": item_id, "status": answer.status, "headers": shown, "body": body}

    # Headers and errors

    def _request_id(self) -> str:
        self._serial += 1
        return self._directory.population.ids.encode(14, self._serial)

    def _refusal(
        self, refused: GraphRefused, headers: Mapping[str, str], request_id: str, *, units: int = 1
    ) -> GraphAnswer:
        body = error_body(
            refused.code,
            refused.message,
            at=self._clock.now(),
            request_id=request_id,
            client_request_id=headers.get("client-request-id", request_id),
        )
        return GraphAnswer(body=body, status=refused.status, headers=refused.headers, units=units)

    def _encode(self, answer: GraphAnswer, request: Request, request_id: str) -> Response:
        headers = {
            "Content-Type": JSON_TYPE,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
            "Date": self._clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "OData-Version": "4.0",
            "request-id": request_id,
            "client-request-id": request.headers.get("client-request-id", request_id),
            "x-ms-resource-unit": str(answer.units),
        } | answer.headers
        squeezed = "gzip" in request.headers.get("accept-encoding", "").lower()
        if answer.page is not None:
            body = answer.page.gzip(answer.tail) if squeezed else answer.page.plain(answer.tail)
        else:
            body = answer.raw()
            squeezed = squeezed and len(body) >= GZIP_FROM_BYTES
            body = gzip.compress(body, 1, mtime=0) if squeezed else body
        if squeezed:
            headers["Content-Encoding"] = "gzip"
        return Response(body, status_code=answer.status, headers=headers)
