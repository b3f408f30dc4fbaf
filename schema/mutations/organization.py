"""Mutations of organizations, sites and API tokens."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial

import strawberry
from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from schema.access import Role as Rank
from schema.context import Context
from schema.field.arguments import given
from schema.field.ids import decode_id
from schema.field.registry import NOUNS
from schema.field.rows import row_columns, rows_of
from schema.mutations.payload import MutationContext, mutation, payload, within
from schema.types import ApiToken, Organization, Site
from schema.types.retention import UpdateRetentionInput, changed
from schema.types.token import Role
from sync.errors import Forbidden, NotFound
from sync.inventory.retention import load_retention, save_retention
from sync.organization import organizations, tokens
from sync.organization.tokens import LIFETIME_DAYS, LIFETIME_DAYS_MAX

_organization = payload("Organization")
_site = payload("Site")
_token = payload("Token")
_SCOPE = "Networks (10.0.0.0/24) and ranges that scans of the site may include; null: any."


@strawberry.input(description="A new organization.")
class CreateOrganizationInput:
    name: str = strawberry.field(description="Unique on this server.")


@strawberry.input(description="A new site.")
class CreateSiteInput:
    name: str = strawberry.field(description="Unique in the organization.")
    description: str | None = strawberry.field(default=UNSET, description="What the site is.")
    scope: list[str] | None = strawberry.field(default=UNSET, description=_SCOPE)


@strawberry.input(description="Changes of a site; omitted fields keep their values.")
class UpdateSiteInput:
    site: strawberry.ID = strawberry.field(description="The site.")
    name: str | None = strawberry.field(default=UNSET, description="Unique in the organization; never null.")
    description: str | None = strawberry.field(default=UNSET, description="What the site is.")
    scope: list[str] | None = strawberry.field(default=UNSET, description=_SCOPE)


@strawberry.input(description="A new API token.")
class CreateTokenInput:
    name: str = strawberry.field(description="What the token is for.")
    role: Role = strawberry.field(description="The token's role; at most the caller's own.")  # type: ignore[valid-type]
    organization: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The token's organization; only a superuser may name another than the caller's own."
    )
    lifetime_days: int = strawberry.field(
        default=LIFETIME_DAYS, description=f"Days until it expires, 1 to {LIFETIME_DAYS_MAX}."
    )


@strawberry.input(description="The API token to revoke.")
class RevokeTokenInput:
    token: strawberry.ID = strawberry.field(description="The token; it may be the caller's own.")


@mutation(
    _organization,
    "Create an organization. It has no site and no token yet.",
    organization=(Organization, "The new organization."),
)
async def create_organization(context: MutationContext, input: CreateOrganizationInput) -> int:
    """Create an organization."""
    return await organizations.create_organization(context.tx, context.clock, input.name)


@mutation(_site, "Create a site in the organization of the token.", site=(Site, "The new site."))
async def create_site(context: MutationContext, input: CreateSiteInput) -> int:
    """Create a site in the caller's organization."""
    description, scope = given(input.description), given(input.scope)
    return await organizations.create_site(
        context.tx, context.clock, context.organization_id, input.name, description, scope
    )


@mutation(_site, "Change a site, or the scope of its scans.", site=(Site, "The changed site."))
async def update_site(context: MutationContext, input: UpdateSiteInput) -> int:
    """Change a site of the caller's organization."""
    key = decode_id(input.site, "site", "Site", "site")
    changes = {name: value for name, value in vars(input).items() if name != "site" and value is not UNSET}
    await organizations.update_site(context.tx, context.clock, context.organization_id, key, changes)
    return key


@mutation(
    _token,
    "Create an API token; its text is shown once.",
    token=(ApiToken, "The new token, without its text."),
    text=(str, "The token's text. It is shown only here and cannot be read again."),
)
async def create_token(context: MutationContext, input: CreateTokenInput) -> int:
    """Create a token, with at most the caller's own role."""
    principal, organization_id = context.principal, context.organization_id
    role = Rank(input.role.value)  # type: ignore[attr-defined]
    if not principal.role.reaches(role):
        raise Forbidden(f"The role {principal.role.name} cannot create a token of role {role.name}.", path="role")
    if input.organization:
        organization_id = decode_id(input.organization, "org", "Organization", "organization")
        if await context.operation.load("Organization", organization_id) is None:
            raise NotFound("There is no such organization.", path="organization")
    new = await tokens.create_token(
        context.tx,
        context.clock,
        organization_id=organization_id,
        name=input.name,
        role=role,
        created_by=principal.name,
        lifetime_days=input.lifetime_days,
    )
    context.read(token=partial(_token_of, context.operation, organization_id, new.id))
    context.show(text=new.text)
    return new.id


async def _token_of(context: Context, organization_id: int, key: int) -> ApiToken:
    """Read a new token as its own organization, which may not be that of the superuser who created it."""
    noun, owner = NOUNS["ApiToken"], replace(context.principal, organization_id=organization_id)
    rows = await context.fetch(rows_of(noun, owner).with_only_columns(*row_columns(noun)).where(noun.key == key))
    return ApiToken.of(rows[0])


@mutation(
    _token,
    "Revoke an API token of the organization; its next request is refused.",
    token=(ApiToken, "The token, which no longer works."),
)
async def revoke_token(context: MutationContext, input: RevokeTokenInput) -> int:
    """Revoke a token of the caller's organization."""
    key, role = decode_id(input.token, "token", "ApiToken", "token"), context.principal.role
    with within("token"):
        token = await tokens.token_of(context.tx, key, context.organization_id)
        if not role.reaches(Rank(token.role)):
            raise Forbidden(f"The role {role.name} cannot revoke a token of role {token.role}.")
        await tokens.revoke_token(context.tx, context.clock, token)
    return key


@mutation(
    _organization,
    "Change the retention of the token's organization; it takes effect the next night.",
    organization=(Organization, "The organization with its settings."),
)
async def update_retention(context: MutationContext, input: UpdateRetentionInput) -> int:
    """Change the retention of the caller's organization."""
    organization_id = context.organization_id
    retention = changed(await load_retention(context.tx, organization_id), input)
    with within("", moved={field.name: to_camel_case(field.name) for field in fields(retention)}):
        await save_retention(context.tx, context.clock, organization_id, retention)
    return organization_id
