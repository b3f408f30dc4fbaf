"""The network edge: security headers on everything, and pages of another origin can do nothing."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server.http.origins import SECURITY_HEADERS, OriginCheck
from tests.server.conftest import OpenProbe, Probe, touched

FRIEND = "https://ui.example"
MUTATION = b'{"query":"mutation{touch}"}'


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/graphql", {}),
        ("POST", "/graphql", {"Authorization": "Bearer wrong"}),
        ("POST", "/graphql", {"Origin": "https://evil.example"}),
        ("POST", "/graphql", {"Upgrade": "websocket"}),
        ("GET", "/graphql", {}),
        ("GET", "/graphql", {"Accept": "text/html"}),
        ("PUT", "/graphql", {}),
        ("OPTIONS", "/graphql", {}),
        ("GET", "/nothing", {}),
    ],
)
async def test_response_carries_the_security_headers_whatever_it_is(
    probe: Probe, method: str, path: str, headers: dict[str, str]
) -> None:
    """Answers, refusals and pages alike: nosniff, no-store, frame deny, a policy, no referrer, no server name."""
    response = await probe.client.request(method, path, headers=headers)
    for name, value in SECURITY_HEADERS.items():
        if name == "Content-Security-Policy":
            assert "default-src 'none'" in response.headers[name]
            assert "frame-ancestors 'none'" in response.headers[name]
        else:
            assert response.headers[name] == value
    assert "server" not in response.headers
    assert "strict-transport-security" not in response.headers
    assert response.headers["x-request-id"]


async def test_response_asks_for_https_only_behind_https(probe: Probe) -> None:
    """HSTS is sent where the connection is TLS, and only there."""
    response = await probe.client.get("https://rollcall.test/graphql")
    assert response.headers["strict-transport-security"] == "max-age=31536000"


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://rollcall.test"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://rollcall.test.evil.example"},
    {"Origin": "http://rollcall.test:8000"},
    {"Origin": "http://rollcall.test@evil.example"},
    {"Origin": "http://[::1"},
    {"Origin": "file://"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_mutation_is_refused_when_a_page_of_another_origin_sends_it(
    probe: Probe, headers: dict[str, str]
) -> None:
    """403 before anything runs, even with a good token, and no CORS header."""
    response = await probe.raw(MUTATION, **{name.replace("-", "_"): value for name, value in headers.items()})
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert not touched


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://rollcall.test"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://rollcall.test"},
        {"Origin": "https://rollcall.test"},
        {"Origin": "http://ROLLCALL.test:80"},
    ],
)
async def test_request_is_answered_when_it_comes_from_a_program_or_our_own_page(
    probe: Probe, headers: dict[str, str]
) -> None:
    """Programs send no such headers; our own page sends matching ones, also behind a TLS proxy."""
    response = await probe.raw(MUTATION, **{name.replace("-", "_"): value for name, value in headers.items()})
    assert response.status_code == 200
    assert len(touched) == 1


async def test_page_opens_when_a_link_of_another_site_leads_to_it(probe: Probe) -> None:
    """Following a link to GraphiQL works; it runs nothing."""
    response = await probe.client.get(
        "/graphql",
        headers={"Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    )
    assert response.status_code == 200


async def test_cors_answers_only_the_listed_origins(open_probe: OpenProbe) -> None:
    """A listed origin gets its own name back, never `*` and never credentials; another gets nothing."""
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with open_probe(cors_origins=(FRIEND,), cors_headers=("X-Tenant",)) as probe:
        asked = await probe.client.options("/graphql", headers={"Origin": FRIEND, **preflight})
        answered = await probe.raw(MUTATION, Origin=FRIEND, Sec_Fetch_Site="cross-site")
        refused = await probe.client.options("/graphql", headers={"Origin": FRIEND + ".evil", **preflight})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-methods"] == "GET, POST"
    allowed = asked.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "traceparent", "apollographql-client-name", "x-requested-with"} <= {
        *allowed
    }
    assert "x-tenant" in allowed
    assert answered.status_code == 200
    for response in (asked, answered):
        assert response.headers["access-control-allow-origin"] == FRIEND
        assert "access-control-allow-credentials" not in response.headers
        assert "Origin" in response.headers["vary"]
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


async def test_websocket_upgrade_is_refused_over_http(probe: Probe) -> None:
    """426 in the standard shape; other upgrades, which clients may offer to anyone, are ignored."""
    response = await probe.raw(MUTATION, Upgrade="WebSocket", Connection="Upgrade")
    assert response.status_code == 426
    assert response.json()["errors"][0]["extensions"]["requestId"] == response.headers["x-request-id"]
    assert (await probe.raw(b'{"query":"{hello}"}', Upgrade="h2c")).status_code == 200


async def test_route_keeps_a_header_that_it_chose_itself() -> None:
    """The edge adds what is missing and replaces nothing."""

    async def cached(_: Request) -> Response:
        return PlainTextResponse("x", headers={"Cache-Control": "public"})

    app = OriginCheck(Starlette(routes=[Route("/", cached)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rollcall.test") as client:
        response = await client.get("/")
    assert response.headers["cache-control"] == "public"
    assert response.headers["x-frame-options"] == "DENY"
