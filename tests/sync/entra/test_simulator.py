"""The whole client against the product's simulator: real MSAL, real TLS, real pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from server.simulator import RunningSimulator, Simulator, running
from sync.clock import SystemClock
from sync.entra.cloud import Endpoints
from sync.entra.graph.client import GraphClient
from sync.entra.graph.count import count
from sync.entra.graph.probe import check_access, device_relations
from sync.entra.graph.stream import Complete, Kind, Page, Start, delta_url, pages, prefetched
from sync.entra.signin.token import MsalTokens, PasswordSignIn, SecretSignIn, SignIn, StaticToken
from sync.errors import BadInput, CursorExpired, PermissionDenied, SignInFailed
from tests.canary import canary_secret

KINDS: list[Kind] = ["users", "groups", "devices"]


@pytest.fixture
async def tenant(tmp_path: Path) -> AsyncIterator[RunningSimulator]:
    """Return a simulated tenant on a real TLS socket."""
    async with running(Simulator(users=450, devices=300, groups=40), data_dir=tmp_path / "simulator") as origin:
        yield origin


def secret_of(tenant: RunningSimulator) -> SecretSignIn:
    """Return the secret credential of a tenant."""
    app = tenant.simulator.secret_app
    endpoints = Endpoints(tenant.origin, tenant.origin, tenant.ca_file)
    return SecretSignIn(endpoints, tenant.simulator.tenant_id, app.client_id, app.client_secret)


def password_of(tenant: RunningSimulator) -> PasswordSignIn:
    """Return the username and password credential of a tenant."""
    app = tenant.simulator.password_app
    endpoints = Endpoints(tenant.origin, tenant.origin, tenant.ca_file)
    return PasswordSignIn(endpoints, tenant.simulator.tenant_id, app.client_id, app.username, app.password)


def client_of(tenant: RunningSimulator, sign_in: SignIn) -> GraphClient:
    """Return a client that signs in for itself."""
    clock = SystemClock()
    return GraphClient(sign_in.endpoints, MsalTokens(sign_in, clock), clock)


async def read_round(client: GraphClient, kind: Kind, start: Start | str | None = None) -> list[Page]:
    """Read a whole round, one page ahead."""
    found: list[Page] = []
    async with prefetched(pages(client, start or Start(delta_url(kind, ["id", "displayName"])))) as ahead:
        async for page in ahead:
            found.append(page)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign_in_of", [secret_of, password_of])
async def test_round_holds_every_object_of_the_directory(
    tenant: RunningSimulator, kind: Kind, sign_in_of: type[object]
) -> None:
    """With either credential, a full round brings exactly the directory's objects and ends Complete."""
    async with client_of(tenant, sign_in_of(tenant)) as client:  # type: ignore[call-arg, arg-type]
        found = await read_round(client, kind)
        counted = await count(client, kind)
    ids = {item["id"] for page in found for item in page.items if "@removed" not in item}
    assert ids == {values["id"] for values in tenant.simulator.directory.truth(kind)}
    assert counted == len(ids)
    assert isinstance(found[-1].link, Complete)


async def test_next_round_brings_only_what_changed(tenant: RunningSimulator) -> None:
    """The delta link of a complete round starts a round of changes."""
    async with client_of(tenant, secret_of(tenant)) as client:
        link = (await read_round(client, "users"))[-1].link
        assert isinstance(link, Complete) and link.delta_link
        user_id = next(iter(tenant.simulator.directory.ids("users")))
        tenant.simulator.directory.update("users", user_id, displayName="Renamed")
        items = [item for page in await read_round(client, "users", link.delta_link) for item in page.items]
    assert [(item["id"], item["displayName"]) for item in items] == [(user_id, "Renamed")]


async def test_stored_link_raises_cursor_expired_when_graph_forgot_it(tenant: RunningSimulator) -> None:
    """410 with a Location is CursorExpired: the caller begins a full round."""
    async with client_of(tenant, secret_of(tenant)) as client:
        link = (await read_round(client, "devices"))[-1].link
        tenant.simulator.expire_delta()
        assert isinstance(link, Complete) and link.delta_link
        with pytest.raises(CursorExpired):
            await read_round(client, "devices", link.delta_link)


async def test_stored_link_raises_cursor_expired_when_its_token_is_damaged(tenant: RunningSimulator) -> None:
    """A token that Graph cannot read counts as expired."""
    async with client_of(tenant, secret_of(tenant)) as client:
        with pytest.raises(CursorExpired):
            await client.get(f"{tenant.origin}/v1.0/users/delta?$deltatoken=nonsense")


async def test_round_outlives_its_token(tenant: RunningSimulator) -> None:
    """Tokens that expire in the middle of a round cost a sign-in, and no page is lost."""
    async with client_of(tenant, secret_of(tenant)) as client:
        ids: list[str] = []
        async for page in pages(client, Start(delta_url("users", ["id"]))):
            ids += [item["id"] for item in page.items]
            tenant.simulator.expire_tokens()
        assert set(ids) == set(tenant.simulator.directory.ids("users"))
        assert client.stats.retries >= 1


@pytest.mark.parametrize(
    ("permission", "resource"),
    [("User.Read.All", "users"), ("Device.Read.All", "devices"), ("Group.Read.All", "groups")],
)
async def test_missing_permission_is_named_and_hides_nothing_else(
    tenant: RunningSimulator, permission: str, resource: str
) -> None:
    """Without a permission its resource is refused by name; resources of other permissions stay readable."""
    app = tenant.simulator.registry.apps[tenant.simulator.secret_app.client_id]
    app.roles.discard(permission)
    async with client_of(tenant, secret_of(tenant)) as client:
        with pytest.raises(PermissionDenied) as caught:
            await client.get(f"/{resource}?$top=1")
        access = {one.resource: one.granted for one in await check_access(client)}
    assert caught.value.facts["permission"] == permission
    assert not access[resource]  # type: ignore[index]
    assert sum(access.values()) >= 2


@pytest.mark.parametrize("reported", [True, False])
async def test_device_relations_are_found_out(reported: bool) -> None:
    """The probe tells a tenant whose device delta knows owners from one that refuses them."""
    simulator = Simulator(users=50, devices=40, groups=5, device_relations_in_delta=reported)
    endpoints = Endpoints(simulator.origin, simulator.origin)
    transport = httpx.ASGITransport(simulator.app)
    async with GraphClient(endpoints, StaticToken(simulator.issue_token), SystemClock(), transport=transport) as client:
        assert await device_relations(client) is reported


WRONG = canary_secret("wrong")
REFUSED: dict[str, tuple[int | None, Callable[[RunningSimulator], SignIn]]] = {
    "wrong secret": (7000215, lambda tenant: replace(secret_of(tenant), client_secret=WRONG)),
    "expired secret": (
        7000222,
        lambda tenant: replace(secret_of(tenant), client_secret=tenant.simulator.registry.expired_secret),
    ),
    "unknown app": (
        700016,
        lambda tenant: replace(secret_of(tenant), client_id="0" * 8 + "-0000-0000-0000-" + "0" * 12),
    ),
    "unknown tenant": (90002, lambda tenant: replace(secret_of(tenant), tenant_id="unknown.example")),
    "wrong password": (50126, lambda tenant: replace(password_of(tenant), password=WRONG)),
    "unknown user": (
        50034,
        lambda tenant: replace(password_of(tenant), username=f"nobody@{tenant.simulator.tenant_domain}"),
    ),
    "no public flows": (
        7000218,
        lambda tenant: replace(password_of(tenant), client_id=tenant.simulator.secret_app.client_id),
    ),
    "mfa": (50076, lambda tenant: replace(password_of(tenant), username=f"mfa@{tenant.simulator.tenant_domain}")),
    "locked": (50053, lambda tenant: replace(password_of(tenant), username=f"locked@{tenant.simulator.tenant_domain}")),
    "expired": (
        50055,
        lambda tenant: replace(password_of(tenant), username=f"expired@{tenant.simulator.tenant_domain}"),
    ),
    "disabled": (
        50057,
        lambda tenant: replace(password_of(tenant), username=f"disabled@{tenant.simulator.tenant_domain}"),
    ),
    "federated": (
        None,
        lambda tenant: replace(password_of(tenant), username=f"federated@{tenant.simulator.tenant_domain}"),
    ),
}


@pytest.mark.slow(cases=4)
@pytest.mark.parametrize("name", REFUSED)
async def test_refused_credential_says_what_to_do_and_shows_no_secret(tenant: RunningSimulator, name: str) -> None:
    """Each refusal has its number and advice; neither message, hint nor facts hold a secret."""
    number, make = REFUSED[name]
    async with client_of(tenant, make(tenant)) as client:
        with pytest.raises(SignInFailed) as caught:
            await client.get("/users")
    error = caught.value
    assert error.facts.get("aadsts") == number
    assert error.hint
    assert "canary" not in f"{error!r} {error} {error.hint} {error.facts}"


def test_custom_cloud_takes_the_simulators_origin_and_nothing_longer() -> None:
    """The origin the simulator prints is a valid setting; its authority with the tenant is not."""
    simulator = Simulator(users=1, devices=1, groups=1)
    assert Endpoints(simulator.origin, simulator.origin).graph == simulator.origin
    with pytest.raises(BadInput):
        Endpoints(simulator.authority, simulator.origin)
