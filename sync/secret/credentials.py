"""Credentials of directories: made, changed, taken away, found for an organization, opened for a sign-in.

A secret goes in and never comes out of here but as a sign-in that is about to be used. What a credential is used for
is protected: it cannot be deleted, or taken from an organization, while tasks sign in with it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.entra.cloud import Cloud, Endpoints, check_client_id, check_tenant, endpoints
from sync.entra.signin.token import PasswordSignIn, SecretSignIn
from sync.errors import BadInput, Conflict, Forbidden, NotFound
from sync.organization.organizations import check_name
from sync.secret.text import secret_text
from sync.secret.vault import SecretPlace, Vault
from sync.store import AnyRow
from sync.store.tables import credential_access, credentials, organizations, tasks


class CredentialKind(enum.StrEnum):
    """How a credential signs in."""

    AZURE_CLIENT_SECRET = "AZURE_CLIENT_SECRET"  # noqa: S105 - the name of a kind
    AZURE_USERNAME_PASSWORD = "AZURE_USERNAME_PASSWORD"  # noqa: S105 - the name of a kind


TASKS_NAMED_MAX = 3
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FIELD = {CredentialKind.AZURE_CLIENT_SECRET: "client_secret", CredentialKind.AZURE_USERNAME_PASSWORD: "password"}
# A change of these columns makes the last verification worthless.
_VERIFIED = ("client_id", "tenant_id", "username")
_UNVERIFIED = {"last_verification": None, "last_verified_at": None}
_CHANGEABLE = ("name", *_VERIFIED, "subscription_id", "all_subscriptions", "is_global", "secret_expires_at")


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
    shared_with: tuple[int, ...] = ()


@dataclass(frozen=True)
class Owner:
    """Who changes credentials: of which organization, and whether also those that all organizations use."""

    organization_id: int
    is_superuser: bool


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
    secret = checked_secret(new.kind, new.secret)
    now = timestamp(clock.now())
    values = {
        **_checked(new.kind, {name: getattr(new, name) for name in _CHANGEABLE}),
        "kind": new.kind,
        "cloud": new.cloud.value,
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
    sealed = vault.seal(secret, secret_place(organization_id, credential_id, new.kind))
    await tx.execute(update(credentials).where(credentials.c.id == credential_id).values(sealed_secret=sealed))
    await _share(tx, organization_id, credential_id, new.shared_with)
    return credential_id


async def update_credential(
    tx: AsyncConnection,
    clock: Clock,
    owner: Owner,
    credential_id: int,
    changes: Mapping[str, Any],
    shared_with: Sequence[int] | None = None,
) -> None:
    """Change what is no secret; kind and cloud stay, so that a secret never goes to a place it was not entered for.

    Args:
        changes: columns and their new values.
        shared_with: the organizations that may use it besides its own; None leaves them as they are.

    Raises:
        NotFound, Forbidden: it is not the owner's to change.
        BadInput: a value is malformed, or not one of the credential's kind.
        Conflict: the name is taken, or tasks would lose their tenant or their credential.
    """
    row = await own_credential(tx, owner, credential_id)
    kind = CredentialKind(row.kind)
    if kind is CredentialKind.AZURE_CLIENT_SECRET and changes.get("username"):
        raise BadInput("An application has no user name.", path="username")
    values = _checked(kind, {name: changes.get(name, getattr(row, name)) for name in _CHANGEABLE})
    if values["is_global"] != row.is_global and not owner.is_superuser:
        raise Forbidden("Only a superuser may make a credential global, or no longer so.", path="isGlobal")
    if values["tenant_id"] != row.tenant_id and await _tasks_of(tx, credential_id):
        raise Conflict(
            "Tasks sign in with this credential; their inventories are of its tenant.",
            hint="Create a credential for the other tenant, and tasks that use it.",
            path="tenantId",
        )
    if any(values[name] != getattr(row, name) for name in _VERIFIED):
        values |= _UNVERIFIED
    try:
        async with tx.begin_nested():
            await _write(tx, clock, credential_id, values)
    except IntegrityError:
        raise Conflict("There is a credential of that name already.", path="name") from None
    if shared_with is not None:
        await _share(tx, row.organization_id, credential_id, shared_with)
    await _check_none_is_cut_off(tx, row.organization_id, credential_id)


async def rotate_secret(
    tx: AsyncConnection,
    clock: Clock,
    vault: Vault,
    owner: Owner,
    credential_id: int,
    *,
    secret: str,
    expires_at: str | None,
) -> None:
    """Put a new secret in the place of the old one, which is gone; the next sign-in uses it.

    Raises:
        NotFound, Forbidden: the credential is not the owner's to change.
        BadInput: the secret cannot be one.
    """
    row = await own_credential(tx, owner, credential_id)
    kind = CredentialKind(row.kind)
    sealed = vault.seal(checked_secret(kind, secret), secret_place(row.organization_id, credential_id, kind))
    set_at = timestamp(clock.now())
    values = {"sealed_secret": sealed, "secret_set_at": set_at, "secret_expires_at": expires_at}
    await _write(tx, clock, credential_id, values | _UNVERIFIED)


async def delete_credential(
    tx: AsyncConnection, clock: Clock, owner: Owner, credential_id: int, *, replacement_id: int | None, force: bool
) -> None:
    """Delete a credential and its sealed secret.

    Args:
        replacement_id: the credential that its tasks sign in with from now on; of the same tenant.
        force: leave its tasks without a credential; their runs fail until they get one.

    Raises:
        NotFound, Forbidden: it is not the owner's to change, or the replacement is not usable.
        Conflict: tasks use it, and neither a replacement nor force is given; or the replacement does not fit.
    """
    row = await own_credential(tx, owner, credential_id)
    users = await _tasks_of(tx, credential_id)
    if users and replacement_id is not None:
        await _check_replacement(tx, row, replacement_id, {user.organization_id for user in users})
    elif users and not force:
        raise Conflict(
            f"The credential is in use: {_tasks_text(users, owner.organization_id)}.",
            hint="Name a `replacement` that they sign in with from now on, or `force` it: their runs will fail.",
            path="credential",
        )
    now = timestamp(clock.now())
    mine = tasks.c.credential_id == credential_id
    await tx.execute(update(tasks).where(mine).values(credential_id=replacement_id, updated_at=now))
    await tx.execute(delete(credentials).where(credentials.c.id == credential_id))


async def save_verification(
    tx: AsyncConnection, credential_id: int, verified: Mapping[str, Any], *, at: str, passed: bool, set_at: str
) -> None:
    """Keep the last verification with its credential, unless the secret was changed meanwhile (`set_at`)."""
    values: dict[str, Any] = {"last_verification": dict(verified)} | ({"last_verified_at": at} if passed else {})
    same = (credentials.c.id == credential_id) & (credentials.c.secret_set_at == set_at)
    await tx.execute(update(credentials).where(same).values(values))


async def own_credential(tx: AsyncConnection, owner: Owner, credential_id: int) -> AnyRow:
    """Return a credential that the owner may change.

    Raises:
        NotFound: the organization cannot even use it.
        Forbidden: it is another organization's, or everybody's.
    """
    row = await usable_credential(tx, owner.organization_id, credential_id)
    if row.organization_id != owner.organization_id:
        raise Forbidden("The credential belongs to another organization; it can be used here.", path="credential")
    if row.is_global and not owner.is_superuser:
        raise Forbidden("Only a superuser may change a global credential.", path="credential")
    return row


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


def secret_place(organization_id: int, credential_id: int, kind: str) -> SecretPlace:
    """Return where the secret of a credential belongs."""
    return SecretPlace(organization_id, credential_id, _FIELD[CredentialKind(kind)])


def open_sign_in(row: AnyRow, vault: Vault, custom: Endpoints | None) -> SecretSignIn | PasswordSignIn:
    """Open a credential's secret for a sign-in; drop the result as soon as the run is over.

    Raises:
        KeyUnusable, Tampered: the secret cannot be opened.
        BadInput: the credential's cloud is not configured on this server.
    """
    secret = vault.open(row.sealed_secret, secret_place(row.organization_id, row.id, row.kind))
    return _sign_in(row, secret, custom)


def sign_in_of(new: NewCredential, custom: Endpoints | None) -> SecretSignIn | PasswordSignIn:
    """Make the sign-in of a credential that is not stored.

    Raises:
        BadInput: a field is malformed; the secret is never repeated in the message.
    """
    secret = checked_secret(new.kind, new.secret)
    _checked(new.kind, {name: getattr(new, name) for name in _CHANGEABLE})
    return _sign_in(new, secret, custom)


def _sign_in(found: AnyRow | NewCredential, secret: str, custom: Endpoints | None) -> SecretSignIn | PasswordSignIn:
    where = endpoints(Cloud(found.cloud), custom)
    if found.kind == CredentialKind.AZURE_CLIENT_SECRET:
        return SecretSignIn(endpoints=where, tenant_id=found.tenant_id, client_id=found.client_id, client_secret=secret)
    assert found.username  # noqa: S101 - checked before it was stored
    return PasswordSignIn(
        endpoints=where,
        tenant_id=found.tenant_id,
        client_id=found.client_id,
        username=found.username,
        password=secret,
    )


def checked_secret(kind: CredentialKind, given: str) -> str:
    """Return a secret as it is sealed; never repeats it.

    Raises:
        BadInput: as `secret_text`, or it is the id of a secret.
    """
    secret = secret_text(given, _FIELD[kind])
    if kind is CredentialKind.AZURE_CLIENT_SECRET and _GUID.fullmatch(secret):
        raise BadInput(
            "This looks like the secret's ID, not its value.",
            hint="Paste the Value column of Certificates & secrets; it is shown only when the secret is created.",
            path=_FIELD[kind],
        )
    return secret


def _checked(kind: CredentialKind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a credential that can be changed, in the form they are stored in."""
    username, subscription_id = values["username"], values["subscription_id"]
    if kind is CredentialKind.AZURE_USERNAME_PASSWORD and not (username and "@" in username and username.isprintable()):
        raise BadInput("The user name must be a full one, such as sync@contoso.onmicrosoft.com.", path="username")
    if subscription_id is not None and not _GUID.fullmatch(subscription_id):
        raise BadInput("The subscription id must be a GUID.", path="subscriptionId")
    if subscription_id is not None and values["all_subscriptions"]:
        message = "A credential is meant for one subscription or for all of them, not for both."
        hint = "Leave subscriptionId out (null takes a stored one away), or set allSubscriptions to false."
        raise BadInput(message, hint=hint, path="subscriptionId")
    return {
        **values,
        "name": check_name(values["name"]),
        "client_id": check_client_id(values["client_id"]),
        "tenant_id": check_tenant(values["tenant_id"]),
    }


async def _write(tx: AsyncConnection, clock: Clock, credential_id: int, values: Mapping[str, Any]) -> None:
    changed = {**values, "updated_at": timestamp(clock.now())}
    await tx.execute(update(credentials).where(credentials.c.id == credential_id).values(changed))


async def _share(tx: AsyncConnection, own: int, credential_id: int, shared_with: Sequence[int]) -> None:
    """Let exactly these organizations use a credential besides its own."""
    wanted = set(shared_with) - {own}
    known = set(await tx.scalars(select(organizations.c.id).where(organizations.c.id.in_(wanted))))
    if wanted != known:
        raise NotFound("There is no such organization.", path="sharedWith")
    await tx.execute(delete(credential_access).where(credential_access.c.credential_id == credential_id))
    if wanted:
        rows = [{"credential_id": credential_id, "organization_id": key} for key in sorted(wanted)]
        await tx.execute(insert(credential_access), rows)


async def _tasks_of(tx: AsyncConnection, credential_id: int) -> Sequence[AnyRow]:
    columns = (tasks.c.name, tasks.c.organization_id)
    return (await tx.execute(select(*columns).where(tasks.c.credential_id == credential_id).order_by(tasks.c.id))).all()


def _tasks_text(users: Sequence[AnyRow], organization_id: int) -> str:
    """Name the organization's own tasks; of others, tell only how many there are."""
    own = [user.name for user in users if user.organization_id == organization_id]
    shown = ", ".join(own[:TASKS_NAMED_MAX]) + (", …" if len(own) > TASKS_NAMED_MAX else "")
    parts = [f"{len(own)} tasks ({shown})"] if own else []
    if others := len(users) - len(own):
        parts.append(f"{others} tasks of other organizations")
    return " and ".join(parts)


async def _check_replacement(tx: AsyncConnection, row: AnyRow, replacement_id: int, users: set[int]) -> None:
    for organization_id in sorted(users | {row.organization_id}, key=lambda key: key != row.organization_id):
        try:
            other = await usable_credential(tx, organization_id, replacement_id)
        except NotFound:
            if organization_id == row.organization_id:
                raise NotFound("There is no such credential.", path="replacement") from None
            raise Conflict("An organization with a task may not use the replacement.", path="replacement") from None
    if replacement_id == row.id or (other.cloud, other.tenant_id) != (row.cloud, row.tenant_id):
        raise Conflict(
            "The replacement must be another credential of the same cloud and tenant.",
            hint="Tasks keep their inventories only within a tenant, written the same way.",
            path="replacement",
        )


async def _check_none_is_cut_off(tx: AsyncConnection, own: int, credential_id: int) -> None:
    given = select(credential_access.c.organization_id).where(credential_access.c.credential_id == credential_id)
    cut_off = (
        select(func.count())
        .select_from(tasks)
        .join(credentials, credentials.c.id == tasks.c.credential_id)
        .where(
            credentials.c.id == credential_id,
            credentials.c.is_global.is_(False),
            tasks.c.organization_id != own,
            tasks.c.organization_id.not_in(given),
        )
    )
    if number := await tx.scalar(cut_off):
        raise Conflict(f"{number} tasks of other organizations sign in with it.", path="sharedWith")
