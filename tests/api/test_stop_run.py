"""stopRun and retryRun: each state of a run, waiting or at work, once for a key; who watches is told."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from sync.events import RUN
from sync.store import tables
from sync.tasks.run.state import MOVES, RETRYABLE, RunStatus
from tests.api.mutation import assert_audited, perform
from tests.api.test_trigger_task import _run, new_task
from tests.api.world import World


async def a_run(office: World, task: str, status: str) -> str:
    """Write a run of a task that no engine knows of, and return its id."""
    values = _run(office.home, int(task.removeprefix("task_")), status)
    async with office.runtime.store.write() as tx:
        return f"run_{await tx.scalar(insert(tables.runs).values(values).returning(tables.runs.c.id))}"


async def row(office: World, run: str) -> dict[str, Any]:
    """Return a run's row."""
    (found,) = await office.read(select(tables.runs).where(tables.runs.c.id == int(run.removeprefix("run_"))))
    return dict(found)


@pytest.mark.parametrize("status", RunStatus)
async def test_run_is_stopped_unless_it_has_ended(office: World, status: RunStatus) -> None:
    """One that waits is STOPPED at once, one at work is asked to; one that has ended is CONFLICT and stays."""
    caller, task = office.caller(), await new_task(office, f"Stop {status}")
    run = await a_run(office, task, status)
    before = await row(office, run)
    with office.runtime.events.subscribe(int(run.removeprefix("run_")), [RUN]) as news:
        outcome = await perform(office, caller, "stopRun", run=run)
        if not MOVES[status]:
            assert outcome.refusal() == ("CONFLICT", ["input", "run"])
            assert_audited(outcome, caller, "stopRun", "CONFLICT")
            assert await row(office, run) == before
            return
        assert (await anext(news)).what == RUN
    made = outcome.made()
    assert made["stopAskedAt"] and made["status"] == ("RUNNING" if status is RunStatus.RUNNING else "STOPPED")
    assert bool(made["finishedAt"]) is (status is not RunStatus.RUNNING)
    assert_audited(outcome, caller, "stopRun", "OK", run)
    async with office.runtime.store.write() as tx:
        await tx.execute(update(tables.runs).where(tables.runs.c.status == "RUNNING").values(status="STOPPED"))


@pytest.mark.parametrize("status", RunStatus)
async def test_run_is_tried_again_if_it_ended_without_success(office: World, status: RunStatus) -> None:
    """A new run that names the first goes to its end; any other state is CONFLICT, and nothing is queued."""
    caller, task = office.caller(), await new_task(office, f"Retry {status}")
    run = await a_run(office, task, status)
    outcome = await perform(office, caller, "retryRun", run=run)
    if status in RETRYABLE:
        made = outcome.made()
        assert (made["trigger"], made["triggeredBy"]) == ("RETRY", caller.principal.name)
        assert made["retryOf"] == {"id": run} and made["task"] == {"id": task} and made["id"] != run
        await office.runtime.engine.idle()
        assert (await row(office, made["id"]))["status"] == "SUCCEEDED"
        assert (await row(office, run))["status"] == status
        return
    assert outcome.refusal() == ("CONFLICT", ["input", "run"])
    assert len(await office.read(select(tables.runs).where(tables.runs.c.task_id == int(task[5:])))) == 1
    async with office.runtime.store.write() as tx:
        await tx.execute(update(tables.runs).where(tables.runs.c.id == int(run[4:])).values(status="STOPPED"))


async def test_triggered_run_is_stopped_and_tried_again_to_its_end(office: World) -> None:
    """What a person does: trigger, stop, see that it stopped, try again; the log tells who asked."""
    caller, task = office.caller(), await new_task(office, "Walk")
    run = (await perform(office, caller, "triggerTask", task=task)).made()["id"]
    (await perform(office, caller, "stopRun", run=run)).made()
    await office.runtime.engine.idle()
    stopped = await row(office, run)
    assert stopped["status"] == "STOPPED" and stopped["finished_at"] and stopped["owner"] is None
    messages = await office.read(select(tables.run_log.c.message).where(tables.run_log.c.run_id == stopped["id"]))
    assert any(message["message"].startswith(caller.principal.name) for message in messages)
    again = (await perform(office, caller, "retryRun", run=run)).made()["id"]
    busy = await perform(office, caller, "retryRun", run=run)
    assert busy.refusal() == ("CONFLICT", ["input", "task"])
    await office.runtime.engine.idle()
    assert (await row(office, again))["status"] == "SUCCEEDED"


@pytest.mark.parametrize("mutation", ["stopRun", "retryRun"])
async def test_request_is_carried_out_once_for_a_key(office: World, mutation: str) -> None:
    """Sent again the first answer comes, though the run is another now; with another run it is CONFLICT."""
    caller, task = office.caller(), await new_task(office, f"Key {mutation}")
    state = "QUEUED" if mutation == "stopRun" else "FAILED"
    run, other = await a_run(office, task, state), await a_run(office, task, "FAILED")
    first = (await perform(office, caller, mutation, run=run, idempotencyKey=mutation)).made()["id"]
    await office.runtime.engine.idle()
    assert (await perform(office, caller, mutation, run=run, idempotencyKey=mutation)).made()["id"] == first
    await office.runtime.engine.idle()
    refused = await perform(office, caller, mutation, run=other, idempotencyKey=mutation)
    assert refused.refusal() == ("CONFLICT", ["input", "idempotencyKey"])


@pytest.mark.parametrize("mutation", ["stopRun", "retryRun"])
@pytest.mark.parametrize(("run", "code"), [("run_999999", "NOT_FOUND"), ("task_1", "INVALID"), ("", "INVALID")])
async def test_run_that_is_not_there_is_refused(office: World, mutation: str, run: str, code: str) -> None:
    """A typed error at its place, audited."""
    outcome = await perform(office, office.caller(), mutation, run=run)
    assert outcome.refusal() == (code, ["input", "run"])
