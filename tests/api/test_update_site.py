"""updateSite: what is given changes, the rest stays; audited."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.mutation import assert_audited, perform
from tests.api.world import World


async def test_site_keeps_what_is_not_given(office: World) -> None:
    """Name, description and scope change one by one; one audit row names the site."""
    caller = office.caller()
    site = (await perform(office, caller, "createSite", name="Before", description="Kept.")).made()["id"]
    outcome = await perform(office, caller, "updateSite", site=site, name=" After ")
    assert outcome.made() == {"id": site, "name": "After", "description": "Kept.", "scope": None}
    assert_audited(outcome, caller, "updateSite", "OK", site)
    scoped = (await perform(office, caller, "updateSite", site=site, scope=["10.0.0.0/8"])).made()
    assert scoped == {"id": site, "name": "After", "description": "Kept.", "scope": ["10.0.0.0/8"]}


@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        ({"name": ""}, "INVALID", "name"),
        ({"name": None}, "INVALID", "name"),
        ({"name": "Primary"}, "CONFLICT", "name"),
        ({"description": "x" * 4_001}, "INVALID", "description"),
        ({"scope": ["10.0.0.0/99"]}, "INVALID", "scope"),
        ({"scope": ["intranet.example"]}, "INVALID", "scope"),
        ({"scope": ["10.0.0.1"] * 257}, "INVALID", "scope"),
        ({"site": "site_9999", "name": "X"}, "NOT_FOUND", "site"),
    ],
)
async def test_site_is_left_alone_when_a_value_cannot_be_used(
    office: World, given: dict[str, Any], code: str, place: str
) -> None:
    """Each mistake has its code and its place, and changes nothing."""
    caller = office.caller()
    site = (await perform(office, caller, "createSite", name=f"Left alone {given!r:.150}")).made()
    outcome = await perform(office, caller, "updateSite", **{"site": site["id"], **given})
    assert outcome.refusal() == (code, ["input", place])
    text = "query($id: ID!) { site(id: $id) { name description scope } }"
    after = (await caller.data(text, id=site["id"]))["site"]
    assert after == {name: site[name] for name in after}
