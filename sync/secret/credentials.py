"""Credentials of directories: creates, changes, shares and deletes them, and opens them for a sign-in.

A secret leaves this module only as part of a sign-in. While tasks sign in with a credential, it cannot be deleted, or
taken from their organization.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.entra.cloud import GUID, Cloud, Endpoints, check_client_id, check_tenant, endpoints
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
_FIELD = {CredentialKind.AZURE_CLIENT_SECRET: "client_secret", CredentialKind.AZURE_USERNAME_PASSWORD: "password"}
# A change of one of these columns invalidates the last verification.
_VERIFIED = ("client_id", "tenant_id", "username")
_UNVERIFIED = {"last_verification": None, "last_verified_at": None}
_CHANGEABLE = ("name", *_VERIFIED, "subscription_id", "all_subscriptions", "is_global", "secret_expires_at")


@dataclass(frozen=True)
class NewCredential:
    """A credential as a person enters it; `secret` is the value of the client secret or the password, by kind."""

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
    """The caller that changes credentials: its organization, and whether it may change global credentials."""

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
    """Check, seal and store a credential; return its key.

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
    # Seal after the insert: the seal is bound to the row's id.
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
    """Change a credential except for its secret; kind and cloud stay, so that the secret goes to no other service.

    Args:
        changes: columns and their new values.
        shared_with: the other organizations that may use it; None leaves them unchanged.

    Raises:
        NotFound, Forbidden: the owner may not change it.
        BadInput: a value is malformed, or does not fit the credential's kind.
        Conflict: the name is taken, or tasks would lose their tenant or their credential.
    """
    row = await own_credential(tx, owner, credential_id)
    kind = CredentialKind(row.kind)
    if kind is CredentialKind.AZURE_CLIENT_SECRET and changes.get("username"):
        raise BadInput("An application has no user name.", path="username")
    values = _checked(kind, {name: changes.get(name, getattr(row, name)) for name in _CHANGEABLE})
    if values["is_global"] != row.is_global and not owner.is_superuser:
        raise Forbidden("Only a superuser may change whether a credential is global.", path="isGlobal")
    if values["tenant_id"] != row.tenant_id and await _tasks_of(tx, credential_id):
        raise Conflict(
            "Tasks sign in with this credential, and their inventories belong to its tenant.",
            hint="Create another credential for the other tenant, and tasks that use it.",
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
    """Replace the secret; the next sign-in uses the new one, and the old one is gone.

    Raises:
        NotFound, Forbidden: the owner may not change the credential.
        BadInput: the secret is malformed.
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
        replacement_id: the credential of the same tenant that its tasks use from now on.
        force: leave its tasks without a credential; their runs fail until they get one.

    Raises:
        NotFound, Forbidden: the owner may not change it, or may not use the replacement.
        Conflict: tasks use it, and neither a replacement nor force is given; or the replacement does not fit.
    """
    row = await own_credential(tx, owner, credential_id)
    users = await _tasks_of(tx, credential_id)
    if users and replacement_id is not None:
        await _check_replacement(tx, row, replacement_id, {user.organization_id for user in users})
    elif users and not force:
        raise Conflict(
            f"The credential is in use: {_tasks_text(users, owner.organization_id)}.",
            hint="Name a `replacement` for these tasks, or use `force`: their runs then fail without a credential.",
            path="credential",
        )
    now = timestamp(clock.now())
    mine = tasks.c.credential_id == credential_id
    await tx.execute(update(tasks).where(mine).values(credential_id=replacement_id, updated_at=now))
    await tx.execute(delete(credentials).where(credentials.c.id == credential_id))


async def save_verification(
    tx: AsyncConnection, credential_id: int, verified: Mapping[str, Any], *, at: str, passed: bool, set_at: str
) -> None:
    """Store the last verification, unless the secret was changed meanwhile (`set_at`: when the tested one was set)."""
    values: dict[str, Any] = {"last_verification": dict(verified)} | ({"last_verified_at": at} if passed else {})
    same = (credentials.c.id == credential_id) & (credentials.c.secret_set_at == set_at)
    await tx.execute(update(credentials).where(same).values(values))


async def own_credential(tx: AsyncConnection, owner: Owner, credential_id: int) -> AnyRow:
    """Return a credential that the owner may change.

    Raises:
        NotFound: the organization may not even use it.
        Forbidden: it belongs to another organization, or is global.
    """
    row = await usable_credential(tx, owner.organization_id, credential_id)
    if row.organization_id != owner.organization_id:
        raise Forbidden("Only its own organization may change the credential.", path="credential")
    if row.is_global and not owner.is_superuser:
        raise Forbidden("Only a superuser may change a global credential.", path="credential")
    return row


async def usable_credential(tx: AsyncConnection, organization_id: int, credential_id: int) -> AnyRow:
    """Return the credential if the organization may use it: its own, a global one, or one shared with it.

    Raises:
        NotFound: it does not exist or may not be used; the error does not tell which.
    """
    row = (
        await tx.execute(select(credentials).where(credentials.c.id == credential_id, usable_by(organization_id)))
    ).first()
    if row is None:
        raise NotFound("There is no such credential.")
    return row


def usable_by(organization_id: int) -> ColumnElement[bool]:
    """Return the condition that an organization may use a credential."""
    given = select(credential_access.c.credential_id).where(credential_access.c.organization_id == organization_id)
    return or_(
        credentials.c.organization_id == organization_id,
        credentials.c.is_global,
        credentials.c.id.in_(given),
    )


def secret_place(organization_id: int, credential_id: int, kind: str) -> SecretPlace:
    """Return the place that the secret of a credential is bound to."""
    return SecretPlace(organization_id, credential_id, _FIELD[CredentialKind(kind)])


def open_sign_in(row: AnyRow, vault: Vault, custom: Endpoints | None) -> SecretSignIn | PasswordSignIn:
    """Open a credential's secret for a sign-in; drop the result when the run ends.

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
    """Check a secret and return it in the form to seal; errors never repeat it.

    Raises:
        BadInput: see `secret_text`; or it looks like the id of a client secret.
    """
    secret = secret_text(given, _FIELD[kind])
    if kind is CredentialKind.AZURE_CLIENT_SECRET and GUID.fullmatch(secret):
        raise BadInput(
            "This looks like the secret's ID, not its value.",
            hint="Paste the Value column of Certificates & secrets; it is shown only when the secret is created.",
            path=_FIELD[kind],
        )
    return secret


def _checked(kind: CredentialKind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the changeable values of a credential and return them in their stored form."""
    username, subscription_id = values["username"], values["subscription_id"]
    if kind is CredentialKind.AZURE_USERNAME_PASSWORD and not (username and "@" in username and username.isprintable()):
        raise BadInput("The user name must be a full one, such as sync@contoso.onmicrosoft.com.", path="username")
    if subscription_id is not None and not GUID.fullmatch(subscription_id):
        raise BadInput("The subscription id must be a GUID.", path="subscriptionId")
    if subscription_id is not None and values["all_subscriptions"]:
        message = "A credential is either for one subscription or for all of them."
        hint = "Leave out subscriptionId (null removes a stored one), or set allSubscriptions to false."
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
    """Set the other organizations that may use a credential."""
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
    """Name the organization's own tasks, and only count those of others."""
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
            hint="A task keeps its inventory only if the tenant stays the same, written the same way (GUID or domain).",
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
        raise Conflict(f"{number} tasks of other organizations sign in with this credential.", path="sharedWith")
