"""Mutations that try a credential, stored or not yet: they sign in, read one object of each kind and tell."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry.types import Info

from schema.context import Context
from schema.mutations.credential import (
    CREDENTIAL,
    CredentialKindInput,
    credential_key,
    new_credential,
    owner_of,
    placed,
)
from schema.mutations.payload import Done, mutate, within
from schema.types import Credential
from schema.types.credential import AzureCloud
from schema.types.verification import CredentialVerification, verification_of
from sync.secret.credentials import open_sign_in, own_credential, save_verification, sign_in_of
from sync.secret.verification import Verification, verify
from sync.store import AnyRow

_FOUND = "What was found: a checklist with what to do about each failure."
VerifyCredentialPayload = CREDENTIAL.type(
    "verifyCredential",
    verification=(CredentialVerification, _FOUND),
    credential=(Credential, "The credential, which keeps the checklist."),
)
TestCredentialPayload = CREDENTIAL.type("testCredential", verification=(CredentialVerification, _FOUND))


@strawberry.input(description="Which credential to verify.")
class VerifyCredentialInput:
    credential: strawberry.ID = strawberry.field(description="The credential.")


@strawberry.input(description="A credential to try before it is saved; nothing of it is kept.")
class TestCredentialInput:
    cloud: AzureCloud = strawberry.field(default=AzureCloud.GLOBAL, description="The cloud the tenant lives in.")
    kind: CredentialKindInput = strawberry.field(description="How it signs in.")


async def verify_credential_(info: Info[Context, None], input: VerifyCredentialInput) -> Any:
    """Verify a stored credential and keep what was found."""
    context = info.context
    runtime, found = context.runtime, {}

    async def before() -> None:
        key = credential_key(input.credential)
        async with runtime.store.read() as tx:
            with within("credential"):
                row = await own_credential(tx, owner_of(context), key)
        found["set_at"], found["verified"] = row.secret_set_at, await _verify(context, row)

    async def work(tx: AsyncConnection) -> Done:
        key, verified = credential_key(input.credential), found["verified"]
        stored = verified.stored()
        await save_verification(tx, key, stored, at=verified.at, passed=verified.passed, set_at=found["set_at"])
        return "Credential", key

    async def after(key: int) -> dict[str, Any]:
        verification = verification_of(found["verified"].stored())
        return {"verification": verification, "credential": await context.load("Credential", key)}

    return await mutate(info, CREDENTIAL, VerifyCredentialPayload, work, after, before)


async def test_credential_(info: Info[Context, None], input: TestCredentialInput) -> Any:
    """Verify a credential that is not stored."""
    context = info.context
    runtime, found = context.runtime, {}

    async def before() -> None:
        kind, new = new_credential(input.kind, input.cloud, name="test")
        with placed(kind, new):
            sign_in = sign_in_of(new, runtime.custom)
        found["verified"] = await verify(sign_in, runtime.clock, runtime.config.connect)

    async def work(_: AsyncConnection) -> Done:
        return None

    async def after(_: int) -> dict[str, Any]:
        return {"verification": verification_of(found["verified"].stored())}

    return await mutate(info, CREDENTIAL, TestCredentialPayload, work, after, before)


async def _verify(context: Context, row: AnyRow) -> Verification:
    """Open the secret for this one sign-in."""
    runtime = context.runtime
    return await verify(open_sign_in(row, runtime.vault, runtime.custom), runtime.clock, runtime.config.connect)
