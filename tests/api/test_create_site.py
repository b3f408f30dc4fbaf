"""createSite: in the caller's own organization, unique there, audited."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.mutation import assert_audited, perform
from tests.api.world import World


@pytest.mark.parametrize("description", [None, "Where the servers are.", "x" * 4_000])
async def test_site_is_made_in_the_organization_of_the_token(office: World, description: str | None) -> None:
    """The site belongs to the caller's organization and carries what was given; one audit row names it."""
    caller = office.caller()
    name = f"Site {len(description or '')}"
    outcome = await perform(office, caller, "createSite", name=name, description=description)
    made = outcome.made()
    assert (made["name"], made["description"]) == (name, description)
    assert made["organization"] == {"id": f"org_{office.home}"}
    assert_audited(outcome, caller, "createSite", "OK", made["id"])
    assert await caller.data("query($id: ID!) { site(id: $id) { name } }", id=made["id"]) == {"site": {"name": name}}


@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        ({"name": ""}, "INVALID", "name"),
        ({"name": "x" * 201}, "INVALID", "name"),
        ({"name": "bell\x07"}, "INVALID", "name"),
        ({"name": "Long", "description": "x" * 4_001}, "INVALID", "description"),
        ({"name": "Primary"}, "CONFLICT", "name"),
    ],
)
async def test_site_is_refused_when_a_value_cannot_be_used(
    office: World, given: dict[str, Any], code: str, place: str
) -> None:
    """Each mistake has its code and the place in the input; the refusal is audited and nothing is made."""
    caller = office.caller()
    before = await caller.data("{ sites { totalCount } }")
    outcome = await perform(office, caller, "createSite", **given)
    assert outcome.refusal() == (code, ["input", place])
    assert_audited(outcome, caller, "createSite", "CONFLICT" if code == "CONFLICT" else "BAD_USER_INPUT")
    assert await caller.data("{ sites { totalCount } }") == before


async def test_site_is_made_when_only_another_organization_has_the_name(office: World) -> None:
    """Names are unique inside an organization: what others have cannot even be noticed."""
    (await perform(office, office.caller(), "createSite", name="Shared name")).made()
    other = await perform(office, office.caller(organization=office.beta), "createSite", name="Shared name")
    assert other.made()["organization"] == {"id": f"org_{office.beta}"}
