"""Credentials: how to sign in to a directory; a secret goes in and never comes out."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Any

import strawberry
from strawberry.types import Info

from schema.context import Context
from schema.field.enums import described
from schema.field.registry import FieldKind as Values
from schema.field.registry import Record, condition, field, identifier, noun
from schema.field.relations import sharers_of_credential
from schema.field.resolution import computed
from schema.field.scalars import DateTime
from schema.list.connection import every, one
from schema.types.verification import CredentialVerification, verification_of
from sync.entra.cloud import Cloud
from sync.secret.credentials import CredentialKind as FieldKind
from sync.secret.credentials import usable_by
from sync.store.tables import credentials

_c = credentials.c
EXPIRING_DAYS = 30


CredentialKind = described(
    FieldKind,
    "CredentialKind",
    "How a credential signs in.",
    AZURE_CLIENT_SECRET="As an application with a client secret: application permissions.",  # noqa: S106 - a description
    AZURE_USERNAME_PASSWORD="As a cloud user without MFA: delegated permissions.",  # noqa: S106 - a description
)
AzureCloud = described(
    Cloud,
    "AzureCloud",
    "Which Microsoft cloud a tenant lives in.",
    GLOBAL="The worldwide cloud.",
    GCC="US government community; the worldwide endpoints.",
    GCC_HIGH="US government L4.",
    DOD="US government L5 (Department of Defense).",
    CHINA="China, operated by 21Vianet.",
    CUSTOM="The endpoints in this server's own settings.",
)


@strawberry.enum(description="How long a secret will still work, by what its owner noted.")
class CredentialSecretState(enum.Enum):
    UNKNOWN = strawberry.enum_value("UNKNOWN", description="Nobody noted when it expires.")
    VALID = strawberry.enum_value("VALID", description=f"It expires in more than {EXPIRING_DAYS} days.")
    EXPIRING = strawberry.enum_value("EXPIRING", description=f"It expires within {EXPIRING_DAYS} days: rotate it.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="It has expired: no run can sign in with it.")


@noun(
    credentials,
    "cred",
    scope=lambda principal: usable_by(principal.organization_id),
    conditions={
        "verified": condition(_c.last_verified_at.is_not(None), Values.BOOL, "Whether it was ever found to work.")
    },
    description="How to sign in to a directory. Secrets are write-only: they are never returned.",
)
class Credential(Record):
    """A credential, without its secret."""

    id: strawberry.ID = identifier()
    name: str = field(_c.name, "The name, unique in its organization.", text=True)
    kind: CredentialKind = field(_c.kind, "How it signs in.", enum=CredentialKind, aliases=("type",))  # type: ignore[valid-type]
    cloud: AzureCloud = field(_c.cloud, "The cloud the tenant lives in.", enum=AzureCloud)  # type: ignore[valid-type]
    client_id: str = field(_c.client_id, "The application (client) id.")
    tenant_id: str = field(_c.tenant_id, "The directory (tenant) id, or a domain of it.")
    username: str | None = field(_c.username, "The user name, if it signs in as a user.")
    subscription_id: str | None = field(_c.subscription_id, "The one subscription it is meant for.")
    all_subscriptions: bool = field(_c.all_subscriptions, "Whether it is meant for all subscriptions of the tenant.")
    is_global: bool = field(_c.is_global, "Whether every organization may use it.", keyword="global")
    secret_set_at: DateTime = field(_c.secret_set_at, "When the secret was set.")
    secret_expires_at: DateTime | None = field(
        _c.secret_expires_at, "When the secret expires, as its owner noted.", keyword="secret_expires"
    )
    last_used_at: DateTime | None = field(_c.last_used_at, "When it last signed in for a run.")
    last_verified_at: DateTime | None = field(
        _c.last_verified_at, "When it was last found to work, with the secret and the ids that it has now."
    )
    created_at: DateTime = field(_c.created_at, "When it was created.")
    updated_at: DateTime = field(_c.updated_at, "When it was last changed.")
    organization = one("Organization", "organization_id", "The organization it belongs to; null if it is another's.")
    shared_with = every(
        "Organization",
        "The organizations that may use it besides its own; only those that the caller may see.",
        sharers_of_credential,
        expected=5,
        is_crossed=False,
    )

    @computed("last_verification", description="What the last verification found; null after a change.")
    def last_verification(stored: dict[str, Any] | None) -> CredentialVerification | None:
        """Spell out the stored checklist."""
        return None if stored is None else verification_of(stored)

    # No form, filter or order: what is another organization's must not be told, not even by yes and no.
    @strawberry.field(description="The token that created it; null if that is another organization's.")
    def created_by(self, info: Info[Context, None]) -> str | None:
        """Return the name of a token of the caller's own organization."""
        stored = vars(self)
        is_own = stored["organization_id"] == info.context.principal.organization_id
        return stored["created_by"] if is_own else None

    # No form: the answer changes with time alone, so it is never one that is kept.
    @strawberry.field(description="Whether the secret is about to expire.")
    def secret_state(self, info: Info[Context, None]) -> CredentialSecretState:
        """Compare the noted end with the operation's moment."""
        if self.secret_expires_at is None:
            return CredentialSecretState.UNKNOWN
        left = datetime.fromisoformat(str(self.secret_expires_at)) - info.context.runtime.clock.now()
        if left <= timedelta(0):
            return CredentialSecretState.EXPIRED
        return CredentialSecretState.EXPIRING if left <= timedelta(days=EXPIRING_DAYS) else CredentialSecretState.VALID
