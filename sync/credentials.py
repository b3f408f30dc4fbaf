"""Credentials of directories: created, found for an organization, opened for a sign-in by nobody else.

A secret goes in and never comes out of here but as a sign-in that is about to be used.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.entra.cloud import Cloud, Endpoints, check_client_id, check_tenant, endpoints
from sync.entra.token import PasswordSignIn, SecretSignIn
from sync.errors import BadInput, Conflict, NotFound
from sync.organizations import check_name
from sync.store import AnyRow
from sync.store.tables import credential_access, credentials
from sync.vault import Place, Vault


class CredentialKind(enum.StrEnum):
    """How a credential signs in."""

    AZURE_CLIENT_SECRET = "AZURE_CLIENT_SECRET"  # noqa: S105 - the name of a kind
    AZURE_USERNAME_PASSWORD = "AZURE_USERNAME_PASSWORD"  # noqa: S105 - the name of a kind


SECRET_CHARS_MAX = 1_000
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FIELD = {CredentialKind.AZURE_CLIENT_SECRET: "client_secret", CredentialKind.AZURE_USERNAME_PASSWORD: "password"}


@dataclass(frozen=True)
class NewCredential:
    """What a person enters; `secret` is the client secret's value or the password, depending on the kind."""

    name: str
    kind: CredentialKind
    cloud: Cloud
    client_id: str
    tenant_id: str
    secret: str = field(repr=False)
    username: str | None = None
    subscription_id: str | None = None
    all_subscriptions: bool = False
    is_global: bool = False
    secret_expires_at: str | None = None


async def create_credential(
    tx: AsyncConnection,
    clock: Clock,
    vault: Vault,
    custom: Endpoints | None,
    *,
    organization_id: int,
    new: NewCredential,
    created_by: str,
) -> int:
    """Check, seal and store a credential; returns its key.

    Raises:
        BadInput: a field is malformed; the secret is never repeated in the message.
        Conflict: the organization has a credential of that name.
    """
    endpoints(new.cloud, custom)
    now = timestamp(clock.now())
    values = {
        **_checked(new),
        "organization_id": organization_id,
        "sealed_secret": b"",
        "secret_set_at": now,
        "created_by": created_by,
        "created_at": now,
        "updated_at": now,
    }
    try:
        async with tx.begin_nested():
            result = await tx.execute(insert(credentials).values(values))
    except IntegrityError:
        raise Conflict("There is a credential of that name already.", path="name") from None
    key = result.inserted_primary_key
    assert key is not None  # noqa: S101 - credentials have a generated key
    credential_id = int(key[0])
    # The seal is bound to the row's own id, which only exists now.
    sealed = vault.seal(new.secret, secret_place(organization_id, credential_id, new.kind))
    await tx.execute(update(credentials).where(credentials.c.id == credential_id).values(sealed_secret=sealed))
    return credential_id


async def usable_credential(tx: AsyncConnection, organization_id: int, credential_id: int) -> AnyRow:
    """Return the credential if the organization may use it: its own, a global one, or one it was given access to.

    Raises:
        NotFound: there is none, or it is another organization's: the two cannot be told apart.
    """
    row = (
        await tx.execute(select(credentials).where(credentials.c.id == credential_id, usable_by(organization_id)))
    ).first()
    if row is None:
        raise NotFound("There is no such credential.")
    return row


def usable_by(organization_id: int) -> ColumnElement[bool]:
    """Build the condition that an organization may use a credential."""
    given = select(credential_access.c.credential_id).where(credential_access.c.organization_id == organization_id)
    return or_(
        credentials.c.organization_id == organization_id,
        credentials.c.is_global,
        credentials.c.id.in_(given),
    )


def secret_place(organization_id: int, credential_id: int, kind: str) -> Place:
    """Return where the secret of a credential belongs."""
    return Place(organization_id, credential_id, _FIELD[CredentialKind(kind)])


def open_sign_in(row: AnyRow, vault: Vault, custom: Endpoints | None) -> SecretSignIn | PasswordSignIn:
    """Open a credential's secret for a sign-in; drop the result as soon as the run is over.

    Raises:
        KeyUnusable, Tampered: the secret cannot be opened.
        BadInput: the credential's cloud is not configured on this server.
    """
    secret = vault.open(row.sealed_secret, secret_place(row.organization_id, row.id, row.kind))
    where = endpoints(Cloud(row.cloud), custom)
    if row.kind == CredentialKind.AZURE_CLIENT_SECRET:
        return SecretSignIn(endpoints=where, tenant_id=row.tenant_id, client_id=row.client_id, client_secret=secret)
    return PasswordSignIn(
        endpoints=where,
        tenant_id=row.tenant_id,
        client_id=row.client_id,
        username=row.username,
        password=secret,
    )


def _checked(new: NewCredential) -> dict[str, object]:
    if not new.secret or len(new.secret) > SECRET_CHARS_MAX:
        raise BadInput(f"The secret must have 1 to {SECRET_CHARS_MAX} characters.", path=_FIELD[new.kind])
    if new.kind is CredentialKind.AZURE_CLIENT_SECRET and _GUID.fullmatch(new.secret):
        raise BadInput(
            "This looks like the secret's ID, not its value.",
            hint="Paste the Value column of Certificates & secrets; it is shown only when the secret is created.",
            path=_FIELD[new.kind],
        )
    if new.kind is CredentialKind.AZURE_USERNAME_PASSWORD and not (
        new.username and "@" in new.username and new.username.isprintable()
    ):
        raise BadInput("The user name must be a full one, such as sync@contoso.onmicrosoft.com.", path="username")
    if new.subscription_id is not None and not _GUID.fullmatch(new.subscription_id):
        raise BadInput("The subscription id must be a GUID.", path="subscriptionId")
    return {
        "name": check_name(new.name),
        "kind": new.kind,
        "cloud": new.cloud.value,
        "client_id": check_client_id(new.client_id),
        "tenant_id": check_tenant(new.tenant_id),
        "username": new.username,
        "subscription_id": new.subscription_id,
        "all_subscriptions": new.all_subscriptions,
        "is_global": new.is_global,
        "secret_expires_at": new.secret_expires_at,
    }
