"""triggerTask: queues one run and wakes the engine, refuses a second while one is active, once per idempotency key."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from sync.store import tables
from sync.tasks.run.retry import plan_retry
from tests.api.mutation import assert_audited, perform
from tests.api.test_create_credential import SECRET_KIND
from tests.api.world import CLIENT_SECRET, World


async def new_task(office: World, name: str) -> str:
    """Make a task whose credential fits the simulated tenant, and return its id."""
    tenant = {"clientId": office.simulator.secret_app.client_id, "tenantId": office.simulator.tenant_id}
    kind = {"azureClientSecret": {**SECRET_KIND["azureClientSecret"], **tenant, "clientSecret": CLIENT_SECRET}}
    caller = office.caller()
    made = await perform(office, caller, "createCredential", name=name, cloud="CUSTOM", kind=kind)
    connector = {"azureAd": {"credential": made.made()["id"]}}
    return str(
        (await perform(office, caller, "createTask", name=name, site="site_1", connector=connector)).made()["id"]
    )


async def test_run_is_queued_and_carried_out_when_a_task_is_triggered(office: World) -> None:
    """The answer is the queued run; the engine takes it up, and the task shows it as its last."""
    caller, task = office.caller(), await new_task(office, "Run me")
    outcome = await perform(office, caller, "triggerTask", task=task)
    run = outcome.made()
    assert run["status"] in ("QUEUED", "RUNNING") and run["trigger"] == "MANUAL" and run["attempt"] == 1
    assert run["triggeredBy"] == caller.principal.name and run["task"] == {"id": task}
    assert_audited(outcome, caller, "triggerTask", "OK", run["id"])
    await office.runtime.engine.idle()
    text = "query($id: ID!) { task(id: $id) { status lastRun { id status errors { code } } runs { totalCount } } }"
    seen = (await caller.data(text, id=task))["task"]
    assert seen["lastRun"] == {"id": run["id"], "status": "SUCCEEDED", "errors": []}
    assert (seen["status"], seen["runs"]["totalCount"]) == ("IDLE", 1)


async def test_task_is_refused_while_a_run_of_it_is_active(office: World) -> None:
    """One run a task at a time: CONFLICT, audited, and no second run is queued."""
    caller, task = office.caller(), await new_task(office, "Busy")
    (await perform(office, caller, "triggerTask", task=task)).made()
    outcome = await perform(office, caller, "triggerTask", task=task)
    assert outcome.refusal() == ("CONFLICT", ["input", "task"])
    assert_audited(outcome, caller, "triggerTask", "CONFLICT")
    await office.runtime.engine.idle()
    (await perform(office, caller, "triggerTask", task=task)).made()
    await office.runtime.engine.idle()


async def test_run_is_queued_once_when_the_key_is_sent_again(office: World) -> None:
    """The same idempotency key gives the first run, active or ended; for another task it is CONFLICT."""
    caller, task = office.caller(), await new_task(office, "Twice")
    first = (await perform(office, caller, "triggerTask", task=task, idempotencyKey="k")).made()
    while_active = (await perform(office, caller, "triggerTask", task=task, idempotencyKey="k")).made()
    await office.runtime.engine.idle()
    ended = (await perform(office, caller, "triggerTask", task=task, idempotencyKey="k")).made()
    await office.runtime.engine.idle()
    assert first["id"] == while_active["id"] == ended["id"]
    assert ended["status"] == "SUCCEEDED"
    other = await new_task(office, "Other")
    refused = await perform(office, caller, "triggerTask", task=other, idempotencyKey="k")
    assert refused.refusal() == ("CONFLICT", ["input", "idempotencyKey"])


@pytest.mark.parametrize(
    ("task", "code", "place"),
    [("task_9999", "NOT_FOUND", "task"), ("run_1", "INVALID", "task"), ("", "INVALID", "task")],
)
async def test_run_is_refused_when_there_is_no_such_task(office: World, task: str, code: str, place: str) -> None:
    """A missing task is NOT_FOUND, an id of another kind INVALID; both are audited."""
    caller = office.caller()
    outcome = await perform(office, caller, "triggerTask", task=task)
    assert outcome.refusal() == (code, ["input", place])
    assert_audited(outcome, caller, "triggerTask", "NOT_FOUND" if code == "NOT_FOUND" else "BAD_USER_INPUT")


@pytest.mark.parametrize(
    ("paused", "next_run_at", "status", "expected"),
    [
        (False, None, None, "NEW"),
        (False, None, "FAILED", "IDLE"),
        (False, "2099-01-01T00:00:00.000Z", None, "SCHEDULED"),
        (True, "2099-01-01T00:00:00.000Z", "SUCCEEDED", "PAUSED"),
        (True, None, "RUNNING", "ACTIVE"),
        (False, "2099-01-01T00:00:00.000Z", "QUEUED", "ACTIVE"),
    ],
)
async def test_status_of_a_task_follows_its_schedule_and_latest_run(
    office: World, paused: bool, next_run_at: str | None, status: str | None, expected: str
) -> None:
    """An active run comes first, then a pause, then the schedule, then whether it ever ran."""
    task = await new_task(office, f"Status {paused} {next_run_at} {status}")
    key = int(task.removeprefix("task_"))
    async with office.runtime.store.write() as tx:
        await tx.execute(
            tables.tasks.update().where(tables.tasks.c.id == key).values(paused=paused, next_run_at=next_run_at)
        )
        for earlier in ("SUCCEEDED", status) if status else ():
            await tx.execute(insert(tables.runs).values(_run(office.home, key, earlier)))
    data = await office.caller().data("query($id: ID!) { task(id: $id) { status } }", id=task)
    assert data == {"task": {"status": expected}}
    runs = await office.read(select(tables.runs.c.id).where(tables.runs.c.task_id == key))
    assert len(runs) == (2 if status else 0)


async def test_task_shows_the_retry_that_is_planned(office: World) -> None:
    """Its next time, the run that is tried again, and on each run which retry it is; the filters find it."""
    task = await new_task(office, "To be tried again")
    key = int(task.removeprefix("task_"))
    broken = {"errors": [{"code": "UNAVAILABLE", "message": "", "hint": None, "resource": None, "retryable": True}]}
    async with office.runtime.store.write() as tx:
        values = _run(office.home, key, "FAILED") | broken | {"retry_number": 1}
        failed = (await tx.execute(insert(tables.runs).values(values).returning(tables.runs.c.id))).scalar_one()
        clock = office.runtime.clock
        await tx.run_sync(lambda tx: plan_retry(tx, clock, failed, retries=2))
    text = """
    query($id: ID!, $run: ID!) {
      task(id: $id) { status nextRunAt nextRuns retryOf { id retryNumber } }
      tasks(where: {retryOf: {retryNumber: {eq: 1}}}) { nodes { id } }
      taskRun(id: $run) { retryNumber }
    }
    """
    caller, run = office.caller(), f"run_{failed}"
    data = await caller.data(text, id=task, run=run)
    shown = data["task"]
    assert shown["nextRunAt"] and shown["nextRuns"] == [shown["nextRunAt"]]
    assert (shown["status"], shown["retryOf"]) == ("SCHEDULED", {"id": run, "retryNumber": 1})
    assert data["tasks"]["nodes"] == [{"id": task}] and data["taskRun"] == {"retryNumber": 1}
    assert (await perform(office, caller, "pauseTask", task=task)).made()["nextRunAt"] is None


def _run(organization: int, task: int, status: str) -> dict[str, object]:
    now = "2026-11-23T04:05:06.123Z"
    empty: dict[str, object] = {"progress": {}, "counts": {}, "requests": {}, "errors": []}
    place = {"organization_id": organization, "task_id": task, "status": status, "trigger": "MANUAL", "attempt": 1}
    return {**place, **empty, "created_at": now, "updated_at": now}


async def test_everything_is_read_when_the_trigger_asks_for_it(office: World) -> None:
    """`full: true` reads every stream from its start, and the counts say that nothing had to be repaired."""
    caller, task = office.caller(), await new_task(office, "Whole")
    log = office.simulator.requests
    asked = []
    for full in (False, False, True):
        before = log.count(template="/v1.0/users/delta")
        run = (await perform(office, caller, "triggerTask", task=task, full=full)).made()
        await office.runtime.engine.idle()
        asked.append(log.count(template="/v1.0/users/delta") - before)
        text = "query($id: ID!) { taskRun(id: $id) { status counts { inventory repaired } } }"
        seen = (await caller.data(text, id=run["id"]))["taskRun"]
        assert seen["status"] == "SUCCEEDED" and not any(row["repaired"] for row in seen["counts"])
    assert asked[1] == 1 and asked[2] > 1


async def test_interval_of_full_rounds_is_given_changed_and_taken_back(office: World) -> None:
    """`fullRoundDays` of a connector: a number of days, 0 for never, null for what the server is set to."""
    caller, task = office.caller(), await new_task(office, "Interval")
    text = "query($id: ID!) { task(id: $id) { fullRoundDays } }"
    for days in (3, 0, None):
        connector = {"azureAd": {"fullRoundDays": days}}
        (await perform(office, caller, "updateTask", task=task, connector=connector)).made()
        assert (await caller.data(text, id=task))["task"] == {"fullRoundDays": days}
    for days in (-1, 3_651):
        outcome = await perform(office, caller, "updateTask", task=task, connector={"azureAd": {"fullRoundDays": days}})
        assert outcome.refusal() == ("INVALID", ["input", "connector", "azureAd", "fullRoundDays"])
