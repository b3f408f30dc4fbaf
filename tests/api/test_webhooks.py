"""createWebhook, updateWebhook, deleteWebhook, testWebhook: checked, sealed, audited; the log of what was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.simulator import Simulator
from sync.alert.post import Outcome
from sync.runtime import Config, Runtime
from sync.store import tables
from tests.api.mutation import assert_audited, perform
from tests.api.world import World
from tests.canary import canary_secret

SECRET = canary_secret("webhook-of-the-api")
URL = "https://hooks.example/rollcall"
NEW = {"url": URL, "events": ["RUN_FAILED", "RUN_RECOVERED"], "secret": SECRET}


@pytest.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Return an installation whose operator allows one receiver, which takes everything."""

    async def post(_url: str, _body: bytes, _headers: Mapping[str, str]) -> Outcome:
        return Outcome(202)

    data_dir: Path = tmp_path_factory.mktemp("desk") / "data"
    config = Config(data_dir, alert_origins=("https://hooks.example", "http://127.0.0.1:9"), post=post)
    runtime = await Runtime.open(config)
    try:
        opened = World(runtime, Simulator(users=1, devices=1, groups=1), home=1)
        opened.beta = await opened.new_organization("Beta", seed=5)
        yield opened
    finally:
        await runtime.close()


async def test_webhook_is_made_and_its_secret_never_shown(desk: World) -> None:
    """What was given comes back but for the secret, which lies sealed; one audit row names it."""
    caller = desk.caller()
    outcome = await perform(desk, caller, "createWebhook", name="Made", **NEW)
    made = outcome.made()
    assert (made["name"], made["url"], made["events"]) == ("Made", URL, ["RUN_FAILED", "RUN_RECOVERED"])
    assert made["isEnabled"] and made["createdBy"] == caller.principal.name
    assert_audited(outcome, caller, "createWebhook", "OK", made["id"])
    (row,) = await desk.read(select(tables.webhooks).where(tables.webhooks.c.name == "Made"))
    assert SECRET.encode() not in row["sealed_secret"] and len(row["sealed_secret"]) == len(SECRET) + 33
    listed = await caller.data("{ webhooks { id name } }")
    assert {"id": made["id"], "name": "Made"} in listed["webhooks"]
    assert await desk.caller(organization=desk.beta).data("{ webhooks { name } }") == {
        "webhooks": [{"name": f"hook {number}"} for number in range(3)]
    }


@pytest.mark.slow(cases=6)
@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        ({"name": ""}, "INVALID", "name"),
        ({"url": "https://evil.example/"}, "INVALID", "url"),
        ({"url": "http://hooks.example/"}, "INVALID", "url"),
        ({"url": "https://hooks.example:8443/"}, "INVALID", "url"),
        ({"url": "https://user:pass@hooks.example/"}, "INVALID", "url"),
        ({"url": "https://hooks.example@evil.example/"}, "INVALID", "url"),
        ({"url": "https://hooks.example\\@evil.example/"}, "INVALID", "url"),
        ({"url": "https://hooks.example/#x"}, "INVALID", "url"),
        ({"url": "https://hooks.example:99999/"}, "INVALID", "url"),
        ({"url": "file:///etc/passwd"}, "INVALID", "url"),
        ({"url": "https://hooks.example.evil.example/"}, "INVALID", "url"),
        ({"url": "nonsense"}, "INVALID", "url"),
        ({"events": []}, "INVALID", "events"),
        ({"events": ["TEST"]}, "INVALID", "events"),
        ({"secret": "short"}, "INVALID", "secret"),
        ({"secret": "x" * 201}, "INVALID", "secret"),
        ({"name": "Taken"}, "CONFLICT", "name"),
    ],
)
async def test_webhook_is_refused_when_a_value_cannot_be_used(
    desk: World, given: dict[str, Any], code: str, place: str
) -> None:
    """Each mistake has its code and place, an address must be one that the operator allows; nothing is made."""
    if given.get("name") == "Taken":
        await perform(desk, desk.caller(), "createWebhook", name="Taken", **NEW)
    before = await desk.caller().data("{ webhooks { id } }")
    outcome = await perform(desk, desk.caller(), "createWebhook", **{"name": "New", **NEW, **given})
    assert outcome.refusal() == (code, ["input", place])
    assert await desk.caller().data("{ webhooks { id } }") == before


@pytest.mark.parametrize("url", ["HTTPS://HOOKS.example/x", "https://hooks.example:443/x", "http://127.0.0.1:9/"])
async def test_address_is_allowed_however_its_origin_is_written(desk: World, url: str) -> None:
    """Case and the default port do not tell origins apart."""
    outcome = await perform(desk, desk.caller(), "createWebhook", **{**NEW, "name": f"At {url}", "url": url})
    assert outcome.made()["url"] == url


async def test_webhook_changes_only_in_what_is_given(desk: World) -> None:
    """A new name leaves the rest; a new secret is sealed; null is no way to say "unchanged"."""
    caller = desk.caller()
    made = (await perform(desk, caller, "createWebhook", name="Before", **NEW)).made()
    (before,) = await desk.read(select(tables.webhooks).where(tables.webhooks.c.name == "Before"))
    changed = (await perform(desk, caller, "updateWebhook", webhook=made["id"], name="After")).made()
    assert changed == {**{name: made[name] for name in changed}, "name": "After"}
    await perform(desk, caller, "updateWebhook", webhook=made["id"], secret=canary_secret("second"), isEnabled=False)
    (after,) = await desk.read(select(tables.webhooks).where(tables.webhooks.c.id == before["id"]))
    assert after["sealed_secret"] != before["sealed_secret"] and not after["is_enabled"]
    refused = await perform(desk, caller, "updateWebhook", webhook=made["id"], url=None)
    assert refused.refusal() == ("INVALID", ["input", "url"])


async def test_webhook_is_gone_with_its_log_when_deleted(desk: World) -> None:
    """Neither it nor its deliveries can be read again; deleting it twice is NOT_FOUND."""
    caller = desk.caller()
    made = (await perform(desk, caller, "createWebhook", name="Doomed", **NEW)).made()
    delivery = (await perform(desk, caller, "testWebhook", webhook=made["id"])).made()
    await desk.runtime.alerts.idle()
    outcome = await perform(desk, caller, "deleteWebhook", webhook=made["id"])
    assert outcome.payload["deletedId"] == made["id"]
    text = "query($hook: ID!, $alert: ID!) { webhook(id: $hook) { id } node(id: $alert) { id } }"
    gone = await caller.data(text, hook=made["id"], alert=delivery["id"])
    assert gone == {"webhook": None, "node": None}
    again = await perform(desk, caller, "deleteWebhook", webhook=made["id"])
    assert again.refusal() == ("NOT_FOUND", ["input", "webhook"])


async def test_delivery_log_shows_what_became_of_a_test(desk: World) -> None:
    """A test goes out even if the webhook is off; the log is a list like any other, with filters."""
    caller = desk.caller()
    made = (await perform(desk, caller, "createWebhook", name="Tried", isEnabled=False, **NEW)).made()
    delivery = (await perform(desk, caller, "testWebhook", webhook=made["id"])).made()
    assert (delivery["event"], delivery["status"], delivery["attempts"]) == ("TEST", "PENDING", 0)
    assert json.loads(delivery["body"])["webhook"] == {"id": made["id"], "name": "Tried"}
    await desk.runtime.alerts.idle()
    text = """query($id: ID!) { webhook(id: $id) {
      deliveries(where: {status: {eq: DELIVERED}}) {
        totalCount nodes { id event attempts httpStatus error run { id } nextAttemptAt }
      }
      failed: deliveries(where: {status: {eq: FAILED}}) { totalCount }
    } }"""
    found = (await caller.data(text, id=made["id"]))["webhook"]
    shown = {"id": delivery["id"], "event": "TEST", "attempts": 1, "httpStatus": 202, "error": None, "run": None}
    assert found["deliveries"] == {"totalCount": 1, "nodes": [{**shown, "nextAttemptAt": None}]}
    assert found["failed"] == {"totalCount": 0}


async def test_webhook_is_refused_when_the_operator_allows_no_host(office: World) -> None:
    """Out of the box no alert leaves the server, and the message names the setting."""
    data = await office.caller().data(
        "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { errors { message hint } } }",
        input={"name": "Any", **NEW},
    )
    (error,) = data["createWebhook"]["errors"]
    assert "ROLLCALL_ALERT_ORIGINS" in error["hint"] and "hooks.example" in error["message"]
