"""Promises G1 to G9 and rules 8 to 11 of the sync, for one request, over ASGI."""

from __future__ import annotations

import gzip
import logging
import uuid
from collections.abc import Callable

import orjson
import pytest

from sync.entra.signin.token import StaticToken
from sync.errors import (
    AuthRejected,
    BadResponse,
    Blocked,
    CursorExpired,
    EntraError,
    OffOrigin,
    PermissionDenied,
    RequestRefused,
    SignInFailed,
    Throttled,
    Unavailable,
)
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.graph import ORIGIN, TOKEN, Asked, Reply, ScriptedGraph, client_of, refusal

LINK = f"{ORIGIN}/v1.0/users/delta?$skiptoken=a%2Fb+c"


async def test_get_sends_the_agreed_headers() -> None:
    """Every request carries the token, low priority, its own id and our name."""
    graph = ScriptedGraph(Reply(), Reply())
    async with client_of(graph) as client:
        await client.get("/users", headers={"Prefer": "return=minimal"})
        await client.get("/users")
    first, second = (asked.headers for asked in graph.asked)
    assert first["authorization"] == f"Bearer {TOKEN}"
    assert first["x-ms-throttle-priority"] == "low"
    assert first["user-agent"].startswith("rollcall/")
    assert first["accept-encoding"] == "gzip"
    assert first["prefer"] == "return=minimal" and "prefer" not in second
    assert uuid.UUID(first["client-request-id"]) != uuid.UUID(second["client-request-id"])


async def test_get_never_lets_a_caller_replace_the_token() -> None:
    """Headers of a caller are added; the token stays ours."""
    graph = ScriptedGraph(Reply())
    async with client_of(graph) as client:
        await client.get("/users", headers={"Authorization": "Bearer other"})
    assert graph.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_get_asks_below_v1_with_its_parameters() -> None:
    """A path is read below /v1.0; parameters are added to its query."""
    graph = ScriptedGraph(Reply())
    async with client_of(graph) as client:
        await client.get("/users?$select=id", params={"$top": "1"})
    assert graph.asked[0].path == "/v1.0/users"
    assert graph.asked[0].query in ("$select=id&$top=1", "%24select=id&%24top=1")


async def test_get_sends_a_link_as_it_is() -> None:
    """Graph's links are opaque: not a byte of them changes."""
    graph = ScriptedGraph(Reply())
    async with client_of(graph) as client:
        await client.get(LINK)
    assert (graph.asked[0].path, graph.asked[0].query) == ("/v1.0/users/delta", "$skiptoken=a%2Fb+c")


async def test_get_counts_what_it_used(clock: FakeClock) -> None:
    """Requests, retries, waits, resource units and bytes add up."""
    body = gzip.compress(b'{"a": 1}')
    graph = ScriptedGraph(
        refusal(429, retry_after="7"),
        refusal(500),
        Reply(200, body, {"content-encoding": "gzip", "x-ms-resource-unit": "2"}),
        Reply(200, b"{}", {"x-ms-resource-unit": "many"}),
    )
    async with client_of(graph, clock=clock) as client:
        assert await client.get("/users") == {"a": 1}
        await client.get("/users")
        stats = client.stats
    assert (stats.requests, stats.retries, stats.resource_units) == (4, 2, 2)
    assert stats.throttled_s == 7.5
    assert stats.bytes >= len(body) + 2


@pytest.mark.parametrize("status", [429, 503, 504])
@pytest.mark.parametrize(
    ("retry_after", "at_least_s"),
    [("7", 7), ("2.128", 2.128), ("Mon, 23 Nov 2026 04:05:36 GMT", 30), ("Mon, 23 Nov 2020 04:05:36 GMT", 0)],
)
async def test_get_waits_as_asked_and_goes_on_with_the_same_link(
    clock: FakeClock, status: int, retry_after: str, at_least_s: float
) -> None:
    """Retry-After is obeyed in every form, never undercut, and the same link is asked again."""
    graph = ScriptedGraph(refusal(status, retry_after=retry_after), Reply(200, {"a": 1}))
    async with client_of(graph, clock=clock) as client:
        assert await client.get(LINK) == {"a": 1}
    assert len(clock.slept) == 1 and clock.slept[0] >= at_least_s
    assert graph.asked[0].query == graph.asked[1].query


async def test_get_measures_a_date_by_the_senders_own_clock(clock: FakeClock) -> None:
    """A clock of ours that is ten minutes off neither shortens nor lengthens the wait."""
    dates = {"date": "Mon, 23 Nov 2026 04:15:06 GMT", "retry_after": "Mon, 23 Nov 2026 04:15:26 GMT"}
    graph = ScriptedGraph(refusal(429, **dates), Reply())
    async with client_of(graph, clock=clock) as client:
        await client.get("/users")
    assert 20 <= clock.slept[0] <= 21


async def test_get_hands_a_long_wait_to_the_caller(clock: FakeClock) -> None:
    """Over 300 seconds: Throttled at once, so that the run can be put off."""
    graph = ScriptedGraph(refusal(429, retry_after="301"))
    async with client_of(graph, clock=clock) as client:
        with pytest.raises(Throttled) as caught:
            await client.get("/users")
    assert caught.value.facts["retry_after_s"] == 301.0
    assert clock.slept == []


@pytest.mark.parametrize(
    ("status", "kind", "tries"), [(429, Throttled, 30), (500, Unavailable, 6), (503, Unavailable, 6)]
)
async def test_get_gives_up_when_a_fault_lasts(
    clock: FakeClock, status: int, kind: type[EntraError], tries: int
) -> None:
    """A fault that lasts ends as a typed error: after six tries, or after thirty that Graph asked to repeat."""
    graph = ScriptedGraph(*[refusal(status)] * tries)
    async with client_of(graph, clock=clock) as client:
        with pytest.raises(kind):
            await client.get("/users")
    assert len(graph.asked) == tries


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(400, "Request_BadRequest"), RequestRefused),
        (refusal(404, "Request_ResourceNotFound"), RequestRefused),
        (refusal(405), RequestRefused),
        (refusal(501, "NotImplemented"), RequestRefused),
        (refusal(403, "Authorization_RequestDenied"), PermissionDenied),
        (refusal(410), CursorExpired),
        (refusal(400, "Directory_ExpiredPageToken"), CursorExpired),
        (Reply(403, b"<html>no</html>", {"content-type": "text/html"}), Blocked),
        (Reply(400, b"\xff\xfe", {"content-encoding": "gzip"}), RequestRefused),
    ],
)
async def test_get_does_not_ask_again_when_the_answer_is_final(
    clock: FakeClock, reply: Reply, kind: type[EntraError]
) -> None:
    """A refusal is final: one request, one typed error with a hint."""
    graph = ScriptedGraph(reply)
    async with client_of(graph, clock=clock) as client:
        with pytest.raises(kind) as caught:
            await client.get(LINK)
    assert caught.value.hint and caught.value.facts["status"] == reply.status
    assert clock.slept == []


async def test_get_reports_graphs_request_id_when_it_is_one() -> None:
    """The id that Microsoft's support asks for is a fact; anything else in its place is not."""
    request_id = str(uuid.uuid4())
    graph = ScriptedGraph(refusal(400, request_id=request_id), refusal(400, request_id="<script>"))
    async with client_of(graph) as client:
        for expected in (request_id, None):
            with pytest.raises(RequestRefused) as caught:
                await client.get("/users")
            assert caught.value.facts.get("request_id") == expected


async def test_get_renews_a_rejected_token_once_and_asks_the_same_link() -> None:
    """A 401 in the middle of a run costs one sign-in, not the run."""
    issued = iter(["first", "second"])
    tokens = StaticToken(lambda: next(issued))
    graph = ScriptedGraph(refusal(401), Reply(200, {"a": 1}))
    async with client_of(graph, tokens=tokens) as client:
        assert await client.get(LINK) == {"a": 1}
    assert [asked.headers["authorization"] for asked in graph.asked] == ["Bearer first", "Bearer second"]
    assert graph.asked[0].query == graph.asked[1].query


async def test_get_raises_when_a_fresh_token_is_rejected_too() -> None:
    """A second 401 is final, also when another fault came between."""
    graph = ScriptedGraph(refusal(401), refusal(500), refusal(401))
    async with client_of(graph) as client:
        with pytest.raises(AuthRejected):
            await client.get("/users")


class FailingTokens:
    """Tokens that fail a number of times before there is one."""

    def __init__(self, *errors: EntraError) -> None:
        self._errors = list(errors)

    async def token(self) -> str:
        """Raise the next error, or return a token."""
        if self._errors:
            raise self._errors.pop(0)
        return TOKEN

    def drop(self, token: str) -> None:
        """Do nothing."""


async def test_get_tries_again_when_the_sign_in_service_is_busy(clock: FakeClock) -> None:
    """A sign-in service that is unavailable for a moment does not end the run."""
    graph = ScriptedGraph(Reply())
    tokens = FailingTokens(Unavailable(), Throttled(retry_after_s=5.0))
    async with client_of(graph, clock=clock, tokens=tokens) as client:
        await client.get("/users")
    assert len(clock.slept) == 2 and clock.slept[1] >= 5


async def test_get_raises_when_the_credential_is_refused(clock: FakeClock) -> None:
    """A refused credential is final and Graph is never asked."""
    graph = ScriptedGraph()
    async with client_of(graph, clock=clock, tokens=FailingTokens(SignInFailed())) as client:
        with pytest.raises(SignInFailed):
            await client.get("/users")
    assert graph.asked == []


MALFORMED = {
    "truncated": Reply(200, b'{"value": [{"id'),
    "list": Reply(200, []),
    "text": Reply(200, "x"),
    "empty": Reply(200, b""),
    "no content": Reply(204, b""),
    "portal": Reply(200, b"<html>Wi-Fi</html>", {"content-type": "text/html"}),
    "wrong type": Reply(200, {}, {"content-type": "text/plain"}),
    "not gzip": Reply(200, b"{}", {"content-encoding": "gzip"}),
    "brotli": Reply(200, b"{}", {"content-encoding": "br"}),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_get_tries_a_malformed_answer_twice_more(clock: FakeClock, name: str) -> None:
    """What is not a JSON object is tried three times, then a typed error."""
    graph = ScriptedGraph(*[MALFORMED[name]] * 3)
    async with client_of(graph, clock=clock) as client:
        with pytest.raises(BadResponse):
            await client.get("/users")
    assert len(graph.asked) == 3


@pytest.mark.parametrize("name", MALFORMED)
async def test_get_goes_on_when_a_malformed_answer_mends_itself(clock: FakeClock, name: str) -> None:
    """One bad answer costs a wait, not the run."""
    graph = ScriptedGraph(MALFORMED[name], Reply(200, {"a": 1}))
    async with client_of(graph, clock=clock) as client:
        assert await client.get("/users") == {"a": 1}


async def test_get_tries_again_when_the_check_finds_a_wrong_shape(clock: FakeClock) -> None:
    """The caller's idea of the shape counts as part of the answer."""

    def check(body: dict[str, object]) -> None:
        if "a" not in body:
            raise BadResponse()

    graph = ScriptedGraph(Reply(), Reply(200, {"a": 1}))
    async with client_of(graph, clock=clock) as client:
        assert await client.get("/users", check=check) == {"a": 1}


OFF_ORIGIN = [
    "https://evil.test/v1.0/users",
    "http://graph.test/v1.0/users",
    "ftp://graph.test/v1.0/users",
    "https://graph.test:8443/v1.0/users",
    "https://graph.test.evil.test/v1.0/users",
    "https://evilgraph.test/v1.0/users",
    "https://graph.test@evil.test/v1.0/users",
    "https://graph.test:pw@evil.test/",
    "https://user@graph.test/v1.0/users",
    "https://:pw@graph.test/v1.0/users",
    "https://graph.test\\@evil.test/",
    "https://graph.test%2eevil.test/",
    "https://graph.test%00.evil.test/",
    "https://graph.test./v1.0/users",
    "https://127.0.0.1/v1.0/users",
    "https://[::1]/v1.0/users",
    "https://xn--grph-loa.test/v1.0/users",
    "https://gr\u00e4ph.test/v1.0/users",
    "https://graph\u3002test/v1.0/users",
    "https://graph.test\t/v1.0/users",
    "https://graph.test\r\nHost: evil.test/",
    "https://graph.test /v1.0/users",
    "https:graph.test/v1.0/users",
    "https:///v1.0/users",
    "https://",
    "javascript:alert(1)",
    "v1.0/users",
    "",
    "https://graph.test/" + "x" * 70_000,
]


@pytest.mark.parametrize("link", [*OFF_ORIGIN, "//evil.test/v1.0/users"])
async def test_check_link_refuses_every_address_but_graphs_own(link: str) -> None:
    """Scheme, host and port must be Graph's, without user info, in plain characters."""
    async with client_of(ScriptedGraph()) as client:
        with pytest.raises(OffOrigin):
            client.check_link(link)


@pytest.mark.parametrize("link", OFF_ORIGIN)
async def test_get_sends_nothing_when_a_link_leaves_the_origin(link: str) -> None:
    """The token never leaves for a foreign address: no request is made at all."""
    graph = ScriptedGraph()
    async with client_of(graph) as client:
        with pytest.raises(OffOrigin):
            await client.get(link)
    assert graph.asked == []


@pytest.mark.parametrize("path", ["//evil.test/x", "/\\evil.test", "/@evil.test/", "/../../x", "/%2f%2fevil.test"])
async def test_get_stays_on_the_origin_whatever_a_path_holds(path: str) -> None:
    """A path is put behind the origin, so it cannot become a host."""
    graph = ScriptedGraph(Reply())
    async with client_of(graph) as client:
        await client.get(path)
    assert graph.asked[0].host == "graph.test"


@pytest.mark.parametrize(
    "link", ["https://GRAPH.test/v1.0/x", "https://graph.test:443/v1.0/x", "HTTPS://graph.test/v1.0/x"]
)
async def test_check_link_accepts_the_origin_in_every_spelling(link: str) -> None:
    """Upper case and the default port name the same origin."""
    async with client_of(ScriptedGraph()) as client:
        assert client.check_link(link).host == "graph.test"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["https://evil.test/", "//evil.test/", "http://graph.test/v1.0/users"])
async def test_get_refuses_a_redirect_off_the_origin(status: int, location: str) -> None:
    """A redirect elsewhere is an error, and is not followed."""
    graph = ScriptedGraph(Reply(status, b"", {"location": location}))
    async with client_of(graph) as client:
        with pytest.raises(OffOrigin):
            await client.get("/users")
    assert len(graph.asked) == 1


@pytest.mark.parametrize("headers", [{}, {"location": "/v1.0/other"}, {"location": f"{ORIGIN}/v1.0/other"}])
async def test_get_does_not_follow_a_redirect_on_the_origin_either(headers: dict[str, str]) -> None:
    """Graph's API does not redirect; what does is not Graph."""
    graph = ScriptedGraph(Reply(307, b"", headers))
    async with client_of(graph) as client:
        with pytest.raises(RequestRefused):
            await client.get("/users")
    assert len(graph.asked) == 1


async def test_get_does_not_follow_the_location_of_an_expired_cursor() -> None:
    """410 names an address to begin again at; the round begins with our own instead."""
    graph = ScriptedGraph(refusal(410, location="https://evil.test/"))
    async with client_of(graph) as client:
        with pytest.raises(CursorExpired):
            await client.get(LINK)


async def test_get_writes_no_link_to_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """Graph's links hold opaque tokens: at the most talkative level no log line holds one."""
    caplog.set_level(logging.DEBUG)
    async with client_of(ScriptedGraph(Reply())) as client:
        await client.get(LINK)
    assert "skiptoken" not in caplog.text and "canary" not in caplog.text


SECRETIVE: list[Callable[[Asked], Reply]] = [
    lambda asked: refusal(400, asked.headers["authorization"], asked.headers["authorization"]),
    lambda asked: refusal(403, TOKEN, TOKEN, request_id=TOKEN),
    lambda asked: Reply(200, TOKEN.encode(), {"content-type": TOKEN}),
    lambda asked: Reply(302, b"", {"location": f"https://{TOKEN[:20]}.test/{TOKEN}"}),
]


@pytest.mark.parametrize("reply", SECRETIVE)
async def test_get_never_repeats_the_token_in_an_error(reply: Callable[[Asked], Reply]) -> None:
    """Even an answer that quotes the token does not get it into message, hint or facts."""
    async with client_of(ScriptedGraph(*[reply] * 3)) as client:
        with pytest.raises(EntraError) as caught:
            await client.get("/users")
    error = caught.value
    assert "canary" not in f"{error!r} {error} {error.hint} {orjson.dumps(error.facts).decode()}"
