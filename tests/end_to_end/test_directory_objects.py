"""Members and owners that no stream reads, from the directory to the answer: shown, renamed, hidden, gone."""

from __future__ import annotations

import pytest

from tests.end_to_end.graphql import Reader, differences_told
from tests.end_to_end.installation import Installation

GROUP = """
query($id: String!) { group(by: {externalId: $id}) {
  membershipKnown
  members { totalCount nodes { __typename ... on DirectoryObject { externalId kind displayName } } }
  owners { totalCount nodes { __typename externalId } }
  otherMembers { totalCount }
} }
"""


async def shown(installation: Installation, group: str) -> dict[str, object]:
    """Return what GraphQL tells of a group's members and owners."""
    found: dict[str, object] = (await Reader(installation).ask(GROUP, id=group))["group"]
    return found


def other(external_id: str, kind: str) -> dict[str, object]:
    """Return how an object is shown whose name Graph does not give."""
    return {"__typename": "DirectoryObject", "externalId": external_id, "kind": kind, "displayName": None}


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("is_late", [False, True])
async def test_group_of_service_principals_and_contacts_is_not_empty(
    installation: Installation, *, is_late: bool
) -> None:
    """Whether the first round or a later one tells of them; what leaves the group is no member of it any more."""
    directory = installation.simulator.directory
    if is_late:
        await installation.run()
    app, contact = directory.create("servicePrincipals"), directory.create("contacts")
    group = directory.create("groups", displayName="Automation")
    for member in (app, contact):
        directory.link("members", group, member)
    directory.link("groupOwners", group, app)
    assert (await installation.run()).status == "SUCCEEDED"
    assert await shown(installation, group) == {
        "membershipKnown": True,
        "members": {"totalCount": 2, "nodes": [other(app, "servicePrincipal"), other(contact, "orgContact")]},
        "owners": {"totalCount": 1, "nodes": [{"__typename": "DirectoryObject", "externalId": app}]},
        "otherMembers": {"totalCount": 2},
    }
    assert await differences_told(installation) == []
    directory.unlink("members", group, contact)
    directory.unlink("groupOwners", group, app)
    await installation.run()
    assert await shown(installation, group) == {
        "membershipKnown": True,
        "members": {"totalCount": 1, "nodes": [other(app, "servicePrincipal")]},
        "owners": {"totalCount": 0, "nodes": []},
        "otherMembers": {"totalCount": 1},
    }
    # Nothing tells that an application was deleted: the next full round does.
    directory.delete("servicePrincipals", app, permanently=True)
    await installation.run(full=True)
    assert await differences_told(installation) == []


async def test_members_are_shown_when_users_cannot_be_read(installation: Installation) -> None:
    """Without the permission a group of users has members of kind user; with it, the same ones are users."""
    simulator = installation.simulator
    roles = simulator.registry.apps[simulator.secret_app.client_id].roles
    roles.discard("User.Read.All")
    group = next(g for g in simulator.directory.ids("groups") if list(simulator.directory.visible("members", g)))
    users = [end for kind, end in simulator.directory.visible("members", group) if kind == "users"]
    run = await installation.run()
    assert run.status == "PARTIAL"
    found = (await Reader(installation).ask(GROUP.replace("members {", "members(first: 1000) {"), id=group))["group"]
    told = [node for node in found["members"]["nodes"] if node["__typename"] == "DirectoryObject"]
    assert [other(user, "user") in told for user in users] == [True] * len(users)
    assert users and found["membershipKnown"]
    roles.add("User.Read.All")
    assert (await installation.run()).status == "SUCCEEDED"
    assert await differences_told(installation) == []
