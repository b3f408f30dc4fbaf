"""Faults of what a page says: its body, its links, its objects."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from server.simulator import FaultPlan, Rule, Simulator
from server.simulator.fault import FAULTS, find, rows
from tests.server.simulator.conftest import faulty
from tests.server.simulator.consumer import Client

URL = "/v1.0/users/delta?$select=displayName,userType"
PAGES = [row for row in rows() if find(row)[0].of_page]


@pytest.mark.parametrize("row", PAGES)
async def test_fault_of_a_page_waits_for_a_page(simulator: Simulator, client: Client, row: str) -> None:
    """An answer that is an error already is left alone, and the fault is not used up."""
    plan = FaultPlan([Rule(row)])
    simulator.use(plan)
    assert (await client.get("/v1.0/users/delta?$select=nonsense")).status_code == 400
    assert plan.happened == [0]


async def test_body_is_not_a_page_in_many_ways(simulator: Simulator, client: Client) -> None:
    """Cut JSON, a list, no value, a value that is no list, an object without id, another type, HTML, nothing."""
    with pytest.raises(json.JSONDecodeError):
        (await faulty(simulator, client, "truncated-json", URL)).json()
    assert len((await faulty(simulator, client, "json-list", URL)).json()) == 200
    assert "value" not in (await faulty(simulator, client, "no-value", URL)).json()
    assert isinstance((await faulty(simulator, client, "value-not-list", URL)).json()["value"], dict)
    assert "id" not in (await faulty(simulator, client, "item-without-id", URL)).json()["value"][0]
    assert (await faulty(simulator, client, "wrong-type", URL)).headers["content-type"].startswith("text/html")
    portal = await faulty(simulator, client, "captive-portal", URL)
    assert (portal.status_code, portal.text[:9]) == (200, "<!DOCTYPE")
    assert (await faulty(simulator, client, "empty-body", URL)).content == b""
    with pytest.raises(httpx.DecodingError):
        await faulty(simulator, client, "not-gzip", URL)


@pytest.mark.parametrize("form", list(FAULTS["link-astray"].forms))
async def test_link_leads_off_the_origin(simulator: Simulator, client: Client, form: str) -> None:
    """nextLink, deltaLink and Location leave the origin, in the same eight ways."""
    last = (await client.pages(URL))[-1]["@odata.deltaLink"]
    links = [
        (await faulty(simulator, client, f"link-astray.{form}", URL)).json()["@odata.nextLink"],
        (await faulty(simulator, client, f"link-astray.{form}", last)).json()["@odata.deltaLink"],
        (await faulty(simulator, client, f"location-astray.{form}", URL)).headers["location"],
    ]
    own = urlsplit(simulator.origin)
    for link in links:
        parts = urlsplit(link)
        assert (parts.scheme, parts.netloc) != (own.scheme, own.netloc)
        assert parts.path == "/v1.0/users/delta"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_leads_to_another_host(simulator: Simulator, client: Client, status: int) -> None:
    """Every kind of redirect names a host that must not be asked."""
    response = await faulty(simulator, client, f"redirect.{status}", URL)
    assert response.status_code == status
    assert urlsplit(response.headers["location"]).hostname == "graph.attacker.example"


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("page", [1, 2, 3])
async def test_links_go_round_in_a_cycle(simulator: Simulator, client: Client, size: int, page: int) -> None:
    """From any page on there are exactly so many addresses, for ever."""
    simulator.use(FaultPlan([Rule(f"cycle.{size}", "users", page)]))
    url, asked = URL, []
    for _ in range(page + 3 * size):
        asked.append(url)
        url = (await client.get(url)).json()["@odata.nextLink"]
    turning = [address.removeprefix(simulator.origin) for address in asked[page - 1 :]]
    assert len(set(turning)) == size
    assert turning[size:] == turning[:-size] and turning[0] == turning[size]


async def test_empty_page_leads_to_the_real_one(simulator: Simulator, client: Client) -> None:
    """One empty page in between, and nothing is lost."""
    simulator.use(FaultPlan([Rule("empty-page", "users", 2)]))
    pages = await client.pages(URL)
    assert [len(page["value"]) for page in pages] == [200, 0, 200, 50]


async def test_empty_pages_never_end(simulator: Simulator, client: Client) -> None:
    """Each has a link that was never seen before."""
    simulator.use(FaultPlan([Rule("endless-empty-pages", "users", "first")]))
    url, asked = URL, set()
    for _ in range(50):
        page = (await client.get(url)).json()
        assert page["value"] == []
        url = page["@odata.nextLink"]
        asked.add(url)
    assert len(asked) == 50


@pytest.mark.parametrize("page", ["first", "middle", "last"])
async def test_page_has_no_link_or_both(simulator: Simulator, client: Client, page: str) -> None:
    """What Graph promises never to do, on any page."""
    url = URL
    for row, names in (("no-link", set()), ("both-links", {"@odata.nextLink", "@odata.deltaLink"})):
        plan = FaultPlan([Rule(row, "users", page)])
        simulator.use(plan)
        url = URL
        while plan.happened == [0]:
            found = (await client.get(url)).json()
            url = found.get("@odata.nextLink", "")
        assert {name for name in found if name.endswith("Link")} == names


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("nul", "a\0b"), ("lone-surrogate", "a\ud800b"), ("pair-reversed", "a\udc00\ud800b"),
        ("bidi", "\u202egpj.exe\u2066 \u200f"), ("controls", "a\x1b[31m\r\n\u2028b"), ("long", "x" * 100_000),
    ],
)  # fmt: skip
async def test_hostile_text_comes_as_it_is(simulator: Simulator, client: Client, form: str, text: str) -> None:
    """The first object's display name is such a text, in valid JSON; the truth does not change."""
    response = await faulty(simulator, client, f"hostile-text.{form}", URL)
    assert json.loads(response.content)["value"][0]["displayName"] == text
    names = {user["displayName"] for user in simulator.directory.truth("users")}
    assert text not in names


async def test_object_is_not_what_was_asked_for(simulator: Simulator, client: Client) -> None:
    """Unknown values, a missing property, and one that nobody knows."""
    first = (await faulty(simulator, client, "unknown-enum", URL)).json()["value"][0]
    assert first["userType"] == "unknownFutureValue"
    assert "displayName" not in (await faulty(simulator, client, "missing-property", URL)).json()["value"][0]
    assert "newThing" in (await faulty(simulator, client, "unknown-property", URL)).json()["value"][0]


def test_hostile_text_is_valid_json_before_it_is_read() -> None:
    """A strict parser refuses lone surrogates, which is why they are declared as JSON and not as text."""
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(rf'"{FAULTS["hostile-text"].forms["lone-surrogate"]}"')
