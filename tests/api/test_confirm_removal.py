"""confirmRemoval: lets a run go on that was held, once; administrators only, and only for the run that waits."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from schema.access import Role
from sync.store import tables
from tests.api.mutation import assert_audited, perform
from tests.api.test_trigger_task import _run, new_task
from tests.api.world import World

HELD = {"users": {"rows": 250, "of": 1000, "confirmed": False}, "groups": {"rows": 101, "of": 102, "confirmed": False}}


async def waiting_run(office: World, task: str, status: str = "NEEDS_CONFIRMATION") -> int:
    """Write a run of a task in the state that a held sweep leaves it in."""
    values = _run(office.home, int(task.removeprefix("task_")), status) | {"removals": HELD}
    async with office.runtime.store.write() as tx:
        return int(await tx.scalar(insert(tables.runs).values(values).returning(tables.runs.c.id)) or 0)


async def row(office: World, key: int) -> dict[str, Any]:
    """Return a run's row."""
    (found,) = await office.read(select(tables.runs).where(tables.runs.c.id == key))
    return dict(found)


async def test_run_goes_on_when_an_administrator_confirms(office: World) -> None:
    """It is queued, carried out and ends; the log says who let it pass and how much; the audit log has it."""
    caller, task = office.caller(Role.ADMINISTRATOR), await new_task(office, "Held")
    key = await waiting_run(office, task)
    outcome = await perform(office, caller, "confirmRemoval", run=f"run_{key}")
    made = outcome.made()
    assert made["id"] == f"run_{key}" and made["status"] in ("QUEUED", "RUNNING") and made["task"] == {"id": task}
    assert_audited(outcome, caller, "confirmRemoval", "OK", f"run_{key}")
    await office.runtime.engine.idle()
    after = await row(office, key)
    assert after["status"] == "SUCCEEDED"
    assert after["removals"] == {kind: held | {"confirmed": True} for kind, held in HELD.items()}
    messages = await office.read(select(tables.run_log.c.message).where(tables.run_log.c.run_id == key))
    told = f"{caller.principal.name} confirmed the removal of 101 of 102 groups, 250 of 1,000 users."
    assert told in [message["message"] for message in messages]


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "SUCCEEDED", "PARTIAL", "FAILED", "STOPPED"])
async def test_confirmation_is_refused_when_the_run_does_not_wait_for_it(office: World, status: str) -> None:
    """CONFLICT, audited, and the run stays as it is."""
    caller, task = office.caller(Role.ADMINISTRATOR), await new_task(office, f"Not held {status}")
    key = await waiting_run(office, task, status)
    before = await row(office, key)
    outcome = await perform(office, caller, "confirmRemoval", run=f"run_{key}")
    assert outcome.refusal() == ("CONFLICT", ["input", "run"])
    assert_audited(outcome, caller, "confirmRemoval", "CONFLICT")
    assert await row(office, key) == before
    async with office.runtime.store.write() as tx:
        await tx.execute(update(tables.runs).where(tables.runs.c.id == key).values(status="STOPPED"))


@pytest.mark.parametrize(("run", "code"), [("run_99999", "NOT_FOUND"), ("task_1", "INVALID"), ("", "INVALID")])
async def test_confirmation_is_refused_when_there_is_no_such_run(office: World, run: str, code: str) -> None:
    """A missing run is NOT_FOUND, an id of another kind INVALID."""
    outcome = await perform(office, office.caller(Role.ADMINISTRATOR), "confirmRemoval", run=run)
    assert outcome.refusal() == (code, ["input", "run"])


async def test_waiting_run_is_stopped_when_the_task_is_triggered_again(office: World) -> None:
    """The newer run finds out anew what there is to confirm; the older one can no longer be let loose."""
    caller, task = office.caller(Role.ADMINISTRATOR), await new_task(office, "Superseded")
    key = await waiting_run(office, task)
    (await perform(office, caller, "triggerTask", task=task)).made()
    await office.runtime.engine.idle()
    assert (await row(office, key))["status"] == "STOPPED"
    outcome = await perform(office, caller, "confirmRemoval", run=f"run_{key}")
    assert outcome.refusal() == ("CONFLICT", ["input", "run"])
