"""On a real TLS socket: MSAL signs in with both grants, and the command starts and stops as a person expects."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import msal
import pytest

from server.simulator import FaultPlan, Rule, RunningSimulator, Simulator, running
from server.simulator.certificate import prepare_certificate
from tests.patience import PATIENCE_S


class LocalHttp:
    """MSAL's http_client over httpx; puts the port back that its user realm request drops."""

    def __init__(self, origin: str, ca_file: Path) -> None:
        self._origin = origin
        self._client = httpx.Client(verify=ssl.create_default_context(cafile=str(ca_file)))

    def _url(self, url: str) -> str:
        return url.replace("https://localhost/", f"{self._origin}/")

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """Send a GET."""
        return self._client.get(self._url(url), params=params, headers=headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """Send a POST."""
        return self._client.post(self._url(url), params=params, data=data, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def sign_in(simulator: Simulator, ca_file: Path) -> dict[str, dict[str, Any]]:
    """Sign in with both grants and one wrong secret; blocking, as MSAL is."""
    http = LocalHttp(simulator.origin, ca_file)
    scopes = [f"{simulator.origin}/.default"]
    settings = {"authority": simulator.authority, "instance_discovery": False, "http_client": http}
    secret, account = simulator.secret_app, simulator.password_app
    try:
        confidential = msal.ConfidentialClientApplication(
            secret.client_id, client_credential=secret.client_secret, azure_region=False, **settings
        )
        wrong = msal.ConfidentialClientApplication(secret.client_id, client_credential="wrong", **settings)
        public = msal.PublicClientApplication(account.client_id, exclude_scopes=["offline_access"], **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            by_password = public.acquire_token_by_username_password(account.username, account.password, scopes)
        return {
            "secret": confidential.acquire_token_for_client(scopes),
            "wrong": wrong.acquire_token_for_client(scopes),
            "password": by_password,
        }
    finally:
        http.close()


async def test_msal_signs_in_over_tls_with_both_grants(tmp_path: Path) -> None:
    """Microsoft's own library gets tokens for secret and password, the token reads Graph, a wrong secret is told."""
    simulator = Simulator(users=20, devices=10, groups=5)
    async with running(simulator, data_dir=tmp_path) as address:
        assert address == address.origin == simulator.origin
        answers = await anyio.to_thread.run_sync(sign_in, simulator, address.ca_file)
        assert answers["wrong"]["error_codes"] == [7000215]
        context = ssl.create_default_context(cafile=str(address.ca_file))
        async with httpx.AsyncClient(verify=context, base_url=address) as client:
            for grant in ("secret", "password"):
                headers = {"Authorization": f"Bearer {answers[grant]['access_token']}"}
                response = await client.get("/v1.0/users?$top=7", headers=headers)
                assert len(response.json()["value"]) == 7
                assert response.json()["@odata.nextLink"].startswith(address)
    assert simulator.requests.count(template="/common/userrealm/{user}") == 1
    assert simulator.requests.count(template="/{tenant}/oauth2/v2.0/token") == 3


@pytest.mark.slow(cases=2)
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
async def test_connection_fails_on_a_socket_as_without_one(
    served: RunningSimulator, row: str, error: type[httpx.TransportError]
) -> None:
    """What is done to a real connection looks to a client as it does in process, and the next one works."""
    simulator = served.simulator
    simulator.use(FaultPlan([Rule(row)]))
    async with tls_client(served) as client:
        with pytest.raises(error):
            await client.get("/v1.0/users/delta", timeout=0.3)
        assert simulator.requests.faults == {row: 1}
        assert (await client.get("/v1.0/users/delta")).status_code == 200


async def test_endless_and_slow_bodies_end_with_their_client(served: RunningSimulator) -> None:
    """Who has read enough leaves; the simulator serves the next request and stops without waiting."""
    for row, enough in (("endless-body", 1_000_000), ("slow-body", 1)):
        served.simulator.use(FaultPlan([Rule(row)]))
        async with tls_client(served) as client:
            size = 0
            async with client.stream("GET", "/v1.0/users/delta") as response:
                async for chunk in response.aiter_raw():
                    size += len(chunk)
                    if size >= enough:
                        break
            assert (await client.get("/v1.0/users/delta")).status_code == 200


async def test_simulator_stops_at_once_when_a_client_is_idle(tmp_path: Path) -> None:
    """A client that keeps its connection open does not hold the stop up, and gets no line of complaint."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running(Simulator(users=1, devices=1, groups=1), data_dir=tmp_path))
        context = ssl.create_default_context(cafile=str(address.ca_file))
        client = httpx.AsyncClient(verify=context)
        assert (await client.get(f"{address}/common/discovery/instance")).status_code == 200
        with anyio.fail_after(PATIENCE_S):
            await stack.aclose()
        await client.aclose()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[RunningSimulator]:
    """Return a tenant on a real TLS socket."""
    async with running(Simulator(users=20, devices=10, groups=5), data_dir=tmp_path) as address:
        yield address


def tls_client(address: RunningSimulator) -> httpx.AsyncClient:
    """Return a Graph client that trusts the simulator's CA."""
    headers = {"Authorization": f"Bearer {address.simulator.issue_token()}"}
    context = ssl.create_default_context(cafile=str(address.ca_file))
    return httpx.AsyncClient(verify=context, base_url=address, headers=headers, trust_env=False)


def test_certificate_is_kept_and_private(tmp_path: Path) -> None:
    """A second start reuses CA and certificate, so that trust given once lasts; keys are for the owner only."""
    contents = []
    for _ in range(2):
        prepare_certificate(tmp_path, "127.0.0.1")
        contents.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert contents[0] == contents[1]
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("*.key.pem")} == {0}


@pytest.fixture
def command(tmp_path: Path) -> Iterator[list[str]]:
    """Return the command line that starts a small simulator on a free port."""
    program = "from server.simulator.command import simulate; simulate()"
    yield [sys.executable, "-c", program, "--users", "5", "--port", "0", "--data", str(tmp_path)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_prints_json_when_it_listens_and_stops_cleanly(command: list[str], number: signal.Signals) -> None:
    """--json prints one object with everything a program needs; a signal ends it with exit code 0."""
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        facts = json.loads(process.stdout.readline())
        response = httpx.get(
            f"{facts['origin']}/_simulator",
            headers={"Authorization": f"Bearer {facts['adminKey']}"},
            verify=ssl.create_default_context(cafile=facts["caFile"]),
        )
        os.kill(process.pid, number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
    assert response.json()["counts"]["users"] == 5
    assert set(facts) == {
        "origin", "caFile", "tenantId", "tenantDomain", "clientId", "clientSecret", "publicClientId", "username",
        "password", "adminKey",
    }  # fmt: skip
    assert "canary" in facts["clientSecret"]


def test_command_begins_with_a_plan_of_faults(command: list[str], tmp_path: Path) -> None:
    """--faults takes a file; the first request already meets the fault."""
    file = tmp_path / "plan.json"
    file.write_text('[{"fault": "failed.502", "times": 0}]')
    arguments = [*command, "--json", "--faults", str(file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        facts = json.loads(process.stdout.readline())
        context = ssl.create_default_context(cafile=facts["caFile"])
        assert httpx.get(f"{facts['origin']}/v1.0/users", verify=context, trust_env=False).status_code == 502
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_command_says_in_one_line_that_there_is_no_such_plan(command: list[str]) -> None:
    """A mistake in a plan is found before anything listens."""
    done = subprocess.run([*command, "--faults", "x"], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no plan x: ")


def test_command_says_in_one_line_that_the_port_is_taken(command: list[str]) -> None:
    """A taken port is exit code 1 and one line, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run([*command, "--port", port], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"Error: Cannot listen on 127.0.0.1:{port}: Address already in use.\n"
