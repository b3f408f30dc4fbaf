"""Mistakes that newcomers make, sent to the server: each is refused, and the error says what, and what to write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from server.settings import read_settings
from tests.canary import canary_secret
from tests.server.http.test_limits import ask, served

# Inventory, search text → parts of message and hint.
SEARCHES: list[tuple[str, str, str]] = [
    ("assets", "os:", "A value is missing after the colon|os:="),
    ("assets", "os: windows", "os:windows without the space"),
    ("assets", "hostnam:web", "no keyword|Did you mean hostname"),
    ("assets", "os=windows", "colon is missing|os:=windows"),
    ("assets", 'os == "Windows"', "colon is missing|os:=Windows"),
    ("assets", "os!=windows", "NOT os:=windows"),
    ("assets", "name like web%", "colon is missing|name:web%"),
    ("assets", "os IN (windows, linux)", "colon is missing|os:windows,linux"),
    ("users", "department is null", "NOT has:department"),
    ("assets", "name:web-*", "* is no wildcard|name:=web-%"),
    ("assets", "web-*", "* is no wildcard|web-%"),
    ("assets", "os:*", "has:os"),
    ("assets", "last_seen:yesterday", '"yesterday" is not a time|last_seen:<1day'),
    ("assets", "last_seen:<30 days", '"30" is not a time|last_seen:<30days without the space'),
    ("assets", "last_seen:7 days", "last_seen:<7days without the space"),
    ("assets", "last_seen:>now-7d", "last_seen:>7d for older"),
    ("assets", 'last_seen:"3 days ago"', "last_seen:<3days"),
    ("assets", "last_seen:<2024-13-45", '"2024-13-45" is not a time|<2026-11-23'),
    ("assets", "last_seen:3days", "A duration needs <"),
    ("assets", "last_seen:now", "now needs <"),
    ("assets", "source:intune", "intune: no such data here|azuread"),
    ("assets", "source:azuraed", "Did you mean azuread?"),
    ("assets", "net:10.0.0.0/33", '"10.0.0.0/33" is not a network|10.0.0.0/8'),
    ("assets", "net:10.0.0.20-10.0.0.1", "neither an address|net:10.0.0.1-10.0.0.20"),
    ("assets", "alive:maybe", '"maybe" is neither yes nor no|true, false'),
    ("assets", "os:windows and", "ends where a term is expected|keyword:value"),
    ("assets", "or os:windows", "OR stands where a term is expected|in quotes"),
    ("assets", "(os:windows", "parenthesis is not closed|Add )"),
    ("assets", "os:windows)", "parenthesis closes nothing|Remove it"),
    ("assets", 'os:"windows', "closing quote is missing"),
    ("assets", "os:windows && alive:t", "&& does not join terms|AND"),
    ("assets", "os:windows || os:linux", "does not join terms|OR"),
    ("assets", "!alive:t", "NOT alive:value"),
    ("assets", "-source:scan", "NOT source:value"),
    ("assets", "port:http", '"http" is not a whole number|protocol:http'),
    ("assets", "os_version:>=ten", '"ten" is not a version|<1.2.3'),
    ("assets", "criticality:>high", "Text cannot be compared with >"),
    ("assets", "@azuread.dev.trusttyp:x", "@azuread.dev.trustType"),
    ("assets", "has:foo", "no keyword|searchKeywords"),
    ("assets", "id:user_1", '"user_1" is not an id|asset_'),
    ("users", "os:windows", "no keyword of that name|owned_asset.os:windows"),
    ("users", "foo:windows", "User has no keyword|searchKeywords"),
    ("users", "enabled:disabled", '"disabled" is neither yes nor no'),
    ("groups", "kind:office365", '"office365" is none of the values|microsoft_365'),
    ("tasks", "status:broken", '"broken" is none of the values|failed'),
    ("assets", "x" * 4_001, "4001 characters; at most 4000|`where`"),
    ("assets", "x " * 201, "more than 200 terms|`where`"),
]
# Inventory, `where` as a variable → parts of message and hint.
WHERES: list[tuple[str, dict[str, Any], str]] = [
    ("assets", {"os": "Windows"}, "$w|.os|{eq: …}|contains"),
    ("assets", {"os": {"like": "%win%"}}, "'like'|Fields of StringFilter|contains"),
    ("assets", {"os": {"eq": None}}, "where.os.eq is null|isNull"),
    ("assets", {"os": {}}, "where.os is empty"),
    ("assets", {}, "where is empty"),
    ("assets", {"hostname": {"eq": "a"}}, "'hostname'|Fields of AssetWhere|names"),
    ("assets", {"lastSeen": {"newerThan": "yesterday"}}, '$w.lastSeen.newerThan|"30d"'),
    ("assets", {"lastSeen": {"gt": "2024"}}, "$w.lastSeen.gt|2026-11-23T04:05:06Z"),
    ("assets", {"addresses": {"inNetwork": "10.0.0.0/33"}}, "where.addresses.inNetwork|is not a network|10.0.0.0/8"),
    ("assets", {"sources": {"has": "AZURE"}}, "where.sources.has|no source|Did you mean azuread?"),
    ("assets", {"attributes": [{"source": "azuread", "name": "trusttyp", "eq": "y"}]}, "Did you mean trustType?"),
    (
        "assets",
        {"attributes": [{"source": "azuread", "name": "isManaged", "eq": "yes"}]},
        '[0].eq|neither true nor false|"true"',
    ),
    ("assets", {"attributes": [{"source": "azuread", "name": "isManaged", "contains": "y"}]}, "These fit: exists, eq"),
    ("assets", {"owners": {"accountEnabled": {"eq": False}}}, "Fields of UserRelationFilter: some, none, every"),
    ("assets", {"id": {"eq": "user_3"}}, "not the id of an Asset|asset_"),
    ("assets", {"AND": []}, "'AND'|Did you mean 'and'"),
    ("assets", {"osVersion": {"gt": "ten"}}, "where.osVersion.gt|is not a version"),
    ("assets", {"alive": {"eq": "true"}}, ".alive.eq|without quotes"),
    ("assets", {"tags": {"contains": "x"}}, "Fields of StringListFilter: has"),
    ("groups", {"kind": {"eq": "OFFICE365"}}, "Values of GroupKind: SECURITY"),
    ("users", {"displayName": {"in": ["x"] * 1_001}}, "1001 values; at most 1000"),
]
DOCUMENTS: list[tuple[str, str]] = [
    ("{assets(orderBy:NAME){totalCount}}", "{field: …}|direction"),
    ("{assets(orderBy:[{field:HOSTNAME}]){totalCount}}", "Values of AssetOrderField|LAST_SEEN"),
    ("{assets(orderBy:[{field:NAME,direction:DESCENDING}]){totalCount}}", "Values of Direction: ASC, DESC"),
    ("{assets(first:5000){totalCount}}", "1 to 1000; it is 5000"),
    ("{assets(first:5,last:5){totalCount}}", "cannot be used together"),
    ("{assets(limit:5){totalCount}}", "`first`|endCursor"),
    ("{assets(first:5,offset:10){totalCount}}", "`after`|endCursor"),
    ('{assets(after:"foo"){totalCount}}', "`after` does not belong|start again without a cursor"),
    ('{asset(by:{id:"1"}){id}}', "is not the id of an Asset|asset_"),
    ('{asset(by:{hostname:"A",mac:"b"}){id}}', "exactly one|hostname, mac"),
    ("{asset{id}}", "asset(by:)|hostname"),
    ("{assets{id}}", "Fields of AssetConnection|nodes"),
    ("{assets{items{id}}}", "Fields of AssetConnection|nodes"),
    ("{assets{nodes{owner{id}}}}", "Did you mean 'owners'"),
    ("{Assets{nodes{id}}}", "Did you mean|'assets'"),
    ("{assetsAggregate(groupBy:[{field:OWNER}]){count}}", "Values of AssetGroupField: NAME"),
    ("{searchKeywords(inventory:assets){name}}", "Values of Inventory: ASSETS"),
    ('{node(id:"foo"){id}}', "not an id|asset_12"),
    ("{assets(where:{os:{eq:Windows}}){totalCount}}", "double quotes"),
    ("{assets(search:'os:windows'){totalCount}}", "double quote"),
    ("query{assets{totalCount}", "A closing brace is missing"),
    ('{assetsAggregate(groupBy:[{attribute:{source:"foo",name:"x"}}]){count}}', "no source|azuread"),
    ("{users(first:1000){nodes{groups(first:1000){nodes{users(first:1000){nodes{id}}}}}}}", "cost|20000|`first`"),
]
TYPES = {"assets": "AssetWhere", "users": "UserWhere", "groups": "GroupWhere"}
REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    *((f"query($s: String) {{ {place}(search: $s) {{ totalCount }} }}", {"s": text}, parts)
      for place, text, parts in SEARCHES),
    *((f"query($w: {TYPES[place]}) {{ {place}(where: $w) {{ totalCount }} }}", {"w": where}, parts)
      for place, where, parts in WHERES),
    *((document, {}, parts) for document, parts in DOCUMENTS),
]  # fmt: skip


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an installation without rows: a mistake is told before any is read."""
    async with served(tmp_path_factory.mktemp("messages"), read_settings({})) as opened:
        yield opened


def said(answer: httpx.Response) -> tuple[str, dict[str, Any]]:
    """Return the first error's message and hint as one text, and the error."""
    error = answer.json()["errors"][0]
    return f"{error['message']} {error['extensions']['hint']}", error


@pytest.mark.parametrize(("query", "variables", "parts"), REQUESTS, ids=range(len(REQUESTS)))
async def test_mistake_is_told_with_what_to_write(
    client: httpx.AsyncClient, query: str, variables: dict[str, Any], parts: str
) -> None:
    """Message and hint name what was wrong and how it is written; nothing ends as INTERNAL."""
    text, error = said(await ask(client, query, **variables))
    assert [part for part in parts.split("|") if part not in text] == [], text
    assert error["extensions"]["code"] != "INTERNAL"
    assert "?." not in text and "None." not in text


RIGHT = ['"os=windows"', '"&&"', '"name" like', 'name "is"', 'name:"web-*"', "foo=bar", "last_seen:never", "a|b"]


@pytest.mark.parametrize("text", RIGHT, ids=range(len(RIGHT)))
async def test_text_in_quotes_is_looked_for_whatever_it_looks_like(client: httpx.AsyncClient, text: str) -> None:
    """What is refused as a habit of another language is a text in quotes, also once it was printed in normal form."""
    parse = "query($s: String!) { parseSearch(inventory: ASSETS, query: $s) { normalized errors { message } } }"
    told = (await ask(client, parse, s=text)).json()["data"]["parseSearch"]
    assert told["errors"] == []
    again = (await ask(client, parse, s=told["normalized"])).json()["data"]["parseSearch"]
    assert again == told


async def test_value_is_not_repeated_when_its_object_has_a_field_too_many(client: httpx.AsyncClient) -> None:
    """What stands beside a misspelt name may be a secret: it is left out, though a name is suggested."""
    secret = canary_secret("beside-a-misspelt-name")
    query = "mutation($i: CreateCredentialInput!) { createCredential(input: $i) { errors { code } } }"
    kind = {"azureClientSecrets": {"clientId": "a", "tenantId": "b", "clientSecret": secret}}
    answer = await ask(client, query, i={"name": "x", "kind": kind})
    text, _ = said(answer)
    assert "azureClientSecrets" in text and "Did you mean" in text
    assert secret not in answer.text


# What only a running operation finds wrong, and the name that is suggested.
SUGGESTED = [
    ('{ assets(search: "hostnam:web") { totalCount } }', "hostname"),
    ('{ assets(where: {sources: {has: "AZURE"}}) { totalCount } }', "azuread"),
    ('{ assets(where: {attributes: [{source: "azuread", name: "trusttyp", eq: "y"}]}) { totalCount } }', "trustType"),
    ('{ assetsAggregate(groupBy: [{attribute: {source: "azuread", name: "trusttyp"}}]) { count } }', "trustType"),
]


async def test_names_are_not_told_when_introspection_is_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who may not ask for the schema is not told it by mistakes either."""
    settings = read_settings({"ROLLCALL_INTROSPECTION": "off"})
    async with served(tmp_path_factory.mktemp("silent"), settings) as silent:
        for query, variables in [
            ("{ assets { id } }", {}),
            ("query($w: AssetWhere) { assets(where: $w) { totalCount } }", {"w": {"x": 1}}),
        ]:
            _, error = said(await ask(silent, query, **variables))
            assert error["extensions"]["hint"] is None
        for query, name in SUGGESTED:
            answer = await ask(silent, query)
            assert answer.json()["errors"] and name not in answer.text and "Did you mean" not in answer.text
