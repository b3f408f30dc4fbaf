"""Audit events: who did what, or was refused, when; nothing in the API changes or removes one."""

from __future__ import annotations

import strawberry

from schema.field.registry import Record, field, identifier, noun
from schema.field.scalars import DateTime
from schema.field.scope import own
from schema.list.connection import one
from sync.store.tables import audit_events

_e = audit_events.c


@noun(audit_events, "event", scope=own(audit_events), description="Something that a caller did or was refused.")
class AuditEvent(Record):
    id: strawberry.ID = identifier()
    at: DateTime = field(_e.at, "When it happened.", aliases=("created_at",))
    actor: str = field(
        _e.actor,
        "Who: `token:` with its number and name, `entra:` with the object id and name, or `command line`.",
        text=True,
    )
    action: str = field(
        _e.action,
        "What: a mutation, a command such as `token.create`; or, of a refusal, the field that the role does not reach.",
        text=True,
    )
    target: str | None = field(_e.target, "The id of what was made, changed or removed.", text=True)
    outcome: str = field(_e.outcome, "`OK`, or the code of the refusal.")
    request_id: str | None = field(_e.request_id, "The request, as the log and the errors name it.")
    organization = one("Organization", "organization_id", "The organization it happened in.")
