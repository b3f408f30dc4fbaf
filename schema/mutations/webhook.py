"""Mutations of webhooks: a secret goes in, is sealed, and never comes out."""

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
SECRET = f"What alerts are signed with, {alert.SECRET_CHARS[0]} to {alert.SECRET_CHARS[1]} characters; never returned."
EVENTS = "What it is told of; a test needs no entry."


@strawberry.input(description="A new webhook.")
class CreateWebhookInput:
    name: str = strawberry.field(description="Unique in the organization.")
    url: str = strawberry.field(description="Where alerts are posted to; the operator must allow its origin.")
    events: list[AlertEvent] = strawberry.field(description=EVENTS)
    secret: str = strawberry.field(description=SECRET)
    is_enabled: bool = strawberry.field(default=True, description="Whether it is told of anything but tests.")


@strawberry.input(description="What to change of a webhook; what is left out stays.")
class UpdateWebhookInput:
    webhook: strawberry.ID = strawberry.field(description="The webhook.")
    name: str | None = strawberry.field(default=UNSET, description="Unique in the organization.")
    url: str | None = strawberry.field(default=UNSET, description="Where alerts are posted to.")
    events: list[AlertEvent] | None = strawberry.field(default=UNSET, description=EVENTS)
    secret: str | None = strawberry.field(default=UNSET, description=SECRET)
    is_enabled: bool | None = strawberry.field(
        default=UNSET, description="Whether it is told of anything; false gives up what waits to be sent."
    )


@strawberry.input(description="Which webhook to delete, with its log.")
class DeleteWebhookInput:
    webhook: strawberry.ID = strawberry.field(description="The webhook.")


@strawberry.input(description="Which webhook to try.")
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


@mutation(_webhook, "Change a webhook.", webhook=(Webhook, "The webhook as it is now."))
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
    deleted_id=(strawberry.ID, "The id of what was deleted."),
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
    """Leave a message that the sender takes up at once."""
    hook = await alert.find_webhook(context.tx, context.organization_id, _key(input.webhook))
    event, about = alert.AlertEvent.TEST, {"webhook": {"id": encode_id("hook", hook.id), "name": hook.name}}
    return await context.tx.run_sync(write, context.clock, context.organization_id, hook.id, event, about)


def _key(id: str) -> int:
    return decode_id(id, "hook", "Webhook", "webhook")


def _events(events: list[Any]) -> list[alert.AlertEvent]:
    chosen = [alert.AlertEvent(event.value) for event in events]
    if alert.AlertEvent.TEST in chosen:
        raise BadInput("TEST is no event to be told of.", hint="Use testWebhook.", path="events")
    return chosen


def _changes(input: UpdateWebhookInput) -> dict[str, Any]:
    """Return what was given, by name; null changes nothing and is a mistake."""
    found = {name: value for name, value in vars(input).items() if name != "webhook" and value is not UNSET}
    for name, value in found.items():
        if value is None:
            raise BadInput(f"{name} is null.", hint="Leave it out to keep it.", path=name)
    if "events" in found:
        found["events"] = _events(found["events"])
    return found
