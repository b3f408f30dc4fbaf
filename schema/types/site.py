"""Sites: places that assets live in; the same device seen from two sites is two assets."""

from __future__ import annotations

import strawberry

from schema.field.registry import FieldKind, Record, field, identifier, noun
from schema.field.relations import assets_of_site, tasks_of_site
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.list.connection import many, one
from sync.store.tables import sites


@noun(
    sites,
    "site",
    scope=own(sites),
    description="A place that assets live in. Devices of a directory are matched inside one site.",
)
class Site(Record):
    id: strawberry.ID = identifier()
    name: str = field(sites.c.name, "The name, unique in the organization.", text=True)
    description: str | None = field(sites.c.description, "What the site is.", text=True)
    scope: list[str] | None = field(
        sites.c.scope,
        "Networks and ranges that scans of the site may look at; null: any. `inNetwork` finds what a network touches.",
        kind=FieldKind.ADDRESSES,
    )
    created_at: DateTime = field(sites.c.created_at, "When the site was created.")
    updated_at: DateTime = field(sites.c.updated_at, "When the site was last changed.")
    organization = one("Organization", "organization_id", "The organization the site belongs to.", is_required=True)
    assets = many("Asset", "The assets that live in the site.", assets_of_site)
    tasks = many("Task", "The tasks that fill the site.", tasks_of_site)
