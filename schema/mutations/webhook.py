"""Mutations of webhooks: a secret goes in, is sealed, and never comes out."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry import UNSET
from strawberry.types import Info

from schema.context import Context
from schema.field.ids import decode_id, encode_id
from schema.mutations.payload import mutate, payload, within
from schema.types import AlertDelivery, Webhook
from schema.types.webhook import AlertEvent
from sync.alert import webhook as alert
from sync.alert.outbox import write
from sync.errors import BadInput

_webhook = payload("Webhook")
CreateWebhookPayload = _webhook.type("createWebhook", webhook=(Webhook, "The new webhook."))
UpdateWebhookPayload = _webhook.type("updateWebhook", webhook=(Webhook, "The webhook as it is now."))
DeleteWebhookPayload = _webhook.type("deleteWebhook", deleted_id=(strawberry.ID, "The id of what was deleted."))
TestWebhookPayload = _webhook.type("testWebhook", delivery=(AlertDelivery, "The alert, about to be sent."))
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


async def create_webhook_(info: Info[Context, None], input: CreateWebhookInput) -> Any:
    """Create a webhook."""
    context = info.context
    runtime, principal = context.runtime, context.principal

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        new = alert.NewWebhook(input.name, input.url, _events(input.events), input.secret, input.is_enabled)
        with within(""):
            key = await alert.create_webhook(
                tx,
                runtime.clock,
                runtime.vault,
                runtime.alerts.allowed,
                organization_id=principal.organization_id,
                new=new,
                created_by=principal.name,
            )
        return "Webhook", key

    async def after(key: int) -> dict[str, Any]:
        return {"webhook": await context.load("Webhook", key)}

    return await mutate(info, _webhook, CreateWebhookPayload, work, after)


async def update_webhook_(info: Info[Context, None], input: UpdateWebhookInput) -> Any:
    """Change a webhook."""
    context = info.context
    runtime = context.runtime

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        key = _key(input.webhook)
        with within("", {"is_enabled": "isEnabled"}):
            await alert.update_webhook(
                tx,
                runtime.clock,
                runtime.vault,
                runtime.alerts.allowed,
                organization_id=context.principal.organization_id,
                webhook_id=key,
                changes=_changes(input),
            )
        return "Webhook", key

    async def after(key: int) -> dict[str, Any]:
        return {"webhook": await context.load("Webhook", key)}

    return await mutate(info, _webhook, UpdateWebhookPayload, work, after)


async def delete_webhook_(info: Info[Context, None], input: DeleteWebhookInput) -> Any:
    """Delete a webhook."""

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        key = _key(input.webhook)
        await alert.delete_webhook(tx, info.context.principal.organization_id, key)
        return "Webhook", key

    async def after(key: int) -> dict[str, Any]:
        return {"deleted_id": encode_id("hook", key)}

    return await mutate(info, _webhook, DeleteWebhookPayload, work, after)


async def test_webhook_(info: Info[Context, None], input: TestWebhookInput) -> Any:
    """Leave a message that the sender takes up at once."""
    context = info.context
    organization_id = context.principal.organization_id

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        hook = await alert.find_webhook(tx, organization_id, _key(input.webhook))
        event, about = alert.AlertEvent.TEST, {"webhook": {"id": encode_id("hook", hook.id), "name": hook.name}}
        key = await tx.run_sync(write, context.runtime.clock, organization_id, hook.id, event, about)
        return "AlertDelivery", key

    async def after(key: int) -> dict[str, Any]:
        return {"delivery": await context.load("AlertDelivery", key)}

    return await mutate(info, _webhook, TestWebhookPayload, work, after)


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
