"""Alerts from the end of a run to the receiver: which, signed how, tried how often; never in the way, none lost."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from server.simulator import Simulator
from sync.alert.outbox import write
from sync.alert.post import Outcome
from sync.alert.sender import BACKOFF_S, KEPT_MAX
from sync.alert.webhook import AlertEvent, NewWebhook, create_webhook, delete_webhook, update_webhook
from sync.errors import Unavailable
from sync.runtime import Config
from sync.store.tables import deliveries, webhooks
from sync.tasks.run.run import Run
from sync.tasks.run.state import RunStatus
from tests.canary import canary_secret
from tests.end_to_end.installation import Installation

ORIGIN = "https://hooks.example"
SECRET = canary_secret("webhook")
RUN_EVENTS = (AlertEvent.RUN_FAILED, AlertEvent.RUN_RECOVERED, AlertEvent.CONFIRMATION_NEEDED)


class Receiver(Installation):
    """An installation whose alerts end here; `answers` are given in turn, 200 when there is none left."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(Simulator(users=3, devices=2, groups=1), data_dir)
        self.got: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.answers: list[Outcome | asyncio.Event] = []
        self.allowed: tuple[str, ...] = (ORIGIN,)

    def config(self) -> Config:
        """Return the settings with this as the receiver."""
        return replace(super().config(), alert_origins=self.allowed, post=self.post)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Take a message; an event among the answers is waited for."""
        self.got.append((url, body, headers))
        answer = self.answers.pop(0) if self.answers else Outcome(200)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return Outcome(200)
        return answer

    async def hook(self, name: str = "Desk", events: tuple[AlertEvent, ...] = RUN_EVENTS, path: str = "/in") -> int:
        """Create a webhook."""
        runtime = self.runtime
        async with runtime.store.write() as tx:
            return await create_webhook(
                tx,
                self.clock,
                runtime.vault,
                runtime.alerts.allowed,
                organization_id=self.organization_id,
                new=NewWebhook(name, ORIGIN + path, events, SECRET),
                created_by="test",
            )

    async def end(self, status: RunStatus) -> int:
        """Have a run of the task end like this; returns its key."""
        run_id = await self.queue()
        run = await Run.claim(self.runtime.store, self.clock, run_id)
        if status is not RunStatus.SUCCEEDED:
            await run.fail(self.runtime.store, Unavailable(hint="Check the network."), "users")
        await run.finish(self.runtime.store, status)
        return run_id

    async def log_of(self, webhook_id: int) -> list[dict[str, Any]]:
        """Return what became of the messages of a webhook."""
        mine = select(deliveries).where(deliveries.c.webhook_id == webhook_id).order_by(deliveries.c.id)
        async with self.runtime.store.read() as tx:
            return [dict(row) for row in (await tx.execute(mine)).mappings()]

    def events(self) -> list[str]:
        """Return the events that were received."""
        return [json.loads(body)["event"] for _, body, _ in self.got]


@pytest.fixture
async def receiver(data_dir: Path) -> AsyncIterator[Receiver]:
    """Return an installation with a task."""
    opened = Receiver(data_dir)
    await opened.open()
    await opened.furnish()
    try:
        yield opened
    finally:
        await opened.close()


async def test_webhook_is_told_of_failure_recovery_and_confirmation_when_runs_end(receiver: Receiver) -> None:
    """A failure each time, the first success after one, a run that waits; other successes and stops are no alert."""
    await receiver.hook()
    ends = ["SUCCEEDED", "FAILED", "STOPPED", "PARTIAL", "SUCCEEDED", "SUCCEEDED", "NEEDS_CONFIRMATION"]
    for status in ends:
        await receiver.end(RunStatus(status))
        await receiver.runtime.alerts.idle()
    assert receiver.events() == ["RUN_FAILED", "RUN_FAILED", "RUN_RECOVERED", "CONFIRMATION_NEEDED"]


async def test_message_says_which_run_it_is_and_what_went_wrong(receiver: Receiver) -> None:
    """With the ids of the API and the hint of the error, to the address that was given, with the event in a header."""
    hook = await receiver.hook()
    run_id = await receiver.end(RunStatus.FAILED)
    await receiver.runtime.alerts.idle()
    ((url, body, headers),) = receiver.got
    error = {
        "code": "UNAVAILABLE",
        "message": "Microsoft Graph or Entra ID did not answer.",
        "hint": "Check the network.",
        "resource": "users",
    }
    assert json.loads(body) == {
        "event": "RUN_FAILED",
        "at": "2026-11-23T04:05:06.000Z",
        "organization": f"org_{receiver.organization_id}",
        "task": {"id": f"task_{receiver.task_id}", "name": "Directory"},
        "run": {"id": f"run_{run_id}", "status": "FAILED", "errors": [error]},
    }
    (row,) = await receiver.log_of(hook)
    assert (url, headers["Rollcall-Event"]) == (f"{ORIGIN}/in", "RUN_FAILED")
    assert headers["Rollcall-Delivery"] == f"alert_{row['id']}"
    assert (row["status"], row["attempts"], row["http_status"], row["error"]) == ("DELIVERED", 1, 200, None)


async def test_message_carries_a_signature_that_the_receiver_can_check(receiver: Receiver) -> None:
    """HMAC-SHA-256 of the time of sending, a full stop and the body, with the webhook's secret."""
    await receiver.hook()
    await receiver.end(RunStatus.FAILED)
    await receiver.runtime.alerts.idle()
    ((_, body, headers),) = receiver.got
    match = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["Rollcall-Signature"])
    assert match and int(match[1]) == int(receiver.clock.now().timestamp())
    expected = hmac.new(SECRET.encode(), match[1].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(match[2], expected)


async def test_message_is_tried_again_with_growing_pauses_until_it_arrives(receiver: Receiver) -> None:
    """Refusals and broken connections are waited out; the time in the signature is that of the try."""
    hook = await receiver.hook()
    receiver.answers = [Outcome(503), Outcome(None, "the connection was refused"), Outcome(302), Outcome(204)]
    before = receiver.clock.now()
    await receiver.end(RunStatus.FAILED)
    await receiver.runtime.alerts.idle()
    (row,) = await receiver.log_of(hook)
    assert (row["status"], row["attempts"], row["http_status"], row["error"]) == ("DELIVERED", 4, 204, None)
    assert (receiver.clock.now() - before).total_seconds() >= sum(BACKOFF_S[:3])
    signatures = {headers["Rollcall-Signature"] for _, _, headers in receiver.got}
    assert len(signatures) == 4 and len({body for _, body, _ in receiver.got}) == 1


async def test_message_is_given_up_when_nobody_answers_for_most_of_a_day(receiver: Receiver) -> None:
    """Eight tries, then FAILED with the last reason; nothing is pending any more."""
    hook = await receiver.hook()
    receiver.answers = [Outcome(None, "the host name cannot be resolved")] * 20
    await receiver.end(RunStatus.FAILED)
    await receiver.runtime.alerts.idle()
    (row,) = await receiver.log_of(hook)
    assert (row["status"], row["attempts"], row["next_attempt_at"]) == ("FAILED", len(BACKOFF_S) + 1, None)
    assert row["error"] == "the host name cannot be resolved" and len(receiver.got) == 8


async def test_run_ends_at_once_when_the_receiver_does_not(receiver: Receiver) -> None:
    """A message that hangs is nobody's concern but its own: a second run ends, another webhook is told."""
    slow = await receiver.hook("Slow", path="/slow")
    never = asyncio.Event()
    receiver.answers = [never]
    await receiver.end(RunStatus.FAILED)
    while not receiver.got:  # noqa: ASYNC110 - the sender has no event for what it has begun
        await asyncio.sleep(0)
    await receiver.end(RunStatus.FAILED)
    assert [row["status"] for row in await receiver.log_of(slow)] == ["PENDING", "PENDING"]
    never.set()
    await receiver.runtime.alerts.idle()
    assert [row["status"] for row in await receiver.log_of(slow)] == ["DELIVERED", "DELIVERED"]


async def test_message_is_sent_after_a_restart_when_the_process_ended_before(receiver: Receiver) -> None:
    """What was being sent when the process stopped, or was written and never sent, goes out under the same number."""
    hook = await receiver.hook()
    receiver.answers = [asyncio.Event()]
    await receiver.end(RunStatus.FAILED)
    while not receiver.got:  # noqa: ASYNC110 - the sender has no event for what it has begun
        await asyncio.sleep(0)
    await receiver.close()
    await receiver.open()
    await receiver.runtime.alerts.idle()
    first, second = (headers["Rollcall-Delivery"] for _, _, headers in receiver.got)
    assert first == second
    assert [row["status"] for row in await receiver.log_of(hook)] == ["DELIVERED"]


async def test_nothing_is_sent_when_the_operator_no_longer_allows_the_host(receiver: Receiver) -> None:
    """The setting counts when a message is sent, not only when the webhook was made."""
    hook = await receiver.hook()
    await receiver.close()
    receiver.allowed = ("https://other.example",)
    await receiver.open()
    await receiver.end(RunStatus.FAILED)
    await receiver.runtime.alerts.idle()
    (row,) = await receiver.log_of(hook)
    assert receiver.got == []
    assert (row["status"], row["error"]) == ("FAILED", f"the operator does not allow {ORIGIN}")


async def test_webhook_is_told_only_of_what_it_wants_and_while_it_is_on(receiver: Receiver) -> None:
    """Another event, a switch that is off and a deletion each keep it silent; what waited is given up."""
    runtime, organization_id = receiver.runtime, receiver.organization_id
    recovery = await receiver.hook("Recovery", (AlertEvent.RUN_RECOVERED,))
    off, gone = await receiver.hook("Off"), await receiver.hook("Gone")
    async with runtime.store.write() as tx:
        changes = {"is_enabled": False}
        await update_webhook(
            tx, receiver.clock, runtime.vault, (), organization_id=organization_id, webhook_id=off, changes=changes
        )
        await delete_webhook(tx, organization_id, gone)
    await receiver.end(RunStatus.FAILED)
    await receiver.end(RunStatus.SUCCEEDED)
    await runtime.alerts.idle()
    assert receiver.events() == ["RUN_RECOVERED"]
    assert [len(await receiver.log_of(key)) for key in (recovery, off, gone)] == [1, 0, 0]


async def test_what_waits_is_given_up_when_the_webhook_is_switched_off(receiver: Receiver) -> None:
    """A message in its pause is not sent any more, and the log says why."""
    hook, runtime = await receiver.hook(), receiver.runtime
    never = asyncio.Event()
    receiver.answers = [never]
    await receiver.end(RunStatus.FAILED)
    while not receiver.got:  # noqa: ASYNC110 - the sender has no event for what it has begun
        await asyncio.sleep(0)
    async with runtime.store.write() as tx:
        await update_webhook(
            tx, receiver.clock, runtime.vault, (), organization_id=receiver.organization_id, webhook_id=hook,
            changes={"is_enabled": False},
        )  # fmt: skip
    never.set()
    await runtime.alerts.idle()
    (row,) = await receiver.log_of(hook)
    assert (row["status"], row["error"]) == ("FAILED", "The webhook was switched off.")


async def test_message_fails_when_its_secret_was_tampered_with(receiver: Receiver) -> None:
    """Sealed bytes that were moved from another webhook do not open; nothing goes out unsigned."""
    hook, other = await receiver.hook(), await receiver.hook("Other", (AlertEvent.RUN_RECOVERED,))
    async with receiver.runtime.store.write() as tx:
        sealed = await tx.scalar(select(webhooks.c.sealed_secret).where(webhooks.c.id == other))
        await tx.execute(update(webhooks).where(webhooks.c.id == hook).values(sealed_secret=sealed))
    await receiver.end(RunStatus.FAILED)
    await receiver.runtime.alerts.idle()
    (row,) = await receiver.log_of(hook)
    assert receiver.got == [] and row["status"] == "FAILED" and row["error"]


async def test_log_of_a_webhook_stays_bounded(receiver: Receiver) -> None:
    """The latest thousand are kept; older ones go as new ones end."""
    hook, store = await receiver.hook(), receiver.runtime.store

    def fill(tx: Any) -> None:
        for _ in range(KEPT_MAX + 20):
            write(tx, receiver.clock, receiver.organization_id, hook, AlertEvent.TEST, {})
        tx.execute(update(deliveries).values(status="DELIVERED", next_attempt_at=None))

    await store.transact(fill)
    await receiver.end(RunStatus.FAILED)
    await receiver.runtime.alerts.idle()
    rows = await receiver.log_of(hook)
    assert len(rows) == KEPT_MAX and rows[-1]["event"] == "RUN_FAILED"
