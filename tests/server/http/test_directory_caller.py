"""Callers with an access token of the directory: known by real ones, over real TLS, and by no other."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from schema import build_schema
from server.app import build_app
from server.graphql.errors import Refused
from server.http.identity import Identity
from server.settings import Settings
from server.simulator import RunningSimulator, Simulator, running
from server.simulator.signin.token import KEY_ID, sign
from sync.entra.cloud import Endpoints
from sync.entra.signin.caller import KEYS_AGAIN_S, LEEWAY_S, Callers
from sync.errors import EntraError
from sync.runtime import Config, Runtime
from tests.canary import watch
from tests.patience import PATIENCE_S
from tests.started import start_first
from tests.sync.entra.clock import FakeClock

VIEWER = "{ viewer { name role organization { name } } }"
OTHER = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class House:
    """A server that knows the callers of a simulated directory."""

    directory: Simulator
    address: RunningSimulator
    runtime: Runtime
    client: httpx.AsyncClient

    @property
    def server_id(self) -> str:
        """The server's application id in the directory."""
        return self.directory.registry.server_id

    async def token(self, **form: str) -> str:
        """Sign in as a front end would, and return the access token for this server."""
        scope = {"scope": f"api://{self.server_id}/.default"}
        async with httpx.AsyncClient(
            verify=ssl.create_default_context(cafile=self.address.ca_file), trust_env=False
        ) as client:
            path = f"{self.directory.authority}/oauth2/v2.0/token"
            answer = (await client.post(path, data=scope | form)).json()
        return watch(str(answer["access_token"]))

    async def of_person(self) -> str:
        """Sign in with name and password."""
        app = self.directory.password_app
        return await self.token(
            grant_type="password", client_id=app.client_id, username=app.username, password=app.password
        )

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token, changed; None takes one away."""
        now = int(time.time())
        good: dict[str, Any] = {
            "aud": self.server_id,
            "iss": f"{self.directory.authority}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "azp": self.directory.secret_app.client_id,
            "oid": OTHER,
            "tid": self.directory.tenant_id,
            "ver": "2.0",
            "name": "Adele",
            "roles": ["Rollcall.Viewer"],
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    async def ask(self, token: str, query: str = VIEWER) -> httpx.Response:
        """Ask with a token."""
        return await self.client.post("/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Serve an installation beside a directory on a real TLS socket."""
    directory = Simulator(users=5, devices=2, groups=1)
    async with running(directory, data_dir=tmp_path / "directory") as address, open_house(tmp_path, address) as made:
        yield made


@asynccontextmanager
async def open_house(tmp_path: Path, address: RunningSimulator) -> AsyncIterator[House]:
    """Open the installation."""
    directory = address.simulator
    settings = Settings(
        entra_tenant=directory.tenant_id,
        entra_client_id=directory.registry.server_id,
        entra_cloud="custom",
        failed_logins_per_address=0,
    )
    custom = Endpoints(directory.origin, directory.origin, address.ca_file)
    await start_first(tmp_path / "data")
    runtime = await Runtime.open(Config(tmp_path / "data", custom=custom), run_tasks=False)
    try:
        app = build_app(settings, runtime, build_schema())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rollcall.test") as client:
            yield House(directory, address, runtime, client)
    finally:
        await runtime.close()


async def test_person_and_program_are_known_by_their_app_roles(house: House) -> None:
    """Both kinds of sign-in, through the directory's own token endpoint; the strongest role counts."""
    app = house.directory.secret_app
    program = await house.token(
        grant_type="client_credentials", client_id=app.client_id, client_secret=app.client_secret
    )
    person = await house.of_person()
    for _ in range(2):
        answers = [(await house.ask(token)).json()["data"]["viewer"] for token in (program, person)]
        assert [answer["role"] for answer in answers] == ["VIEWER", "USER"]
        assert answers[1] == {"name": "Sync Service", "role": "USER", "organization": {"name": "Default"}}
    several = sign(house.claims(roles=["Other", "Rollcall.Administrator", "Rollcall.Viewer"]))
    assert (await house.ask(several)).json()["data"]["viewer"]["role"] == "ADMINISTRATOR"


async def test_audit_names_the_object_of_the_directory(house: House) -> None:
    """What a person of the directory does and is refused stands under their object id."""
    admin = sign(house.claims(roles=["Rollcall.Administrator"]))
    await house.ask(sign(house.claims()), 'mutation { createSite(input: {name: "x"}) { errors { code } } }')
    await house.ask(admin, 'mutation { createSite(input: {name: "x"}) { errors { code } } }')
    nodes = (await house.ask(admin, "{ auditEvents { nodes { actor action outcome } } }")).json()
    assert nodes["data"]["auditEvents"]["nodes"] == [
        {"actor": f"entra:{OTHER} Adele", "action": "Mutation.createSite", "outcome": "FORBIDDEN"},
        {"actor": f"entra:{OTHER} Adele", "action": "createSite", "outcome": "OK"},
    ]


BAD: dict[str, dict[str, Any]] = {
    "for another server": {"aud": OTHER},
    "for Graph": {"aud": "https://graph.microsoft.com"},
    "of another directory": {"tid": OTHER},
    "of another issuer": {"iss": f"https://login.microsoftonline.com/{OTHER}/v2.0"},
    "of version 1.0": {"ver": "1.0"},
    "an ID token": {"azp": None, "nonce": "n"},
    "expired": {"exp": 1_700_000_000},
    "not valid yet": {"nbf": 4_000_000_000},
    "endless": {"exp": None},
    "of nobody": {"oid": None},
    "of no object id": {"oid": "adele"},
    "with roles of another shape": {"roles": "Rollcall.Viewer"},
}


@pytest.mark.slow(cases=5)
@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
async def test_token_is_refused_when_it_is_not_an_access_token_for_this_server(
    house: House, change: dict[str, Any]
) -> None:
    """Signed by the directory's own key, and still none of ours: the one answer to every bad token."""
    bad = await house.ask("rc_nothing")
    answer = await house.ask(sign(house.claims(**change)))
    assert answer.status_code == bad.status_code == 401
    assert _without_id(answer) == _without_id(bad)


NAMES: dict[Any, str] = {
    "x" * 5_000: "x" * 256,
    "Adele\x00\x1b[31m\r\nVance\u202e\u2028": "Adele [31m Vance",
    " \t\n": "adele@contoso.example",
    7: "adele@contoso.example",
}


async def test_name_of_a_caller_is_one_short_line_whatever_its_token_says(house: House) -> None:
    """It is shown, logged and kept with every event: control characters and length are the server's to bound."""
    for name, shown in NAMES.items():
        token = sign(house.claims(name=name, preferred_username="adele@contoso.example"))
        answer = (await house.ask(token)).json()
        assert answer["data"]["viewer"]["name"] == shown


# What no directory writes into a token, and JSON can say.
NO_TIMES: list[Any] = ["soon", [], {}, float("inf"), float("nan"), 2**80]
NO_ENDS: list[Any] = [*NO_TIMES, "4000000000", 2**40, 2**40 + 1, 10**15, True, -1, 4e18]


async def test_token_is_refused_when_its_times_are_none(house: House) -> None:
    """Signed by the directory's own key: the one answer to every bad token, never an internal error."""
    bad = await house.ask("rc_nothing")
    for changes in [*({"exp": end} for end in NO_ENDS), *({"nbf": start} for start in NO_TIMES)]:
        answer = await house.ask(sign(house.claims(**changes)))
        assert (answer.status_code, _without_id(answer)) == (401, _without_id(bad)), changes


FORGED: dict[str, Callable[[dict[str, Any]], str]] = {
    "by another key": lambda claims: jwt.encode(claims, FOREIGN_KEY, "RS256", headers={"kid": KEY_ID}),
    "by an unknown key": lambda claims: jwt.encode(claims, FOREIGN_KEY, "RS256", headers={"kid": "other"}),
    "without a key's name": lambda claims: jwt.encode(claims, FOREIGN_KEY, "RS256"),
    "by nobody": lambda claims: jwt.encode(claims, "", "none", headers={"kid": KEY_ID}),
    "by a shared secret": lambda claims: jwt.encode(claims, "s" * 64, "HS256", headers={"kid": KEY_ID}),
    "and changed after": lambda claims: _changed(sign(claims)),
    "and cut": lambda claims: sign(claims)[:-4],
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_token_is_refused_when_the_directory_has_not_signed_it(
    house: House, forge: Callable[[dict[str, Any]], str]
) -> None:
    """Neither the algorithm nor the key is the token's to choose."""
    assert (await house.ask(forge(house.claims()))).status_code == 401


async def test_caller_without_a_role_is_told_whom_to_ask(house: House) -> None:
    """A good token with no app role of ours: 403, and what to have assigned."""
    answer = await house.ask(sign(house.claims(roles=["Rollcall.Superuser", "Other"])))
    (error,) = answer.json()["errors"]
    assert answer.status_code == 403 and error["extensions"]["code"] == "FORBIDDEN"
    assert "Rollcall.Viewer" in error["extensions"]["hint"]


async def test_token_counts_until_it_ends(house: House) -> None:
    """It is not believed longer because it was seen before; its subscriptions end with it."""
    identity = Identity(
        Settings(entra_tenant=house.directory.tenant_id, entra_client_id=house.server_id, entra_cloud="custom"),
        house.runtime,
    )
    token = sign(house.claims(exp=int(time.time()) - LEEWAY_S + 4))
    scope: dict[str, Any] = {"headers": [(b"authorization", f"Bearer {token}".encode())]}
    principal = await identity.admit(f"Bearer {token}", scope)
    assert principal.expires_at is not None
    assert identity.recall(scope) == principal
    with anyio.fail_after(PATIENCE_S):
        await identity.until_void(principal)
    assert identity.recall(scope) is None
    with pytest.raises(Refused) as caught:
        await identity.admit(f"Bearer {token}", scope)
    assert caught.value.status == 401


async def test_keys_are_read_again_when_one_is_unknown_but_not_in_a_row(house: House) -> None:
    """A directory changes its keys by itself; whoever makes up key ids does not make us ask for each."""
    clock = FakeClock()
    callers = Callers(
        Endpoints(house.directory.origin, house.directory.origin, house.address.ca_file),
        house.directory.tenant_id,
        house.server_id,
        clock,
    )
    unknown = FORGED["by an unknown key"](house.claims())
    assert await callers.find(sign(house.claims())) is not None
    before = callers._read_at
    for _ in range(3):
        assert await callers.find(unknown) is None
    assert callers._read_at == before
    clock.moved_s += KEYS_AGAIN_S
    assert await callers.find(unknown) is None and callers._read_at != before


async def test_callers_are_told_to_come_again_when_the_directory_is_away(tmp_path: Path) -> None:
    """Without keys nobody is let in, and nobody is told that the token is bad."""
    closed = "https://127.0.0.1:9"
    callers = Callers(Endpoints(closed, closed), OTHER, OTHER, FakeClock())
    token = jwt.encode({"exp": datetime.now(UTC)}, FOREIGN_KEY, "RS256", headers={"kid": "k"})
    for _ in range(2):
        with pytest.raises(EntraError) as caught:
            await callers.find(token)
        assert caught.value.retryable


def _without_id(answer: httpx.Response) -> Any:
    body = answer.json()
    del body["errors"][0]["extensions"]["requestId"]
    return body


def _changed(token: str) -> str:
    head, body, signature = token.split(".")
    return ".".join((head, body[:-2] + ("AA" if body[-2:] != "AA" else "BB"), signature))
