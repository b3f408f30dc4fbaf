"""Organizations: closed worlds; nothing crosses from one to another but global credentials."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy import ColumnElement, true

from schema.access import Principal, Role
from schema.field.registry import Record, field, identifier, noun
from schema.field.relations import assets_of_organization, sites_of_organization
from schema.field.resolution import computed
from schema.field.scalars import BigInt, DateTime
from schema.list.connection import many
from schema.types.retention import Retention
from sync.inventory.retention import retention_of
from sync.store.tables import organizations


def _reachable(principal: Principal) -> ColumnElement[bool]:
    """Every caller sees its own organization, a superuser sees them all."""
    if principal.role is Role.SUPERUSER:
        return true()
    return organizations.c.id == principal.organization_id


@noun(
    organizations,
    "org",
    scope=_reachable,
    description="A closed world of sites, tasks and inventories.",
)
class Organization(Record):
    id: strawberry.ID = identifier()
    name: str = field(organizations.c.name, "The name, unique on this server.", text=True)
    version: BigInt = field(
        organizations.c.version, "Grows with each change of the inventory; equal versions mean equal data.", where=False
    )
    created_at: DateTime = field(organizations.c.created_at, "When the organization was created.")
    updated_at: DateTime = field(organizations.c.updated_at, "When the organization was last changed.")

    @computed("retention", description="How long it keeps what nobody has told of for a while.")
    def retention(stored: dict[str, Any] | None) -> Retention:
        """Read the stored settings."""
        return Retention(**vars(retention_of(stored)))

    sites = many("Site", "The organization's sites.", sites_of_organization)
    assets = many(
        "Asset", "The organization's assets; a token sees those of its own organization.", assets_of_organization
    )
