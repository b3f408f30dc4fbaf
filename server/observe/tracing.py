"""Spans of requests for OpenTelemetry, an optional extra that is imported only if the settings ask for it.

OpenTelemetry's `OTEL_*` variables set the collector and the service's name. A span holds the facts of the access log:
never a document, a variable, a query string or a token.

Source: opentelemetry.io/docs/specs/semconv/http/http-spans, opentelemetry.io/docs/specs/semconv/graphql
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.observe.logs import TEXT_CHARS_MAX
from sync.errors import BadSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SERVICE = "rollcall"
# The headers of W3C Trace Context; a request without them begins a trace of its own.
PARENT_HEADERS = ("traceparent", "tracestate")


def open_provider() -> TracerProvider:
    """Return a provider of spans, which sends them in the background; call its `shutdown` at the end.

    Raises:
        BadSettings: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise BadSettings(
            "ROLLCALL_TRACES needs OpenTelemetry, which is not installed.",
            hint="Install the extra `otel` (in a clone: `pip install '.[otel]'`), or set ROLLCALL_TRACES=off.",
            setting="ROLLCALL_TRACES",
        ) from None
    # The operator's `OTEL_*` variables override our name.
    resource = Resource({SERVICE_NAME: SERVICE}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Tracing:
    """ASGI middleware: one span a request, as a child of the caller's span if its headers name one.

    Args:
        app: answers the requests, and sets `request_id` and `trace` in the request's state.
        provider: makes spans.
    """

    def __init__(self, app: ASGIApp, *, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app = app
        self._tracer = provider.get_tracer(SERVICE)
        self._kind = SpanKind.SERVER
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request in a span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        parent = self._propagator.extract({name: sent[name] for name in PARENT_HEADERS if name in sent})
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span(scope["method"], parent, self._kind) as span:
            try:
                await self._app(scope, receive, noting)
            finally:
                _describe(span, scope, status)


def _describe(span: Any, scope: Scope, status: int) -> None:
    from opentelemetry.trace import StatusCode

    state = scope.get("state", {})
    span.set_attribute("http.request.method", scope["method"])
    span.set_attribute("url.path", scope["path"][:TEXT_CHARS_MAX])
    span.set_attribute("http.response.status_code", status)
    span.set_attribute("rollcall.request_id", state.get("request_id", ""))
    trace = state.get("trace")
    if trace is not None and trace.operation_type is not None:
        name = (trace.operation_name or "")[:TEXT_CHARS_MAX]
        span.update_name(f"{trace.operation_type} {name}".strip())
        span.set_attribute("graphql.operation.type", trace.operation_type)
        span.set_attribute("graphql.operation.name", name)
        span.set_attribute("rollcall.error_codes", list(trace.errors))
    if status >= 500:
        span.set_status(StatusCode.ERROR)
