"""A credential that other organizations may use tells them how it signs in, and nothing of who made it."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from sync.store import tables
from tests.api.lists import SCHEMA
from tests.api.world import World

CREDENTIAL = "query($id: ID!) { credential(id: $id) { name isGlobal createdBy organization { id } } }"


async def test_creator_of_a_credential_is_told_to_its_own_organization_alone(office: World) -> None:
    """Others may use what is global or shared with them; whose token made it is no business of theirs."""
    columns, shared = tables.credentials.c, tables.credential_access
    async with office.runtime.store.write() as tx:
        keys = (await tx.scalars(select(columns.id).where(columns.organization_id == office.beta).limit(2))).all()
        made = update(tables.credentials).where(columns.id.in_(keys)).values(created_by="token of Beta")
        await tx.execute(made)
        await tx.execute(update(tables.credentials).where(columns.id == keys[0]).values(is_global=True))
        await tx.execute(insert(shared).values(credential_id=keys[1], organization_id=office.home))
    for key in keys:
        told = []
        for organization in (office.beta, office.home):
            data = await office.caller(organization=organization).data(CREDENTIAL, id=f"cred_{key}")
            told.append((data["credential"]["createdBy"], bool(data["credential"]["organization"])))
        assert told == [("token of Beta", True), (None, False)]


def test_creator_of_a_credential_is_no_condition_and_no_order() -> None:
    """What is not shown cannot be found out by filters and orders either."""
    where, order = SCHEMA.type_map["CredentialWhere"], SCHEMA.type_map["CredentialOrderField"]
    assert "createdBy" not in where.fields  # type: ignore[attr-defined]
    assert "CREATED_BY" not in order.values  # type: ignore[attr-defined]
