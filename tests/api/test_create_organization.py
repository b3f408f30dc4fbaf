"""createOrganization: only a superuser, unique on the server, audited."""

from __future__ import annotations

import pytest

from schema.access import Role
from tests.api.mutation import assert_audited, perform
from tests.api.world import World


async def test_organization_is_made_empty_when_the_name_is_free(office: World) -> None:
    """The new organization has the trimmed name and no site; one audit row names it."""
    caller = office.caller(Role.SUPERUSER)
    outcome = await perform(office, caller, "createOrganization", name="  Contoso ")
    made = outcome.made()
    assert made["name"] == "Contoso"
    assert made["sites"]["totalCount"] == 0
    assert_audited(outcome, caller, "createOrganization", "OK", made["id"])


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\nb", "a\0b"])
async def test_organization_is_refused_when_the_name_cannot_be_used(office: World, name: str) -> None:
    """An empty, endless or unprintable name is INVALID at its place, and the refusal is audited."""
    caller = office.caller(Role.SUPERUSER)
    outcome = await perform(office, caller, "createOrganization", name=name)
    assert outcome.refusal() == ("INVALID", ["input", "name"])
    assert_audited(outcome, caller, "createOrganization", "BAD_USER_INPUT")


async def test_organization_is_refused_when_the_name_is_taken(office: World) -> None:
    """Names are unique on the server: CONFLICT, also for one made by somebody else."""
    caller = office.caller(Role.SUPERUSER)
    outcome = await perform(office, caller, "createOrganization", name="Beta")
    assert outcome.refusal() == ("CONFLICT", ["input", "name"])
    assert_audited(outcome, caller, "createOrganization", "CONFLICT")
