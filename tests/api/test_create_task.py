"""createTask: site and credential of one's own, each mistake at its place, once per idempotency key, audited."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.caller import INVALID_REQUEST
from tests.api.mutation import assert_audited, document, perform
from tests.api.test_create_credential import SECRET_KIND
from tests.api.world import World

SITE = "site_1"


async def credential(office: World, name: str) -> str:
    """Make a credential and return its id."""
    made = await perform(office, office.caller(), "createCredential", name=name, kind=SECRET_KIND)
    return str(made.made()["id"])


def connector(id: str, **options: Any) -> dict[str, Any]:
    """Return the connector's part of the input."""
    return {"azureAd": {"credential": id, **options}}


async def test_task_is_made_with_what_was_given(office: World) -> None:
    """The task fills the site with the credential, has its options, and is new; one audit row names it."""
    caller, key = office.caller(), await credential(office, "For a task")
    given = {"name": " Nightly ", "site": SITE, "description": "All of it.", "connector": connector(key)}
    outcome = await perform(office, caller, "createTask", **given)
    made = outcome.made()
    assert (made["name"], made["description"], made["kind"]) == ("Nightly", "All of it.", "CONNECTOR")
    assert (made["site"], made["credential"], made["status"]) == ({"id": SITE}, {"id": key}, "NEW")
    assert (made["excludeUnknown"], made["includeInactive"]) == (False, False)
    assert made["createdBy"] == caller.principal.name
    assert_audited(outcome, caller, "createTask", "OK", made["id"])
    options = connector(key, excludeUnknown=True, includeInactive=True)
    other = (await perform(office, caller, "createTask", name="Nightly", site=SITE, connector=options)).made()
    assert (other["excludeUnknown"], other["includeInactive"], other["description"]) == (True, True, None)
    assert other["id"] != made["id"]


@pytest.mark.parametrize(
    ("changed", "code", "place"),
    [
        ({"name": ""}, "INVALID", "name"),
        ({"name": "x" * 201}, "INVALID", "name"),
        ({"description": "x" * 4_001}, "INVALID", "description"),
        ({"site": "cred_1"}, "INVALID", "site"),
        ({"site": "site_9999"}, "NOT_FOUND", "site"),
        ({"connector": connector("site_1")}, "INVALID", "connector.azureAd.credential"),
        ({"connector": connector("cred_9999")}, "NOT_FOUND", "connector.azureAd.credential"),
        ({"idempotencyKey": ""}, "INVALID", "idempotencyKey"),
        ({"idempotencyKey": "x" * 201}, "INVALID", "idempotencyKey"),
        ({"idempotencyKey": "a\nb"}, "INVALID", "idempotencyKey"),
    ],
)
async def test_task_is_refused_when_a_value_cannot_be_used(
    office: World, changed: dict[str, Any], code: str, place: str
) -> None:
    """Each mistake has its code and its place in the input; nothing is made, and the refusal is audited."""
    caller, key = office.caller(), await credential(office, f"For {place} {changed!r:.60}")
    before = await caller.data("{ tasks { totalCount } }")
    given = {"name": "Wrong", "site": SITE, "connector": connector(key), **changed}
    outcome = await perform(office, caller, "createTask", **given)
    assert outcome.refusal() == (code, ["input", *place.split(".")])
    assert_audited(outcome, caller, "createTask", "NOT_FOUND" if code == "NOT_FOUND" else "BAD_USER_INPUT")
    assert await caller.data("{ tasks { totalCount } }") == before


async def test_task_is_made_once_when_the_key_is_sent_again(office: World) -> None:
    """The same idempotency key and input give the first task; another input is CONFLICT; keys are per organization."""
    caller, key = office.caller(), await credential(office, "For twice")
    given = {"name": "Once", "site": SITE, "connector": connector(key), "idempotencyKey": "key-1"}
    first = (await perform(office, caller, "createTask", **given)).made()
    again = (await perform(office, caller, "createTask", **given)).made()
    assert again == first
    listed = await caller.data('{ tasks(where: {name: {eq: "Once"}}) { totalCount } }')
    assert listed == {"tasks": {"totalCount": 1}}
    other = await perform(office, caller, "createTask", **{**given, "name": "Another"})
    assert other.refusal() == ("CONFLICT", ["input", "idempotencyKey"])


@pytest.mark.parametrize("given", [{}, {"azureAd": None}])
async def test_task_is_refused_when_it_connects_to_nothing(office: World, given: Any) -> None:
    """The connector is a one-of input: an empty one is refused before anything runs."""
    answer = await office.caller().ask(document("createTask"), input={"name": "T", "site": SITE, "connector": given})
    assert answer.code == INVALID_REQUEST and answer.data is None
