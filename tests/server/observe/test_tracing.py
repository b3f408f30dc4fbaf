"""Spans of a real server process, sent by OpenTelemetry's own exporter to a collector on loopback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from schema import build_schema
from server.app import build_app
from server.observe.tracing import open_provider
from server.operator.operations import make_first_token
from server.settings import Settings
from sync.runtime import Config, Runtime
from tests.canary import canary_secret, watch

PARENT = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()

    def spans(self) -> list[Any]:
        """Return the spans, in the order of their ends."""
        sent = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [span for one in sent for batch in one.resource_spans for s in batch.scope_spans for span in s.spans]

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Listen, and have OpenTelemetry told so."""
    found = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{found.server.server_port}")
    yield found
    found.close()


async def test_request_is_a_span_in_the_trace_of_its_caller(tmp_path: Path, collector: Collector) -> None:
    """Named by its operation, with the request's id and the codes of its errors, and nothing that was asked."""
    secret = canary_secret("searched")
    runtime = await Runtime.open(Config(tmp_path / "data"), run_tasks=False)
    spans = open_provider()
    try:
        token = watch(await make_first_token(runtime))
        app = build_app(Settings(), runtime, build_schema(), spans=spans)
        headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{PARENT}-00f067aa0ba902b7-01"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rollcall.test") as client:
            query = "query Found($s: String) { users(search: $s) { totalCount } }"
            good = await client.post("/graphql", json={"query": query, "variables": {"s": secret}}, headers=headers)
            assert good.json()["data"] == {"users": {"totalCount": 0}}
            bad = {"query": "query Bad { users(first: 0) { totalCount } }"}
            assert (await client.post("/graphql", json=bad, headers=headers)).json()["errors"]
            await client.get(f"/nothing?{secret}", headers={"traceparent": "nonsense"})
    finally:
        await runtime.close()
        await asyncio.to_thread(spans.shutdown)
    found = collector.spans()
    assert [span.name for span in found] == ["query Found", "query Bad", "GET"]
    assert [span.trace_id.hex() == PARENT for span in found] == [True, True, False]
    facts = [{fact.key: fact.value for fact in span.attributes} for span in found]
    assert facts[0]["rollcall.request_id"].string_value == good.headers["x-request-id"]
    assert [value.string_value for value in facts[1]["rollcall.error_codes"].array_value.values] == ["BAD_USER_INPUT"]
    assert [one["http.response.status_code"].int_value for one in facts] == [200, 200, 404]
    sent = b"".join(collector.bodies)
    assert b"rollcall" in sent and token.encode() not in sent and secret.encode() not in sent


def test_server_imports_nothing_of_it_unless_told() -> None:
    """The extra costs nothing where it is off."""
    code = (
        "import sys; import server.process; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
