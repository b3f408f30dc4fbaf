"""The token service: both grants, and each refusal in Entra's shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from server.simulator import Simulator
from server.simulator.signin.credential import Account
from tests.server.simulator.conftest import open_client


def secret_form(simulator: Simulator, **changes: str) -> dict[str, str]:
    app = simulator.secret_app
    form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret}
    return form | {"scope": f"{simulator.origin}/.default"} | changes


def password_form(simulator: Simulator, **changes: str) -> dict[str, str]:
    app = simulator.password_app
    form = {"grant_type": "password", "client_id": app.client_id, "username": app.username, "password": app.password}
    return form | {"scope": f"{simulator.origin}/.default openid profile", "client_info": "1"} | changes


async def ask(simulator: Simulator, form: dict[str, str], tenant: str | None = None) -> httpx.Response:
    async with open_client(simulator) as client:
        return await client.post(f"/{tenant or simulator.tenant_id}/oauth2/v2.0/token", data=form)


async def test_client_secret_gets_a_token_that_graph_accepts(simulator: Simulator) -> None:
    """A valid secret gives a bearer token with an expiry, and Graph takes it."""
    body = (await ask(simulator, secret_form(simulator))).json()
    assert body["token_type"] == "Bearer" and body["expires_in"] == 3600
    async with open_client(simulator, body["access_token"]) as client:
        assert (await client.get("/v1.0/users?$top=1")).status_code == 200


async def test_password_gets_a_delegated_token_with_account_facts(simulator: Simulator) -> None:
    """A valid password gives scopes, client_info and an id token: MSAL needs one of them to know the account."""
    body = (await ask(simulator, password_form(simulator))).json()
    assert "User.Read.All" in body["scope"]
    assert body["client_info"] and body["id_token"].count(".") == 2
    async with open_client(simulator, body["access_token"]) as client:
        assert (await client.get("/v1.0/devices?$top=1")).status_code == 200


Form = Callable[[Simulator], dict[str, str]]
EXPIRED: Form = lambda s: secret_form(s, client_secret=s.registry.expired_secret)  # noqa: E731
REFUSALS: list[tuple[int, int, str, Form]] = [
    (7000215, 401, "invalid_client", lambda s: secret_form(s, client_secret="wrong")),
    (7000222, 401, "invalid_client", EXPIRED),
    (7000218, 401, "invalid_client", lambda s: password_form(s, client_id=s.secret_app.client_id)),
    (700016, 400, "unauthorized_client", lambda s: secret_form(s, client_id=s.tenant_id)),
    (70003, 400, "unsupported_grant_type", lambda s: secret_form(s, grant_type="magic")),
    (500011, 400, "invalid_resource", lambda s: secret_form(s, scope="https://graph.microsoft.us/.default")),
    (90014, 400, "invalid_request", lambda s: secret_form(s, client_id="")),
    (50126, 400, "invalid_grant", lambda s: password_form(s, password="wrong")),
    (50034, 400, "invalid_grant", lambda s: password_form(s, username=f"nobody@{s.tenant_domain}")),
    (50076, 400, "interaction_required", lambda s: password_form(s, username=f"mfa@{s.tenant_domain}")),
    (50057, 400, "invalid_grant", lambda s: password_form(s, username=f"disabled@{s.tenant_domain}")),
    (50053, 400, "invalid_grant", lambda s: password_form(s, username=f"locked@{s.tenant_domain}")),
    (50055, 400, "invalid_grant", lambda s: password_form(s, username=f"expired@{s.tenant_domain}")),
]


@pytest.mark.parametrize(("number", "status", "error", "form"), REFUSALS, ids=[str(r[0]) for r in REFUSALS])
async def test_refusal_has_entras_shape(simulator: Simulator, number: int, status: int, error: str, form: Form) -> None:
    """Each refusal carries number, OAuth error, ids and a description in the documented form."""
    response = await ask(simulator, form(simulator))
    body = response.json()
    assert (response.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    pattern = rf"AADSTS{number}: .+ Trace ID: \S+ Correlation ID: \S+ Timestamp: \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\dZ"
    assert re.fullmatch(pattern, body["error_description"])
    assert body["trace_id"] in body["error_description"] and body["correlation_id"] in body["error_description"]
    assert body["timestamp"] in body["error_description"]
    assert body["error_uri"].endswith(f"code={number}")
    assert "canary" not in response.text


async def test_unknown_tenant_is_refused_at_discovery_and_token(simulator: Simulator) -> None:
    """A wrong tenant id is AADSTS90002 wherever it is used."""
    foreign = "11111111-2222-4333-8444-555555555555"
    assert (await ask(simulator, secret_form(simulator), foreign)).json()["error_codes"] == [90002]
    async with open_client(simulator) as client:
        answer = await client.get(f"/{foreign}/v2.0/.well-known/openid-configuration")
    assert answer.status_code == 400 and answer.json()["error_codes"] == [90002]


@pytest.mark.parametrize(
    ("flags", "number"),
    [({"consented": False}, 65001), ({"disabled": True}, 7000112), ({"public_flows": False}, 7000218)],
)
async def test_app_flag_refuses_the_password_flow(simulator: Simulator, flags: dict[str, bool], number: int) -> None:
    """Consent, enablement and public client flows are flags of the app that tests can flip."""
    app = simulator.registry.apps[simulator.password_app.client_id]
    for name, value in flags.items():
        setattr(app, name, value)
    assert (await ask(simulator, password_form(simulator))).json()["error_codes"] == [number]


async def test_discovery_names_this_origin(simulator: Simulator) -> None:
    """The OpenID configuration and instance discovery lead back to this host and tenant."""
    async with open_client(simulator) as client:
        body = (await client.get(f"/{simulator.tenant_domain}/v2.0/.well-known/openid-configuration")).json()
        instance = (await client.get("/common/discovery/instance")).json()
    assert body["token_endpoint"] == f"{simulator.origin}/{simulator.tenant_id}/oauth2/v2.0/token"
    assert body["issuer"] == f"{simulator.origin}/{simulator.tenant_id}/v2.0"
    assert instance["tenant_discovery_endpoint"].startswith(simulator.origin)


@pytest.mark.parametrize(
    ("user", "expected"),
    [("sync.service@{}", "Managed"), ("federated@{}", "Federated"), ("who@elsewhere.example", "Unknown")],
)
@pytest.mark.parametrize("path", ["userrealm", "UserRealm"])
async def test_user_realm_tells_managed_from_federated(
    simulator: Simulator, path: str, user: str, expected: str
) -> None:
    """Both spellings of the user realm say who holds the password."""
    async with open_client(simulator) as client:
        answer = await client.get(f"/common/{path}/{user.format(simulator.tenant_domain)}?api-version=1.0")
    body: dict[str, Any] = answer.json()
    assert body["account_type"] == expected
    assert ("federation_metadata_url" in body) == (expected == "Federated")


async def test_directory_user_is_known_but_not_signed_in(simulator: Simulator) -> None:
    """A generated user exists (50126, wrong password), unlike an unknown one (50034)."""
    name = next(iter(simulator.directory.truth("users")))["userPrincipalName"]
    assert (await ask(simulator, password_form(simulator, username=name))).json()["error_codes"] == [50126]


def test_secrets_are_canaries_and_stay_out_of_reprs(simulator: Simulator) -> None:
    """Secrets can be grepped for, and printing a credential does not show them."""
    assert "canary" in simulator.secret_app.client_secret and "canary" in simulator.password_app.password
    shown = repr([simulator.secret_app, simulator.password_app, simulator.registry.apps, Account("a", "sim~canary")])
    assert "canary" not in shown
