"""Plans: which requests a rule selects, how often, and where a plan comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.simulator import FaultPlan, Rule, Simulator, read_plan
from server.simulator.fault.plan import NAMED, plan_from, seeded
from server.simulator.tenant.relation import relations_of
from sync.errors import BadInput
from tests.server.simulator.conftest import open_client
from tests.server.simulator.consumer import Client, Consumer
from tests.sync.entra.clock import FakeClock

STREAMS = ("users", "devices", "groups")


async def walk(client: Client, url: str) -> list[int]:
    """Follow a stream, asking again after a refusal; return the statuses."""
    statuses: list[int] = []
    for _ in range(200):
        response = await client.get(url)
        statuses.append(response.status_code)
        if response.status_code == 200:
            following = response.json().get("@odata.nextLink")
            if not following:
                return statuses
            url = following
    raise AssertionError("the stream did not end")


def first(stream: str, select: str = "displayName") -> str:
    return f"/v1.0/{stream}/delta?$select={select}"


@pytest.mark.parametrize(
    ("page", "statuses"),
    [
        (None, [500, 200, 200, 200]),
        ("first", [500, 200, 200, 200]),
        ("middle", [200, 500, 200, 200]),
        ("last", [200, 200, 500, 200]),
        (1, [500, 200, 200, 200]),
        (2, [200, 500, 200, 200]),
        (3, [200, 200, 500, 200]),
        (4, [200, 200, 200]),
    ],
)
@pytest.mark.parametrize("stream", ["users", "devices"])
async def test_rule_selects_a_page_of_its_stream(
    simulator: Simulator, client: Client, stream: str, page: Any, statuses: list[int]
) -> None:
    """First, middle, last or by number; the other streams do not notice."""
    simulator.use(FaultPlan([Rule("failed.500", stream, page)]))
    assert set(await walk(client, first("groups"))) == {200}
    assert await walk(client, first(stream)) == statuses


@pytest.mark.parametrize(("times", "statuses"), [(2, [200, 500, 500, 200, 200]), (None, [200, 500, 200, 200])])
async def test_rule_happens_as_often_as_it_says(
    simulator: Simulator, client: Client, times: int | None, statuses: list[int]
) -> None:
    """A page asked again is the same page: it fails so many times."""
    simulator.use(FaultPlan([Rule("failed.500", "users", 2, times=times)]))
    assert await walk(client, first("users")) == statuses


async def test_rule_lasts_when_times_is_nought(simulator: Simulator, client: Client) -> None:
    """From then on every request that fits fails, and a plan with such a rule is never spent."""
    plan = FaultPlan([Rule("failed.500", "users", times=0)])
    simulator.use(plan)
    assert {(await client.get(first("users"))).status_code for _ in range(20)} == {500}
    assert (plan.happened, plan.is_spent) == ([20], False)


@pytest.mark.parametrize(("times", "failing"), [(1, [3]), (0, [3, 4, 5])])
async def test_rule_begins_at_a_request_by_number(
    simulator: Simulator, client: Client, times: int, failing: list[int]
) -> None:
    """Requests are counted from 1 since the plan was set: once at the third, or from the third on."""
    await client.get("/v1.0/users?$top=1")
    simulator.use(FaultPlan([Rule("failed.502", request=3, times=times)]))
    statuses = [(await client.get("/v1.0/users?$top=1")).status_code for _ in range(5)]
    assert [n for n, status in enumerate(statuses, 1) if status == 502] == failing


async def test_members_are_pages_that_go_on_with_a_group() -> None:
    """In delta, the stream of members is what follows within a big group; lists of members belong to it too."""
    simulator = Simulator(users=5_000, devices=1, groups=12)
    async with open_client(simulator) as client:
        simulator.use(FaultPlan([Rule("failed.500", "members")]))
        assert (await walk(client, first("groups", "members")))[:3] == [200, 500, 200]
        simulator.use(FaultPlan([Rule("failed.500", "members", "last")]))
        assert (await walk(client, first("groups", "members")))[:4] == [200, 200, 500, 200]
        simulator.use(FaultPlan([Rule("failed.500", "members")]))
        group = simulator.directory.slot_id("groups", 0)
        assert (await client.get(f"/v1.0/groups/{group}/members")).status_code == 500


async def test_first_rule_that_fits_wins(simulator: Simulator, client: Client) -> None:
    """One request gets one fault; the next rule has its turn at the next request."""
    simulator.use(FaultPlan([Rule("failed.500"), Rule("failed.502"), Rule("unavailable.missing", "devices")]))
    statuses = [(await client.get("/v1.0/users?$top=1")).status_code for _ in range(3)]
    assert statuses == [500, 502, 200]


async def test_token_requests_are_a_stream(simulator: Simulator, client: Client) -> None:
    """A rule on the stream token leaves Graph alone, and one on users leaves sign-in alone."""
    simulator.use(FaultPlan([Rule("failed.500", "token", times=0)]))
    assert (await client.get("/v1.0/users?$top=1")).status_code == 200
    url = f"/{simulator.tenant_id}/oauth2/v2.0/token"
    assert (await client.post(url, data={})).status_code == 500
    simulator.use(FaultPlan([Rule("failed.500", "users", times=0)]))
    assert (await client.post(url, data={})).status_code == 400


async def test_log_tells_faults_retries_and_requests_without_an_answer(simulator: Simulator, client: Client) -> None:
    """What was sent is what is counted: status 0 for nothing, and a retry for an address that failed before."""
    simulator.use(FaultPlan([Rule("reset.before-headers", "users"), Rule("truncated-json", "users", "middle")]))
    with pytest.raises(httpx.ReadError):
        await client.get(first("users"))
    link = (await client.get(first("users"))).json()["@odata.nextLink"]
    await client.get(link)
    await client.get(link)
    log = simulator.requests
    assert log.count(template="/v1.0/users/delta", status=0) == 1
    assert log.count(template="/v1.0/users/delta", status=200) == 3
    assert (log.retries, dict(log.faults)) == (2, {"reset.before-headers": 1, "truncated-json": 1})
    assert [entry.fault for entry in log.recent] == ["reset.before-headers", None, "truncated-json", None]
    assert {"retries": 2, "faults": dict(log.faults)}.items() <= log.report().items()
    log.reset()
    assert (log.retries, log.faults, log.recent) == (0, {}, log.recent.__class__())


async def persistent(simulator: Simulator, client: Client, consumer: Consumer, url: str) -> None:
    """Take one round as a patient client does: again after a failure, from the start after a lost state."""
    following: str | None = url
    for _ in range(500):
        if following is None:
            return
        try:
            response = await client.get(following)
            page = response.json() if response.status_code == 200 else None
        except (httpx.TransportError, ValueError):
            continue
        if response.status_code == 401:
            client.headers["authorization"] = f"Bearer {simulator.issue_token()}"
        elif response.status_code == 410:
            following = url
        elif page is not None:
            for item in page["value"]:
                consumer.merge(item)
            following = page.get("@odata.nextLink")
    raise AssertionError("the round did not end")


async def test_rough_night_ends_and_loses_nothing() -> None:
    """Every fault of the plan happens once or twice, and who asks again has the whole directory afterwards."""
    simulator = Simulator(users=900, devices=700, groups=200, seed=3)
    plan = read_plan("rough")
    simulator.use(plan)
    async with open_client(simulator) as client:
        for kind in STREAMS:
            consumer = Consumer(kind, tuple(relations_of(kind)))
            await persistent(simulator, client, consumer, first(kind, f"displayName,{','.join(relations_of(kind))}"))
            assert set(consumer.objects) == set(simulator.directory.ids(kind))
    assert plan.is_spent
    assert 0 < simulator.requests.retries <= 20


@pytest.mark.slow(cases=5)
@pytest.mark.parametrize("seed", range(20))
async def test_seeded_plan_is_the_same_for_the_same_seed(seed: int) -> None:
    """A seed names a plan: rules, and what they do to the same requests."""
    assert seeded(seed).rules == read_plan(f"seed:{seed}").rules
    assert seeded(seed).rules != seeded(seed + 1).rules
    seen = []
    for _ in range(2):
        simulator = Simulator(users=450, devices=10, groups=5, clock=FakeClock())
        simulator.use(seeded(seed))
        async with open_client(simulator) as client:
            for _ in range(6):
                try:
                    await client.get(first("users"))
                except httpx.HTTPError:
                    continue
        seen.append(list(simulator.requests.recent))
    assert seen[0] == seen[1]


def test_plan_comes_from_a_file(tmp_path: Path) -> None:
    """JSON names faults and variants; a bare list is the faults alone; a report can be read again."""
    file = tmp_path / "plan.json"
    value = {"faults": [{"fault": "throttled=3", "stream": "users", "page": 2}], "variants": {"lag_s": 5}}
    file.write_text(json.dumps(value))
    plan = read_plan(str(file))
    assert (plan.rules, plan.variants) == ([Rule("throttled=3", "users", 2)], {"lag_s": 5})
    assert plan_from(value["faults"]).rules == plan.rules
    report = plan.report()
    assert plan_from({name: report[name] for name in ("faults", "variants")}).rules == plan.rules


@pytest.mark.parametrize("name", NAMED)
def test_named_plan_is_fresh_each_time(name: str) -> None:
    """Two tenants with the same plan do not use up each other's faults."""
    assert read_plan(name).happened is not read_plan(name).happened
    assert read_plan(name).rules == NAMED[name].rules


@pytest.mark.parametrize(
    "value",
    [
        "rough", 1, None, {"faults": {}}, {"faults": ["failed.500"]}, {"faults": [{"stream": "users"}]},
        [{"fault": "nothing"}], [{"fault": "failed"}], [{"fault": "failed.500", "stream": "cats"}],
        [{"fault": "failed.500", "page": "second"}], [{"fault": "failed.500", "page": 0}],
        [{"fault": "failed.500", "page": True}], [{"fault": "failed.500", "request": 0}],
        [{"fault": "failed.500", "times": -1}], [{"fault": "failed.500", "times": "2"}],
        [{"fault": "failed.500", "when": 2}], {"variants": {"lag": 1}}, {"variants": []},
    ],
)  # fmt: skip
def test_plan_is_refused_when_it_is_none(value: Any) -> None:
    """A mistake in a plan is told before anything happens, not found out by nothing happening."""
    with pytest.raises(BadInput):
        plan_from(value)


@pytest.mark.parametrize("text", ["heavenly", "seed:", "seed:-1", "seed:x"])
def test_name_of_a_plan_is_refused_when_it_is_none(text: str, tmp_path: Path) -> None:
    """Neither a name, nor a seed, nor a file; or a file that is not JSON."""
    with pytest.raises(BadInput):
        read_plan(text)
    (tmp_path / "text").write_text("faults: none")
    with pytest.raises(BadInput, match="is not JSON"):
        read_plan(str(tmp_path / "text"))


async def test_door_sets_tells_and_ends_a_plan(simulator: Simulator, client: Client) -> None:
    """By name or whole; the door itself never fails, and after the end nothing does."""
    async with open_client(simulator, simulator.admin_key) as door:
        assert (await door.get("/_simulator/faults")).json() is None
        plan = {"faults": [{"fault": "failed.500", "times": 0}], "variants": {"replays": 2}}
        assert (await door.put("/_simulator/faults", json=plan)).status_code == 200
        assert (await client.get("/v1.0/users")).status_code == 500
        report = (await door.get("/_simulator/faults")).json()
        assert (report["happened"], report["requests"]) == ([1], 1)
        assert (await door.get("/_simulator/variants")).json()["replays"] == 2
        assert (await door.delete("/_simulator/faults")).status_code == 200
        assert (await client.get("/v1.0/users")).status_code == 200
        for name in ("rough", "seed:4"):
            report = (await door.put("/_simulator/faults", json={"plan": name})).json()
            assert report["faults"]
        for body in ({"plan": "/etc/hostname"}, {"plan": "rough", "faults": []}, {"faults": [{"fault": "x"}]}):
            assert (await door.put("/_simulator/faults", json=body)).status_code == 400
