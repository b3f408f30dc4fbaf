"""What the simulator does not do it refuses: a query that had no effect would prove nothing."""

from __future__ import annotations

import pytest

from server.simulator import Simulator
from tests.server.simulator.conftest import error_of
from tests.server.simulator.consumer import Client

EVENTUAL = {"ConsistencyLevel": "eventual"}
REFUSED = [
    ('/v1.0/users/$count?$search="displayName:a"', "Request_UnsupportedQuery"),
    ("/v1.0/users/$count?$top=3", "Request_UnsupportedQuery"),
    ("/v1.0/users/$count?$filter=startsWith(displayName,'a')", "Request_UnsupportedQuery"),
    ("/v1.0/users?$nonsense=1", "BadRequest"),
    ("/v1.0/users/delta?$nonsense=1", "BadRequest"),
    ("/v1.0/users?$format=xml", "Request_UnsupportedQuery"),
    ("/v1.0/users?$expand=manager($select=nonsense)", "Request_BadRequest"),
    ("/v1.0/users?$expand=memberOf", "Request_UnsupportedQuery"),
    ("/v1.0/users/delta?$top=5", "Request_UnsupportedQuery"),
    ("/v1.0/users/delta?$count=true", "Request_UnsupportedQuery"),
    ("/v1.0/users/delta?$expand=manager", "Request_UnsupportedQuery"),
    ('/v1.0/users?$search="displayName:a"', "Request_UnsupportedQuery"),
    ("/v1.0/users?$orderby=displayName", "Request_UnsupportedQuery"),
    ("/v1.0/users?$skip=5", "Request_UnsupportedQuery"),
]
OF_AN_OBJECT = [
    ("/members?$filter=displayName eq 'a'", "Request_UnsupportedQuery"),
    ("/members?$expand=manager", "Request_UnsupportedQuery"),
    ("/members?$count=true", "Request_UnsupportedQuery"),
    ("/members?$select=nonsense", "Request_BadRequest"),
    ("/members/$count?$filter=displayName eq 'a'", "Request_UnsupportedQuery"),
    ("/memberOf/$count", "Request_UnsupportedQuery"),
    ("?$top=5", "Request_UnsupportedQuery"),
    ("?$filter=displayName eq 'a'", "Request_UnsupportedQuery"),
]


@pytest.mark.parametrize(("path", "code"), REFUSED)
async def test_query_option_is_refused_when_it_would_have_no_effect(client: Client, path: str, code: str) -> None:
    """Graph's error shape and a code of Graph's, never an answer to another question."""
    response = await client.get(path, headers=EVENTUAL)
    assert (response.status_code, error_of(response)["code"]) == (400, code), response.text


@pytest.mark.parametrize(("path", "code"), OF_AN_OBJECT)
async def test_query_option_of_an_object_is_refused_when_it_would_have_no_effect(
    simulator: Simulator, client: Client, path: str, code: str
) -> None:
    """Of one group and of its relations."""
    group = next(iter(simulator.directory.ids("groups")))
    response = await client.get(f"/v1.0/groups/{group}{path}", headers=EVENTUAL)
    assert (response.status_code, error_of(response)["code"]) == (400, code), response.text


@pytest.mark.parametrize(
    "path", ["/v1.0/users?$format=json", "/v1.0/users?format=application/json", "/v1.0/users?mine=1"]
)
async def test_query_option_is_taken_when_it_asks_for_what_is_done_anyway(client: Client, path: str) -> None:
    """JSON is the only format; a name without a dollar sign is the caller's own."""
    assert (await client.get(path)).status_code == 200


async def test_count_takes_a_filter(simulator: Simulator, client: Client) -> None:
    """`/$count` counts what the filter lets through, not everything."""
    whole = int((await client.get("/v1.0/users/$count", headers=EVENTUAL)).text)
    path = "/v1.0/users/$count?$filter=accountEnabled eq false"
    some = int((await client.get(path, headers=EVENTUAL)).text)
    expected = sum(not values["accountEnabled"] for values in simulator.directory.truth("users"))
    assert 0 < some == expected < whole


async def test_members_are_counted_with_the_header_of_advanced_queries(simulator: Simulator, client: Client) -> None:
    """`/members/$count` is the number of members that the list shows."""
    groups = list(simulator.directory.ids("groups"))[:5]
    for group in groups:
        listed = await client.all(f"/v1.0/groups/{group}/members?$select=id&$top=999")
        assert (await client.get(f"/v1.0/groups/{group}/members/$count", headers=EVENTUAL)).text == str(len(listed))
    assert (await client.get(f"/v1.0/groups/{groups[0]}/members/$count")).status_code == 400


async def test_batch_is_refused_when_an_item_has_no_method(client: Client) -> None:
    """Graph asks for a method; a list of options is checked for each item alone."""
    bare = {"requests": [{"id": "1", "url": "/users?$top=1"}]}
    response = await client.post("/v1.0/$batch", json=bare)
    assert (response.status_code, error_of(response)["code"]) == (400, "BadRequest")
    items = [
        {"id": "1", "method": "GET", "url": "/users?$nonsense=1"},
        {"id": "2", "method": "GET", "url": "/users?$top=1"},
    ]
    answers = (await client.post("/v1.0/$batch", json={"requests": items})).json()["responses"]
    assert {answer["id"]: answer["status"] for answer in answers} == {"1": 400, "2": 200}
