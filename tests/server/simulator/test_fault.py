"""Every fault as a client meets it: on the wire, in process, with the tenant's clock."""

from __future__ import annotations

import gzip
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from server.simulator import FaultPlan, Rule, Simulator
from server.simulator.fault import FAULTS, find, rows
from sync.errors import BadInput
from tests.server.simulator.conftest import error_of, faulty
from tests.server.simulator.consumer import Client
from tests.sync.entra.clock import FakeClock

URL = "/v1.0/users/delta?$select=displayName,userType"
FORMS = ("throttled", "unavailable", "gateway-timeout")
STATUS = {"throttled": 429, "unavailable": 503, "gateway-timeout": 504}


async def sign_in(simulator: Simulator, client: Client) -> httpx.Response:
    """Ask for a token with the right secret."""
    app = simulator.secret_app
    form = {"client_id": app.client_id, "client_secret": app.client_secret, "grant_type": "client_credentials"}
    form["scope"] = f"{simulator.origin}/.default"
    return await client.post(f"/{simulator.tenant_id}/oauth2/v2.0/token", data=form)


async def seen(client: Client) -> tuple[Any, ...]:
    """Return what a client can see of one request, however it was compressed: what came, or what happened instead."""
    try:
        async with client.stream("GET", URL) as response:
            body = b"".join([chunk async for chunk in response.aiter_raw()][:1_000])
    except httpx.TransportError as error:
        return (type(error),)
    is_gzip = body[:2] == b"\x1f\x8b"
    lies = response.headers.get("content-encoding") == "gzip" and not is_gzip
    headers = {n: v for n, v in response.headers.items() if n not in ("content-length", "content-encoding", "vary")}
    ids = {headers.pop(name, None) for name in ("request-id", "client-request-id")}
    plain = gzip.decompress(body) if is_gzip else body
    return response.status_code, headers, lies, plain if len(ids) == 1 and response.status_code == 200 else b""


@pytest.mark.slow(cases=40)
@pytest.mark.parametrize("row", [row for row in rows() if not find(row)[0].act])
async def test_fault_shows_on_the_wire(simulator: Simulator, client: Client, row: str) -> None:
    """No fault is without effect: what a client sees differs from what it sees of a healthy tenant."""
    healthy = await seen(client)
    simulator.use(FaultPlan([Rule(row)]))
    assert await seen(client) != healthy
    assert simulator.requests.faults == {row: 1}


@pytest.mark.slow(cases=40)
@pytest.mark.parametrize("row", [row for row in rows() if not find(row)[0].lasting and not find(row)[0].act])
async def test_fault_happens_once_when_nothing_is_said(simulator: Simulator, client: Client, row: str) -> None:
    """The same request asked again gets the healthy answer."""
    healthy = (await client.get(URL)).json()["value"]
    simulator.use(FaultPlan([Rule(row)]))
    await seen(client)
    assert (await client.get(URL)).json()["value"] == healthy


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("seconds", "7"), ("fraction", "2.128"), ("missing", None), ("negative", "-5"), ("nan", "NaN"),
        ("infinity", "inf"), ("exponent", "1e9"), ("garbage", "soon"), ("long", "9" * 10_240),
    ],
)  # fmt: skip
async def test_retry_after_comes_in_every_form(
    simulator: Simulator, client: Client, name: str, form: str, text: str | None
) -> None:
    """429, 503 and 504 carry the header as it is written, or none."""
    response = await faulty(simulator, client, f"{name}.{form}", URL)
    assert response.status_code == STATUS[name]
    assert response.headers.get("retry-after") == text


@pytest.mark.parametrize(("form", "seconds"), [("date", 7), ("past-date", -60)])
async def test_retry_after_can_be_a_date(simulator: Simulator, client: Client, form: str, seconds: int) -> None:
    """The date counts from the answer's own Date."""
    response = await faulty(simulator, client, f"throttled.{form}", URL)
    named, sent = (parsedate_to_datetime(response.headers[name]) for name in ("retry-after", "date"))
    assert (named - sent).total_seconds() == seconds


async def test_value_of_a_fault_can_be_given(simulator: Simulator, client: Client) -> None:
    """`name=value` takes any value instead of a named form."""
    response = await faulty(simulator, client, "throttled=11", URL)
    assert response.headers["retry-after"] == "11"
    assert response.headers["x-ms-throttle-information"] == "CPULimitExceeded"


@pytest.mark.parametrize(
    ("row", "status", "code"),
    [
        ("failed.500", 500, "UnknownError"), ("failed.502", 502, "UnknownError"),
        ("unavailable.missing", 503, "serviceNotAvailable"), ("refused.400", 400, "Request_BadRequest"),
        ("refused.403", 403, "Authorization_RequestDenied"), ("refused.404", 404, "Request_ResourceNotFound"),
        ("refused.405", 405, "Request_BadRequest"), ("refused.501", 501, "NotImplemented"),
        ("unauthorized", 401, "InvalidAuthenticationToken"), ("gone.bare", 410, "syncStateNotFound"),
        ("gone.with-location", 410, "syncStateNotFound"), ("expired-page-token", 400, "Directory_ExpiredPageToken"),
        ("resync-required.410", 410, "resyncRequired"), ("resync-required.400", 400, "resyncRequired"),
        ("sync-state-not-found.400", 400, "syncStateNotFound"), ("sync-state-not-found.404", 404, "syncStateNotFound"),
        ("badly-formed-token", 400, "Request_BadRequest"),
    ],
)  # fmt: skip
async def test_refusal_has_graphs_code(simulator: Simulator, client: Client, row: str, status: int, code: str) -> None:
    """A status comes with the error body of Graph, its request ids included."""
    response = await faulty(simulator, client, row, URL)
    assert (response.status_code, error_of(response)["code"]) == (status, code)
    assert error_of(response)["innerError"]["request-id"] == response.headers["request-id"]


async def test_lost_state_says_where_to_start_anew(simulator: Simulator, client: Client) -> None:
    """410's Location leads to a full round on the same origin; without Location it is bare."""
    response = await faulty(simulator, client, "gone.with-location", URL)
    location = response.headers["location"]
    assert location.startswith(f"{simulator.origin}/v1.0/users/delta?")
    assert len((await client.get(location)).json()["value"]) == 200
    assert "location" not in (await faulty(simulator, client, "gone.bare", URL)).headers


@pytest.mark.parametrize("row", [row for row in rows() if row.startswith("aadsts.")])
async def test_sign_in_is_refused_with_the_number_asked_for(simulator: Simulator, client: Client, row: str) -> None:
    """The token service answers in its own shape, and the next request gets its token."""
    simulator.use(FaultPlan([Rule(row, "token")]))
    body = (await sign_in(simulator, client)).json()
    number = int(row.partition(".")[2])
    assert body["error_codes"] == [number]
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert "{" not in body["error_description"]
    assert "access_token" in (await sign_in(simulator, client)).json()


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("reset.before-headers", httpx.ReadError),
        ("reset.mid-body", httpx.ReadError),
        ("closed.before-headers", httpx.RemoteProtocolError),
        ("closed.mid-body", httpx.RemoteProtocolError),
        ("silence.before-headers", httpx.ReadTimeout),
        ("silence.after-headers", httpx.ReadTimeout),
    ],
)
async def test_connection_fails_as_asked(
    simulator: Simulator, client: Client, row: str, error: type[httpx.TransportError]
) -> None:
    """Cuts and silence come as the errors that httpx has for them; mid-body ones after status and headers."""
    simulator.use(FaultPlan([Rule(row)]))
    with pytest.raises(error):
        await client.get(URL)
    before = row.endswith("before-headers")
    assert simulator.requests.recent[-1].status == (0 if before else 200)
    assert simulator.requests.total == 1


async def test_silence_costs_the_clients_read_timeout(simulator: Simulator, client: Client, clock: FakeClock) -> None:
    """In process nobody waits: the tenant's clock moves by as much as the client would have waited."""
    simulator.use(FaultPlan([Rule("silence.before-headers")]))
    with pytest.raises(httpx.ReadTimeout):
        await client.get(URL, timeout=42)
    assert clock.moved_s == 42


async def test_slow_body_takes_a_second_a_byte(simulator: Simulator, client: Client, clock: FakeClock) -> None:
    """After ten minutes of it the connection is closed."""
    simulator.use(FaultPlan([Rule("slow-body")]))
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(URL)
    assert clock.moved_s == 600


async def test_endless_body_ends_when_the_client_leaves(simulator: Simulator, client: Client) -> None:
    """More than any page comes, only as fast as it is read, and nothing goes on afterwards."""
    simulator.use(FaultPlan([Rule("endless-body")]))
    size = 0
    async with client.stream("GET", URL) as response:
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > 40 * 1024 * 1024:
                break
    assert "content-length" not in response.headers
    assert len((await client.get(URL)).json()["value"]) == 200


async def test_gzip_bomb_is_a_thousand_times_its_size(simulator: Simulator, client: Client) -> None:
    """A small body unpacks to 64 MiB of JSON."""
    simulator.use(FaultPlan([Rule("gzip-bomb")]))
    async with client.stream("GET", URL) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert len(gzip.decompress(raw)) / len(raw) > 900
    assert len(gzip.decompress(raw)) > 64 * 1024 * 1024


@pytest.mark.parametrize(("what", "status"), [("tokens", 401), ("delta", 410)])
async def test_state_expires_in_the_middle(simulator: Simulator, client: Client, what: str, status: int) -> None:
    """Just before a request everything given out before it becomes worthless."""
    simulator.use(FaultPlan([Rule(f"expire.{what}", "users", "middle")]))
    first = (await client.get(URL)).json()
    response = await client.get(first["@odata.nextLink"])
    assert response.status_code == status
    client.headers["authorization"] = f"Bearer {simulator.issue_token()}"
    assert (await client.get(URL)).status_code == 200


async def test_page_token_expires_in_the_middle(simulator: Simulator, client: Client) -> None:
    """A list's nextLink is 400 Directory_ExpiredPageToken; the list can be begun anew."""
    simulator.use(FaultPlan([Rule("expire.pages", "users", "middle")]))
    first = (await client.get("/v1.0/users?$top=100")).json()
    response = await client.get(first["@odata.nextLink"])
    assert (response.status_code, error_of(response)["code"]) == (400, "Directory_ExpiredPageToken")
    assert len(await client.all("/v1.0/users?$top=100")) == 450


async def test_directory_changes_while_it_is_read(simulator: Simulator, client: Client) -> None:
    """Before each page some objects change, differently each time."""
    simulator.use(FaultPlan([Rule("churn.few", "users", times=0)]))
    await client.pages(URL)
    assert 6 <= simulator.directory.version <= 45


def test_every_fault_says_what_it_is() -> None:
    """Each declaration has a sentence, belongs to a promise, and can be found by each of its names."""
    assert len(rows()) >= 60
    assert {row for declared in FAULTS.values() for row in declared.promise.split(", ")} == {
        f"G{n}" for n in range(1, 15)
    }
    for row in rows():
        declared, value = find(row)
        assert declared.text.endswith(".")
        assert bool(declared.forms) == ("." in row)
        assert isinstance(value, str)


@pytest.mark.parametrize("row", ["", "nothing", "throttled", "throttled.never", "truncated-json.hard", "no-link=1"])
def test_name_of_a_fault_is_refused_when_it_is_none(row: str) -> None:
    """An unknown name or form, a form too many or missing, is refused before anything happens."""
    with pytest.raises(BadInput):
        find(row)
