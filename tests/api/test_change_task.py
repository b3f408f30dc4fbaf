"""updateTask, pauseTask, resumeTask, hideTask, deleteTask: what changes, typed errors, once for a key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from sync.events import RUN
from sync.store import tables
from tests.api.mutation import assert_audited, perform
from tests.api.test_create_task import SITE, connector, credential
from tests.api.test_trigger_task import _run, new_task
from tests.api.world import World

START = "2999-01-01T00:00:00.000Z"
WEEKLY = {"weekly": {"days": ["FRIDAY", "MONDAY"], "at": "02:30"}, "zone": "Europe/Berlin"}
NONE: dict[str, Any] = dict.fromkeys(["moment", "everyHours", "at", "days", "day", "cron", "start", "end"])
# Input → what the task shows besides nulls.
SCHEDULES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "once": ({"once": {"at": START}}, {"kind": "ONCE", "moment": START}),
    "everyHours": ({"everyHours": 6, "start": START}, {"kind": "HOURLY", "everyHours": 6, "start": START}),
    "daily": ({"daily": {"at": "02:30"}, "end": START}, {"kind": "DAILY", "at": "02:30", "end": START}),
    "weekly": (WEEKLY, {"kind": "WEEKLY", "at": "02:30", "days": ["MONDAY", "FRIDAY"], "zone": "Europe/Berlin"}),
    "monthly": ({"monthly": {"day": 31, "at": "23:59"}}, {"kind": "MONTHLY", "day": 31, "at": "23:59"}),
    "cron": (
        {"cron": "30 2 * * MON-FRI", "jitterSeconds": 60, "graceSeconds": 0},
        {"kind": "CRON", "cron": "30 2 * * MON-FRI", "jitterSeconds": 60, "graceSeconds": 0},
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("mutation", ["createTask", "updateTask"])
async def test_schedule_shows_as_it_was_given(office: World, name: str, mutation: str) -> None:
    """Each rule, with a new task and with one that is there: shown again, and the task waits for its next time."""
    caller, (given, shown) = office.caller(), SCHEDULES[name]
    if mutation == "createTask":
        key = await credential(office, f"For {name}")
        target: dict[str, Any] = {"name": name, "site": SITE, "connector": connector(key)}
    else:
        target = {"task": await new_task(office, f"To be {name}")}
    made = (await perform(office, caller, mutation, **target, schedule=given)).made()
    defaults = NONE | {"zone": "UTC", "jitterSeconds": 0, "graceSeconds": None}
    assert made["schedule"] == defaults | shown
    assert made["status"] == "SCHEDULED" and made["nextRunAt"]
    text = "query($id: ID!) { task(id: $id) { nextRunAt nextRuns(count: 3) } }"
    ahead = (await caller.data(text, id=made["id"]))["task"]
    assert ahead["nextRuns"][0] == ahead["nextRunAt"] and ahead["nextRuns"] == sorted(ahead["nextRuns"])
    assert len(ahead["nextRuns"]) == (1 if name == "once" else 3)
    gone = (await perform(office, caller, "updateTask", task=made["id"], schedule=None)).made()
    assert (gone["schedule"], gone["nextRunAt"], gone["status"]) == (None, None, "NEW")


@pytest.mark.parametrize(
    ("schedule", "place"),
    [
        ({}, "schedule"),
        ({"everyHours": 6, "cron": "* * * * *"}, "schedule"),
        ({"once": {"at": "2001-01-01T00:00:00Z"}}, "schedule"),
        ({"everyHours": 0}, "schedule.everyHours"),
        ({"daily": {"at": "2:30"}}, "schedule.daily.at"),
        ({"weekly": {"days": [], "at": "02:30"}}, "schedule.weekly.days"),
        ({"monthly": {"day": 32, "at": "02:30"}}, "schedule.monthly.day"),
        ({"cron": "x"}, "schedule.cron"),
        ({"daily": {"at": "02:30"}, "zone": "Mars/Olympus"}, "schedule.zone"),
        ({"daily": {"at": "02:30"}, "jitterSeconds": -1}, "schedule.jitterSeconds"),
        ({"daily": {"at": "02:30"}, "graceSeconds": -1}, "schedule.graceSeconds"),
        ({"daily": {"at": "02:30"}, "start": "2031-01-01", "end": "2030-01-01"}, "schedule.end"),
    ],
    ids=str,
)
async def test_schedule_is_refused_at_its_place(office: World, schedule: dict[str, Any], place: str) -> None:
    """INVALID, where the mistake is, and the task stays as it was."""
    caller, task = office.caller(), await new_task(office, f"Refused {place} {len(str(schedule))}")
    outcome = await perform(office, caller, "updateTask", task=task, name="Another", schedule=schedule)
    assert outcome.refusal() == ("INVALID", ["input", *place.split(".")])
    assert (await row(office, task))["name"] != "Another"


@pytest.mark.parametrize("count", [0, 101])
async def test_preview_is_refused_when_it_is_out_of_bounds(office: World, count: int) -> None:
    """Neither none nor endlessly many."""
    task = await new_task(office, f"Preview of {count}")
    answer = await office.caller().ask(f'{{ task(id: "{task}") {{ nextRuns(count: {count}) }} }}')
    assert answer.code == "BAD_USER_INPUT"


async def row(office: World, task: str) -> dict[str, Any]:
    """Return a task's row."""
    (found,) = await office.read(select(tables.tasks).where(tables.tasks.c.id == int(task.removeprefix("task_"))))
    return dict(found)


async def test_only_what_is_given_changes(office: World) -> None:
    """Name, description, credential and options of a connector, each alone; the rest stays."""
    caller, task = office.caller(), await new_task(office, "Before")
    other = await credential(office, "Another one")
    before = await row(office, task)
    outcome = await perform(office, caller, "updateTask", task=task, name=" After ", description="Why.")
    assert (outcome.made()["name"], outcome.made()["description"]) == ("After", "Why.")
    assert_audited(outcome, caller, "updateTask", "OK", task)
    await perform(office, caller, "updateTask", task=task, description=None)
    changed: dict[str, Any] = {"azureAd": {"credential": other, "excludeUnknown": True}}
    await perform(office, caller, "updateTask", task=task, connector=changed)
    after = await row(office, task)
    expected = {"name": "After", "credential_id": int(other.removeprefix("cred_")), "exclude_unknown": True}
    assert after == before | expected | {"updated_at": after["updated_at"]}


async def test_scan_changes_in_the_parts_that_are_given(office: World) -> None:
    """Options that are left out stay; null is what a new scan has; the probe needs a credential."""
    caller = office.caller()
    scan = {"targets": ["10.0.0.0/28"], "excludes": ["10.0.0.1"], "ports": "22", "rate": 9, "scanner": "EMBEDDED"}
    task = (await perform(office, caller, "createTask", name="Scan", site=SITE, scan=scan)).made()["id"]
    probes: dict[str, Any] = {"azureAd": {"enabled": True}}
    refused = await perform(office, caller, "updateTask", task=task, scan={"probes": probes})
    assert refused.refusal() == ("INVALID", ["input", "scan", "probes", "azureAd", "credential"])
    probes = {"azureAd": {"enabled": True, "credential": await credential(office, "Probe"), "excludeUnknown": True}}
    changed = {"targets": ["10.0.0.7"], "excludes": None, "ports": None, "rate": 10, "probes": probes}
    made = (await perform(office, caller, "updateTask", task=task, scan=changed)).made()["scan"]
    probe = {"enabled": True, "excludeUnknown": True, "includeInactive": False}
    assert made == {
        "targets": ["10.0.0.7"], "excludes": [], "ports": None, "rate": 10, "scanner": "EMBEDDED",
        "probes": {"azureAd": probe},
    }  # fmt: skip
    off = {"probes": {"azureAd": {"enabled": False}}, "scanner": None}
    made = (await perform(office, caller, "updateTask", task=task, scan=off)).made()["scan"]
    assert made["scanner"] is None and made["probes"] == {"azureAd": probe | {"enabled": False}}


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"description": "x" * 4_001}, "description"),
        ({"scan": {"rate": 5}}, "scan"),
        ({"connector": {"azureAd": {"credential": None}}}, "connector.azureAd.credential"),
        ({"connector": {"azureAd": {"excludeUnknown": None}}}, "connector.azureAd.excludeUnknown"),
        ({"connector": {"azureAd": {}}, "scan": {}}, "connector"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
    ],
    ids=str,
)
async def test_change_is_refused_when_a_value_cannot_be_used(
    office: World, changed: dict[str, Any], place: str
) -> None:
    """INVALID at its place, audited."""
    caller, task = office.caller(), await new_task(office, f"{place} {len(str(changed))}")
    outcome = await perform(office, caller, "updateTask", task=task, **changed)
    assert outcome.refusal() == ("INVALID", ["input", *place.split(".")])
    assert_audited(outcome, caller, "updateTask", "BAD_USER_INPUT")


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"targets": None}, "targets"),
        ({"targets": []}, "targets"),
        ({"excludes": ["10.0.0.0/8"]}, "excludes"),
        ({"ports": "70000"}, "ports"),
        ({"rate": 0}, "rate"),
    ],
    ids=str,
)
async def test_scan_is_refused_when_nothing_could_be_made_of_it(
    office: World, changed: dict[str, Any], place: str
) -> None:
    """A changed scan is checked like a new one."""
    scan = {"targets": ["10.0.0.7"]}
    made = await perform(office, office.caller(), "createTask", name="Scan", site=SITE, scan=scan)
    outcome = await perform(office, office.caller(), "updateTask", task=made.made()["id"], scan=changed)
    assert outcome.refusal() == ("INVALID", ["input", "scan", place])


async def test_paused_task_waits_until_it_is_resumed(office: World) -> None:
    """While it is paused it has no next time; twice is as good as once; a trigger works meanwhile."""
    caller, task = office.caller(), await new_task(office, "Paused")
    await perform(office, caller, "updateTask", task=task, schedule=WEEKLY)
    for _ in range(2):
        outcome = await perform(office, caller, "pauseTask", task=task)
        assert outcome.made() == {"id": task, "status": "PAUSED", "paused": True, "nextRunAt": None, "nextRuns": []}
        assert_audited(outcome, caller, "pauseTask", "OK", task)
    (await perform(office, caller, "triggerTask", task=task)).made()
    await office.runtime.engine.idle()
    made = (await perform(office, caller, "resumeTask", task=task)).made()
    assert (made["status"], made["paused"], len(made["nextRuns"])) == ("SCHEDULED", False, 5)
    assert datetime.fromisoformat(made["nextRunAt"]) > office.runtime.clock.now()


async def test_task_is_hidden_and_comes_back(office: World) -> None:
    """A mark that lists can filter by; the task itself stays as it is."""
    caller, task = office.caller(), await new_task(office, "Hidden")
    text = "{ tasks(first: 1000, where: {hidden: {eq: true}}) { nodes { id } } }"
    for hidden in (True, False):
        assert (await perform(office, caller, "hideTask", task=task, hidden=hidden)).made()["hidden"] is hidden
        assert ({"id": task} in (await caller.data(text))["tasks"]["nodes"]) is hidden


async def test_deleted_task_takes_its_runs_and_logs_along(office: World) -> None:
    """Task, runs, logs and remembered answers go, who watches a run is told, and the inventory stays."""
    caller, task = office.caller(), await new_task(office, "Doomed")
    run = (await perform(office, caller, "triggerTask", task=task, idempotencyKey="doomed")).made()["id"]
    assert (await perform(office, caller, "deleteTask", task=task)).refusal() == ("CONFLICT", ["input", "task"])
    await office.runtime.engine.idle()
    users = await office.rows(tables.users, office.home)
    with office.runtime.events.subscribe(int(run.removeprefix("run_")), [RUN]) as news:
        outcome = await perform(office, caller, "deleteTask", task=task, idempotencyKey="d")
        assert (await anext(news)).what == RUN
    assert outcome.made() == task
    assert_audited(outcome, caller, "deleteTask", "OK", task)
    assert (await perform(office, caller, "deleteTask", task=task, idempotencyKey="d")).made() == task
    assert (await perform(office, caller, "deleteTask", task=task)).refusal() == ("NOT_FOUND", ["input", "task"])
    mine = tables.run_log.c.run_id == int(run.removeprefix("run_"))
    assert (await office.read(select(func.count().label("n")).where(mine)))[0]["n"] == 0
    assert await office.rows(tables.users, office.home) == users
    key = tables.idempotency_keys.c.key == "doomed"
    assert await office.read(select(tables.idempotency_keys).where(key)) == []


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "updateTask": ({"name": "Once"}, {"name": "Twice"}),
    "hideTask": ({"hidden": True}, {"hidden": False}),
}


@pytest.mark.parametrize("mutation", ["updateTask", "hideTask", "pauseTask", "resumeTask", "deleteTask"])
async def test_change_is_made_once_for_a_key(office: World, mutation: str) -> None:
    """Sent again nothing is done, whatever happened since; the key with another input is CONFLICT."""
    caller, key = office.caller(), f"once {mutation}"
    task, other = await new_task(office, mutation), await new_task(office, f"other {mutation}")
    given, different = CHANGES.get(mutation, ({}, {}))
    first = (await perform(office, caller, mutation, task=task, **given, idempotencyKey=key)).made()
    if mutation != "deleteTask":
        mine = tables.tasks.c.id == int(task.removeprefix("task_"))
        async with office.runtime.store.write() as tx:
            values = {"name": "Since", "hidden": False, "paused": mutation == "resumeTask"}
            await tx.execute(update(tables.tasks).where(mine).values(values))
        before = await row(office, task)
        assert (await perform(office, caller, mutation, task=task, **given, idempotencyKey=key)).made()["id"] == task
        assert await row(office, task) == before
    assert first
    target = {"task": task, **different} if different else {"task": other}
    refused = await perform(office, caller, mutation, **target, idempotencyKey=key)
    assert refused.refusal() == ("CONFLICT", ["input", "idempotencyKey"])


async def test_many_tasks_are_paused_and_resumed_by_a_filter(office: World) -> None:
    """Those the filter chooses, counted when they change, each with an audit row of its own."""
    caller = office.caller()
    chosen = [await new_task(office, f"Many {number}") for number in range(3)]
    await new_task(office, "Few")
    where = {"name": {"startsWith": "Many"}}
    for mutation, paused in (("pauseTasks", True), ("resumeTasks", False)):
        outcome = await perform(office, caller, mutation, where=where)
        assert outcome.made() == 3
        assert [entry["target"] for entry in outcome.audit] == [*chosen, f"org_{office.home}"]
        assert (await perform(office, caller, mutation, where=where)).made() == 0
        assert [(await row(office, task))["paused"] for task in chosen] == [paused] * 3
    assert (await perform(office, caller, "pauseTasks", where={})).refusal()[0] == "INVALID"


async def test_runs_are_stopped_by_a_filter(office: World) -> None:
    """Runs that have not ended; those that have are not counted and stay as they are."""
    caller, task = office.caller(), await new_task(office, "Stopped together")
    for status in ("QUEUED", "SUCCEEDED", "NEEDS_CONFIRMATION"):
        values = _run(office.home, int(task.removeprefix("task_")), status)
        async with office.runtime.store.write() as tx:
            await tx.execute(insert(tables.runs).values(values))
    where = {"task": {"id": {"eq": task}}}
    assert (await perform(office, caller, "stopRuns", where=where)).made() == 2
    mine = tables.runs.c.task_id == int(task.removeprefix("task_"))
    found = await office.read(select(tables.runs.c.status).where(mine).order_by(tables.runs.c.id))
    assert [run["status"] for run in found] == ["STOPPED", "SUCCEEDED", "STOPPED"]
    assert (await perform(office, caller, "stopRuns", where=where)).made() == 0
