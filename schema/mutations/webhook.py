"""Mutations of webhooks: their secrets are sealed and never returned."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry import UNSET

from schema.field.ids import decode_id, encode_id
from schema.mutations.payload import MutationContext, mutation, payload, within
from schema.types import AlertDelivery, Webhook
from schema.types.webhook import AlertEvent
from sync.alert import webhook as alert
from sync.alert.outbox import write
from sync.errors import BadInput

_webhook = payload("Webhook")
SECRET = f"The key that signs alerts, {alert.SECRET_CHARS[0]} to {alert.SECRET_CHARS[1]} characters; never returned."
EVENTS = "The events to send; tests are always sent."


@strawberry.input(description="A new webhook.")
class CreateWebhookInput:
    name: str = strawberry.field(description="Unique in the organization.")
    url: str = strawberry.field(description="The URL for alerts; the operator must allow its origin.")
    events: list[AlertEvent] = strawberry.field(description=EVENTS)
    secret: str = strawberry.field(description=SECRET)
    is_enabled: bool = strawberry.field(default=True, description="Whether it gets alerts other than tests.")


@strawberry.input(description="Changes of a webhook; omitted fields keep their values.")
class UpdateWebhookInput:
    webhook: strawberry.ID = strawberry.field(description="The webhook.")
    name: str | None = strawberry.field(default=UNSET, description="Unique in the organization.")
    url: str | None = strawberry.field(default=UNSET, description="The URL for alerts.")
    events: list[AlertEvent] | None = strawberry.field(default=UNSET, description=EVENTS)
    secret: str | None = strawberry.field(default=UNSET, description=SECRET)
    is_enabled: bool | None = strawberry.field(
        default=UNSET, description="Whether it gets alerts; false drops those that wait to be sent."
    )


@strawberry.input(description="The webhook to delete, with its log.")
class DeleteWebhookInput:
    webhook: strawberry.ID = strawberry.field(description="The webhook.")


@strawberry.input(description="The webhook to test.")
class TestWebhookInput:
    webhook: strawberry.ID = strawberry.field(description="The webhook.")


@mutation(
    _webhook,
    "Create a webhook. Its secret is sealed at once and never returned.",
    webhook=(Webhook, "The new webhook."),
)
async def create_webhook(context: MutationContext, input: CreateWebhookInput) -> int:
    """Create a webhook."""
    new = alert.NewWebhook(input.name, input.url, _events(input.events), input.secret, input.is_enabled)
    with within(""):
        return await alert.create_webhook(
            context.tx,
            context.clock,
            context.runtime.vault,
            context.runtime.alerts.allowed,
            organization_id=context.organization_id,
            new=new,
            created_by=context.principal.name,
        )


@mutation(_webhook, "Change a webhook.", webhook=(Webhook, "The changed webhook."))
async def update_webhook(context: MutationContext, input: UpdateWebhookInput) -> int:
    """Change a webhook."""
    key = _key(input.webhook)
    with within("", {"is_enabled": "isEnabled"}):
        await alert.update_webhook(
            context.tx,
            context.clock,
            context.runtime.vault,
            context.runtime.alerts.allowed,
            organization_id=context.organization_id,
            webhook_id=key,
            changes=_changes(input),
        )
    return key


@mutation(
    _webhook,
    "Delete a webhook with its secret and its log.",
    noun="Webhook",
    deleted_id=(strawberry.ID, "The id of the deleted webhook."),
)
async def delete_webhook(context: MutationContext, input: DeleteWebhookInput) -> int:
    """Delete a webhook."""
    key = _key(input.webhook)
    await alert.delete_webhook(context.tx, context.organization_id, key)
    return key


@mutation(
    _webhook,
    "Send a webhook a test; the answer does not wait for it.",
    delivery=(AlertDelivery, "The alert, about to be sent."),
)
async def test_webhook(context: MutationContext, input: TestWebhookInput) -> int:
    """Write a test alert for the sender."""
    hook = await alert.find_webhook(context.tx, context.organization_id, _key(input.webhook))
    event, about = alert.AlertEvent.TEST, {"webhook": {"id": encode_id("hook", hook.id), "name": hook.name}}
    return await context.tx.run_sync(write, context.clock, context.organization_id, hook.id, event, about)


def _key(id: str) -> int:
    return decode_id(id, "hook", "Webhook", "webhook")


def _events(events: list[Any]) -> list[alert.AlertEvent]:
    chosen = [alert.AlertEvent(event.value) for event in events]
    if alert.AlertEvent.TEST in chosen:
        raise BadInput(
            "TEST cannot be chosen: tests are always sent.", hint="Omit it; testWebhook sends a test.", path="events"
        )
    return chosen


def _changes(input: UpdateWebhookInput) -> dict[str, Any]:
    """Return the given fields by name; null is refused."""
    found = {name: value for name, value in vars(input).items() if name != "webhook" and value is not UNSET}
    for name, value in found.items():
        if value is None:
            raise BadInput(f"{name} is null.", hint="Leave it out to keep it.", path=name)
    if "events" in found:
        found["events"] = _events(found["events"])
    return found
