"""The way out: a real forward proxy and a private authority on loopback, and names that only the proxy can resolve."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from sync.alert.post import Outcome, post
from sync.entra.cloud import Endpoints
from sync.entra.outbound import Outbound, Proxy, parse_no_proxy, parse_proxy
from sync.entra.reach import reach
from sync.entra.signin.caller import Callers
from sync.entra.signin.token import PasswordSignIn, SecretSignIn, SignIn
from sync.entra.transport import failure, tls_context
from sync.errors import BadInput
from sync.secret.verification import CheckSubject, Result, verify
from sync.tasks.connector.connector import connect
from tests.canary import canary_secret
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.proxy import ForwardProxy, forward_proxy
from tests.sync.entra.test_token import CLIENT, PASSWORD, SECRET, TENANT, USERNAME, Service, metadata, on
from tests.sync.entra.wire import Certificates, Wire, response, wire

LOGIN, GRAPH, ALERTS = "login.test.example", "graph.test.example", "alerts.test.example"
USER, PROXY_PASSWORD = "rollcall", canary_secret("proxy-password")
ENDPOINTS = Endpoints(f"https://{LOGIN}", f"https://{GRAPH}")
SIGN_INS: dict[str, SignIn] = {
    "secret": SecretSignIn(ENDPOINTS, TENANT, CLIENT, SECRET),
    "password": PasswordSignIn(ENDPOINTS, TENANT, CLIENT, USERNAME, PASSWORD),
}
SIGNING = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority that no machine knows, and a certificate of it for the three names."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOGIN, GRAPH, ALERTS).configure_cert(context)
    ca_file = tmp_path_factory.mktemp("private") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return Certificates(ca_file, context)


def published() -> dict[str, Any]:
    """Return the directory's published keys."""
    return {"keys": [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(SIGNING.public_key())) | {"kid": "k"}]}


@asynccontextmanager
async def cloud(private: Certificates) -> AsyncIterator[Wire]:
    """Serve sign-in, keys, Graph and a receiver of alerts."""
    keys = {"jwks_uri": f"https://{LOGIN}/keys"}
    service = Service(
        on("/openid", response(200, metadata(f"https://{LOGIN}", **keys))),
        on("/keys", response(200, published())),
        on("/v1.0/", response(200, {"value": [{"id": "one"}]})),
        on("/in", response(204)),
        on("GET / ", response(404)),
    )
    async with wire(private, service) as server:
        yield server


def port_of(server: Wire) -> int:
    """Return the port that a server listens on."""
    return int(server.origin.rpartition(":")[2])


def names(server: Wire) -> dict[str, int]:
    """Return what the proxy resolves."""
    return dict.fromkeys((LOGIN, GRAPH, ALERTS), port_of(server))


def through(proxy: ForwardProxy, private: Certificates | None, password: str = PROXY_PASSWORD) -> Outbound:
    """Return the way through a proxy, trusting the private authority unless it is None."""
    way = Proxy(proxy.origin, (USER, password))
    return Outbound(https=way, http=way, ca_file=private.ca_file if private else None)


@pytest.mark.parametrize("kind", SIGN_INS)
async def test_sync_signs_in_and_reads_through_the_proxy_when_there_is_one(
    private: Certificates, clock: FakeClock, kind: str
) -> None:
    """MSAL's requests and Graph's take the way of the settings, with its credentials; nothing goes beside it."""
    async with (
        cloud(private) as server,
        forward_proxy(names(server), auth=(USER, PROXY_PASSWORD)) as proxy,
        connect(SIGN_INS[kind], clock, through(proxy, private)) as client,
    ):
        assert await client.get("/users") == {"value": [{"id": "one"}]}
    assert set(proxy.heard) == {f"CONNECT {LOGIN}:443 HTTP/1.1", f"CONNECT {GRAPH}:443 HTTP/1.1"}
    assert not any("proxy-authorization" in heard.head.lower() for heard in server.heard)


async def test_keys_of_callers_are_read_through_the_proxy_when_there_is_one(
    private: Certificates, clock: FakeClock
) -> None:
    """A token of the directory is checked by keys that came through the proxy."""
    now = int(time.time())
    claims = {
        "aud": CLIENT, "iss": f"https://{LOGIN}/{TENANT}/v2.0", "iat": now, "nbf": now, "exp": now + 600,
        "azp": CLIENT, "oid": TENANT, "tid": TENANT, "ver": "2.0", "name": "Adele", "roles": [],
    }  # fmt: skip
    token = jwt.encode(claims, SIGNING, "RS256", headers={"kid": "k"})
    async with cloud(private) as server, forward_proxy(names(server), auth=(USER, PROXY_PASSWORD)) as proxy:
        caller = await Callers(ENDPOINTS, TENANT, CLIENT, clock, through(proxy, private)).find(token)
    assert caller is not None and caller.name == "Adele"
    assert set(proxy.heard) == {f"CONNECT {LOGIN}:443 HTTP/1.1"}


async def test_alert_goes_through_the_proxy_when_there_is_one(private: Certificates) -> None:
    """Over https in a tunnel, over http as a request to the proxy."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    plain = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with plain, cloud(private) as server:
        async with forward_proxy(names(server), auth=(USER, PROXY_PASSWORD)) as proxy:
            assert await post(f"https://{ALERTS}/in", b"{}", {}, through(proxy, private)) == Outcome(204)
            assert proxy.heard == [f"CONNECT {ALERTS}:443 HTTP/1.1"]
        known = {ALERTS: plain.sockets[0].getsockname()[1]}
        async with forward_proxy(known, auth=(USER, PROXY_PASSWORD)) as proxy:
            assert await post(f"http://{ALERTS}/in", b"{}", {}, through(proxy, private)) == Outcome(204)
    assert len(received) == 1 and b"proxy-authorization" not in received[0].lower()


async def test_doctor_reaches_a_cloud_as_a_sync_does_when_there_is_a_proxy(
    private: Certificates, clock: FakeClock
) -> None:
    """What `rollcall doctor` finds is what a run would find."""
    async with cloud(private) as server, forward_proxy(names(server), auth=(USER, PROXY_PASSWORD)) as proxy:
        good = await reach(f"https://{GRAPH}", None, clock, through(proxy, private))
        untrusted = await reach(f"https://{GRAPH}", None, clock, through(proxy, None))
    assert good.problem is None
    assert untrusted.problem is not None and "unknown authority" in untrusted.problem.reason


async def test_this_machine_is_never_reached_through_a_proxy(certificates: Certificates, clock: FakeClock) -> None:
    """A simulator or an alert receiver beside the server is not asked for at the proxy."""
    async with wire(certificates, lambda _: response(204)) as server, forward_proxy({}) as proxy:
        way = through(proxy, certificates)
        assert await post(f"{server.origin}/in", b"{}", {}, way) == Outcome(204)
        assert (await reach(server.origin, None, clock, way)).problem is None
    assert proxy.heard == [] and len(server.heard) == 2


CAUSES: dict[str, tuple[dict[str, Any], str, str]] = {
    "credentials": (
        {"password": canary_secret("old-proxy-password")},
        "asks for credentials (407)",
        "HTTPS_PROXY_FILE",
    ),
    "refused": ({"status": f"403 {PROXY_PASSWORD}"}, "the proxy refused to connect (403)", "allow this host"),
    "name": ({"ports": {}}, "the proxy could not reach the server (502)", "the name"),
    "authority": ({"private": None}, "unknown authority", "ROLLCALL_CA_FILE"),
    "nonsense": ({"status": f"x{PROXY_PASSWORD}"}, "the connection broke", "proxy"),
}


@pytest.mark.parametrize("cause", CAUSES)
async def test_verification_names_the_cause_when_the_way_out_is_closed(
    private: Certificates, clock: FakeClock, cause: str
) -> None:
    """A person reads what stands in the way and whose it is; what the proxy says of itself is not repeated."""
    changed, told, hint = CAUSES[cause]
    async with (
        cloud(private) as server,
        forward_proxy(
            changed.get("ports", names(server)), auth=(USER, PROXY_PASSWORD), status=changed.get("status")
        ) as proxy,
    ):
        way = through(proxy, changed.get("private", private), changed.get("password", PROXY_PASSWORD))
        found = await verify(SIGN_INS["secret"], clock, partial(connect, outbound=way))
    check = found.checks[0]
    assert (check.subject, check.result) == (CheckSubject.SIGN_IN, Result.UNKNOWN)
    assert told in check.message and hint in str(check.hint)
    assert "canary-" not in repr(found) and USER not in repr(found.checks)


def caused(cause: Exception) -> httpx.ConnectError:
    """Return httpx's error for a failure below it."""
    error = httpx.ConnectError("x")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "direct", "proxied"),
    [
        (socket.gaierror("x"), "the host name cannot be resolved", "the proxy's host name cannot be resolved"),
        (ConnectionRefusedError(), "the connection was refused", "the proxy refused the connection"),
    ],
)
def test_failure_tells_the_proxy_from_the_server(cause: Exception, direct: str, proxied: str) -> None:
    """Whoever reads it looks at the right machine."""
    assert (failure(caused(cause)).reason, failure(caused(cause), proxied=True).reason) == (direct, proxied)


@pytest.mark.parametrize(
    ("code", "told"), [(20, "unknown authority"), (10, "not valid today"), (62, "another name"), (None, "not trusted")]
)
def test_failure_tells_why_a_certificate_is_not_trusted(code: int | None, told: str) -> None:
    """An authority, a clock and a name are mended in different places."""
    cause = ssl.SSLCertVerificationError("x")
    if code is not None:
        cause.verify_code = code
    assert told in failure(caused(cause)).reason


PLACES = [
    ("https://graph.microsoft.com", "", True),
    ("http://alerts.example:8080", "", True),
    ("https://localhost:8443", "", False),
    ("https://LOCALHOST.", "", False),
    ("https://a.localhost", "", False),
    ("http://127.9.9.9", "", False),
    ("https://[::1]:8443", "", False),
    ("https://[::ffff:127.0.0.1]", "", False),
    ("https://graph.microsoft.com", "*", False),
    ("https://graph.microsoft.com", "microsoft.com", False),
    ("https://graph.microsoft.com", ".microsoft.com", False),
    ("https://graph.microsoft.com", "*.microsoft.com", False),
    ("https://graph.microsoft.com", "GRAPH.microsoft.com:443", False),
    ("https://graph.microsoft.com", "graph.microsoft.com:8443", True),
    ("https://notmicrosoft.com", "microsoft.com", True),
    ("https://10.1.2.3", "192.0.2.1, 10.0.0.0/8", False),
    ("https://11.1.2.3", "10.0.0.0/8", True),
    ("https://[2001:db8::7]:8443", "2001:db8::/32", False),
    ("https://[2001:db8::7]:8443", "[2001:db8::7]:8443", False),
]


@pytest.mark.parametrize(("url", "no_proxy", "proxied"), PLACES)
def test_address_goes_through_the_proxy_unless_it_is_left_out(url: str, no_proxy: str, proxied: bool) -> None:
    """This machine, and what NO_PROXY names: domains with all below them, networks, ports."""
    proxy = Proxy("http://proxy.example:3128")
    way = Outbound(https=proxy, http=proxy, no_proxy=parse_no_proxy(no_proxy))
    assert (way.proxy_of(url) is not None) is proxied


@pytest.mark.parametrize(
    ("text", "origin", "auth"),
    [
        ("proxy.example:3128", "http://proxy.example:3128", None),
        ("http://proxy.example", "http://proxy.example:80", None),
        ("https://[2001:db8::1]:8080/", "https://[2001:db8::1]:8080", None),
        ("http://CORP%5Cann:p%40ss%3A@Proxy.example:1", "http://proxy.example:1", ("CORP\\ann", "p@ss:")),
    ],
)
def test_proxy_is_read_with_its_credentials(text: str, origin: str, auth: tuple[str, str] | None) -> None:
    """As other programs read it: percent-encoded where a character would end the password."""
    assert parse_proxy(text) == Proxy(origin, auth)


@pytest.mark.parametrize("text", ["socks5://{}@h:1", "http://u:{}@", "http://u:{}@h:99999", "http://u:{}%0d@h", "{} x"])
def test_proxy_is_refused_without_repeating_it_when_it_is_none(text: str) -> None:
    """It may hold a password, also where it is malformed."""
    with pytest.raises(BadInput) as caught:
        parse_proxy(text.format(PROXY_PASSWORD))
    assert "canary-" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_proxy_shows_no_credentials() -> None:
    """In a log or a traceback the password is left out."""
    assert PROXY_PASSWORD not in repr(Outbound(https=Proxy("http://p.example:1", (USER, PROXY_PASSWORD))))


def test_authority_of_the_settings_is_trusted_beside_the_machines(private: Certificates, tmp_path: Path) -> None:
    """ROLLCALL_CA_FILE adds: the machine's authorities still count, for a custom cloud its own."""
    own = trustme.CA()
    own.cert_pem.write_to_path(str(tmp_path / "own.pem"))
    added = Outbound(ca_file=private.ca_file)
    assert len(tls_context(None, added).get_ca_certs()) == len(tls_context(None).get_ca_certs()) + 1
    assert len(tls_context(tmp_path / "own.pem", added).get_ca_certs()) == 2
