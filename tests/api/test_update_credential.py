"""updateCredential, rotateSecret, deleteCredential: what may change, by whom, and what is in use stays usable."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from schema.access import Role
from sync.secret.vault import SecretPlace
from sync.store import tables
from tests.api.mutation import assert_audited, perform
from tests.api.test_create_credential import GUID, PASSWORD_KIND, SECRET, SECRET_KIND, kind_with
from tests.api.world import World
from tests.canary import canary_secret

OTHER_GUID = "99999999-2222-4333-8444-555555555555"
NEW_SECRET = canary_secret("rotated-secret")


async def create(office: World, name: str, kind: dict[str, Any] = SECRET_KIND, **more: Any) -> str:
    """Create a credential in the home organization and return its id."""
    caller = office.caller(Role.SUPERUSER)
    made = (await perform(office, caller, "createCredential", name=name, kind=kind, **more)).made()
    return str(made["id"])


async def use(office: World, credential: str, name: str, organization: int | None = None) -> str:
    """Create a task that signs in with a credential."""
    site = (await office.rows(tables.sites, organization or office.home))[0]["id"]
    caller = office.caller(organization=organization)
    given = {"name": name, "site": f"site_{site}", "connector": {"azureAd": {"credential": credential}}}
    return str((await perform(office, caller, "createTask", **given)).made()["id"])


async def row_of(office: World, id: str) -> Any:
    """Return a credential's row, None if it is gone."""
    rows = await office.read(select(tables.credentials).where(tables.credentials.c.id == int(id[5:])))
    return rows[0] if rows else None


async def note_verified(office: World, id: str) -> None:
    """Let a credential have been verified."""
    verified = {"at": "2026-01-01T00:00:00.000Z", "passed": True, "permission_kind": "APPLICATION", "checks": []}
    values = {"last_verified_at": verified["at"], "last_verification": verified}
    async with office.runtime.store.write() as tx:
        await tx.execute(update(tables.credentials).where(tables.credentials.c.id == int(id[5:])).values(values))


async def test_credential_keeps_what_an_update_leaves_out(office: World) -> None:
    """A new name is all that changes: the secret, the ids and the verification stay; it is audited."""
    id, caller = await create(office, "Before"), office.caller()
    await note_verified(office, id)
    before = await row_of(office, id)
    outcome = await perform(office, caller, "updateCredential", credential=id, name="After")
    made = outcome.made()
    assert (made["name"], made["lastVerification"]) == ("After", {"passed": True})
    after = await row_of(office, id)
    assert {k for k in before if before[k] != after[k]} <= {"name", "updated_at"}
    assert_audited(outcome, caller, "updateCredential", "OK", id)


@pytest.mark.parametrize(
    "changed", [{"clientId": OTHER_GUID}, {"tenantId": "fabrikam.example"}], ids=["client", "tenant"]
)
async def test_verification_is_void_when_an_id_changes(office: World, changed: dict[str, str]) -> None:
    """What was found of another application or tenant says nothing of this one."""
    id = await create(office, f"Void {next(iter(changed))}")
    await note_verified(office, id)
    made = (await perform(office, office.caller(), "updateCredential", credential=id, **changed)).made()
    assert (made["lastVerifiedAt"], made["lastVerification"]) == (None, None)
    assert made.items() >= changed.items()


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"name": " "}, "name"),
    ({"name": None}, "name"),
    ({"clientId": "x"}, "clientId"),
    ({"clientId": None}, "clientId"),
    ({"tenantId": "common"}, "tenantId"),
    ({"username": "a@b.example"}, "username"),
    ({"subscriptionId": "x"}, "subscriptionId"),
    ({"isGlobal": None}, "isGlobal"),
]


@pytest.mark.parametrize(("changed", "place"), MISTAKES)
async def test_update_is_refused_when_a_value_cannot_be_used(
    office: World, changed: dict[str, Any], place: str
) -> None:
    """Each mistake is INVALID where it stands, and nothing is changed."""
    id = await create(office, f"Mistaken {MISTAKES.index((changed, place))}")
    before = await row_of(office, id)
    outcome = await perform(office, office.caller(), "updateCredential", credential=id, **changed)
    assert outcome.refusal() == ("INVALID", ["input", place])
    assert await row_of(office, id) == before


async def test_user_name_can_change_only_to_a_full_one(office: World) -> None:
    """A credential of a user has a full user name."""
    id = await create(office, "User", PASSWORD_KIND)
    refused = await perform(office, office.caller(), "updateCredential", credential=id, username="sync")
    assert refused.refusal() == ("INVALID", ["input", "username"])
    made = (await perform(office, office.caller(), "updateCredential", credential=id, username="new@x.example")).made()
    assert made["username"] == "new@x.example"


async def test_update_is_refused_when_the_name_is_taken(office: World) -> None:
    """Names stay unique in an organization."""
    await create(office, "First")
    outcome = await perform(
        office, office.caller(), "updateCredential", credential=await create(office, "2"), name="First"
    )
    assert outcome.refusal() == ("CONFLICT", ["input", "name"])


async def test_tenant_stays_while_tasks_sign_in_with_it(office: World) -> None:
    """An inventory is of one tenant; a task's credential cannot move it to another."""
    id = await create(office, "Settled")
    await use(office, id, "Settled task")
    outcome = await perform(office, office.caller(), "updateCredential", credential=id, tenantId="fabrikam.example")
    assert outcome.refusal() == ("CONFLICT", ["input", "tenantId"])


async def test_new_secret_takes_the_place_of_the_old(office: World) -> None:
    """The new secret opens where the old one stood, the old one is gone, and nothing repeats either."""
    id, caller = await create(office, "Rotating"), office.caller()
    await note_verified(office, id)
    old = await row_of(office, id)
    given = {"credential": id, "secret": NEW_SECRET, "secretExpiresAt": "2999-01-01T00:00:00Z"}
    outcome = await perform(office, caller, "rotateSecret", **given)
    made, new = outcome.made(), await row_of(office, id)
    assert (made["secretState"], made["lastVerifiedAt"]) == ("VALID", None)
    place = SecretPlace(office.home, int(id[5:]), "client_secret")
    assert office.runtime.vault.open(new["sealed_secret"], place) == NEW_SECRET
    assert new["secret_set_at"] >= old["secret_set_at"] and new["last_verification"] is None
    assert "canary" not in str(outcome)
    assert_audited(outcome, caller, "rotateSecret", "OK", id)


@pytest.mark.parametrize("secret", ["", "x" * 1_001, GUID], ids=["empty", "long", "id"])
async def test_new_secret_is_refused_when_it_cannot_be_one(office: World, secret: str) -> None:
    """A mistake is told before the old secret is gone."""
    id = await create(office, f"Keeps {len(secret)}")
    outcome = await perform(office, office.caller(), "rotateSecret", credential=id, secret=secret)
    assert outcome.refusal() == ("INVALID", ["input", "secret"])
    place = SecretPlace(office.home, int(id[5:]), "client_secret")
    assert office.runtime.vault.open((await row_of(office, id))["sealed_secret"], place) == SECRET


@pytest.mark.parametrize(
    ("expires", "state"),
    [(None, "UNKNOWN"), ("2000-01-01T00:00:00Z", "EXPIRED"), ("2999-01-01T00:00:00Z", "VALID")],
)
async def test_secret_warns_of_its_end(office: World, expires: str | None, state: str) -> None:
    """secretState says without arithmetic whether it is time to rotate."""
    id = await create(office, f"State {state}", secretExpiresAt=expires)
    data = await office.caller().data("query($id: ID!) { credential(id: $id) { secretState } }", id=id)
    assert data == {"credential": {"secretState": state}}


async def test_credential_in_use_is_not_deleted_silently(office: World) -> None:
    """It is refused by the names of the tasks, done with `force`; then the task has none and the secret is gone."""
    id, caller = await create(office, "Used"), office.caller()
    task = await use(office, id, "Needs it")
    refused = await perform(office, caller, "deleteCredential", credential=id)
    assert refused.refusal() == ("CONFLICT", ["input", "credential"])
    assert "1 tasks (Needs it)" in refused.payload["errors"][0]["message"]
    done = await perform(office, caller, "deleteCredential", credential=id, force=True)
    assert done.made() == id and await row_of(office, id) is None
    text = "query($t: ID!) { task(id: $t) { credential { id } } }"
    assert await caller.data(text, t=task) == {"task": {"credential": None}}
    assert_audited(done, caller, "deleteCredential", "OK", id)


async def test_tasks_of_a_deleted_credential_get_its_replacement(office: World) -> None:
    """Of the same tenant only: then the tasks sign in with it from now on."""
    id, caller = await create(office, "Old"), office.caller()
    task = await use(office, id, "Moves on")
    elsewhere = await create(office, "Elsewhere", kind_with(SECRET_KIND, tenantId="fabrikam.example"))
    for other in (elsewhere, id):
        refused = await perform(office, caller, "deleteCredential", credential=id, replacement=other)
        assert refused.refusal() == ("CONFLICT", ["input", "replacement"])
    new = await create(office, "New")
    await perform(office, caller, "deleteCredential", credential=id, replacement=new)
    text = "query($t: ID!) { task(id: $t) { credential { id } } }"
    assert await caller.data(text, t=task) == {"task": {"credential": {"id": new}}}


async def test_unused_credential_is_deleted_at_once(office: World) -> None:
    """Nothing needs it, so nothing is asked; the second time it is not there."""
    id = await create(office, "Idle")
    assert (await perform(office, office.caller(), "deleteCredential", credential=id)).made() == id
    again = await perform(office, office.caller(), "deleteCredential", credential=id)
    assert again.refusal() == ("NOT_FOUND", ["input", "credential"])


CHANGES: dict[str, dict[str, Any]] = {
    "updateCredential": {"name": "Mine now"},
    "rotateSecret": {"secret": "another"},
    "deleteCredential": {},
    "verifyCredential": {},
}


@pytest.mark.parametrize("mutation", CHANGES)
async def test_global_credential_is_changed_by_a_superuser_of_its_organization_only(
    office: World, mutation: str
) -> None:
    """Others use it; an administrator cannot break what all organizations need, nor can another organization."""
    id = await create(office, f"For all {mutation}", isGlobal=True)
    before = await row_of(office, id)
    for caller in (office.caller(), office.caller(Role.SUPERUSER, organization=office.beta)):
        outcome = await perform(office, caller, mutation, credential=id, **CHANGES[mutation])
        assert outcome.refusal() == ("FORBIDDEN", ["input", "credential"])
    assert await row_of(office, id) == before


async def test_credential_is_shared_with_listed_organizations_only(office: World) -> None:
    """A superuser lists who may use it; taking it away waits until no task of theirs signs in with it."""
    owner, guest = office.caller(Role.SUPERUSER), office.caller(organization=office.beta)
    text = "query($id: ID!) { credential(id: $id) { name sharedWith { id } } }"
    id = await create(office, "Shared")
    assert await guest.data(text, id=id) == {"credential": None}
    beta = f"org_{office.beta}"
    made = (await perform(office, owner, "updateCredential", credential=id, sharedWith=[beta])).made()
    assert made["sharedWith"] == [{"id": beta}]
    assert await guest.data(text, id=id) == {"credential": {"name": "Shared", "sharedWith": [{"id": beta}]}}
    refused = await perform(office, guest, "rotateSecret", credential=id, secret="mine")
    assert refused.refusal() == ("FORBIDDEN", ["input", "credential"])
    await use(office, id, "Guest", organization=office.beta)
    cut_off = await perform(office, owner, "updateCredential", credential=id, sharedWith=[])
    assert cut_off.refusal() == ("CONFLICT", ["input", "sharedWith"])
    deleted = await perform(office, owner, "deleteCredential", credential=id)
    assert "1 tasks of other organizations" in deleted.payload["errors"][0]["message"]
    assert "Guest" not in str(deleted.payload)
