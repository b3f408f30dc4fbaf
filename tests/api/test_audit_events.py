"""auditEvents: what was done and refused in the organization, newest last, for administrators only."""

from __future__ import annotations

import pytest
from graphql import GraphQLObjectType

from schema.access import Role
from sync.store import tables
from tests.api.lists import SCHEMA
from tests.api.mutation import FIELDS, perform
from tests.api.test_access import MATRIX
from tests.api.world import World

MUTATIONS = [path.partition(".")[2] for path in MATRIX if path.startswith("Mutation.")]

BULK = {"pauseTasks", "resumeTasks", "stopRuns"}


def test_every_mutation_is_tried_here_and_read_back() -> None:
    """A new mutation fails here until its audit event is proven."""
    assert isinstance(SCHEMA.mutation_type, GraphQLObjectType)
    assert set(SCHEMA.mutation_type.fields) == set(MUTATIONS) == set(FIELDS)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_mutation_leaves_an_event_when_it_is_refused(office: World, mutation: str) -> None:
    """Each mutation, refused as data, is there with who, what, when and the code; and only in its organization."""
    caller = office.caller(Role.SUPERUSER)
    text = (
        "query($a: String!) { auditEvents(where: {action: {eq: $a}}, last: 1) "
        "{ totalCount nodes { actor action outcome target at requestId organization { id } } } }"
    )
    before = (await caller.data(text, a=mutation))["auditEvents"]["totalCount"]
    elsewhere = await office.caller(organization=office.beta).data(text, a=mutation)
    payload = (await caller.data(MATRIX[f"Mutation.{mutation}"][1]))[mutation]
    found = (await caller.data(text, a=mutation))["auditEvents"]
    (event,) = found["nodes"]
    assert found["totalCount"] == before + 1
    # A filter that matches nothing is no mistake: nothing is changed, and that is an event too.
    assert payload["errors"] or mutation in BULK
    assert event["outcome"] == ("BAD_USER_INPUT" if payload["errors"] else "OK")
    assert event["actor"] == f"token:1 {caller.principal.name}" and event["requestId"] == "request-1" and event["at"]
    assert event["organization"] == {"id": f"org_{office.home}"}
    assert await office.caller(organization=office.beta).data(text, a=mutation) == elsewhere


async def test_event_is_found_by_target_and_outcome(office: World) -> None:
    """What was made is named, so that its history can be asked for."""
    made = (await perform(office, office.caller(), "createSite", name="Audited")).made()
    text = "query($t: String!) { auditEvents(where: {target: {eq: $t}}) { nodes { action outcome } } }"
    data = await office.caller().data(text, t=made["id"])
    assert data["auditEvents"]["nodes"] == [{"action": "createSite", "outcome": "OK"}]


async def test_refusals_of_one_request_are_one_event_when_their_reason_is_the_same(office: World) -> None:
    """Aliases cannot fill the log; another reason, and what is carried out, has events of its own."""
    missing = " ".join(f'm{n}: stopRun(input: {{run: "run_99999999{n}"}}) {{ errors {{ code }} }}' for n in range(20))
    wrong = 'w: stopRun(input: {run: "asset_1"}) { errors { code } }'
    made = " ".join(f'c{n}: createSite(input: {{name: "aliased {n}"}}) {{ errors {{ code }} }}' for n in range(2))
    before = len(await office.read(tables.audit_events.select()))
    await office.caller().data(f"mutation {{ {missing} {wrong} {made} }}")
    events = (await office.read(tables.audit_events.select().order_by(tables.audit_events.c.id)))[before:]
    told = sorted((event["action"], event["outcome"]) for event in events)
    assert told == [("createSite", "OK"), ("createSite", "OK"), ("stopRun", "BAD_USER_INPUT"), ("stopRun", "NOT_FOUND")]
