"""Whole runs through real MSAL, real TLS and real HTTP, with both kinds of credential; and where their secrets stay."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.simulator import RunningSimulator, Simulator, running
from sync.clock import SystemClock
from sync.entra.cloud import Cloud, Endpoints
from sync.runtime import Config
from sync.secret.credentials import CredentialKind, NewCredential
from tests.canary import canary_secret
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences


class Connected(Installation):
    """An installation that reaches its tenant over a socket and signs in as the product does."""

    def __init__(self, tenant: RunningSimulator, data_dir: Path) -> None:
        super().__init__(tenant.simulator, data_dir, SystemClock())
        self.tenant = tenant

    def config(self) -> Config:
        """Return the product's own settings for a custom cloud."""
        return Config(self.data_dir, custom=Endpoints(self.tenant.origin, self.tenant.origin, self.tenant.ca_file))


def password_credential(tenant: RunningSimulator) -> NewCredential:
    """Return the tenant's user name and password."""
    app = tenant.simulator.password_app
    return NewCredential(
        "Service account",
        CredentialKind.AZURE_USERNAME_PASSWORD,
        Cloud.CUSTOM,
        app.client_id,
        tenant.simulator.tenant_id,
        app.password,
        username=app.username,
    )


@asynccontextmanager
async def connected(data_dir: Path, tmp_path: Path) -> AsyncIterator[Connected]:
    """Serve a tenant on TLS and open an installation for it."""
    simulator = Simulator(users=60, devices=40, groups=10)
    async with running(simulator, data_dir=tmp_path / "simulator") as tenant:
        async with Connected(tenant, data_dir).furnished() as installation:
            yield installation


async def test_run_is_equal_with_either_kind_of_credential_over_tls(data_dir: Path, tmp_path: Path) -> None:
    """Secret and password sign in, read and equal the directory; neither lies in a file but sealed."""
    async with connected(data_dir, tmp_path) as installation:
        assert (await installation.run()).status == "SUCCEEDED"
        assert await differences(installation) == []
        credential = await installation.add_credential(password_credential(installation.tenant))
        run = await installation.run(await installation.add_task("By password", credential_id=credential))
        assert (run.status, run.errors) == ("SUCCEEDED", [])
        assert await differences(installation) == []
        assert_secrets_are_sealed(installation)
    assert_secrets_are_sealed(installation)


def assert_secrets_are_sealed(installation: Connected) -> None:
    """Search every file of the data directory, the write-ahead log included, for both secrets in any plain form."""
    simulator = installation.simulator
    files = {path: path.read_bytes() for path in installation.data_dir.rglob("*") if path.is_file()}
    assert any(b"Service account" in content for content in files.values())
    for secret in (simulator.secret_app.client_secret, simulator.password_app.password):
        plain = secret.encode()
        for form in (plain, plain.hex().encode(), base64.b64encode(plain)[:-4], plain[:12], plain[-12:]):
            assert not [path.name for path, content in files.items() if form in content]


@pytest.mark.parametrize("kind", CredentialKind)
async def test_run_fails_with_advice_when_the_secret_is_wrong(
    data_dir: Path, tmp_path: Path, kind: CredentialKind
) -> None:
    """A refused sign-in ends the run FAILED with Microsoft's number and what to do; the wrong secret is not told."""
    wrong = canary_secret("wrong")
    async with connected(data_dir, tmp_path) as installation:
        if kind is CredentialKind.AZURE_CLIENT_SECRET:
            new = installation.credential("Wrong", secret=wrong)
        else:
            app = installation.simulator.password_app
            new = installation.credential(
                "Wrong", kind=kind, client_id=app.client_id, username=app.username, secret=wrong
            )
        task = await installation.add_task("Wrong", credential_id=await installation.add_credential(new))
        run = await installation.run(task)
        log = await installation.log(run.id)
        assert run.status == "FAILED"
        (error,) = run.errors
        assert error["code"] == "SIGN_IN_FAILED"
        assert error["hint"]
        assert wrong not in f"{run.errors}{log}"
        assert installation.simulator.requests.count(template="/v1.0/users/delta") == 0
