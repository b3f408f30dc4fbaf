"""Verifying a credential over real MSAL, TLS and HTTP: each thing that can be missing is found and explained."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schema.access import Principal, Role
from sync.secret.verification import CheckSubject
from tests.api.caller import Caller
from tests.api.mutation import document
from tests.canary import canary_secret
from tests.end_to_end.test_sign_in import Connected, connected, password_credential

READS = ("USERS", "GROUPS", "DEVICES", "MEMBERS")
WRONG = canary_secret("wrong-secret")


@pytest.fixture
async def installation(data_dir: Path, tmp_path: Path) -> AsyncIterator[Connected]:
    """Return an installation whose tenant is served on TLS, with a credential by secret."""
    async with connected(data_dir, tmp_path) as opened:
        yield opened


def caller_of(installation: Connected) -> Caller:
    """Return an administrator of the installation."""
    return Caller(installation.runtime, Principal(1, installation.organization_id, Role.ADMINISTRATOR, "admin"))


async def verified(installation: Connected, credential: int) -> Any:
    """Verify a stored credential by mutation; what is returned is what was kept."""
    data = await caller_of(installation).data(document("verifyCredential"), input={"credential": f"cred_{credential}"})
    done = data["verifyCredential"]
    assert done["errors"] == [] and done["credential"]["lastVerification"] == done["verification"]
    assert [check["subject"] for check in done["verification"]["checks"]] == list(CheckSubject)
    return done


def results(done: Any) -> dict[str, str]:
    """Return what became of each check."""
    return {check["subject"]: check["result"] for check in done["verification"]["checks"]}


def check_of(done: Any, subject: str) -> Any:
    """Return one line of the checklist."""
    return next(check for check in done["verification"]["checks"] if check["subject"] == subject)


async def test_verification_passes_with_either_kind_when_all_is_granted(installation: Connected) -> None:
    """Application and delegated permissions are told apart, each check passes, and the time is kept."""
    password = await installation.add_credential(password_credential(installation.tenant))
    for credential, kind in ((installation.credential_id, "APPLICATION"), (password, "DELEGATED")):
        done = await verified(installation, credential)
        assert set(results(done).values()) == {"PASSED"}
        assert done["verification"]["passed"] is True and done["verification"]["permissionKind"] == kind
        assert done["credential"]["lastVerifiedAt"] == done["verification"]["at"]
        assert kind.lower() in check_of(done, "USERS")["message"]


@pytest.mark.parametrize(
    ("permissions", "failed"),
    [
        (("Group.Read.All", "Device.Read.All"), {"USERS": "User.Read.All"}),
        (("User.Read.All", "Group.Read.All"), {"DEVICES": "Device.Read.All"}),
        (("User.Read.All", "Device.Read.All"), {"GROUPS": "Group.Read.All", "MEMBERS": "GroupMember.Read.All"}),
    ],
    ids=["users", "devices", "groups"],
)
async def test_missing_permission_is_named_when_a_read_is_denied(
    installation: Connected, permissions: tuple[str, ...], failed: dict[str, str]
) -> None:
    """What can be read passes, what cannot names the permission and where to click; consent is there."""
    installation.simulator.signin.registry.apps[installation.simulator.secret_app.client_id].roles = set(permissions)
    done = await verified(installation, installation.credential_id)
    found = results(done)
    assert {subject for subject, result in found.items() if result == "FAILED"} == set(failed)
    assert found["ADMIN_CONSENT"] == found["SIGN_IN"] == "PASSED"
    for subject, permission in failed.items():
        check = check_of(done, subject)
        assert (check["permission"], check["code"]) == (permission, "PERMISSION_DENIED")
        assert "API permissions" in check["hint"]
    assert done["verification"]["passed"] is False and done["credential"]["lastVerifiedAt"] is None


async def test_missing_consent_is_found_with_either_kind(installation: Connected) -> None:
    """An application gets a token that reads nothing, a user is refused with AADSTS65001: consent fails in both."""
    password = await installation.add_credential(password_credential(installation.tenant))
    for app in installation.simulator.signin.registry.apps.values():
        app.consented = False
    done = await verified(installation, installation.credential_id)
    assert results(done) == {"SIGN_IN": "PASSED", "ADMIN_CONSENT": "FAILED"} | dict.fromkeys(READS, "FAILED")
    assert "Grant admin consent" in check_of(done, "ADMIN_CONSENT")["hint"]
    done = await verified(installation, password)
    assert results(done) == {"SIGN_IN": "FAILED", "ADMIN_CONSENT": "FAILED"} | dict.fromkeys(READS, "UNKNOWN")
    assert check_of(done, "SIGN_IN")["aadsts"] == 65001


STATES = [
    ("mfa", 50076, "multi-factor"),
    ("disabled", 50057, "disabled"),
    ("locked", 50053, "locked"),
    ("expired", 50055, "expired"),
]


@pytest.mark.parametrize(("state", "number", "word"), STATES)
async def test_account_that_cannot_sign_in_is_explained(
    installation: Connected, state: str, number: int, word: str
) -> None:
    """Microsoft's number is there, and what it means, and what to do."""
    app = installation.simulator.password_app
    account = installation.simulator.signin.registry.accounts[app.username.casefold()]
    account.state = state
    credential = await installation.add_credential(password_credential(installation.tenant))
    check = check_of(await verified(installation, credential), "SIGN_IN")
    assert (check["result"], check["aadsts"]) == ("FAILED", number)
    assert word in check["message"] and check["hint"]


async def test_federated_account_is_explained_before_its_password_is_sent(installation: Connected) -> None:
    """Such accounts cannot sign in here; the advice is a cloud account or a secret."""
    app = installation.simulator.password_app
    installation.simulator.signin.registry.accounts[app.username.casefold()].federated = True
    credential = await installation.add_credential(password_credential(installation.tenant))
    check = check_of(await verified(installation, credential), "SIGN_IN")
    assert check["result"] == "FAILED" and "federated" in check["message"]
    assert "client-secret" in check["hint"]


async def test_credential_is_tried_before_it_is_saved(installation: Connected) -> None:
    """testCredential finds the same, keeps nothing, and repeats no secret."""
    app, caller = installation.simulator.secret_app, caller_of(installation)
    before = await installation.dump("audit_events")
    kind = {"clientId": app.client_id, "tenantId": installation.simulator.tenant_id, "clientSecret": app.client_secret}

    async def tried(**changed: str) -> Any:
        given = {"cloud": "CUSTOM", "kind": {"azureClientSecret": kind | changed}}
        return (await caller.data(document("testCredential"), input=given))["testCredential"]

    assert (await tried())["verification"]["passed"] is True
    wrong = await tried(clientSecret=WRONG)
    check = check_of(wrong, "SIGN_IN")
    assert (check["result"], check["aadsts"]) == ("FAILED", 7000215)
    assert WRONG not in str(wrong)
    mistaken = await tried(tenantId="x")
    assert mistaken["verification"] is None
    (error,) = mistaken["errors"]
    assert (error["code"], error["path"]) == ("INVALID", ["input", "kind", "azureClientSecret", "tenantId"])
    assert await installation.dump("audit_events") == before
