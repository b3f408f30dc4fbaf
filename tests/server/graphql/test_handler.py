"""GraphQL over HTTP: media types, statuses, methods, and the error of each phase."""

from __future__ import annotations

import gzip
import json

import pytest

from schema.plan import AskedQuery, Response
from server.graphql.document import DOCUMENTS_MAX
from tests.server.conftest import CANARY, TOKEN, OpenProbe, Probe, touched

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
PREFLIGHT = {"GraphQL-Require-Preflight": "1"}

ACCEPTS = [
    (None, JSON),
    ("", JSON),
    ("*/*", JSON),
    ("application/*", JSON),
    (JSON, JSON),
    (GRAPHQL, GRAPHQL),
    (f"{GRAPHQL}, {JSON}", GRAPHQL),
    (f"{JSON}, {GRAPHQL}", JSON),
    (f"{JSON}, {GRAPHQL};q=0.9", JSON),
    (f"{JSON};q=0.8, {GRAPHQL};q=0.9", GRAPHQL),
    (f"{GRAPHQL};q=0, {JSON}", JSON),
    (f"*/*;q=0.1, {GRAPHQL}", GRAPHQL),
    (f"{JSON};q=0, */*", GRAPHQL),
    (f"{GRAPHQL};charset=utf-8", GRAPHQL),
    ("APPLICATION/JSON", JSON),
]


@pytest.mark.parametrize(("accept", "media"), ACCEPTS)
async def test_answer_has_the_media_type_that_accept_prefers(probe: Probe, accept: str | None, media: str) -> None:
    """Accept decides between the two media types, weights and all."""
    headers = {} if accept is None else {"Accept": accept}
    del probe.client.headers["accept"]
    response = await probe.client.post("/graphql", json={"query": "{hello}"}, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media}; charset=utf-8"


@pytest.mark.parametrize("accept", ["text/plain", "image/*", f"{JSON};q=0", f"{JSON};q=x", "*/*;q=0"])
async def test_request_is_refused_when_no_media_type_is_acceptable(probe: Probe, accept: str) -> None:
    """406, and nothing runs."""
    response = await probe.post("mutation{touch}", accept=accept)
    assert response.status_code == 406
    assert not touched


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/plain;application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/jsonx",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
    ],
)
async def test_body_is_refused_when_its_media_type_is_not_json(probe: Probe, content_type: str | None) -> None:
    """Everything a web page can send without asking first is 415, and nothing runs."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    body = b'{"query":"mutation{touch}"}'
    response = await probe.client.post("/graphql", content=body, headers=headers)
    assert response.status_code == 415
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert not touched


async def test_body_is_refused_when_it_is_compressed(probe: Probe) -> None:
    """A compressed body is 415: its real size would only be known too late."""
    response = await probe.raw(gzip.compress(b'{"query":"{hello}"}'), Content_Encoding="gzip")
    assert response.status_code == 415


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "TRACE", "PROPFIND"])
async def test_method_is_refused_when_it_is_not_get_or_post(probe: Probe, method: str) -> None:
    """405 names the methods that are allowed."""
    response = await probe.client.request(method, "/graphql")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST, OPTIONS"


@pytest.mark.parametrize("header", ["GraphQL-Require-Preflight", "Apollo-Require-Preflight", "X-Apollo-Operation-Name"])
async def test_get_runs_a_query_when_a_preflight_header_is_sent(probe: Probe, header: str) -> None:
    """A GET with one of the three headers answers, variables included."""
    parameters = {"query": "query($n:String!){hello(name:$n)}", "variables": '{"n":"get"}'}
    response = await probe.client.get("/graphql", params=parameters, headers={header: "1"})
    assert response.json() == {"data": {"hello": "hello get"}}


async def test_get_runs_a_query_when_a_token_is_sent(probe: Probe) -> None:
    """A browser asks before it sends a token that is not its own: clients need no header for this server alone."""
    response = await probe.client.get("/graphql", params={"query": "{hello}"})
    assert response.json() == {"data": {"hello": "hello world"}}


async def test_get_is_refused_when_a_link_could_have_caused_it(open_probe: OpenProbe) -> None:
    """Without a token, or behind a proxy that adds it: a link or an image tag cannot run a query."""
    async with open_probe(proxy_adds_token=True) as proxied, open_probe() as plain:
        del plain.client.headers["Authorization"]
        for probe in (proxied, plain):
            response = await probe.client.get("/graphql", params={"query": "{hello}"})
            assert response.status_code == 400
            assert "Preflight" in response.json()["errors"][0]["extensions"]["hint"]
        assert (await proxied.client.get("/graphql", params={"query": "{hello}"}, headers=PREFLIGHT)).status_code == 200


async def test_get_is_refused_when_it_is_a_mutation(probe: Probe) -> None:
    """405 with Allow: POST, under both media types, and nothing runs."""
    for media in (JSON, GRAPHQL):
        response = await probe.client.get(
            "/graphql", params={"query": "mutation{touch}"}, headers={**PREFLIGHT, "Accept": media}
        )
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert not touched


@pytest.mark.parametrize(
    "query_string",
    [
        "",
        "query=",
        "query={hello}&query={hello}",
        "query={hello}&variables=x",
        "query={hello}&variables=[]",
        "query={hello}&variables={}&variables={}",
        "query={hello}&extensions=1",
        "query=%ff%fe",
        "query={hello}&operationName=a%20b",
        "&".join(f"a{n}=1" for n in range(200)),
    ],
)
async def test_get_is_refused_when_its_parameters_are_malformed(probe: Probe, query_string: str) -> None:
    """400 in the standard shape for every malformed query string."""
    response = await probe.client.get(f"/graphql?{query_string}", headers=PREFLIGHT)
    assert response.status_code == 400
    assert set(response.json()) == {"errors"}


PHASES = [
    ("{", {}, "GRAPHQL_PARSE_FAILED"),
    ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("fragment F on Query { hello }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("query A{hello} query B{hello}", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("query A{hello} query B{hello}", {"operationName": "C"}, "GRAPHQL_VALIDATION_FAILED"),
    ("query($n:String!){hello(name:$n)}", {}, "BAD_USER_INPUT"),
    ("query($n:String!){hello(name:$n)}", {"variables": {"n": 7}}, "BAD_USER_INPUT"),
    ("{ hello " + "hello " * 2_000 + "}", {}, "LIMIT_EXCEEDED"),
    ("#\n" * 2_001 + "{hello}", {}, "LIMIT_EXCEEDED"),
]


@pytest.mark.parametrize(("query", "more", "code"), PHASES)
async def test_document_is_refused_with_the_code_of_its_phase(
    probe: Probe, query: str, more: dict[str, object], code: str
) -> None:
    """Each phase has its own code; 400 under the GraphQL media type, 200 under JSON, and never `data`."""
    for media, status in ((GRAPHQL, 400), (JSON, 200)):
        response = await probe.post(query, accept=media, **more)
        assert response.status_code == status
        assert set(response.json()) == {"errors"}
        assert {error["extensions"]["code"] for error in response.json()["errors"]} == {code}


async def test_operation_is_chosen_by_name_when_several_are_sent(probe: Probe) -> None:
    """The named one runs, and only that one."""
    response = await probe.post("mutation A{touch} query B{hello}", operationName="B")
    assert response.json() == {"data": {"hello": "hello world"}}
    assert not touched


@pytest.mark.parametrize(
    "variables",
    [
        {"r": {"secret": 123456789}},
        {"r": {"secret": {"canary": 123456789}}},
        {"r": {"secret": "x", "count": "123456789"}},
        {"r": {"secret": "x", "unknown": "123456789"}},
        {"r": {"secret": None, "count": 123456789}},
        {"r": "123456789"},
        {"r": ["123456789"]},
        {"r": {"count": 123456789}},
    ],
)
async def test_variable_error_does_not_repeat_the_value(probe: Probe, variables: object) -> None:
    """A mistyped secret stays out of the answer; the path and the expected type are named."""
    response = await probe.post("query($r:Reading!){read(reading:$r)}", variables=variables)
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "$r" in error["message"]
    assert "123456789" not in response.text


async def test_unknown_exception_becomes_internal_with_a_request_id_and_nothing_else(
    probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text, type and place of an unknown exception stay on the server; other fields still answer."""
    response = await probe.post("{ hello broken }")
    (error,) = response.json()["errors"]
    assert error == {
        "message": "Something went wrong on the server.",
        "locations": [{"line": 1, "column": 9}],
        "path": ["broken"],
        "extensions": {
            "code": "INTERNAL",
            "retryable": False,
            "hint": "Quote the request id to the operator; the server's log has the details.",
            "requestId": response.headers["x-request-id"],
        },
    }
    assert response.json()["data"] == {"hello": "hello world", "broken": None}


async def test_null_that_reaches_the_root_is_still_an_executed_answer(probe: Probe) -> None:
    """`data: null` comes with 200: the operation was executed."""
    response = await probe.post("{ brokenUtterly }", accept=GRAPHQL)
    assert response.status_code == 200
    assert response.json()["data"] is None
    assert CANARY not in response.text


async def test_our_own_error_keeps_its_code_hint_and_facts(probe: Probe) -> None:
    """A RollcallError goes out as it is: message, code, hint, retryable, facts."""
    response = await probe.post("{ refused busy }")
    refused, busy = response.json()["errors"]
    request_id = response.headers["x-request-id"]
    assert refused["message"] == "The name is empty."
    assert refused["extensions"] == {
        "path": "name",
        "code": "BAD_USER_INPUT",
        "retryable": False,
        "hint": "Give it one.",
        "requestId": request_id,
    }
    assert (busy["extensions"]["code"], busy["extensions"]["retryable"]) == ("STORE_BUSY", True)


async def test_value_that_json_cannot_hold_becomes_internal(probe: Probe) -> None:
    """A lone surrogate from a resolver is an error of ours, not a broken response."""
    response = await probe.post("{ surrogate }", accept=GRAPHQL)
    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"]["code"] == "INTERNAL"


async def test_operation_is_ended_when_it_takes_too_long(open_probe: OpenProbe) -> None:
    """The deadline answers TIMEOUT, retryable, 504 under the GraphQL media type."""
    async with open_probe(request_timeout_s=0.05) as probe:
        response = await probe.post("{ slow }", accept=GRAPHQL)
    assert response.status_code == 504
    (error,) = response.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("TIMEOUT", True)


async def test_subscription_is_refused_when_sent_as_a_query(probe: Probe) -> None:
    """A subscription does not hang or crash the endpoint."""
    response = await probe.post("subscription{ticks}", accept=GRAPHQL)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_token_is_asked_for_before_the_body_is_read(probe: Probe) -> None:
    """Without a token every body, malformed or huge, gets the same 401."""
    for content in (b"", b"{", b'{"query":"{hello}"}', b"x" * 300_000):
        response = await probe.raw(content, Authorization="Bearer wrong")
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_long_answer_is_compressed_when_the_caller_accepts_it(probe: Probe) -> None:
    """gzip above 8 KiB, and only when asked for."""
    sizes = {}
    for encoding in ("gzip", "identity", "gzip;q=0"):
        for characters in (100, 20_000):
            response = await probe.client.post(
                "/graphql",
                json={"query": f"{{long(characters:{characters})}}"},
                headers={"Accept-Encoding": encoding},
            )
            assert len(response.json()["data"]["long"]) == characters
            sizes[encoding, characters] = response.headers.get("content-encoding")
    assert [key for key, value in sizes.items() if value == "gzip"] == [("gzip", 20_000)]


async def test_introspection_is_refused_when_it_is_switched_off(open_probe: OpenProbe) -> None:
    """INTROSPECTION=off refuses __schema and __type, and keeps __typename."""
    async with open_probe(introspection=False) as probe:
        for query in ("{__schema{queryType{name}}}", '{__type(name:"Query"){name}}'):
            response = await probe.post(query)
            assert response.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert (await probe.post("{__typename}")).json() == {"data": {"__typename": "Query"}}


async def test_documents_are_prepared_once_and_bounded(probe: Probe) -> None:
    """The same text is parsed once; failing texts and old ones are not kept."""
    documents = probe.endpoint.execution.documents
    for _ in range(3):
        await probe.post("{hello}")
    assert documents.misses == 1
    await probe.post("{")
    assert len(documents) == 1
    for number in range(DOCUMENTS_MAX + 5):
        await probe.post(f"{{ a{number}: hello }}")
    assert len(documents) == DOCUMENTS_MAX


async def test_plan_answers_a_query_when_it_can_and_leaves_the_rest_to_the_executor(
    open_probe: OpenProbe,
) -> None:
    """The seam for compiled plans: bytes go out as they are, None falls back, mutations never ask it."""
    asked: list[str | None] = []

    class Named:
        """Plans for operations that have a name."""

        def recall(self, *_: object) -> None:
            """Keep nothing."""

        async def answer(self, operation: AskedQuery, _: object) -> Response | None:
            """Answer by name."""
            asked.append(operation.name)
            return Response(b'{"data":"planned"}', "tag") if operation.name else None

    async with open_probe(plans=Named()) as probe:
        assert (await probe.post("query Planned{hello}")).json() == {"data": "planned"}
        assert (await probe.post("{hello}")).json() == {"data": {"hello": "hello world"}}
        assert (await probe.post("mutation M{touch}")).json() == {"data": {"touch": 1}}
    assert asked == ["Planned", None]


async def test_unchanged_answer_is_not_sent_again_when_its_tag_is_known(open_probe: OpenProbe) -> None:
    """A planned answer by GET carries a tag; who sends it back gets 304 without a body, until the tag is another."""
    tags = ["one", "one", "two"]

    class Tagged:
        """Plans whose answers are kept, under another tag each time."""

        def recall(self, *_: object) -> Response:
            """Answer."""
            return Response(b'{"data":"planned"}', tags.pop(0))

    async with open_probe(plans=Tagged()) as probe:
        headers = {"GraphQL-Require-Preflight": "1"}
        first = await probe.client.get("/graphql?query={hello}", headers=headers)
        known = {**headers, "If-None-Match": first.headers["etag"]}
        second = await probe.client.get("/graphql?query={hello}", headers=known)
        third = await probe.client.get("/graphql?query={hello}", headers=known)
    assert [first.status_code, second.status_code, third.status_code] == [200, 304, 200]
    assert (second.content, third.json()) == (b"", {"data": "planned"})
    assert first.headers["etag"] == second.headers["etag"] != third.headers["etag"]


async def test_request_id_is_taken_over_when_it_is_harmless(probe: Probe) -> None:
    """A caller's id comes back when it is plain; anything else is replaced."""
    for given, kept in (("abcDEF-12345678", True), ("short", False), ('a"b{c}d<e>fgh', False), ("x" * 65, False)):
        response = await probe.raw(b'{"query":"{hello}"}', X_Request_Id=given)
        assert (response.headers["x-request-id"] == given) is kept
    assert TOKEN not in json.dumps(dict(response.headers))
