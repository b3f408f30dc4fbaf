"""Webhooks: who is told when a run fails, recovers or needs a person; and what became of each message."""

from __future__ import annotations

import strawberry

from schema.field.enums import described
from schema.field.registry import Record, field, identifier, noun
from schema.field.relations import deliveries_of_webhook
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.list.connection import many, one
from sync.alert import webhook
from sync.store.tables import deliveries, webhooks

_w, _d = webhooks.c, deliveries.c

AlertEvent = described(
    webhook.AlertEvent,
    "AlertEvent",
    "What an alert tells of.",
    RUN_FAILED="A run ended FAILED or PARTIAL.",
    RUN_RECOVERED="A run ended SUCCEEDED, and the one before it had not.",
    CONFIRMATION_NEEDED="A run waits, because it would remove unusually much.",
    TEST="Somebody tries the webhook.",
)
DeliveryStatus = described(
    webhook.DeliveryStatus,
    "AlertDeliveryStatus",
    "What became of an alert.",
    PENDING="It waits to be sent, or to be sent again.",
    DELIVERED="It was answered with a 2xx status.",
    FAILED="It was given up.",
)


@noun(
    webhooks,
    "hook",
    scope=own(webhooks),
    description="An address that alerts are posted to, signed with a secret of its own.",
)
class Webhook(Record):
    """A webhook, without its secret."""

    id: strawberry.ID = identifier()
    name: str = field(_w.name, "The name, unique in the organization.", text=True)
    url: str = field(_w.url, "Where alerts are posted to.")
    is_enabled: bool = field(_w.is_enabled, "Whether it is told of anything but tests.")
    secret_set_at: DateTime = field(_w.secret_set_at, "When the secret was set.")
    created_by: str | None = field(_w.created_by, "The token that created it.")
    created_at: DateTime = field(_w.created_at, "When it was created.")
    updated_at: DateTime = field(_w.updated_at, "When it was last changed.")
    deliveries = many("AlertDelivery", "What was sent to it, or is to be; the latest thousand.", deliveries_of_webhook)

    @strawberry.field(description="What it is told of.")
    def events(self) -> list[AlertEvent]:  # type: ignore[valid-type]
        """Name the events."""
        return [AlertEvent(event) for event in vars(self)["events"]]


@noun(deliveries, "alert", scope=own(deliveries), description="One alert for one webhook.")
class AlertDelivery(Record):
    id: strawberry.ID = identifier()
    event: AlertEvent = field(_d.event, "What it tells of.", enum=AlertEvent)  # type: ignore[valid-type]
    status: DeliveryStatus = field(_d.status, "What became of it.", enum=DeliveryStatus)  # type: ignore[valid-type]
    attempts: int = field(_d.attempts, "How often it was sent.")
    http_status: int | None = field(_d.http_status, "The status that the last attempt was answered with.")
    error: str | None = field(_d.error, "Why the last attempt had no answer.")
    body: str = field(_d.body, "What is posted, as JSON.")
    next_attempt_at: DateTime | None = field(_d.next_attempt_at, "While it is pending: when it is sent next.")
    last_attempt_at: DateTime | None = field(_d.last_attempt_at, "When it was sent last.")
    created_at: DateTime = field(_d.created_at, "When it was written.")
    run = one("TaskRun", "run_id", "The run it tells of; null for a test.")
