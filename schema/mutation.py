"""The root of all mutations."""

from __future__ import annotations

from typing import Any

import strawberry

from schema.arguments import INPUT, argument
from schema.mutations import asset, credential, organization, task, verification


def _mutation(resolve: Any, payload: Any, description: str) -> Any:
    given = resolve.__globals__[resolve.__annotations__["input"]]
    resolve.__annotations__ |= {"input": argument(given, INPUT), "return": payload}
    return strawberry.mutation(resolver=resolve, description=description)


@strawberry.type(description="What can be changed.")
class Mutation:
    """The root of mutations."""

    create_organization = _mutation(
        organization.create_organization_,
        organization.CreateOrganizationPayload,
        "Create an organization. It has no site and no token yet.",
    )
    create_site = _mutation(
        organization.create_site_, organization.CreateSitePayload, "Create a site in the organization of the token."
    )
    create_token = _mutation(
        organization.create_token_, organization.CreateTokenPayload, "Create an API token; its text is shown once."
    )
    revoke_token = _mutation(
        organization.revoke_token_,
        organization.RevokeTokenPayload,
        "Revoke an API token of the organization; its next request is refused.",
    )
    create_credential = _mutation(
        credential.create_credential_,
        credential.CreateCredentialPayload,
        "Create a credential. Its secret is sealed at once and never returned.",
    )
    update_credential = _mutation(
        credential.update_credential_,
        credential.UpdateCredentialPayload,
        "Change a credential; a change of who signs in where makes its verification void.",
    )
    rotate_secret = _mutation(
        credential.rotate_secret_,
        credential.RotateSecretPayload,
        "Give a credential a new secret; the next sign-in uses it, the old one is gone.",
    )
    delete_credential = _mutation(
        credential.delete_credential_,
        credential.DeleteCredentialPayload,
        "Delete a credential and its sealed secret; refused while tasks use it, unless told what becomes of them.",
    )
    verify_credential = _mutation(
        verification.verify_credential_,
        verification.VerifyCredentialPayload,
        "Sign in with a credential, try what a sync reads, and keep the checklist with it.",
    )
    test_credential = _mutation(
        verification.test_credential_,
        verification.TestCredentialPayload,
        "Try a credential before it is saved; nothing of it is kept.",
    )
    create_task = _mutation(task.create_task_, task.CreateTaskPayload, "Create a task; it runs when it is triggered.")
    trigger_task = _mutation(
        task.trigger_task_, task.TriggerTaskPayload, "Run a task now; refused while a run of it is active."
    )
    update_retention = _mutation(
        organization.update_retention,
        organization.UpdateRetentionPayload,
        "Change how long the organization of the token keeps things; it counts from the next night on.",
    )
    merge_assets = _mutation(
        asset.merge_assets_, asset.MergeAssetsPayload, "Say that assets are one machine; no later sync undoes it."
    )
    split_asset = _mutation(
        asset.split_asset_, asset.SplitAssetPayload, "Say that records are another machine; no later sync undoes it."
    )
    confirm_removal = _mutation(
        task.confirm_removal_,
        task.ConfirmRemovalPayload,
        "Let a run remove what it was held for; what goes beyond that is asked for again.",
    )
