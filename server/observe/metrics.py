"""Metrics for Prometheus at `/metrics`: requests are counted as they pass, all else is read at each scrape.

No metric names an organization, a token, an address or a document. docs/operations.md says who may read them.

Source: prometheus.io/docs/instrumenting/exposition_formats (text format 0.0.4)
"""

from __future__ import annotations

import hmac
import ipaddress
import resource
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from server.graphql.errors import Refused
from server.graphql.execution import Execution
from server.graphql.operation import Trace
from server.graphql.stream.live import Live
from server.http.connections import Connections
from server.http.identity import bearer
from server.http.rate_limit import Rates
from sync.product import version
from sync.runtime import Runtime
from sync.tasks.run.state import RunStatus
from sync.tasks.run.tally import TaskTotals, tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
QUICK_S = BOUNDS_S[0]
# Least seconds between two counts of the tables; they are counted again only after a write.
TALLY_S = 10.0
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

Labels = Mapping[str, str]
# Pairs of labels and value, or one value without labels.
Samples = Iterable[tuple[Labels, float]] | float


class Passed:
    """Counts answered requests; most of them cost two additions."""

    def __init__(self) -> None:
        # Requests with status 200, within the first bound and without errors.
        self._quick = 0
        self.statuses: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.durations = [0] * (len(BOUNDS_S) + 1)
        self.seconds = 0.0

    def note(self, status: int, seconds: float, trace: Trace | None) -> None:
        """Count a request; the duration of a subscription is not counted."""
        if status == 200 and seconds <= QUICK_S and (trace is None or not trace.errors):
            self._quick += 1
            self.seconds += seconds
        else:
            self._count(status, seconds, trace)

    def _count(self, status: int, seconds: float, trace: Trace | None) -> None:
        self.statuses[status] += 1
        if trace is not None:
            self.codes.update(trace.errors)
            if trace.operation_type == "subscription":
                return
        self.durations[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds += seconds

    def settle(self) -> None:
        """Add the quick requests to the other counts."""
        self.statuses[200] += self._quick
        self.durations[0] += self._quick
        self._quick = 0


class Metrics:
    """All metrics.

    Args:
        passed: the answered requests.
        runtime: the open runtime.
        live: the open streams.
        rates: the requests refused by rate limits.
        connections: the server's connections; None if another server runs the application.
    """

    def __init__(
        self, passed: Passed, runtime: Runtime, live: Live, rates: Rates, connections: Connections | None = None
    ) -> None:
        self._passed, self._runtime, self._live, self._rates = passed, runtime, live, rates
        self._connections = connections
        self._tally: tuple[float, int, TaskTotals] | None = None

    async def text(self) -> str:
        """Return all metrics as text."""
        lines = [*self._of_requests(), *_of_execution(self._live.execution), *self._of_process()]
        return "\n".join([*lines, *_of_tally(await self._counted())]) + "\n"

    async def _counted(self) -> TaskTotals:
        now, commits = self._runtime.clock.monotonic(), self._runtime.store.commits
        if self._tally is None or (commits != self._tally[1] and now - self._tally[0] >= TALLY_S):
            self._tally = (now, commits, await tally(self._runtime.store))
        return self._tally[2]

    def _of_requests(self) -> Iterator[str]:
        passed = self._passed
        passed.settle()
        statuses = [({"status": str(status)}, number) for status, number in sorted(passed.statuses.items())]
        yield from _family("rollcall_http_requests_total", "counter", "Requests answered, by status.", statuses)
        name, counted, buckets = "rollcall_http_request_duration_seconds", 0, list[str]()
        for bound, number in zip((*map(str, BOUNDS_S), "+Inf"), passed.durations, strict=True):
            counted += number
            buckets.append(_sample(f"{name}_bucket", {"le": bound}, counted))
        yield from _head(name, "histogram", "Time from a request to the end of its answer, without streams.")
        yield from (*buckets, _sample(f"{name}_sum", {}, passed.seconds), _sample(f"{name}_count", {}, counted))
        codes = [({"code": code}, number) for code, number in sorted(passed.codes.items())]
        yield from _family("rollcall_graphql_errors_total", "counter", "Errors of operations, by code.", codes)
        refused = [({"by": by}, number) for by, number in self._rates.refused.items()]
        yield from _family("rollcall_rate_limited_total", "counter", "Requests refused by rate limits.", refused)
        yield from _family("rollcall_streams_open", "gauge", "Open subscriptions and sockets.", len(self._live))
        if self._connections is not None:
            open_, cut = len(self._connections), self._connections.cut
            yield from _family("rollcall_connections_open", "gauge", "Open connections.", open_)
            yield from _family(
                "rollcall_connections_cut_total", "counter", "Connections ended at a deadline or limit.", cut
            )

    def _of_process(self) -> Iterator[str]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        commits = self._runtime.store.commits
        yield from _family("rollcall_store_commits_total", "counter", "Transactions that have written.", commits)
        about = [({"version": version()}, 1)]
        yield from _family("rollcall_build_info", "gauge", "The program.", about)
        seconds = usage.ru_utime + usage.ru_stime
        yield from _family("process_cpu_seconds_total", "counter", "Processor time.", seconds)
        if memory := _resident_bytes():
            yield from _family("process_resident_memory_bytes", "gauge", "Resident memory.", memory)


def _of_execution(execution: Execution) -> Iterator[str]:
    documents, plans = execution.documents, execution.plans
    parsed = documents.misses
    yield from _family("rollcall_documents_parsed_total", "counter", "Documents parsed, not cached.", parsed)
    if plans is None:
        return
    found = [({"result": "hit"}, plans.asked - plans.compiled), ({"result": "miss"}, plans.compiled)]
    yield from _family("rollcall_plan_cache_total", "counter", "Queries by whether their plan was cached.", found)
    kept = plans.recalled
    yield from _family("rollcall_answers_kept_total", "counter", "Queries answered from a cached answer.", kept)
    yield from _family("rollcall_plans", "gauge", "Cached plans.", len(plans.kept))


def _of_tally(counted: TaskTotals) -> Iterator[str]:
    tasks = [({"state": state}, number) for state, number in counted.tasks.items()]
    yield from _family("rollcall_tasks", "gauge", "Tasks, by state.", tasks)
    runs = [({"status": status.value.lower()}, counted.runs.get(status, 0)) for status in RunStatus]
    yield from _family("rollcall_runs", "gauge", "Recorded runs, by status.", runs)
    objects = [({"inventory": name, "outcome": outcome}, n) for (name, outcome), n in counted.objects.items()]
    yield from _family("rollcall_sync_objects", "gauge", "Objects that recorded runs have seen.", objects)
    for name, number, about in (
        ("requests", "count", "Requests to Microsoft Graph, of recorded runs."),
        ("retries", "retries", "Retried requests to Microsoft Graph, of recorded runs."),
        ("throttled_seconds", "throttledSeconds", "Time waited because Microsoft Graph throttled recorded runs."),
    ):
        yield from _family(f"rollcall_graph_{name}", "gauge", about, counted.requests[number])


def _family(name: str, kind: str, about: str, samples: Samples) -> Iterator[str]:
    yield from _head(name, kind, about)
    pairs = [({}, samples)] if isinstance(samples, int | float) else samples
    yield from (_sample(name, labels, value) for labels, value in pairs)


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _sample(name: str, labels: Labels, value: float) -> str:
    """Return one line, with the values of the labels escaped."""
    written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{written}}} {value}" if written else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident_bytes() -> int | None:
    """Return the resident memory; None if the system does not tell it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return None


class MetricsRoute:
    """The route `/metrics`.

    Args:
        metrics: the metrics to serve.
        rates: counts bad tokens.
        token: the bearer token that callers must send; None serves callers on this machine only.
    """

    def __init__(self, metrics: Metrics, rates: Rates, token: str | None) -> None:
        self._metrics, self._rates, self._token = metrics, rates, token

    async def respond(self, request: Request) -> Response:
        """Answer one scrape."""
        try:
            self._check(request)
        except Refused as refused:
            body = refused.bytes(getattr(request.state, "request_id", "none"))
            return Response(body, refused.status, refused.headers, "application/json; charset=utf-8")
        return Response(await self._metrics.text(), media_type=CONTENT_TYPE)

    def _check(self, request: Request) -> None:
        if self._token is None:
            if not is_local(request):
                hint = "Set ROLLCALL_METRICS_TOKEN, or call /metrics on the server's own machine."
                raise Refused(403, "FORBIDDEN", "Metrics are not served to other machines.", hint)
            return
        sent = bearer(request.headers.getlist("authorization")) or ""
        if not hmac.compare_digest(sent.encode(), self._token.encode()):
            self._rates.charge_login(request)
            headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
            hint = "Send Authorization: Bearer with the value of ROLLCALL_METRICS_TOKEN."
            raise Refused(401, "UNAUTHENTICATED", "The token for metrics is needed.", hint, headers=headers)


def is_local(request: Request) -> bool:
    """Return whether the caller is a program on this machine, and not a proxy that forwards for others."""
    try:
        is_loopback = request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
        name = urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return False
    return is_loopback and name in LOOPBACK_NAMES and not any(one in request.headers for one in FORWARDING_HEADERS)
