"""Refusals of Graph and of what stands before it: each cause has its own code, message and way out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sync.entra.diagnose import graph_error
from sync.entra.graph.client import GraphClient
from sync.entra.signin.token import SecretSignIn, SignIn
from sync.errors import EntraError
from sync.secret.verification import Result, verify
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.graph import ENDPOINTS, Reply, ScriptedGraph, client_of
from tests.sync.entra.test_token import CLIENT, SECRET, TENANT

HTML: dict[str, Any] = {}


def told(code: str, message: str = "m") -> dict[str, Any]:
    """Return Graph's error object."""
    return {"error": {"code": code, "message": message}}


PREMIUM = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
CASES = [
    (403, told("Authorization_RequestDenied"), "PERMISSION_DENIED", "is missing", "Grant admin consent"),
    (403, HTML, "BLOCKED", "between this server and Microsoft Graph", "web filter"),
    (403, {"message": "Forbidden by policy"}, "BLOCKED", "between this server and Microsoft Graph", "web filter"),
    (418, HTML, "BLOCKED", "between this server and Microsoft Graph", "web filter"),
    (451, HTML, "BLOCKED", "between this server and Microsoft Graph", "web filter"),
    (511, HTML, "BLOCKED", "between this server and Microsoft Graph", "captive portal"),
    (403, told("Authorization_IdentityNotFound"), "APP_UNKNOWN", "does not know the app", "Enterprise applications"),
    (403, told("Forbidden", "Tenant does not have a SPO license."), "LICENSE_MISSING", "SharePoint", "Licenses"),
    (400, told("BadRequest", "Tenant does not have a SPO license."), "LICENSE_MISSING", "SharePoint", "Licenses"),
    (403, told("Forbidden", "The tenant doesn't have an Intune license"), "LICENSE_MISSING", "Intune", "Licenses"),
    (403, told(PREMIUM), "LICENSE_MISSING", "Entra ID P1", "Licenses"),
    (402, told("PaymentRequired"), "LICENSE_MISSING", "a licence", "Licenses"),
    (409, told("Conflict"), "UNAVAILABLE", "409", "service health"),
    (423, told("Locked"), "UNAVAILABLE", "423", "service health"),
    (401, told("InvalidAuthenticationToken"), "AUTH_REJECTED", "rejected a fresh token", "Sign-in logs"),
    (401, HTML, "AUTH_REJECTED", "rejected a fresh token", "not Graph's"),
]


@pytest.mark.parametrize(("status", "body", "code", "message", "hint"), CASES)
def test_refusal_names_its_cause(status: int, body: dict[str, Any], code: str, message: str, hint: str) -> None:
    """Only a missing permission is called one; else an administrator would search in the wrong place."""
    error = graph_error(status, body, path="/v1.0/users/delta", is_cursor=False)
    assert (error.code, error.facts["status"]) == (code, status)
    assert message in error.message and hint in str(error.hint)
    assert ("permission" in error.facts) is (code == "PERMISSION_DENIED")


@pytest.mark.parametrize("status", [400, 402, 403])
def test_refusal_repeats_nothing_that_graph_wrote(status: int) -> None:
    """A text that comes from outside may quote anything."""
    body = told("Forbidden", "Tenant does not have a QUOTED license for intune <script>")
    error = graph_error(status, body, path="/v1.0/users", is_cursor=False)
    assert error.code == "LICENSE_MISSING"
    assert not re.search("QUOTED|script", f"{error.message} {error.hint} {error.facts}")


async def test_web_filter_is_not_asked_again_and_permissions_are_not_blamed(clock: FakeClock) -> None:
    """A page in Graph's place ends the stream at once; consent, which cannot be judged, stays unknown."""
    graph = ScriptedGraph(*[Reply(403, b"<html>Blocked by policy</html>", {"content-type": "text/html"})] * 9)
    async with client_of(graph, clock=clock) as client:
        with pytest.raises(EntraError) as caught:
            await client.get("/users/delta")
        assert caught.value.code == "BLOCKED" and len(graph.asked) == 1
        found = await verify(_sign_in(), clock, lambda sign_in, clock: _Opened(client))
    results = {check.subject.value: (check.result, check.code) for check in found.checks}
    assert results["SIGN_IN"][0] is Result.PASSED and results["ADMIN_CONSENT"][0] is Result.UNKNOWN
    assert results["USERS"] == (Result.UNKNOWN, "BLOCKED")


@pytest.mark.parametrize(
    ("body", "code"), [(told("Authorization_IdentityNotFound"), "APP_UNKNOWN"), (told(PREMIUM), "LICENSE_MISSING")]
)
async def test_verification_does_not_blame_consent_when_the_cause_is_another(
    clock: FakeClock, body: dict[str, Any], code: str
) -> None:
    """Each read tells the true cause, and consent is not called missing."""
    graph = ScriptedGraph(*[Reply(403, body)] * 9)
    async with client_of(graph, clock=clock) as client:
        found = await verify(_sign_in(), clock, lambda sign_in, clock: _Opened(client))
    results = {check.subject.value: (check.result, check.code) for check in found.checks}
    assert results["ADMIN_CONSENT"][0] is Result.UNKNOWN and results["USERS"] == (Result.FAILED, code)


def _sign_in() -> SignIn:
    return SecretSignIn(ENDPOINTS, TENANT, CLIENT, SECRET)


class _Opened:
    """A client that is open already, in the shape that `verify` opens one."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def __aenter__(self) -> GraphClient:
        return self._client

    async def __aexit__(self, *_: object) -> None:
        return None
