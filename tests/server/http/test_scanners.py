"""The checks that scanners of GraphQL servers make, made with a good token: what each finds, by default and hardened.

Source: github.com/dolevf/graphql-cop, owasp.org (GraphQL Cheat Sheet)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from graphql import get_introspection_query

from tests.server.served import Served, served

NAME = "{ __typename }"
MUTATION = 'mutation { createSite(input: {name: "Scanned"}) { site { id } } }'
HTML = {"Accept": "text/html"}
HARDENED: dict[str, Any] = {"graphiql": False, "introspection": False}


def fields(part: str, number: int) -> str:
    """Return a query that repeats a part, each with a number."""
    return "{ " + " ".join(part.replace("#", str(n)) for n in range(number)) + " }"


def circle(times: int) -> str:
    """Return a query that goes round from types to fields to types."""
    return "{ __schema { types { " + "fields { type { " * times + "name" + " } }" * times + " } } }"


def post(query: str, **more: Any) -> dict[str, Any]:
    """Describe an ordinary request."""
    return {"method": "POST", "json": {"query": query, **more}}


@dataclass(frozen=True)
class Found:
    """What an answer has to be.

    Args:
        status: of the response.
        code: of its first error; None if it must have none.
        holds: what must be true of it besides.
    """

    status: int
    code: str | None = None
    holds: Callable[[httpx.Response], bool] = lambda _: True


def on_both(found: Found) -> tuple[Found, Found]:
    """Expect the same of the server as it is and of a hardened one."""
    return found, found


def suggests(response: httpx.Response) -> bool:
    """Tell whether an error names what could have been meant."""
    return "Did you mean" in response.text


def is_plain(response: httpx.Response) -> bool:
    """Tell whether nothing of the program shows: no stack, path, SQL or class."""
    shown = ("Traceback", ".py", "site-packages", "SELECT", "sqlalchemy", "strawberry", "stacktrace", "exception")
    return not any(word in response.text for word in shown)


LIMITED = Found(400, "LIMIT_EXCEEDED")
INVALID = Found(400, "GRAPHQL_VALIDATION_FAILED")
MALFORMED = Found(400, "BAD_USER_INPUT")
# Check: (request, what it finds by default, what it finds in the hardened setting).
CHECKS: dict[str, tuple[dict[str, Any], Found, Found]] = {
    "aliases": (post(fields("a#: __typename", 101)), LIMITED, LIMITED),
    "batches": ({"method": "POST", "json": [{"query": NAME}] * 10}, MALFORMED, MALFORMED),
    "directives": (post("{ __typename" + " @skip(if: false)" * 51 + " }"), LIMITED, LIMITED),
    "unknown directives": (post("{ __typename" + " @aa" * 10 + " }"), INVALID, INVALID),
    "field duplication": (post("{ " + "__typename " * 500 + "}"), LIMITED, LIMITED),
    "circular introspection": (post(circle(12)), LIMITED, LIMITED),
    "suggestions": (
        post("{ user { id } asets { totalCount } }"),
        Found(400, "GRAPHQL_VALIDATION_FAILED", suggests),
        Found(400, "GRAPHQL_VALIDATION_FAILED", lambda response: not suggests(response)),
    ),
    "suggestions in variables": (
        post("query($w: UserWhere) { users(where: $w) { totalCount } }", variables={"w": {"citi": {"eq": "a"}}}),
        Found(400, "BAD_USER_INPUT", suggests),
        Found(400, "BAD_USER_INPUT", lambda response: not suggests(response)),
    ),
    "query by GET": ({"method": "GET", "params": {"query": NAME}}, *on_both(Found(200))),
    "query by GET that a link causes": (
        {"method": "GET", "params": {"query": NAME}, "headers": {"Authorization": ""}},
        *on_both(MALFORMED),
    ),
    "mutation by GET": (
        {"method": "GET", "params": {"query": MUTATION}, "headers": {"GraphQL-Require-Preflight": "1"}},
        Found(405, "BAD_USER_INPUT"),
        Found(405, "BAD_USER_INPUT"),
    ),
    **{
        f"POST of {kind}": (
            {"method": "POST", "content": urlencode({"query": MUTATION}), "headers": {"Content-Type": kind}},
            Found(415, "BAD_USER_INPUT"),
            Found(415, "BAD_USER_INPUT"),
        )
        for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=a")
    },
    "POST of no type": (
        {"method": "POST", "content": urlencode({"query": MUTATION})},
        *on_both(Found(415, "BAD_USER_INPUT")),
    ),
    "tracing": (
        {**post(NAME), "headers": {"X-Apollo-Tracing": "1", "Apollo-Federation-Include-Trace": "ftv1"}},
        *on_both(Found(200, None, lambda response: set(response.json()) == {"data"})),
    ),
    "an IDE": (
        {"method": "GET", "headers": HTML},
        Found(200, None, lambda response: "GraphiQL" in response.text),
        Found(406, "BAD_USER_INPUT", lambda response: "html" not in response.headers["content-type"]),
    ),
    "introspection": (post(get_introspection_query()), Found(200), INVALID),
    "introspection of a type": (post('{ __type(name: "User") { fields { name } } }'), Found(200), INVALID),
    "unhandled errors": (
        post("query($v: Int) { users(first: $v) { totalCount } }", variables={"v": "a\\u0000"}),
        *on_both(Found(400, "BAD_USER_INPUT", is_plain)),
    ),
    "unhandled syntax": (post("query ][ {"), *on_both(Found(400, "GRAPHQL_PARSE_FAILED", is_plain))),
    "circular fragments": (
        post("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"),
        *on_both(Found(400, "GRAPHQL_VALIDATION_FAILED")),
    ),
}


@pytest.fixture(scope="module")
async def default(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A server as it comes."""
    async with served(tmp_path_factory.mktemp("default") / "data") as one:
        yield one


@pytest.fixture(scope="module")
async def hardened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A server without GraphiQL and introspection."""
    async with served(tmp_path_factory.mktemp("hardened") / "data", **HARDENED) as one:
        yield one


@pytest.fixture(scope="module")
async def listing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A server that runs one document and no other."""
    folder = tmp_path_factory.mktemp("listing")
    (folder / "users.graphql").write_text("{ users { totalCount } }")
    async with served(folder / "data", documents=folder, allow_list="on", **HARDENED) as one:
        yield one


async def ask(server: Served, request: dict[str, Any]) -> httpx.Response:
    """Make the request of a check."""
    accept = {"Accept": "application/graphql-response+json", "GraphQL-Require-Preflight": ""}
    headers = {**accept, **request.get("headers", {})}
    return await server.client.request(**{**request, "url": "/graphql", "headers": headers})


async def assert_found(server: Served, request: dict[str, Any], found: Found) -> None:
    """Check an answer, and that nothing was changed."""
    response = await ask(server, request)
    is_page = response.headers["content-type"].startswith("text/html")
    errors = [] if is_page else response.json().get("errors", [])
    assert (response.status_code, [error["extensions"]["code"] for error in errors][:1]) == (
        found.status,
        [found.code] if found.code else [],
    )
    assert found.holds(response)
    sites = (await server.ask({"query": "{ sites { nodes { name } } }"})).text
    assert "Scanned" not in sites


@pytest.mark.slow(cases=7)
@pytest.mark.parametrize("check", CHECKS)
async def test_scanner_finds_nothing_to_use_by_default(default: Served, check: str) -> None:
    """Each check: refused by its limit, its method or its type; only GraphiQL, introspection and suggestions show."""
    request, found, _ = CHECKS[check]
    await assert_found(default, request, found)


@pytest.mark.slow(cases=7)
@pytest.mark.parametrize("check", CHECKS)
async def test_scanner_finds_nothing_at_all_when_the_server_is_hardened(hardened: Served, check: str) -> None:
    """No IDE, no introspection, and no name of the schema that the caller did not know."""
    request, _, found = CHECKS[check]
    await assert_found(hardened, request, found)


@pytest.mark.parametrize(
    "check", [name for name, (request, *_) in CHECKS.items() if "query" in str(request.get("json"))]
)
async def test_scanner_runs_no_document_of_its_own_when_there_is_an_allow_list(listing: Served, check: str) -> None:
    """Whatever the document is, it is refused before it is parsed; the listed one is answered."""
    response = await ask(listing, CHECKS[check][0])
    code = response.json()["errors"][0]["extensions"]["code"]
    assert code == ("BAD_USER_INPUT" if check == "batches" else "DOCUMENT_NOT_LISTED")
    assert (await listing.ask({"query": "{ users { totalCount } }"})).json() == {"data": {"users": {"totalCount": 0}}}


@pytest.mark.parametrize("check", CHECKS)
async def test_scanner_without_a_token_learns_nothing_of_the_schema(default: Served, check: str) -> None:
    """Without a token only GraphiQL's page is answered: everything else is refused before its document is read."""
    if check == "an IDE":
        return
    request = CHECKS[check][0]
    headers = {**request.get("headers", {}), "Authorization": ""}
    response = await ask(default, {**request, "headers": headers})
    code = response.json()["errors"][0]["extensions"]["code"]
    assert (response.status_code, code) in {(401, "UNAUTHENTICATED"), (400, "BAD_USER_INPUT"), (415, "BAD_USER_INPUT")}
    assert is_plain(response)
    assert not suggests(response)


async def test_files_of_the_ide_are_not_served_when_it_is_off(hardened: Served, default: Served) -> None:
    """A scanner that knows their addresses finds nothing."""
    page = (await default.client.get("/graphql", headers=HTML)).text
    address = page.partition('src="')[2].partition('"')[0]
    assert (await default.client.get(f"/{address}")).status_code == 200
    assert (await hardened.client.get(f"/{address}")).status_code == 404
