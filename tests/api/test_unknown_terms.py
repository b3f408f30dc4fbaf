"""`unknownTerms`: saved searches with terms that nothing here answers are refused, or find nothing and say so."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schema import build_schema
from tests.api.caller import Caller
from tests.api.test_plan import planned
from tests.api.world import World

ASKED = """query($s: String!) {
  assets(search: $s, unknownTerms: EMPTY) { totalCount unknownTerms nodes { id } pageInfo { hasNextPage } }
}"""
UNKNOWN = [
    ("risk:critical", ["risk:critical"]),
    ("alive:t AND vulnerability_count:>0", ["vulnerability_count:>0"]),
    ('source:crowdstrike (os:windows foo:"a b")', ["source:crowdstrike", 'foo:"a b"']),
    ("has:software os_vesrion:<10", ["has:software", "os_vesrion:<10"]),
    ("@crowdstrike.dev.agentVersion:>1", ["@crowdstrike.dev.agentVersion:>1"]),
    ("department:Sales,Finance", ["department:Sales,Finance"]),
]


@pytest.mark.parametrize(("search", "unknown"), UNKNOWN)
async def test_unknown_terms_find_nothing_and_are_listed_when_they_are_taken(
    world: World, search: str, unknown: list[str]
) -> None:
    """The list is empty, says which terms made it so, and is the same by a plan and by the executor."""
    got = (await world.caller().data(ASKED, s=search))["assets"]
    assert got == {"totalCount": 0, "unknownTerms": unknown, "nodes": [], "pageInfo": {"hasNextPage": False}}
    response = await planned(world.caller(), ASKED, s=search)
    assert response is not None and response.body == dumped({"assets": got})


def dumped(data: dict[str, Any]) -> bytes:
    """Write data as a plan's response does."""
    return orjson.dumps({"data": data})


@pytest.mark.parametrize("search", [search for search, _ in UNKNOWN])
async def test_unknown_terms_are_mistakes_unless_they_are_taken(world: World, search: str) -> None:
    """Nobody takes an empty list for an answer who did not ask for it."""
    for argument in ("", ", unknownTerms: ERROR"):
        answer = await world.caller().ask(
            f"query($s: String) {{ assets(search: $s{argument}) {{ totalCount }} }}", s=search
        )
        assert answer.code == "BAD_SEARCH"


@pytest.mark.parametrize(
    "search",
    [
        "NOT risk:critical",
        "alive:t AND NOT (os:windows risk:critical)",
        "risk:critical OR alive:t",
        "alive:t (os:windows OR foo:1)",
        "source:azuread,crowdstrike",
        "os:~windows",
        "port:x",
    ],
)
async def test_unknown_terms_stay_mistakes_where_an_empty_one_would_include_rows(world: World, search: str) -> None:
    """Under NOT an unknown term would find everything, under OR it would be left out; other mistakes stay, too."""
    assert (await world.caller().ask(ASKED, s=search)).code == "BAD_SEARCH"


async def test_known_terms_are_answered_as_ever_when_unknown_ones_are_taken(world: World) -> None:
    """Without an unknown term the argument changes nothing."""
    plain = "query($s: String!) { assets(search: $s) { totalCount nodes { id } pageInfo { hasNextPage } } }"
    for search in ("", "os:windows", "NOT os:windows OR alive:t"):
        got = (await world.caller().data(ASKED, s=search))["assets"]
        assert got.pop("unknownTerms") == []
        assert got == (await world.caller().data(plain, s=search))["assets"]


async def test_unknown_terms_are_listed_by_nested_lists_and_aggregates(world: World) -> None:
    """Every list that takes a search takes unknown terms."""
    caller: Caller = world.caller()
    nested = """{
      groups(first: 2) { nodes {
        users(search: "mfa:t", unknownTerms: EMPTY) { totalCount unknownTerms }
        owners(search: "mfa:t", unknownTerms: EMPTY) { totalCount unknownTerms }
      } }
    }"""
    empty = {"totalCount": 0, "unknownTerms": ["mfa:t"]}
    nodes = (await caller.data(nested))["groups"]["nodes"]
    assert nodes == [{"users": empty, "owners": empty}] * 2
    response = await planned(caller, nested)
    assert response is not None and response.body == dumped({"groups": {"nodes": nodes}})
    counted = '{ usersAggregate(search: "mfa:t", unknownTerms: EMPTY, groupBy: [{field: DEPARTMENT}]) '
    counted += "{ count groupCount unknownTerms groups { count } } }"
    got = (await caller.data(counted))["usersAggregate"]
    assert got == {"count": 0, "groupCount": 0, "unknownTerms": ["mfa:t"], "groups": []}


def test_every_list_with_a_search_takes_unknown_terms() -> None:
    """One argument and one field on every surface, whatever list it is."""
    schema = build_schema()._schema
    for type_ in schema.type_map.values():
        for field in getattr(type_, "fields", {}).values():
            arguments = getattr(field, "args", {})
            if "search" in arguments:
                assert "unknownTerms" in arguments
                returned = schema.type_map[str(field.type).strip("[]!")]
                assert "unknownTerms" in returned.fields  # type: ignore[attr-defined]
