"""Retention: how long an organization keeps what nobody has told of for a while, and what would go tonight."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy import select
from strawberry import UNSET
from strawberry.types import Info

from schema.context import Context
from schema.field.enums import described
from schema.field.scalars import DateTime
from sync.inventory import retention as kept
from sync.store.tables import organizations

_DAYS = {
    "stale_assets": "Days after which an asset that no source has seen is removed.",
    "offline_assets": "Days after which an asset that does not answer scans is removed.",
    "source_attributes": "Days after which a scan record that no scan has confirmed is removed from its asset.",
    "runs": "Days after which a finished run and its log are removed; each task keeps its latest.",
    "tombstones": f"Days that `changes` knows removed rows, at least {kept.TOMBSTONES_DAYS_MIN}.",
}
RetentionSubject = described(
    kept.RetentionSubject,
    "RetentionSubject",
    "What retention removes.",
    STALE_ASSETS="Assets that no source has seen for a while.",
    OFFLINE_ASSETS="Assets that have not answered scans for a while.",
    SOURCE_ATTRIBUTES="Scan records that no scan has confirmed for a while.",
    RUNS="Finished runs and their logs.",
    TOMBSTONES="What is kept of removed rows.",
)


@strawberry.type(description="How long an organization keeps things, in days; null keeps them for good.")
class Retention:
    stale_assets: int | None = strawberry.field(description=_DAYS["stale_assets"])
    offline_assets: int | None = strawberry.field(description=_DAYS["offline_assets"])
    source_attributes: int | None = strawberry.field(description=_DAYS["source_attributes"])
    runs: int | None = strawberry.field(description=_DAYS["runs"])
    tombstones: int = strawberry.field(description=_DAYS["tombstones"])


@strawberry.type(description="What retention would remove if it were night now.")
class RetentionEffect:
    subject: RetentionSubject = strawberry.field(description="What is removed.")  # type: ignore[valid-type]
    days: int | None = strawberry.field(description="The setting; null keeps it for good.")
    before: DateTime | None = strawberry.field(description="What is older than this goes.")
    count: int = strawberry.field(description="How many would go.")


@strawberry.input(description="How long to keep things, in days; what is left out stays as it is, null keeps for good.")
class UpdateRetentionInput:
    stale_assets: int | None = strawberry.field(default=UNSET, description=_DAYS["stale_assets"])
    offline_assets: int | None = strawberry.field(default=UNSET, description=_DAYS["offline_assets"])
    source_attributes: int | None = strawberry.field(default=UNSET, description=_DAYS["source_attributes"])
    runs: int | None = strawberry.field(default=UNSET, description=_DAYS["runs"])
    tombstones: int | None = strawberry.field(default=UNSET, description=_DAYS["tombstones"] + " Never null.")


def changed(before: kept.Retention, input: Any) -> kept.Retention:
    """Return settings with what an input says."""
    given = {name: value for name, value in vars(input).items() if value is not UNSET} if input else {}
    return kept.Retention(**(vars(before) | given))


async def preview(info: Info[Context, None], input: Any) -> list[RetentionEffect]:
    """Count what would go, by the stored settings and what `input` says instead.

    Raises:
        BadInput: a number of days is out of range.
    """
    context = info.context
    clock, organization_id = context.runtime.clock, context.principal.organization_id
    mine = organizations.c.id == organization_id
    (stored,) = await context.fetch(select(organizations.c.retention).where(mine))
    retention = changed(kept.retention_of(stored["retention"]), input)
    kept.check_retention(retention)
    (counts,) = await context.fetch(kept.counting(clock, organization_id, retention))
    found = []
    for subject in kept.RetentionSubject:
        days = getattr(retention, subject)
        before = DateTime(kept.cutoff(clock, days)) if days is not None else None
        found.append(
            RetentionEffect(subject=RetentionSubject[subject.name], days=days, before=before, count=counts[subject])
        )
    return found
