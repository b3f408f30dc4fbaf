"""Tasks and credentials as they are created: who may use what, and requests that may be sent twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from sync.entra.cloud import Cloud
from sync.entra.signin.token import PasswordSignIn, SecretSignIn
from sync.errors import BadInput, Conflict, NotFound, Tampered
from sync.organization.organizations import create_organization, create_site
from sync.secret.credentials import CredentialKind, NewCredential, create_credential, open_sign_in, usable_credential
from sync.secret.vault import Vault, new_key
from sync.store import Store
from sync.store.tables import credential_access, credentials, runs, tasks
from sync.tasks.run.queue import trigger_task
from sync.tasks.run.state import RunStatus
from sync.tasks.task import NewConnector, create_connector
from tests.canary import canary_secret
from tests.sync.entra.clock import FakeClock

GUID = "11111111-2222-3333-4444-555555555555"
SECRET = canary_secret("credential")
NEW = NewCredential("Entra", CredentialKind.AZURE_CLIENT_SECRET, Cloud.GLOBAL, GUID, "contoso.example", SECRET)


@dataclass
class Office:
    """Two organizations, each with a site and a credential."""

    store: Store
    clock: FakeClock
    vault: Vault
    home: int = 0
    away: int = 0
    home_site: int = 0
    away_site: int = 0
    mine: int = 0
    foreign: int = 0

    async def credential(self, organization_id: int, new: NewCredential = NEW) -> int:
        """Create a credential."""
        async with self.store.write() as tx:
            return await create_credential(
                tx, self.clock, self.vault, None, organization_id=organization_id, new=new, created_by="test"
            )

    async def task(self, *, key: str | None = None, **more: Any) -> int:
        """Create a task in the home organization."""
        values: dict[str, Any] = {"name": "Sync", "site_id": self.home_site, "credential_id": self.mine}
        new = NewConnector(**(values | more))
        async with self.store.write() as tx:
            return await create_connector(
                tx, self.clock, organization_id=self.home, new=new, created_by="test", idempotency_key=key
            )

    async def trigger(self, task_id: int, *, organization_id: int = 0, key: str | None = None) -> int:
        """Queue a run."""
        async with self.store.write() as tx:
            return await trigger_task(
                tx,
                self.clock,
                organization_id=organization_id or self.home,
                task_id=task_id,
                triggered_by="test",
                idempotency_key=key,
            )

    async def count(self, table: Any) -> int:
        """Count the rows of a table."""
        async with self.store.read() as tx:
            return int(await tx.scalar(select(func.count()).select_from(table)) or 0)


@pytest.fixture
async def office(store: Store, clock: FakeClock) -> Office:
    """Return two organizations that know nothing of each other."""
    office = Office(store, clock, Vault.parse(new_key()))
    async with store.write() as tx:
        office.home = await create_organization(tx, clock, "Contoso")
        office.away = await create_organization(tx, clock, "Fabrikam")
        office.home_site = await create_site(tx, clock, office.home, "Main")
        office.away_site = await create_site(tx, clock, office.away, "Main")
    office.mine = await office.credential(office.home)
    office.foreign = await office.credential(office.away)
    return office


async def test_credential_of_another_organization_looks_like_a_missing_one(office: Office) -> None:
    """A foreign credential and one that does not exist give the same answer, word for word."""
    said = []
    for credential_id in (office.foreign, 1_000):
        with pytest.raises(NotFound) as caught:
            await office.task(credential_id=credential_id)
        said.append((str(caught.value), caught.value.hint, caught.value.facts))
    assert said[0] == said[1]
    assert await office.count(tasks) == 0


async def test_global_credential_is_usable_by_every_organization(office: Office) -> None:
    """A credential marked global opens for others, sealed to the organization that owns it."""
    shared = await office.credential(office.away, replace(NEW, name="Shared", is_global=True))
    assert await office.task(credential_id=shared)
    async with office.store.read() as tx:
        row = await usable_credential(tx, office.home, shared)
    sign_in = open_sign_in(row, office.vault, None)
    assert isinstance(sign_in, SecretSignIn) and sign_in.client_secret == SECRET


async def test_credential_is_usable_when_access_was_given(office: Office) -> None:
    """Access given to one organization opens the credential for that one."""
    async with office.store.write() as tx:
        await tx.execute(insert(credential_access).values(credential_id=office.foreign, organization_id=office.home))
    assert await office.task(credential_id=office.foreign)


@pytest.mark.parametrize("task_kind", CredentialKind)
async def test_secret_opens_as_the_sign_in_of_its_kind(office: Office, task_kind: CredentialKind) -> None:
    """Kind, ids, user name and secret come back as entered, the secret never in a repr."""
    new = replace(NEW, name="Other", kind=task_kind, username="sync@contoso.example", client_id=GUID.upper())
    key = await office.credential(office.home, new)
    async with office.store.read() as tx:
        sign_in = open_sign_in(await usable_credential(tx, office.home, key), office.vault, None)
    assert (sign_in.client_id, sign_in.tenant_id) == (GUID, "contoso.example")
    if isinstance(sign_in, PasswordSignIn):
        assert (sign_in.username, sign_in.password) == ("sync@contoso.example", SECRET)
    else:
        assert sign_in.client_secret == SECRET
    assert SECRET not in f"{sign_in!r} {new!r}"


@pytest.mark.parametrize("column", ["organization_id", "kind", "sealed_secret"])
async def test_secret_is_refused_when_its_row_was_tampered_with(office: Office, column: str) -> None:
    """Sealed bytes of another row, a row moved to another organization or turned into another kind do not open."""
    other = await office.credential(office.home, replace(NEW, name="Other"))
    async with office.store.write() as tx:
        taken = select(credentials.c.sealed_secret).where(credentials.c.id == office.mine).scalar_subquery()
        values = {"organization_id": office.away, "kind": "AZURE_USERNAME_PASSWORD", "sealed_secret": taken}
        await tx.execute(update(credentials).where(credentials.c.id == other).values({column: values[column]}))
    async with office.store.read() as tx:
        row = (await tx.execute(select(credentials).where(credentials.c.id == other))).one()
    with pytest.raises(Tampered):
        open_sign_in(row, office.vault, None)


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"secret": ""}, "client_secret"),
        ({"secret": "x" * 1_001}, "client_secret"),
        ({"secret": GUID}, "client_secret"),
        ({"kind": CredentialKind.AZURE_USERNAME_PASSWORD}, "username"),
        ({"kind": CredentialKind.AZURE_USERNAME_PASSWORD, "username": "sync"}, "username"),
        ({"subscription_id": "x"}, "subscriptionId"),
        ({"name": " "}, "name"),
        ({"client_id": "x"}, None),
        ({"tenant_id": "../common"}, None),
        ({"cloud": Cloud.CUSTOM}, None),
    ],
    ids=str,
)
async def test_malformed_credential_is_refused_without_its_secret(
    office: Office, changed: dict[str, Any], path: str | None
) -> None:
    """Each mistake is the caller's, names its field where it can, and never repeats the secret."""
    before = await office.count(credentials)
    new = replace(NEW, **({"name": "Other"} | changed))
    with pytest.raises(BadInput) as caught:
        await office.credential(office.home, new)
    assert caught.value.facts.get("path") == path
    assert not new.secret or new.secret not in f"{caught.value!r}{caught.value.hint}"
    assert await office.count(credentials) == before


async def test_credential_name_is_taken_once_an_organization(office: Office) -> None:
    """The same name in another organization is no conflict."""
    with pytest.raises(Conflict):
        await office.credential(office.home)
    assert await office.count(credentials) == 2


@pytest.mark.parametrize("site", ["away_site", "missing"])
async def test_task_is_refused_in_a_site_of_another_organization(office: Office, site: str) -> None:
    """A foreign site and a missing one are both not found."""
    with pytest.raises(NotFound) as caught:
        await office.task(site_id=getattr(office, site, 1_000))
    assert caught.value.facts == {"path": "site"}


async def test_task_is_triggered_once_while_a_run_is_active(office: Office) -> None:
    """Two triggers at once give one run and a Conflict; after its end the next trigger gives another run."""
    task_id = await office.task()
    run_id = await office.trigger(task_id)
    for status in (RunStatus.QUEUED, RunStatus.RUNNING):
        async with office.store.write() as tx:
            await tx.execute(update(runs).values(status=status))
        with pytest.raises(Conflict):
            await office.trigger(task_id)
    assert await office.count(runs) == 1
    async with office.store.write() as tx:
        await tx.execute(update(runs).values(status=RunStatus.FAILED))
    assert await office.trigger(task_id) != run_id


async def test_task_of_another_organization_cannot_be_triggered(office: Office) -> None:
    """A foreign task is not found, and no run is queued."""
    task_id = await office.task()
    with pytest.raises(NotFound):
        await office.trigger(task_id, organization_id=office.away)
    assert await office.count(runs) == 0


async def test_request_sent_again_gives_the_first_answer(office: Office) -> None:
    """With the same key and input nothing is done twice, even while the run is active."""
    task_id = await office.task(key="k")
    assert await office.task(key="k") == task_id
    run_id = await office.trigger(task_id, key="k")
    assert await office.trigger(task_id, key="k") == run_id
    assert (await office.count(tasks), await office.count(runs)) == (1, 1)


async def test_key_is_refused_when_it_was_used_with_another_input(office: Office) -> None:
    """A key stands for one input; the same key is free for another operation and another organization."""
    task_id, other = await office.task(key="k"), await office.task(name="Other")
    with pytest.raises(Conflict) as caught:
        await office.task(name="Different", key="k")
    assert caught.value.facts == {"path": "idempotencyKey"}
    await office.trigger(task_id, key="k")
    with pytest.raises(Conflict):
        await office.trigger(other, key="k")


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "\0"])
async def test_malformed_key_is_refused(office: Office, key: str) -> None:
    """An idempotency key has 1 to 200 printable characters."""
    with pytest.raises(BadInput):
        await office.task(key=key)


async def test_key_is_forgotten_when_its_transaction_is_rolled_back(office: Office) -> None:
    """A request that failed can be sent again: key and task are written together or not at all."""
    with pytest.raises(ZeroDivisionError):
        async with office.store.write() as tx:
            new = NewConnector("Sync", office.home_site, office.mine)
            await create_connector(
                tx, office.clock, organization_id=office.home, new=new, created_by="test", idempotency_key="k"
            )
            raise ZeroDivisionError
    assert await office.count(tasks) == 0
    assert await office.task(key="k")
