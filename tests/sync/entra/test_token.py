"""Promises G5, G6, K6 and N1: sign-in through real MSAL over real TLS, against a scripted sign-in service."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from sync.clock import SystemClock
from sync.entra.cloud import Endpoints
from sync.entra.signin.authority import ANSWER_BYTES_MAX, SignInLimits
from sync.entra.signin.token import MsalTokens, PasswordSignIn, SecretSignIn, SignIn, StaticToken, acquire
from sync.errors import BadInput, BadResponse, EntraError, OffOrigin, SignInFailed, Throttled, Unavailable
from tests.canary import canary_secret
from tests.patience import PATIENCE_S
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.wire import Act, Certificates, Heard, response, wire

TENANT = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
CLIENT = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
SECRET = canary_secret("client-secret")
PASSWORD = canary_secret("password")
USERNAME = "sync#1@contoso.test"

Reply = bytes | Act
Rule = Callable[[Heard], Reply | None]


def sign_ins(origin: str, certificates: Certificates) -> dict[str, SignIn]:
    """Return a sign-in of each kind."""
    endpoints = Endpoints(origin, "https://graph.test", certificates.ca_file)
    return {
        "secret": SecretSignIn(endpoints, TENANT, CLIENT, SECRET),
        "password": PasswordSignIn(endpoints, TENANT, CLIENT, USERNAME, PASSWORD),
    }


class Service:
    """A sign-in service: the happy way, unless a rule answers first."""

    def __init__(self, *rules: Rule, expires_in: object = 3600) -> None:
        self.issued = 0
        self._rules = rules
        self._expires_in = expires_in

    def __call__(self, heard: Heard) -> Reply:
        """Answer one request."""
        for rule in self._rules:
            if (reply := rule(heard)) is not None:
                return reply
        path = heard.line.split(" ")[1]
        if path.endswith("/openid-configuration"):
            host = next(line[6:] for line in heard.head.split("\r\n") if line.lower().startswith("host: "))
            return response(200, metadata(f"https://{host}"))
        if path.startswith("/common/userrealm/"):
            return response(200, {"ver": "1.0", "account_type": "Managed"})
        assert path == f"/{TENANT}/oauth2/v2.0/token", path
        self.issued += 1
        return response(
            200, {"token_type": "Bearer", "access_token": f"token-{self.issued}", "expires_in": self._expires_in}
        )


def metadata(origin: str, **extra: Any) -> dict[str, Any]:
    """Return the tenant's openid-configuration."""
    base = f"{origin}/{TENANT}/oauth2/v2.0"
    return {
        "token_endpoint": f"{base}/token",
        "authorization_endpoint": f"{base}/authorize",
        "issuer": f"{origin}/{TENANT}/v2.0",
    } | extra


def on(part: str, reply: Reply) -> Rule:
    """Answer requests whose first line holds `part`."""
    return lambda heard: reply if part in heard.line else None


async def sign_in(service: Service, certificates: Certificates, kind: str, clock: FakeClock) -> tuple[Any, list[Heard]]:
    """Sign in once and return the outcome and what the service heard."""
    async with wire(certificates, service) as server:
        chosen = sign_ins(server.origin, certificates)[kind]
        outcome = await asyncio.to_thread(acquire, chosen, clock)
    return outcome, server.heard


@pytest.mark.parametrize("kind", ["secret", "password"])
async def test_acquire_returns_a_token_on_a_port_of_its_own(
    certificates: Certificates, clock: FakeClock, kind: str
) -> None:
    """Both kinds sign in through MSAL, although it drops the port when it asks for the realm."""
    outcome, heard = await sign_in(Service(), certificates, kind, clock)
    assert (outcome.token, outcome.lifetime_s) == ("token-1", 3600)
    form = heard[-1].form
    assert "https://graph.test/.default" in form["scope"].split()
    assert "offline_access" not in form["scope"]
    if kind == "secret":
        assert (form["grant_type"], form["client_secret"]) == ("client_credentials", SECRET)
        assert len(heard) == 2
    else:
        assert (form["grant_type"], form["username"], form["password"]) == ("password", USERNAME, PASSWORD)
        assert "client_secret" not in form and "client_assertion" not in form
        assert f"/common/userrealm/{quote(USERNAME, safe='@')}?api-version=1.0" in heard[1].line


@pytest.mark.parametrize("kind", ["secret", "password"])
async def test_acquire_never_puts_the_secret_into_an_address_or_a_header(
    certificates: Certificates, clock: FakeClock, kind: str
) -> None:
    """Secrets travel in the body only, where no access log writes them down."""
    _, heard = await sign_in(Service(), certificates, kind, clock)
    for one in heard:
        assert "canary" not in one.head and quote(SECRET) not in one.head


def aadsts(number: int, status: int) -> bytes:
    """Return the service's refusal, which quotes both secrets."""
    text = f"AADSTS{number}: You sent {SECRET} and {PASSWORD}. Trace ID: x"
    return response(status, {"error": "invalid_client", "error_description": text, "error_codes": [number]})


@pytest.mark.parametrize("kind", ["secret", "password"])
@pytest.mark.parametrize(
    ("number", "status"), [(7000218, 401), (7000215, 401), (7000222, 401), (50034, 400), (50126, 400), (999999, 400)]
)
async def test_acquire_reports_a_refusal_with_its_number(
    certificates: Certificates, clock: FakeClock, kind: str, number: int, status: int
) -> None:
    """A refusal is SignInFailed with the number, and repeats no secret, not even one that was quoted."""
    outcome, _ = await sign_in(Service(on("/token", aadsts(number, status))), certificates, kind, clock)
    assert isinstance(outcome, SignInFailed)
    assert outcome.facts["aadsts"] == number
    own = SECRET if kind == "secret" else PASSWORD
    assert own not in f"{outcome!r} {outcome} {outcome.hint} {outcome.facts}"


FAULTS: dict[str, tuple[str, Reply, type[EntraError]]] = {
    "token 429": ("/token", response(429, {}, "retry-after: 17"), Throttled),
    "token 500": ("/token", response(500, b"x"), Unavailable),
    "token 503": ("/token", response(503, {}, "retry-after: 17"), Unavailable),
    "token html": ("/token", response(200, b"<html>", "content-type: text/html"), BadResponse),
    "token html 400": ("/token", response(400, b"<html>", "content-type: text/html"), BadResponse),
    "token list": ("/token", response(200, []), BadResponse),
    "token empty": ("/token", response(200, b""), BadResponse),
    "token huge": ("/token", response(200, b" " * (ANSWER_BYTES_MAX + 1)), BadResponse),
    "token is not text": ("/token", response(200, {"access_token": 7, "expires_in": 1}), BadResponse),
    "token breaks headers": ("/token", response(200, {"access_token": "a\r\nb", "expires_in": 1}), BadResponse),
    "token without end": ("/token", response(200, {"access_token": "a", "expires_in": "soon"}), BadResponse),
    "token redirect": ("/token", response(307, b"", "location: https://localhost:1/"), OffOrigin),
    "metadata 500": ("/openid", response(500, b""), Unavailable),
    "metadata html": ("/openid", response(200, b"<html>"), BadResponse),
    "metadata 404": ("/openid", response(404, {}), SignInFailed),
    "metadata redirect": ("/openid", response(302, b"", "location: https://localhost:1/"), OffOrigin),
    "metadata incomplete": ("/openid", response(200, {"issuer": "x"}), BadResponse),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_acquire_turns_every_fault_into_a_typed_error(
    certificates: Certificates, clock: FakeClock, name: str
) -> None:
    """Whatever the service does, the outcome is one of our errors, with no secret in it."""
    part, reply, kind = FAULTS[name]
    outcome, _ = await sign_in(Service(on(part, reply)), certificates, "secret", clock)
    assert type(outcome) is kind
    if "429" in name or "503" in name:
        assert outcome.facts["retry_after_s"] == 17.0
    assert "canary" not in "".join(traceback.format_exception(outcome)) + str(outcome.facts) + str(outcome.hint)


async def test_acquire_reports_an_unknown_tenant_with_its_number(certificates: Certificates, clock: FakeClock) -> None:
    """MSAL hides why the tenant is refused; the number comes out all the same."""
    outcome, _ = await sign_in(Service(on("/openid", aadsts(90002, 400))), certificates, "secret", clock)
    assert isinstance(outcome, SignInFailed) and outcome.facts["aadsts"] == 90002


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.test/token",
        "http://localhost/token",
        "https://localhost:1/token",
        "https://localhost@evil.test/token",
        "//evil.test/token",
    ],
)
async def test_acquire_sends_no_secret_to_an_endpoint_elsewhere(
    certificates: Certificates, clock: FakeClock, endpoint: str
) -> None:
    """MSAL would post the secret wherever the metadata says; a foreign endpoint is refused."""
    rule = on("/openid", response(200, metadata("https://localhost", token_endpoint=endpoint)))
    outcome, heard = await sign_in(Service(rule), certificates, "secret", clock)
    assert type(outcome) is OffOrigin
    assert [one.form for one in heard] == [{}]


@pytest.mark.parametrize("kind", ["Federated", "federated"])
async def test_acquire_refuses_a_federated_account_before_it_sends_the_password(
    certificates: Certificates, clock: FakeClock, kind: str
) -> None:
    """The password of a federated account is sent nowhere, and the message says why."""
    realm = {"account_type": kind, "federation_active_auth_url": "https://adfs.test/"}
    outcome, heard = await sign_in(Service(on("/userrealm/", response(200, realm))), certificates, "password", clock)
    assert isinstance(outcome, SignInFailed) and "federated" in outcome.message
    assert all("password" not in one.form for one in heard)


async def hang(writer: asyncio.StreamWriter) -> None:
    """Answer nothing."""
    await asyncio.Event().wait()


def drip(head: bytes) -> Act:
    """Send a head and then single bytes for ever."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    return act


LASTING = SignInLimits(silence_s=PATIENCE_S, sign_in_s=PATIENCE_S)
SLOW: dict[str, tuple[Act, SignInLimits]] = {
    "silent": (hang, SignInLimits(silence_s=0.2)),
    "slow headers": (drip(b"HTTP/1.1 200 OK\r\nx:"), SignInLimits(sign_in_s=0.4)),
    "slow body": (drip(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{"), SignInLimits(body_s=0.3)),
}


@pytest.mark.parametrize("name", SLOW)
async def test_tokens_give_up_when_the_service_is_silent_or_slow(certificates: Certificates, name: str) -> None:
    """A service that never finishes costs its time limit, not the run."""
    act, limits = SLOW[name]
    async with wire(certificates, Service(on("/token", act))) as server:
        tokens = MsalTokens(sign_ins(server.origin, certificates)["secret"], SystemClock(), limits=limits)
        with anyio.fail_after(PATIENCE_S), pytest.raises(Unavailable):
            await tokens.token()


@pytest.mark.parametrize("kind", ["secret", "password"])
async def test_acquire_logs_nothing_of_the_secret(
    certificates: Certificates, clock: FakeClock, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """At the most talkative level MSAL and httpx write neither secret nor token."""
    caplog.set_level(logging.DEBUG)
    await sign_in(Service(), certificates, kind, clock)
    assert "canary" not in caplog.text and "token-1" not in caplog.text


@pytest.mark.parametrize("kind", ["secret", "password"])
async def test_tokens_are_shared_until_five_minutes_before_their_end(
    certificates: Certificates, clock: FakeClock, kind: str
) -> None:
    """One sign-in serves every request for 55 minutes of an hour."""
    service = Service()
    async with wire(certificates, service) as server:
        tokens = MsalTokens(sign_ins(server.origin, certificates)[kind], clock)
        assert await tokens.token() == "token-1"
        await clock.sleep(3299)
        assert await tokens.token() == "token-1"
        await clock.sleep(2)
        assert await tokens.token() == "token-2"
    assert service.issued == 2


async def test_tokens_of_a_short_life_are_kept_for_half_of_it(certificates: Certificates, clock: FakeClock) -> None:
    """A token that lives for less than ten minutes does not cost a sign-in per request."""
    service = Service(expires_in="60")
    async with wire(certificates, service) as server:
        tokens = MsalTokens(sign_ins(server.origin, certificates)["secret"], clock)
        await tokens.token()
        await clock.sleep(29)
        assert await tokens.token() == "token-1"
        await clock.sleep(2)
        assert await tokens.token() == "token-2"


async def test_tokens_cost_one_sign_in_when_many_ask_at_once(certificates: Certificates, clock: FakeClock) -> None:
    """Sixteen streams that start together sign in once."""
    service = Service()
    async with wire(certificates, service) as server:
        tokens = MsalTokens(sign_ins(server.origin, certificates)["secret"], clock)
        found = await asyncio.gather(*[tokens.token() for _ in range(16)])
    assert set(found) == {"token-1"} and service.issued == 1


async def test_tokens_sign_in_again_when_the_token_is_dropped(certificates: Certificates, clock: FakeClock) -> None:
    """A rejected token is replaced; a second stream that drops the old one does no harm."""
    service = Service()
    async with wire(certificates, service) as server:
        tokens = MsalTokens(sign_ins(server.origin, certificates)["secret"], clock)
        old = await tokens.token()
        tokens.drop(old)
        new = await tokens.token()
        tokens.drop(old)
        assert await tokens.token() == new != old


async def test_tokens_ask_the_service_again_after_a_refusal(certificates: Certificates, clock: FakeClock) -> None:
    """A password corrected on the server works at once: no refusal is remembered."""
    refusals = iter([aadsts(50126, 400)])
    service = Service(lambda heard: next(refusals, None) if "/token" in heard.line else None)
    async with wire(certificates, service) as server:
        tokens = MsalTokens(sign_ins(server.origin, certificates)["password"], clock)
        with pytest.raises(SignInFailed):
            await tokens.token()
        assert await tokens.token() == "token-1"


async def test_tokens_are_cancelled_at_once_while_the_service_is_silent(
    certificates: Certificates, clock: FakeClock
) -> None:
    """A stop does not wait for a sign-in under way, and the next one can still take place."""
    silent = iter([hang])
    service = Service(lambda heard: next(silent, None) if "/token" in heard.line else None)
    async with wire(certificates, service) as server:
        tokens = MsalTokens(sign_ins(server.origin, certificates)["secret"], clock, limits=LASTING)
        with anyio.fail_after(PATIENCE_S / 4), anyio.move_on_after(0.3) as scope:
            await tokens.token()
        assert scope.cancelled_caught
        assert await tokens.token() == "token-1"


@pytest.mark.parametrize("kind", ["secret", "password"])
async def test_tokens_forget_the_secret_when_they_are_closed(
    certificates: Certificates, clock: FakeClock, kind: str
) -> None:
    """After a run no object of ours or of MSAL holds the secret any more."""
    unique = canary_secret(f"once-{kind}") + "."
    async with wire(certificates, Service()) as server:
        chosen = sign_ins(server.origin, certificates)[kind]
        tokens = MsalTokens(
            replace(chosen, client_secret=unique)
            if isinstance(chosen, SecretSignIn)
            else replace(chosen, password=unique),
            clock,
        )
        await tokens.token()
        tokens.close()
        server.heard.clear()
    gc.collect()
    holders = [type(found).__name__ for found in gc.get_referrers(unique) if not inspect.isframe(found)]
    assert holders == []
    with pytest.raises(SignInFailed):
        await tokens.token()


@pytest.mark.parametrize("kind", ["secret", "password"])
def test_sign_in_shows_no_secret(certificates: Certificates, kind: str) -> None:
    """Neither repr nor str of a credential holds its secret."""
    chosen = sign_ins("https://login.test", certificates)[kind]
    assert "canary" not in f"{chosen!r} {chosen} {MsalTokens(chosen, FakeClock())!r}"


@pytest.mark.parametrize(("tenant", "client"), [("../x", CLIENT), (TENANT, "../x"), ("common", CLIENT)])
def test_sign_in_refuses_ids_that_could_change_the_address(tenant: str, client: str) -> None:
    """A credential with an impossible id cannot even be made."""
    endpoints = Endpoints("https://login.test", "https://graph.test")
    with pytest.raises(BadInput):
        SecretSignIn(endpoints, tenant, client, SECRET)
    with pytest.raises(BadInput):
        PasswordSignIn(endpoints, tenant, client, USERNAME, PASSWORD)


async def test_static_token_is_issued_again_after_a_drop() -> None:
    """The provider for tests behaves as the real one does."""
    numbers = iter(range(9))
    tokens = StaticToken(lambda: str(next(numbers)))
    assert [await tokens.token(), await tokens.token()] == ["0", "0"]
    tokens.drop("0")
    assert await tokens.token() == "1" and tokens.dropped == 1
