"""Feature 5: the probes find out what a tenant and a credential allow, and say what is missing."""

from __future__ import annotations

import pytest

from sync.entra.graph.count import count
from sync.entra.graph.probe import check_access, device_relations
from sync.errors import PermissionDenied, RequestRefused
from tests.sync.entra.graph import Asked, Reply, ScriptedGraph, client_of, page, refusal


def devices(*items: dict[str, object]) -> Reply:
    """Return a first page of devices."""
    return Reply(200, {"value": list(items)})


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (devices({"id": "1"}, {"id": "2", "registeredOwners@delta": [{"id": "u"}]}), True),
        (devices({"id": "1", "registeredUsers@delta": []}), True),
        (devices({"id": "1"}, {"id": "2"}), False),
        (devices(), False),
        (refusal(400, "Request_BadRequest"), False),
        (refusal(501, "NotImplemented"), False),
    ],
)
async def test_device_relations_are_believed_only_on_evidence(reply: Reply, found: bool) -> None:
    """A refusal, or a selection that is accepted and ignored, means that delta does not report them."""
    graph = ScriptedGraph(reply)
    async with client_of(graph) as client:
        assert await device_relations(client) is found
    assert graph.asked[0].query == "$select=id,registeredOwners,registeredUsers"


@pytest.mark.parametrize(("status", "kind"), [(403, PermissionDenied), (404, RequestRefused)])
async def test_device_relations_raise_when_the_refusal_is_about_something_else(
    status: int, kind: type[Exception]
) -> None:
    """A missing permission is not an answer to the question."""
    async with client_of(ScriptedGraph(refusal(status))) as client:
        with pytest.raises(kind):
            await device_relations(client)


@pytest.mark.parametrize("body", [b"1234", b" 1234\n", b"\xef\xbb\xbf1234"])
async def test_count_reads_the_number_of_objects(body: bytes) -> None:
    """Graph counts when asked for eventual consistency, in plain text."""
    graph = ScriptedGraph(Reply(200, body, {"content-type": "text/plain"}))
    async with client_of(graph) as client:
        assert await count(client, "users") == 1234
    assert graph.asked[0].path == "/v1.0/users/$count"
    assert graph.asked[0].headers["consistencylevel"] == "eventual"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 410, 418, 429, 500, 501, 502, 503, 504])
async def test_count_is_unknown_when_graph_refuses(status: int) -> None:
    """A tenant that cannot count is no reason to fail."""
    async with client_of(ScriptedGraph(*[refusal(status)] * 40)) as client:
        assert await count(client, "groups") is None


@pytest.mark.parametrize("body", [b"", b"many", b"-1", b"1.5", b"<html>", b"9" * 40])
async def test_count_is_unknown_when_the_answer_is_not_a_number(body: bytes) -> None:
    """A portal's page must not become a count, and is no reason to fail."""
    async with client_of(ScriptedGraph(Reply(200, body))) as client:
        assert await count(client, "devices") is None


async def test_check_access_reports_each_resource_by_itself() -> None:
    """One missing permission is named; the others are still tried."""

    def answer(asked: Asked) -> Reply:
        return refusal(403, "Authorization_RequestDenied") if asked.path == "/v1.0/users" else page("a-1")

    graph = ScriptedGraph(*[answer] * 4)
    async with client_of(graph) as client:
        found = await check_access(client)
    assert {one.resource: one.granted for one in found} == {
        "devices": True,
        "users": False,
        "groups": True,
        "members": True,
    }
    assert [one.error.facts["permission"] for one in found if one.error] == ["User.Read.All"]
    assert graph.asked[-1].path == "/v1.0/groups/a-1/members"


async def test_check_access_says_the_same_of_members_when_groups_cannot_be_read() -> None:
    """Without a group there are no members to try."""
    graph = ScriptedGraph(page("d"), page("u"), refusal(403))
    async with client_of(graph) as client:
        found = await check_access(client)
    assert [one.granted for one in found] == [True, True, False, False]
