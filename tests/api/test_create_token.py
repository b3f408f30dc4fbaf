"""createToken: shown once, stored as a digest, never stronger than who makes it, audited."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from schema.access import Role
from sync.organization.tokens import LIFETIME_DAYS, find_token
from sync.store import tables
from tests.api.mutation import assert_audited, perform
from tests.api.world import World
from tests.canary import watch


async def test_token_works_once_it_is_made_and_is_stored_as_a_digest_only(office: World) -> None:
    """The text is in the answer and opens the door; the database keeps its digest and first characters."""
    caller = office.caller()
    outcome = await perform(office, caller, "createToken", name="Dashboard", role="USER")
    text, made = watch(outcome.payload["text"]), outcome.made()
    found = await find_token(office.runtime.store, office.runtime.clock, text)
    assert found is not None
    assert (found.organization_id, found.role, found.name) == (office.home, "USER", "Dashboard")
    assert made["prefix"] == text[:11] and made["createdBy"] == caller.principal.name
    stored = str(await office.read(select(tables.tokens).where(tables.tokens.c.id == found.id)))
    assert text not in stored and text[11:] not in stored
    assert_audited(outcome, caller, "createToken", "OK", made["id"])
    assert text not in str(outcome.audit)


@pytest.mark.parametrize("days", [1, LIFETIME_DAYS, 3_650])
async def test_token_expires_after_the_days_that_were_asked_for(office: World, days: int) -> None:
    """expiresAt lies so many days ahead."""
    outcome = await perform(office, office.caller(), "createToken", name="T", role="VIEWER", lifetimeDays=days)
    watch(outcome.payload["text"])
    expires = datetime.fromisoformat(outcome.made()["expiresAt"])
    left = expires - office.runtime.clock.now()
    assert timedelta(days=days) - timedelta(minutes=5) < left <= timedelta(days=days)


@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        ({"name": "", "role": "VIEWER"}, "INVALID", "name"),
        ({"name": "T", "role": "VIEWER", "lifetimeDays": 0}, "INVALID", "lifetimeDays"),
        ({"name": "T", "role": "VIEWER", "lifetimeDays": 3_651}, "INVALID", "lifetimeDays"),
        ({"name": "T", "role": "VIEWER", "organization": "site_1"}, "INVALID", "organization"),
        ({"name": "T", "role": "VIEWER", "organization": "org_999"}, "NOT_FOUND", "organization"),
        ({"name": "T", "role": "SUPERUSER"}, "FORBIDDEN", "role"),
    ],
)
async def test_token_is_refused_when_a_value_cannot_be_used(
    office: World, given: dict[str, Any], code: str, place: str
) -> None:
    """Each mistake has its code and place; no text is shown, no token made, and the refusal is audited."""
    before = await office.read(select(tables.tokens.c.id))
    caller = office.caller()
    outcome = await perform(office, caller, "createToken", **given)
    assert outcome.refusal() == (code, ["input", place])
    assert await office.read(select(tables.tokens.c.id)) == before
    assert_audited(outcome, caller, "createToken", {"INVALID": "BAD_USER_INPUT"}.get(code, code))


async def test_token_for_another_organization_is_made_only_by_a_superuser(office: World) -> None:
    """An administrator cannot tell another organization from a missing one; a superuser can act in it."""
    given = {"name": "Elsewhere", "role": "VIEWER", "organization": f"org_{office.beta}"}
    outcome = await perform(office, office.caller(), "createToken", **given)
    assert outcome.refusal() == ("NOT_FOUND", ["input", "organization"])
    made = await perform(office, office.caller(Role.SUPERUSER), "createToken", **given)
    watch(made.payload["text"])
    assert made.made()["organization"] == {"id": f"org_{office.beta}"}
