"""Mutations that try a credential, stored or not: they sign in, read an object of each kind and return a checklist."""

from __future__ import annotations

import strawberry

from schema.mutations.credential import (
    CREDENTIAL,
    CredentialKindInput,
    credential_key,
    new_credential,
    owner_of,
    placed,
)
from schema.mutations.payload import MutationContext, mutation, within
from schema.types import Credential
from schema.types.credential import AzureCloud
from schema.types.verification import CredentialVerification, verification_of
from sync.secret.credentials import open_sign_in, own_credential, save_verification, sign_in_of
from sync.secret.verification import Verification, verify

_FOUND = "The checklist, with advice for each failure."


@strawberry.input(description="The credential to verify.")
class VerifyCredentialInput:
    credential: strawberry.ID = strawberry.field(description="The credential.")


@strawberry.input(description="A credential to try before it is saved; nothing of it is stored.")
class TestCredentialInput:
    cloud: AzureCloud = strawberry.field(default=AzureCloud.GLOBAL, description="The cloud the tenant lives in.")
    kind: CredentialKindInput = strawberry.field(description="How it signs in.")


async def _verified(context: MutationContext, input: VerifyCredentialInput) -> tuple[str, Verification]:
    """Sign in with a stored credential; return when its secret was set, and the result."""
    runtime = context.runtime
    async with runtime.store.read() as tx:
        with within("credential"):
            row = await own_credential(tx, owner_of(context.operation), credential_key(input.credential))
    # The secret is opened for this sign-in only.
    signing_in = open_sign_in(row, runtime.vault, runtime.custom)
    return row.secret_set_at, await verify(signing_in, runtime.clock, runtime.config.connect)


@mutation(
    CREDENTIAL,
    "Sign in with a credential, try the reads of a sync, and store the checklist with the credential.",
    before=_verified,
    verification=(CredentialVerification, _FOUND),
    credential=(Credential, "The credential with the checklist."),
)
async def verify_credential(context: MutationContext, input: VerifyCredentialInput) -> int:
    """Store the checklist of a stored credential."""
    key, (set_at, found) = credential_key(input.credential), context.prepared
    stored = found.stored()
    await save_verification(context.tx, key, stored, at=found.at, passed=found.passed, set_at=set_at)
    context.show(verification=verification_of(stored))
    return key


async def _tried(context: MutationContext, input: TestCredentialInput) -> Verification:
    """Sign in with a credential that is not stored."""
    runtime = context.runtime
    kind, new = new_credential(input.kind, input.cloud, name="test")
    with placed(kind, new):
        sign_in = sign_in_of(new, runtime.custom)
    return await verify(sign_in, runtime.clock, runtime.config.connect)


@mutation(
    CREDENTIAL,
    "Try a credential before it is saved; nothing of it is stored.",
    before=_tried,
    verification=(CredentialVerification, _FOUND),
)
async def test_credential(context: MutationContext, input: TestCredentialInput) -> None:
    """Return the checklist of a credential that is not stored."""
    context.show(verification=verification_of(context.prepared.stored()))
