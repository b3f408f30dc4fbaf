"""Mutations of credentials: a secret goes in, is sealed, and never comes out."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry import UNSET
from strawberry.types import Info
from strawberry.utils.str_converters import to_camel_case

from schema.access import Role
from schema.context import Context
from schema.mutations.payload import mutate, payload, within
from schema.scalars import DateTime
from schema.types import Credential
from schema.types.credential import AzureCloud
from sync.credentials import CredentialKind, NewCredential, create_credential
from sync.entra.cloud import Cloud, check_client_id, check_tenant
from sync.errors import Forbidden

_credential = payload("Credential")
# What sync names in its errors and callers find in the input of a kind.
_OF_KIND = ("client_secret", "password", "username", "subscriptionId")
CreateCredentialPayload = _credential.type("createCredential", credential=(Credential, "The new credential."))


@strawberry.input(description="An application that signs in with a client secret: application permissions.")
class AzureClientSecretInput:
    """An application that signs in with a client secret."""

    client_id: str = strawberry.field(description="The application (client) id.")
    tenant_id: str = strawberry.field(description="The directory (tenant) id, or a verified domain of it.")
    client_secret: str = strawberry.field(
        description="The secret's value (not its id). It is sealed and never returned."
    )
    all_subscriptions: bool = strawberry.field(
        default=False, description="Whether it is meant for all subscriptions; the directory itself does not care."
    )
    subscription_id: str | None = strawberry.field(default=UNSET, description="The one subscription it is meant for.")


@strawberry.input(description="A cloud user without MFA, signing in by name and password: delegated permissions.")
class AzureUsernamePasswordInput:
    """A cloud user that signs in by name and password."""

    client_id: str = strawberry.field(description="The application (client) id; it must allow public client flows.")
    tenant_id: str = strawberry.field(description="The directory (tenant) id, or a verified domain of it.")
    username: str = strawberry.field(description="The full user name; federated accounts cannot be used.")
    password: str = strawberry.field(description="The password. It is sealed and never returned.")


@strawberry.input(description="A new credential: exactly one of the kinds.")
class CreateCredentialInput:
    """A new credential."""

    name: str = strawberry.field(description="Unique in the organization.")
    cloud: AzureCloud = strawberry.field(default=AzureCloud.GLOBAL, description="The cloud the tenant lives in.")
    is_global: bool = strawberry.field(
        default=False, description="Let every organization use it; only for a superuser."
    )
    secret_expires_at: DateTime | None = strawberry.field(
        default=UNSET, description="When the secret expires, to be warned before."
    )
    kind: CredentialKindInput = strawberry.field(description="How it signs in.")


@strawberry.input(one_of=True, description="How a credential signs in: exactly one.")
class CredentialKindInput:
    """How a credential signs in."""

    azure_client_secret: AzureClientSecretInput | None = strawberry.field(
        default=UNSET, description="As an application with a client secret."
    )
    azure_username_password: AzureUsernamePasswordInput | None = strawberry.field(
        default=UNSET, description="As a user with name and password."
    )


async def create_credential_(info: Info[Context, None], input: CreateCredentialInput) -> Any:
    """Create a credential."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        if input.is_global and context.principal.role is not Role.SUPERUSER:
            raise Forbidden("Only a superuser may create a global credential.", path="isGlobal")
        kind, new = _new(input)
        with within(f"{kind}.clientId"):
            check_client_id(new.client_id)
        with within(f"{kind}.tenantId"):
            check_tenant(new.tenant_id)
        with within("cloud", {place: f"{kind}.{to_camel_case(place)}" for place in _OF_KIND}):
            key = await create_credential(
                tx,
                context.runtime.clock,
                context.runtime.vault,
                context.runtime.custom,
                organization_id=context.principal.organization_id,
                new=new,
                created_by=context.principal.name,
            )
        return "Credential", key

    async def after(key: int) -> dict[str, Any]:
        return {"credential": await context.load("Credential", key)}

    return await mutate(info, _credential, CreateCredentialPayload, work, after)


def _new(input: CreateCredentialInput) -> tuple[str, NewCredential]:
    """Return where the input of the kind stands, and the credential."""
    expires_at = None if input.secret_expires_at is UNSET else input.secret_expires_at
    cloud = Cloud(input.cloud.value)
    if secret := input.kind.azure_client_secret:
        return "kind.azureClientSecret", NewCredential(
            name=input.name,
            kind=CredentialKind.AZURE_CLIENT_SECRET,
            cloud=cloud,
            client_id=secret.client_id,
            tenant_id=secret.tenant_id,
            secret=secret.client_secret,
            subscription_id=secret.subscription_id or None,
            all_subscriptions=secret.all_subscriptions,
            is_global=input.is_global,
            secret_expires_at=expires_at,
        )
    password = input.kind.azure_username_password
    assert password  # noqa: S101 - exactly one of the two: the input is @oneOf
    return "kind.azureUsernamePassword", NewCredential(
        name=input.name,
        kind=CredentialKind.AZURE_USERNAME_PASSWORD,
        cloud=cloud,
        client_id=password.client_id,
        tenant_id=password.tenant_id,
        secret=password.password,
        username=password.username,
        is_global=input.is_global,
        secret_expires_at=expires_at,
    )
