"""Mutations of credentials: create, change, rotate the secret, delete; no mutation returns a secret."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from schema.access import Role
from schema.context import Context
from schema.field.arguments import given
from schema.field.ids import decode_id
from schema.field.scalars import DateTime
from schema.mutations.payload import MutationContext, mutation, payload, within
from schema.types import Credential
from schema.types.credential import AzureCloud
from sync.entra.cloud import Cloud, check_client_id, check_tenant
from sync.errors import BadInput, Forbidden, NotFound
from sync.secret import credentials
from sync.secret.credentials import CredentialKind, NewCredential, Owner

SHARED_WITH_MAX = 1_000
CREDENTIAL = payload("Credential")
_SHARED_WITH = "Other organizations that may use it; the caller must be able to see them."
_NULLABLE = ("subscription_id", "secret_expires_at")
# Names in the errors of sync that are fields of the credential's kind in the input.
_OF_KIND = ("client_secret", "password", "username", "subscriptionId")


@strawberry.input(description="An application that signs in with a client secret: application permissions.")
class AzureClientSecretInput:
    client_id: str = strawberry.field(description="The application (client) id.")
    tenant_id: str = strawberry.field(description="The directory (tenant) id, or a verified domain of it.")
    client_secret: str = strawberry.field(
        description="The secret's value (not its id). It is sealed and never returned."
    )
    all_subscriptions: bool = strawberry.field(
        default=False, description="Whether it is meant for all subscriptions; reading the directory does not need it."
    )
    subscription_id: str | None = strawberry.field(default=UNSET, description="The one subscription it is meant for.")


@strawberry.input(description="A cloud user without MFA, signing in by name and password: delegated permissions.")
class AzureUsernamePasswordInput:
    client_id: str = strawberry.field(description="The application (client) id; it must allow public client flows.")
    tenant_id: str = strawberry.field(description="The directory (tenant) id, or a verified domain of it.")
    username: str = strawberry.field(description="The full user name; federated accounts cannot be used.")
    password: str = strawberry.field(description="The password. It is sealed and never returned.")


@strawberry.input(description="A new credential.")
class CreateCredentialInput:
    name: str = strawberry.field(description="Unique in the organization.")
    cloud: AzureCloud = strawberry.field(default=AzureCloud.GLOBAL, description="The cloud the tenant lives in.")
    is_global: bool = strawberry.field(
        default=False, description="Let every organization use it; only for a superuser."
    )
    secret_expires_at: DateTime | None = strawberry.field(
        default=UNSET, description="When the secret expires; `secretState` warns before that."
    )
    kind: CredentialKindInput = strawberry.field(description="How it signs in.")
    shared_with: list[strawberry.ID] = strawberry.field(default_factory=list, description=_SHARED_WITH)


@strawberry.input(one_of=True, description="How a credential signs in: exactly one.")
class CredentialKindInput:
    azure_client_secret: AzureClientSecretInput | None = strawberry.field(
        default=UNSET, description="As an application with a client secret."
    )
    azure_username_password: AzureUsernamePasswordInput | None = strawberry.field(
        default=UNSET, description="As a user with name and password."
    )


@strawberry.input(
    description="Changes of a credential; omitted fields keep their values. Kind and cloud cannot change."
)
class UpdateCredentialInput:
    credential: strawberry.ID = strawberry.field(description="The credential.")
    name: str | None = strawberry.field(default=UNSET, description="Unique in the organization.")
    client_id: str | None = strawberry.field(default=UNSET, description="The application (client) id.")
    tenant_id: str | None = strawberry.field(
        default=UNSET, description="The directory (tenant) id, or a verified domain; not while tasks use it."
    )
    username: str | None = strawberry.field(default=UNSET, description="The full user name, if it signs in as a user.")
    all_subscriptions: bool | None = strawberry.field(
        default=UNSET, description="Whether it is meant for all subscriptions."
    )
    subscription_id: str | None = strawberry.field(
        default=UNSET, description="The one subscription it is meant for; null for none."
    )
    is_global: bool | None = strawberry.field(
        default=UNSET, description="Whether every organization may use it; only for a superuser."
    )
    secret_expires_at: DateTime | None = strawberry.field(
        default=UNSET, description="When the secret expires; null if unknown."
    )
    shared_with: list[strawberry.ID] | None = strawberry.field(default=UNSET, description=_SHARED_WITH)


@strawberry.input(description="A new secret for a credential.")
class RotateSecretInput:
    credential: strawberry.ID = strawberry.field(description="The credential.")
    secret: str = strawberry.field(
        description="The new client secret's value, or the new password. It is sealed and never returned."
    )
    secret_expires_at: DateTime | None = strawberry.field(
        default=UNSET, description="When the new secret expires; unknown by default."
    )


@strawberry.input(description="The credential to delete, and what to do with the tasks that use it.")
class DeleteCredentialInput:
    credential: strawberry.ID = strawberry.field(description="The credential.")
    replacement: strawberry.ID | None = strawberry.field(
        default=UNSET, description="A credential of the same cloud and tenant for its tasks to use instead."
    )
    force: bool = strawberry.field(
        default=False, description="Delete it even if tasks use it: their runs fail until they get another credential."
    )


def owner_of(context: Context) -> Owner:
    """Return the caller's rights to credentials."""
    principal = context.principal
    return Owner(principal.organization_id, principal.role is Role.SUPERUSER)


def credential_key(id: str, path: str = "credential") -> int:
    """Return a credential's key from its id."""
    return decode_id(id, "cred", "Credential", path)


@mutation(
    CREDENTIAL,
    "Create a credential. Its secret is sealed at once and never returned.",
    credential=(Credential, "The new credential."),
)
async def create_credential(context: MutationContext, input: CreateCredentialInput) -> int:
    """Create a credential."""
    if input.is_global and context.principal.role is not Role.SUPERUSER:
        raise Forbidden("Only a superuser may create a global credential.", path="isGlobal")
    kind, new = new_credential(
        input.kind,
        input.cloud,
        name=input.name,
        is_global=input.is_global,
        secret_expires_at=given(input.secret_expires_at),
        shared_with=await _organizations(context.operation, input.shared_with),
    )
    with placed(kind, new):
        return await credentials.create_credential(
            context.tx,
            context.clock,
            context.runtime.vault,
            context.runtime.custom,
            organization_id=context.organization_id,
            new=new,
            created_by=context.principal.name,
        )


@mutation(
    CREDENTIAL,
    "Change a credential; a change of application, tenant or user resets its verification.",
    credential=(Credential, "The credential as it is now."),
)
async def update_credential(context: MutationContext, input: UpdateCredentialInput) -> int:
    """Change a credential."""
    key = credential_key(input.credential)
    changes = {name: value for name, value in vars(input).items() if value is not UNSET}
    del changes["credential"]
    shared = changes.pop("shared_with", None)
    for name, value in changes.items():
        if value is None and name not in _NULLABLE:
            raise BadInput("This cannot be null; leave it out to keep it.", path=to_camel_case(name))
    sharers = None if shared is None else await _organizations(context.operation, shared)
    # The checks name no place: each id is a field at the top of this input.
    for name, check in (("client_id", check_client_id), ("tenant_id", check_tenant)):
        with within(to_camel_case(name)):
            changes |= {name: check(changes[name])} if name in changes else {}
    with within("credential"):
        await credentials.update_credential(
            context.tx, context.clock, owner_of(context.operation), key, changes, sharers
        )
    return key


@mutation(
    CREDENTIAL,
    "Give a credential a new secret; the next sign-in uses it, and the old one is deleted.",
    credential=(Credential, "The credential with its new secret."),
)
async def rotate_secret(context: MutationContext, input: RotateSecretInput) -> int:
    """Give a credential a new secret."""
    key = credential_key(input.credential)
    with within("credential", {"client_secret": "secret", "password": "secret"}):
        await credentials.rotate_secret(
            context.tx,
            context.clock,
            context.runtime.vault,
            owner_of(context.operation),
            key,
            secret=input.secret,
            expires_at=given(input.secret_expires_at),
        )
    return key


@mutation(
    CREDENTIAL,
    "Delete a credential and its sealed secret; refused while tasks use it, without `replacement` or `force`.",
    noun="Credential",
    deleted_id=(strawberry.ID, "The id of the deleted credential."),
)
async def delete_credential(context: MutationContext, input: DeleteCredentialInput) -> int:
    """Delete a credential."""
    key = credential_key(input.credential)
    replacement = credential_key(input.replacement, "replacement") if input.replacement else None
    with within("credential"):
        await credentials.delete_credential(
            context.tx,
            context.clock,
            owner_of(context.operation),
            key,
            replacement_id=replacement,
            force=input.force,
        )
    return key


def new_credential(kind: CredentialKindInput, cloud: Any, *, name: str, **more: Any) -> tuple[str, NewCredential]:
    """Return the place of the kind's input, and the credential."""
    if secret := kind.azure_client_secret:
        return "kind.azureClientSecret", NewCredential(
            name=name,
            kind=CredentialKind.AZURE_CLIENT_SECRET,
            cloud=Cloud(cloud.value),
            client_id=secret.client_id,
            tenant_id=secret.tenant_id,
            secret=secret.client_secret,
            subscription_id=secret.subscription_id or None,
            all_subscriptions=secret.all_subscriptions,
            **more,
        )
    password = kind.azure_username_password
    assert password  # noqa: S101 - exactly one of the two: the input is @oneOf
    return "kind.azureUsernamePassword", NewCredential(
        name=name,
        kind=CredentialKind.AZURE_USERNAME_PASSWORD,
        cloud=Cloud(cloud.value),
        client_id=password.client_id,
        tenant_id=password.tenant_id,
        secret=password.password,
        username=password.username,
        **more,
    )


@contextmanager
def placed(kind: str, new: NewCredential) -> Iterator[None]:
    """Check a new credential's ids, and set the place in the kind's input on errors of the block."""
    with within(f"{kind}.clientId"):
        check_client_id(new.client_id)
    with within(f"{kind}.tenantId"):
        check_tenant(new.tenant_id)
    with within("cloud", {place: f"{kind}.{to_camel_case(place)}" for place in _OF_KIND}):
        yield


async def _organizations(context: Context, ids: Sequence[str]) -> tuple[int, ...]:
    """Return the keys of organizations; raises NotFound for one that the caller does not see."""
    keys = [decode_id(id, "org", "Organization", "sharedWith") for id in ids[: SHARED_WITH_MAX + 1]]
    if len(keys) > SHARED_WITH_MAX:
        raise BadInput(f"At most {SHARED_WITH_MAX} organizations can be listed.", path="sharedWith")
    for key in keys:
        if await context.load("Organization", key) is None:
            raise NotFound("There is no such organization.", path="sharedWith")
    return tuple(keys)
