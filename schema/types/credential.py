"""Credentials: how to sign in to a directory; a secret goes in and never comes out."""

from __future__ import annotations

import strawberry

from schema.connection import one
from schema.enums import described
from schema.fields import Kind as Values
from schema.fields import Record, condition, field, identifier, noun
from schema.scalars import DateTime
from sync.credentials import CredentialKind as Kind
from sync.credentials import usable_by
from sync.entra.cloud import Cloud
from sync.store.tables import credentials

_c = credentials.c


CredentialKind = described(
    Kind,
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
    created_by: str | None = field(_c.created_by, "The token that created it.")
    created_at: DateTime = field(_c.created_at, "When it was created.")
    updated_at: DateTime = field(_c.updated_at, "When it was last changed.")
    organization = one("Organization", "organization_id", "The organization it belongs to; null if it is another's.")
