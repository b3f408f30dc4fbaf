"""API tokens: shown once when they are made, by their first characters ever after."""

from __future__ import annotations

import strawberry

from schema import access
from schema.field.enums import described
from schema.field.registry import Record, field, identifier, noun
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.list.connection import one
from sync.store.tables import tokens

_t = tokens.c

Role = described(
    access.Role,
    "Role",
    "What a token may do; each role may also do what those before it may.",
    VIEWER="Reads inventories, tasks and runs.",
    ANNOTATOR="Comments on and tags assets.",
    USER="Creates and triggers tasks, sees credentials without their secrets.",
    ADMINISTRATOR="Creates sites, credentials and tokens of the organization.",
    SUPERUSER="Creates organizations and acts in all of them.",
)


@noun(tokens, "token", scope=own(tokens), description="An API token; its text is shown only once, when it is created.")
class ApiToken(Record):
    id: strawberry.ID = identifier()
    name: str = field(_t.name, "What the token is for.", text=True)
    role: Role = field(_t.role, "What it may do.", enum=Role)  # type: ignore[valid-type]
    prefix: str = field(_t.prefix, "Its first characters, to recognise it by.")
    created_by: str | None = field(_t.created_by, "The token that created it.")
    expires_at: DateTime | None = field(_t.expires_at, "When it expires; null if never.")
    revoked_at: DateTime | None = field(_t.revoked_at, "When it was revoked.")
    last_used_at: DateTime | None = field(_t.last_used_at, "When it was last used, to the hour.")
    created_at: DateTime = field(_t.created_at, "When it was created.")
    organization = one("Organization", "organization_id", "The organization it belongs to.")
