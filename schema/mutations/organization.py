"""Mutations of organizations, sites and API tokens."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry import UNSET
from strawberry.types import Info
from strawberry.utils.str_converters import to_camel_case

from schema.access import Role as Rank
from schema.context import Context
from schema.field.ids import decode_id
from schema.field.registry import NOUNS
from schema.field.rows import row_columns, rows_of
from schema.mutations.payload import mutate, payload, within
from schema.types import ApiToken, Organization, Site
from schema.types.retention import UpdateRetentionInput, changed
from schema.types.token import Role
from sync.errors import Forbidden, NotFound
from sync.inventory.retention import load_retention, save_retention
from sync.organization.organizations import create_organization, create_site, update_site
from sync.organization.tokens import LIFETIME_DAYS, LIFETIME_DAYS_MAX, create_token, revoke_token, token_of

_organization = payload("Organization")
_site = payload("Site")
_token = payload("Token")
CreateOrganizationPayload = _organization.type(
    "createOrganization", organization=(Organization, "The new organization.")
)
UpdateRetentionPayload = _organization.type(
    "updateRetention", organization=(Organization, "The organization with its settings.")
)
CreateSitePayload = _site.type("createSite", site=(Site, "The new site."))
UpdateSitePayload = _site.type("updateSite", site=(Site, "The site as it is now."))
_SCOPE = "Networks (10.0.0.0/24) and ranges that scans of the site may look at; null: any."
CreateTokenPayload = _token.type(
    "createToken",
    token=(ApiToken, "The new token, without its text."),
    text=(str, "The token's text. It is shown only here and cannot be read again."),
)
RevokeTokenPayload = _token.type("revokeToken", token=(ApiToken, "The token, which no longer works."))


@strawberry.input(description="A new organization.")
class CreateOrganizationInput:
    name: str = strawberry.field(description="Unique on this server.")


@strawberry.input(description="A new site.")
class CreateSiteInput:
    name: str = strawberry.field(description="Unique in the organization.")
    description: str | None = strawberry.field(default=UNSET, description="What the site is.")
    scope: list[str] | None = strawberry.field(default=UNSET, description=_SCOPE)


@strawberry.input(description="What to change of a site; what is left out stays as it is.")
class UpdateSiteInput:
    site: strawberry.ID = strawberry.field(description="The site.")
    name: str | None = strawberry.field(default=UNSET, description="Unique in the organization; never null.")
    description: str | None = strawberry.field(default=UNSET, description="What the site is.")
    scope: list[str] | None = strawberry.field(default=UNSET, description=_SCOPE)


@strawberry.input(description="A new API token.")
class CreateTokenInput:
    name: str = strawberry.field(description="What the token is for.")
    role: Role = strawberry.field(description="What it may do; at most what the asking token may.")  # type: ignore[valid-type]
    organization: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The organization it belongs to; another than one's own only for a superuser."
    )
    lifetime_days: int = strawberry.field(
        default=LIFETIME_DAYS, description=f"Days until it expires, 1 to {LIFETIME_DAYS_MAX}."
    )


@strawberry.input(description="Which API token to revoke.")
class RevokeTokenInput:
    token: strawberry.ID = strawberry.field(description="The token; one's own too.")


async def create_organization_(info: Info[Context, None], input: CreateOrganizationInput) -> Any:
    """Create an organization."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        return "Organization", await create_organization(tx, context.runtime.clock, input.name)

    async def after(key: int) -> dict[str, Any]:
        return {"organization": await context.load("Organization", key)}

    return await mutate(info, _organization, CreateOrganizationPayload, work, after)


async def create_site_(info: Info[Context, None], input: CreateSiteInput) -> Any:
    """Create a site in the caller's organization."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        description = None if input.description is UNSET else input.description
        organization_id = context.principal.organization_id
        clock, scope = context.runtime.clock, None if input.scope is UNSET else input.scope
        return "Site", await create_site(tx, clock, organization_id, input.name, description, scope)

    async def after(key: int) -> dict[str, Any]:
        return {"site": await context.load("Site", key)}

    return await mutate(info, _site, CreateSitePayload, work, after)


async def update_site_(info: Info[Context, None], input: UpdateSiteInput) -> Any:
    """Change a site of the caller's organization."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        key = decode_id(input.site, "site", "Site", "site")
        given = {name: value for name, value in vars(input).items() if name != "site" and value is not UNSET}
        await update_site(tx, context.runtime.clock, context.principal.organization_id, key, given)
        return "Site", key

    async def after(key: int) -> dict[str, Any]:
        return {"site": await context.load("Site", key)}

    return await mutate(info, _site, UpdateSitePayload, work, after)


async def create_token_(info: Info[Context, None], input: CreateTokenInput) -> Any:
    """Create a token; nobody can hand out more than they have."""
    context, text = info.context, ""
    organization_id = context.principal.organization_id

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        nonlocal text, organization_id
        principal, role = context.principal, Rank(input.role.value)  # type: ignore[attr-defined]
        if not principal.role.reaches(role):
            raise Forbidden(f"The role {principal.role.name} cannot create a token of role {role.name}.", path="role")
        if input.organization:
            organization_id = decode_id(input.organization, "org", "Organization", "organization")
            if await context.load("Organization", organization_id) is None:
                raise NotFound("There is no such organization.", path="organization")
        new = await create_token(
            tx,
            context.runtime.clock,
            organization_id=organization_id,
            name=input.name,
            role=role,
            created_by=principal.name,
            lifetime_days=input.lifetime_days,
        )
        text = new.text
        return "ApiToken", new.id

    async def after(key: int) -> dict[str, Any]:
        # A token that a superuser made for another organization is not among the rows the superuser reads.
        noun, owner = NOUNS["ApiToken"], replace(context.principal, organization_id=organization_id)
        rows = await context.fetch(rows_of(noun, owner).with_only_columns(*row_columns(noun)).where(noun.key == key))
        return {"token": ApiToken.of(rows[0]), "text": text}

    return await mutate(info, _token, CreateTokenPayload, work, after)


async def revoke_token_(info: Info[Context, None], input: RevokeTokenInput) -> Any:
    """Revoke a token of the caller's organization; its next request is refused."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        key, principal = decode_id(input.token, "token", "ApiToken", "token"), context.principal
        with within("token"):
            token = await token_of(tx, key, principal.organization_id)
            if not principal.role.reaches(Rank(token.role)):
                raise Forbidden(f"The role {principal.role.name} cannot revoke a token of role {token.role}.")
            await revoke_token(tx, context.runtime.clock, token)
        return "ApiToken", key

    async def after(key: int) -> dict[str, Any]:
        return {"token": await context.load("ApiToken", key)}

    return await mutate(info, _token, RevokeTokenPayload, work, after)


async def update_retention(info: Info[Context, None], input: UpdateRetentionInput) -> Any:
    """Change how long the caller's organization keeps things."""
    context = info.context
    organization_id = context.principal.organization_id

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        retention = changed(await load_retention(tx, organization_id), input)
        with within("", moved={field.name: to_camel_case(field.name) for field in fields(retention)}):
            await save_retention(tx, context.runtime.clock, organization_id, retention)
        return "Organization", organization_id

    async def after(key: int) -> dict[str, Any]:
        return {"organization": await context.load("Organization", key)}

    return await mutate(info, _organization, UpdateRetentionPayload, work, after)
