"""Webhooks: creates, changes and deletes them; their secrets are sealed, and the operator permits their origins."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.errors import BadInput, Conflict, NotFound
from sync.organization.organizations import check_name
from sync.secret.vault import SecretPlace, Vault
from sync.store import AnyRow
from sync.store.tables import deliveries, webhooks

WEBHOOKS_MAX = 50
URL_CHARS_MAX = 2_000
SECRET_CHARS = (16, 200)
DEFAULT_PORTS = {"http": 80, "https": 443}
SWITCHED_OFF = "The webhook was switched off."


class AlertEvent(enum.StrEnum):
    """The events that a webhook can receive."""

    RUN_FAILED = "RUN_FAILED"
    RUN_RECOVERED = "RUN_RECOVERED"
    CONFIRMATION_NEEDED = "CONFIRMATION_NEEDED"
    TEST = "TEST"


class DeliveryStatus(enum.StrEnum):
    """The status of a message."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class NewWebhook:
    """A webhook as a person enters it."""

    name: str
    url: str
    events: Collection[AlertEvent]
    secret: str = field(repr=False)
    is_enabled: bool = True


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of an address in normal form; None if the address cannot be used."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username is not None or parts.fragment:
        return None
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or len(url) > URL_CHARS_MAX:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def secret_place(organization_id: int, webhook_id: int) -> SecretPlace:
    """Return the place that the secret of a webhook is bound to."""
    return SecretPlace(organization_id, webhook_id, "webhook")


def check_url(url: str, allowed: Collection[str]) -> str:
    """Return the address; raise BadInput unless the operator permits its origin."""
    origin = origin_of(url)
    if origin is None:
        raise BadInput("The address must be an http(s) URL without a user, a fragment or white space.", path="url")
    if origin not in {origin_of(each) for each in allowed}:
        raise BadInput(
            f"The operator does not allow alerts to {origin}.",
            hint="Ask the operator of the server to add it to ROLLCALL_ALERT_ORIGINS.",
            path="url",
        )
    return url


async def create_webhook(
    tx: AsyncConnection,
    clock: Clock,
    vault: Vault,
    allowed: Collection[str],
    *,
    organization_id: int,
    new: NewWebhook,
    created_by: str,
) -> int:
    """Check and store a webhook, seal its secret, and return its key.

    Raises:
        BadInput: a value is invalid; the message never repeats the secret.
        Conflict: the organization has a webhook of that name, or WEBHOOKS_MAX webhooks.
    """
    now = timestamp(clock.now())
    mine = webhooks.c.organization_id == organization_id
    if (await tx.scalar(select(func.count()).select_from(webhooks).where(mine)) or 0) >= WEBHOOKS_MAX:
        raise Conflict(f"The organization has {WEBHOOKS_MAX} webhooks already.", hint="Delete one first.")
    values = {
        "organization_id": organization_id,
        "name": check_name(new.name),
        "url": check_url(new.url, allowed),
        "events": _events(new.events),
        "is_enabled": new.is_enabled,
        "sealed_secret": b"",
        "secret_set_at": now,
        "created_by": created_by,
        "created_at": now,
        "updated_at": now,
    }
    secret = _checked_secret(new.secret)
    try:
        async with tx.begin_nested():
            key = int((await tx.execute(insert(webhooks).values(values).returning(webhooks.c.id))).scalar_one())
    except IntegrityError:
        raise Conflict("There is a webhook of that name already.", path="name") from None
    sealed = vault.seal(secret, secret_place(organization_id, key))
    await tx.execute(update(webhooks).where(webhooks.c.id == key).values(sealed_secret=sealed))
    return key


async def update_webhook(
    tx: AsyncConnection,
    clock: Clock,
    vault: Vault,
    allowed: Collection[str],
    *,
    organization_id: int,
    webhook_id: int,
    changes: Mapping[str, Any],
) -> None:
    """Change a webhook; `changes` has fields of NewWebhook. Switching it off gives up its pending messages.

    Raises:
        NotFound: there is no such webhook in the organization.
        BadInput, Conflict: see `create_webhook`.
    """
    await find_webhook(tx, organization_id, webhook_id)
    now = timestamp(clock.now())
    values: dict[str, Any] = {"updated_at": now}
    for name, value in changes.items():
        if name == "name":
            values["name"] = check_name(value)
        elif name == "url":
            values["url"] = check_url(value, allowed)
        elif name == "events":
            values["events"] = _events(value)
        elif name == "is_enabled":
            values["is_enabled"] = value
        elif name == "secret":
            sealed = vault.seal(_checked_secret(value), secret_place(organization_id, webhook_id))
            values |= {"sealed_secret": sealed, "secret_set_at": now}
    try:
        async with tx.begin_nested():
            await tx.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))
    except IntegrityError:
        raise Conflict("There is a webhook of that name already.", path="name") from None
    if changes.get("is_enabled") is False:
        waits = (deliveries.c.webhook_id == webhook_id, deliveries.c.status == DeliveryStatus.PENDING)
        given_up = {"status": DeliveryStatus.FAILED, "error": SWITCHED_OFF, "next_attempt_at": None, "updated_at": now}
        await tx.execute(update(deliveries).where(*waits).values(given_up))


async def delete_webhook(tx: AsyncConnection, organization_id: int, webhook_id: int) -> None:
    """Delete a webhook with its secret and its deliveries.

    Raises:
        NotFound: there is no such webhook in the organization.
    """
    await find_webhook(tx, organization_id, webhook_id)
    await tx.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


async def find_webhook(tx: AsyncConnection, organization_id: int, webhook_id: int) -> AnyRow:
    """Return a webhook of the organization.

    Raises:
        NotFound: it has none of that key.
    """
    mine = (webhooks.c.id == webhook_id, webhooks.c.organization_id == organization_id)
    row = (await tx.execute(select(webhooks).where(*mine))).first()
    if row is None:
        raise NotFound("There is no such webhook.", path="webhook")
    return row


def _events(events: Collection[AlertEvent]) -> list[str]:
    if not events:
        raise BadInput("The list of events is empty.", path="events")
    return sorted({event.value for event in events})


def _checked_secret(secret: str) -> str:
    least, most = SECRET_CHARS
    if not least <= len(secret) <= most or not secret.isprintable():
        raise BadInput(f"The secret must have {least} to {most} printable characters.", path="secret")
    return secret
