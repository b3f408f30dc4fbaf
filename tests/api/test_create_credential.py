"""createCredential: both kinds, the secret sealed and never shown, each mistake at its place, audited."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from schema.access import Role
from sync.secret.vault import SecretPlace
from sync.store import tables
from tests.api.caller import INVALID_REQUEST
from tests.api.mutation import FIELDS, assert_audited, document, perform
from tests.api.world import World
from tests.canary import canary_secret

GUID = "11111111-2222-4333-8444-555555555555"
SECRET = canary_secret("credential-secret")
SECRET_KIND = {"azureClientSecret": {"clientId": GUID, "tenantId": "contoso.example", "clientSecret": SECRET}}
PASSWORD_KIND = {
    "azureUsernamePassword": {
        "clientId": GUID, "tenantId": GUID, "username": "sync@contoso.example", "password": SECRET,
    }
}  # fmt: skip


def kind_with(kind: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return the input of a kind with some values changed."""
    ((name, values),) = kind.items()
    return {name: {**values, **changed}}


@pytest.mark.parametrize("kind", [SECRET_KIND, PASSWORD_KIND], ids=["secret", "password"])
async def test_credential_is_made_and_its_secret_sealed(office: World, kind: dict[str, Any]) -> None:
    """The credential shows all but its secret, which lies sealed in the row and opens only there."""
    caller = office.caller()
    name = next(iter(kind))
    outcome = await perform(office, caller, "createCredential", name=name, kind=kind, cloud="GCC_HIGH")
    made, given = outcome.made(), kind[name]
    assert made["kind"] == ("AZURE_CLIENT_SECRET" if "Secret" in name else "AZURE_USERNAME_PASSWORD")
    assert (made["clientId"], made["tenantId"]) == (given["clientId"], given["tenantId"])
    assert (made["username"], made["cloud"]) == (given.get("username"), "GCC_HIGH")
    assert made["secretSetAt"] and made["lastUsedAt"] is None and made["createdBy"] == caller.principal.name
    key = int(made["id"].removeprefix("cred_"))
    (row,) = await office.read(select(tables.credentials).where(tables.credentials.c.id == key))
    field = "client_secret" if "Secret" in name else "password"
    assert office.runtime.vault.open(row["sealed_secret"], SecretPlace(office.home, key, field)) == SECRET
    assert SECRET.encode() not in row["sealed_secret"]
    assert_audited(outcome, caller, "createCredential", "OK", made["id"])


@pytest.mark.parametrize("ends", [" ", "\t  ", "\xa0", "\u200b", "\ufeff", "\u2060", " \u200e\u200f ", "\xad"])
@pytest.mark.parametrize("kind", [SECRET_KIND, PASSWORD_KIND], ids=["secret", "password"])
async def test_secret_is_sealed_without_what_copying_left_at_its_ends(
    office: World, kind: dict[str, Any], ends: str
) -> None:
    """Blanks and characters that nobody sees, of a new secret too; what is inside a password is its own."""
    field = "clientSecret" if "azureClientSecret" in kind else "password"
    inner = f"{SECRET[:9]} \u200b{SECRET[9:]}" if field == "password" else SECRET
    given = kind_with(kind, **{field: f"{ends}{inner}{ends}"})
    name = f"Pasted {field} {ends!a}"
    made = (await perform(office, office.caller(), "createCredential", name=name, kind=given)).made()
    key, place = int(made["id"].removeprefix("cred_")), "client_secret" if field == "clientSecret" else "password"

    async def sealed() -> bytes:
        (row,) = await office.read(select(tables.credentials).where(tables.credentials.c.id == key))
        return bytes(row["sealed_secret"])

    first = await sealed()
    assert office.runtime.vault.open(first, SecretPlace(office.home, key, place)) == inner
    secret = f"{ends}{inner[::-1]}{ends}"
    (await perform(office, office.caller(), "rotateSecret", credential=made["id"], secret=secret)).made()
    assert office.runtime.vault.open(await sealed(), SecretPlace(office.home, key, place)) == inner[::-1]


async def test_secret_is_in_no_answer_when_everything_is_asked_for(office: World) -> None:
    """Neither the mutation, nor the list, nor the look-up, nor an audit row repeats a secret."""
    caller = office.caller()
    outcome = await perform(office, caller, "createCredential", name="Silent", kind=SECRET_KIND)
    fields = FIELDS["createCredential"]
    listed = await caller.data(f"{{ credentials(first: 1000) {{ nodes {{ {fields[13:-2]} }} }} }}")
    assert "secretSetAt" in str(listed)
    assert "canary" not in str((outcome, listed))


KINDS = {"kind.azureClientSecret": SECRET_KIND, "kind.azureUsernamePassword": PASSWORD_KIND}
MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("kind.azureClientSecret", {"clientId": "not-a-guid"}, "clientId"),
    ("kind.azureClientSecret", {"tenantId": "../../evil"}, "tenantId"),
    ("kind.azureClientSecret", {"tenantId": "common"}, "tenantId"),
    ("kind.azureClientSecret", {"clientSecret": ""}, "clientSecret"),
    ("kind.azureClientSecret", {"clientSecret": "x" * 1_001}, "clientSecret"),
    ("kind.azureClientSecret", {"clientSecret": GUID}, "clientSecret"),
    ("kind.azureClientSecret", {"subscriptionId": "x"}, "subscriptionId"),
    ("kind.azureClientSecret", {"subscriptionId": GUID, "allSubscriptions": True}, "subscriptionId"),
    ("kind.azureClientSecret", {"clientSecret": " \u200b\ufeff "}, "clientSecret"),
    *(
        (kind, {field: secret}, field)
        for kind, field in (("kind.azureClientSecret", "clientSecret"), ("kind.azureUsernamePassword", "password"))
        for secret in (f"{SECRET}\n", f"\r\n{SECRET}", f"{SECRET}\0", f"{SECRET[:9]}\0{SECRET[9:]}", f" {SECRET}\u2028")
    ),
    ("kind.azureUsernamePassword", {"clientId": ""}, "clientId"),
    ("kind.azureUsernamePassword", {"tenantId": "http://x"}, "tenantId"),
    ("kind.azureUsernamePassword", {"username": "sync"}, "username"),
    ("kind.azureUsernamePassword", {"username": "a@b\n"}, "username"),
    ("kind.azureUsernamePassword", {"password": ""}, "password"),
]


@pytest.mark.parametrize(("kind", "changed", "place"), MISTAKES)
async def test_credential_is_refused_when_a_value_of_its_kind_cannot_be_used(
    office: World, kind: str, changed: dict[str, Any], place: str
) -> None:
    """Each mistake is INVALID where it stands in the input, says nothing of the secret, and is audited."""
    caller = office.caller()
    outcome = await perform(office, caller, "createCredential", name="Wrong", kind=kind_with(KINDS[kind], **changed))
    assert outcome.refusal() == ("INVALID", ["input", *kind.split("."), place])
    assert "canary" not in str(outcome) and "x" * 100 not in str(outcome)
    assert_audited(outcome, caller, "createCredential", "BAD_USER_INPUT")


async def test_credential_is_refused_when_its_name_is_empty_or_taken(office: World) -> None:
    """A name is needed, and unique in the organization; another organization may have the same."""
    caller = office.caller()
    empty = await perform(office, caller, "createCredential", name=" ", kind=SECRET_KIND)
    assert empty.refusal() == ("INVALID", ["input", "name"])
    (await perform(office, caller, "createCredential", name="Taken", kind=SECRET_KIND)).made()
    again = await perform(office, caller, "createCredential", name="Taken", kind=PASSWORD_KIND)
    assert again.refusal() == ("CONFLICT", ["input", "name"])
    elsewhere = office.caller(organization=office.beta)
    (await perform(office, elsewhere, "createCredential", name="Taken", kind=SECRET_KIND)).made()


async def test_credential_is_global_only_when_a_superuser_makes_it(office: World) -> None:
    """A credential for everybody is FORBIDDEN to an administrator; others see a superuser's, not whose it is."""
    given = {"name": "For all", "kind": SECRET_KIND, "isGlobal": True}
    refused = await perform(office, office.caller(), "createCredential", **given)
    assert refused.refusal() == ("FORBIDDEN", ["input", "isGlobal"])
    made = (await perform(office, office.caller(Role.SUPERUSER), "createCredential", **given)).made()
    text = "query($id: ID!) { credential(id: $id) { isGlobal organization { id } } }"
    seen = await office.caller(organization=office.beta).data(text, id=made["id"])
    assert seen == {"credential": {"isGlobal": True, "organization": None}}


async def test_expiry_of_a_secret_is_kept_in_utc(office: World) -> None:
    """secretExpiresAt is what its owner noted, as a moment in UTC."""
    given = {"name": "Expiring", "kind": SECRET_KIND, "secretExpiresAt": "2027-01-01T02:00:00+02:00"}
    made = (await perform(office, office.caller(), "createCredential", **given)).made()
    assert made["secretExpiresAt"] == "2027-01-01T00:00:00.000Z"


@pytest.mark.parametrize("kind", [{}, {**SECRET_KIND, **PASSWORD_KIND}, {"azureClientSecret": None}, None])
async def test_credential_is_refused_when_it_is_not_exactly_one_kind(office: World, kind: Any) -> None:
    """The kind is a one-of input: none, several or null is refused before anything runs."""
    answer = await office.caller().ask(document("createCredential"), input={"name": "Odd", "kind": kind})
    assert answer.code == INVALID_REQUEST and answer.data is None
