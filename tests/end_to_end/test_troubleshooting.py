"""The troubleshooting table, case by case: what a run says of each refusal, in its errors and in its log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from schema.access import Principal, Role
from server.simulator import Simulator
from sync.clock import Clock
from sync.entra.diagnose import ADVICE, TRANSIENT, sign_in_error
from sync.entra.graph.client import GraphClient
from sync.entra.signin.token import SignIn, StaticToken
from sync.errors import EntraError, Unavailable
from sync.store.tables import run_log
from tests.api.caller import Caller
from tests.canary import canary_secret
from tests.end_to_end.fault import App, refuse, stream_of
from tests.end_to_end.installation import Installation

TEXT = canary_secret("quoted-by-microsoft")


class SigningIn(Installation):
    """An installation whose sign-in service answers with these errors first."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(Simulator(users=3, devices=2, groups=1), data_dir)
        self.refusals: list[EntraError] = []

    @asynccontextmanager
    async def connect(self, sign_in: SignIn, clock: Clock) -> AsyncIterator[GraphClient]:
        """Sign in as the product does, then read from the simulator."""

        def issue() -> str:
            if self.refusals:
                raise self.refusals.pop(0)
            return self.simulator.issue_token()

        transport = httpx.ASGITransport(self.simulator.app)
        async with GraphClient(sign_in.endpoints, StaticToken(issue), clock, transport=transport) as client:
            await client.sign_in()
            yield client

    async def entries(self, run_id: int, level: str) -> list[dict[str, Any]]:
        """Return the entries of a run's log that have this level."""
        mine = select(run_log).where(run_log.c.run_id == run_id, run_log.c.level == level).order_by(run_log.c.id)
        async with self.runtime.store.read() as tx:
            return [dict(row) for row in (await tx.execute(mine)).mappings()]


@pytest.fixture
async def tenant(data_dir: Path) -> AsyncIterator[SigningIn]:
    """Return an installation of a tiny tenant."""
    opened = SigningIn(data_dir)
    await opened.open()
    try:
        await opened.furnish()
        yield opened
    finally:
        await opened.close()


def refused(number: int) -> EntraError:
    """Return the error that the sign-in service's answer with this number becomes."""
    return sign_in_error({"error": "any", "error_description": f"AADSTS{number}: {TEXT}", "error_codes": [number]})


@pytest.mark.slow(cases=6)
@pytest.mark.parametrize("number", ADVICE)
async def test_refused_sign_in_ends_the_run_with_its_advice(tenant: SigningIn, number: int) -> None:
    """Each AADSTS number: one error with code, number and what to click; the same in the log; nothing of Graph read."""
    tenant.refusals = [refused(number)]
    run = await tenant.run()
    (error,) = run.errors
    assert (run.status, error["code"], error["resource"], error["retryable"]) == (
        "FAILED",
        "SIGN_IN_FAILED",
        None,
        False,
    )
    assert f"AADSTS{number}" in error["message"] and error["hint"] == ADVICE[number].hint
    (entry,) = await tenant.entries(run.id, "ERROR")
    assert (entry["code"], entry["message"]) == ("SIGN_IN_FAILED", error["message"])
    assert (entry["facts"]["hint"], entry["facts"]["aadsts"]) == (error["hint"], str(number))
    assert TEXT not in f"{run.errors}{await tenant.log(run.id)}"
    assert tenant.simulator.requests.count(template="/v1.0/users/delta") == 0


@pytest.mark.slow(cases=2)
@pytest.mark.parametrize(
    "refusals",
    [[refused(number)] for number in sorted(TRANSIENT)] + [[Unavailable(retry_after_s=30.0)] * 5],
    ids=[*(f"AADSTS{number}" for number in sorted(TRANSIENT)), "503"],
)
async def test_run_goes_on_when_the_sign_in_service_was_away_for_a_while(
    tenant: SigningIn, refusals: list[EntraError]
) -> None:
    """It is asked again within the run, which succeeds without an error."""
    tenant.refusals = list(refusals)
    run = await tenant.run()
    assert (run.status, run.errors, tenant.refusals) == ("SUCCEEDED", [], [])


async def test_run_fails_when_the_sign_in_service_stays_away(tenant: SigningIn) -> None:
    """After every try the run ends with an error that says that trying again may help."""
    tenant.refusals = [Unavailable("The sign-in service answered with server error 503.")] * 50
    run = await tenant.run()
    (error,) = run.errors
    assert (run.status, error["code"], error["retryable"]) == ("FAILED", "UNAVAILABLE", True)


@pytest.mark.slow(cases=3)
@pytest.mark.parametrize("stream", ["users", "groups", "devices"])
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (500, "UNAVAILABLE", ["server error 500", "service health"]),
        (404, "REQUEST_REFUSED", ["does not know the endpoint", "cloud"]),
        (403, "PERMISSION_DENIED", ["is missing", "Grant admin consent", "delegated", "application"]),
    ],
)
async def test_refusal_of_graph_names_stream_cause_and_remedy(
    tenant: SigningIn, stream: str, status: int, code: str, words: list[str]
) -> None:
    """500, 404 and 403 of each resource: the others are read, the error says where, what and what to do."""

    async def faults(scope: Any, receive: Any, send: Any, app: App) -> None:
        if stream_of(scope) == stream:
            await refuse(send, status, "Authorization_RequestDenied" if status == 403 else "UnknownError")
        else:
            await app(scope, receive, send)

    tenant.simulator.faults = faults
    run = await tenant.run()
    (error,) = run.errors
    assert (run.status, error["code"], error["resource"]) == ("PARTIAL", code, stream)
    said = f"{error['message']} {error['hint']}"
    assert [word for word in words if word not in said] == []
    if status == 403:
        assert {"users": "User.Read.All", "groups": "Group.Read.All", "devices": "Device.Read.All"}[stream] in said
    (entry,) = await tenant.entries(run.id, "ERROR")
    assert entry["code"] == code and entry["message"] == f"{stream}: {error['message']}"
    assert entry["facts"]["hint"] == error["hint"]


async def test_log_is_paged_filtered_and_searched_as_any_list(tenant: SigningIn) -> None:
    """Page by page it is whole; by level, by code and by words it is what was asked for."""
    tenant.refusals = [refused(7000215)]
    run = await tenant.run()
    caller = Caller(tenant.runtime, Principal(1, tenant.organization_id, Role.VIEWER, "viewer"))
    text = """query($run: ID!, $after: String) { taskRun(id: $run) {
      log(first: 1, after: $after) { totalCount nodes { message } pageInfo { hasNextPage endCursor } }
      errors: log(where: {level: {eq: ERROR}}) { nodes { level code message facts } }
      coded: log(where: {code: {eq: "SIGN_IN_FAILED"}}) { totalCount }
      found: log(search: "secret is wrong") { nodes { message } }
      none: log(search: "nonsense") { totalCount }
    } }"""
    messages, after, page = [], None, {"hasNextPage": True}
    while page["hasNextPage"]:
        shown = (await caller.data(text, run=f"run_{run.id}", after=after))["taskRun"]
        messages += [node["message"] for node in shown["log"]["nodes"]]
        page, after = shown["log"]["pageInfo"], shown["log"]["pageInfo"]["endCursor"]
    assert messages == await tenant.log(run.id) and len(messages) == shown["log"]["totalCount"] > 1
    (error,) = shown["errors"]["nodes"]
    assert (error["level"], error["code"]) == ("ERROR", "SIGN_IN_FAILED") and "hint" in error["facts"]
    assert shown["coded"] == {"totalCount": 1} and shown["none"] == {"totalCount": 0}
    assert shown["found"]["nodes"] == [{"message": error["message"]}]
