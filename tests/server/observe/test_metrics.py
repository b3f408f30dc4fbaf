"""Metrics: in a form that Prometheus reads, true, and told to nobody else."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from starlette.requests import Request

from server.observe.metrics import is_local
from sync.tasks.run.state import RunStatus
from tests.server.served import SITES, Served, served
from tests.server.station import WATCH, open_station

LABEL = r'[a-z]+="[^"\\\n]*"'
SAMPLE = re.compile(rf"(?P<name>[a-z_]+)(?P<labels>\{{{LABEL}(?:,{LABEL})*\}})? (?P<value>[0-9.e+-]+)")
HEAD = re.compile(r"# (?P<what>HELP|TYPE) (?P<name>[a-z_]+) (?P<rest>.+)")
TOKEN = "metrics-canary-token"


def read(text: str) -> dict[str, float]:
    """Read the text format strictly: each family begins with its HELP and TYPE, and no sample comes twice."""
    samples: dict[str, float] = {}
    family, kind = "", ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if head := HEAD.fullmatch(line):
            if head["what"] == "HELP":
                assert not [name for name in samples if name.partition("{")[0] == head["name"]]
                family, kind = head["name"], ""
            else:
                assert (family, kind) == (head["name"], "")
                kind = head["rest"]
                assert kind in ("counter", "gauge", "histogram")
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample is not None, line
        suffix = sample["name"].removeprefix(family)
        assert suffix == "" or (kind == "histogram" and suffix in ("_bucket", "_sum", "_count")), line
        key = sample["name"] + (sample["labels"] or "")
        assert key not in samples
        samples[key] = float(sample["value"])
    return samples


async def scrape(server: Served, **headers: str) -> dict[str, float]:
    """Read the metrics as Prometheus would."""
    answer = await server.client.get("/metrics", headers={"Authorization": "", **headers})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.text)


async def test_metrics_count_requests_plans_and_errors(tmp_path: Path) -> None:
    """Each request by its status, and its time; plans found and compiled; answers kept; errors by code."""
    async with served(tmp_path / "data") as server:
        before = await scrape(server)
        for _ in range(4):
            assert (await server.ask()).status_code == 200
        await server.ask({"query": "{ nothing }"})
        await server.ask({"query": "{"})
        await server.ask(authorization="Bearer wrong")
        await server.client.get("/nothing")
        after = await scrape(server)
    assert after['rollcall_http_requests_total{status="200"}'] == 7
    assert after['rollcall_http_requests_total{status="401"}'] == 1
    assert after['rollcall_http_requests_total{status="404"}'] == 1
    count = "rollcall_http_request_duration_seconds_count"
    assert after[count] - before[count] == 9
    buckets = [value for name, value in after.items() if name.startswith("rollcall_http_request_duration_seconds_b")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == after[count]
    assert after["rollcall_http_request_duration_seconds_sum"] > 0
    assert after['rollcall_graphql_errors_total{code="GRAPHQL_PARSE_FAILED"}'] == 1
    assert after['rollcall_plan_cache_total{result="miss"}'] == 1
    assert after["rollcall_answers_kept_total"] + after['rollcall_plan_cache_total{result="hit"}'] == 3
    assert after["rollcall_connections_open"] == 1
    assert after['rollcall_rate_limited_total{by="token"}'] == 0


@pytest.mark.slow(cases=0)
async def test_metrics_tell_of_streams_tasks_and_runs(tmp_path: Path) -> None:
    """Open subscriptions while they are open; runs in each status, with what they did and waited for."""
    async with open_station(tmp_path / "data") as station:
        text = station.app.state.metrics.text
        run_id = await station.queue()
        async with station.sse(WATCH, run=f"run_{run_id}") as response:
            await anext(response.aiter_lines())
            found = read(await text())
            assert found["rollcall_streams_open"] == 1
        assert found['rollcall_runs{status="queued"}'] == 1
        assert found['rollcall_tasks{state="active"}'] == 1
        assert {f'rollcall_runs{{status="{status.value.lower()}"}}' for status in RunStatus} <= set(found)
        run = await station.claim(run_id)
        run.counts["assets"] = Counter(created=3)
        run._requests_before = {"throttledSeconds": 2.5, "count": 7}
        await run.finish(station.runtime.store, RunStatus.SUCCEEDED)
        station.app.state.metrics._tally = None
        await station.settled()
        found = read(await text())
    assert found['rollcall_runs{status="succeeded"}'] == 1
    assert found['rollcall_sync_objects{inventory="assets",outcome="created"}'] == 3
    assert found["rollcall_graph_throttled_seconds"] == 2.5
    assert found["rollcall_graph_requests"] == 7
    assert found["rollcall_streams_open"] == 0


async def test_tables_are_not_counted_again_when_nothing_was_written(tmp_path: Path) -> None:
    """Who asks often costs no reads; readiness and signing in share the connection."""
    async with served(tmp_path / "data") as server:
        metrics = server.app.state.metrics
        await scrape(server)
        counted = metrics._tally
        await scrape(server)
        assert metrics._tally is counted


async def test_metrics_are_told_to_this_machine_alone_when_no_token_is_set(tmp_path: Path) -> None:
    """A proxy on this machine passes on the words of others: whatever looks like one is refused."""
    async with served(tmp_path / "data") as server:
        await scrape(server)
        for headers in (
            {"X-Forwarded-For": "203.0.113.9"},
            {"Forwarded": "for=203.0.113.9"},
            {"X-Real-IP": "203.0.113.9"},
            {"Host": "inventory.example"},
            {"Host": "["},
        ):
            answer = await server.client.get("/metrics", headers=headers)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
        assert (await server.client.post("/metrics")).status_code == 405


@pytest.mark.parametrize(
    ("client", "host", "is_ours"),
    [
        (("127.0.0.1", 1), "localhost:8000", True),
        (("::1", 1), "[::1]:8000", True),
        (("127.8.8.8", 1), "127.0.0.1", True),
        (("192.0.2.1", 1), "localhost", False),
        (("127.0.0.1", 1), "localhost.example", False),
        (("nonsense", 1), "localhost", False),
        (None, "localhost", False),
    ],
    ids=["ipv4", "ipv6", "net", "other", "name", "nonsense", "none"],
)
def test_caller_is_local_only_by_address_and_name(client: tuple[str, int] | None, host: str, is_ours: bool) -> None:
    """A page of another origin whose name leads to 127.0.0.1 is not."""
    scope = {"type": "http", "client": client, "headers": [(b"host", host.encode())]}
    assert is_local(Request(scope)) is is_ours


async def test_metrics_ask_for_their_token_when_one_is_set(tmp_path: Path) -> None:
    """Of this machine's callers too; an API token is none, and guesses are counted."""
    async with served(tmp_path / "data", metrics_token=TOKEN) as server:
        found = await scrape(server, Authorization=f"Bearer {TOKEN}", Host="inventory.example")
        assert found["rollcall_streams_open"] == 0
        answers = [await server.client.get("/metrics", headers={"Authorization": ""})]
        answers += [await server.client.get("/metrics") for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 11 + [429]
        assert TOKEN not in json.dumps([answer.text for answer in answers])
        assert (await server.ask(SITES)).status_code == 200
