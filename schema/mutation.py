"""The root of all mutations."""

from __future__ import annotations

from typing import Any

import strawberry

from schema.arguments import INPUT, argument
from schema.mutations import asset, credential, organization, scan, task, webhook


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
    update_site = _mutation(
        organization.update_site_, organization.UpdateSitePayload, "Change a site, or what of it may be scanned."
    )
    import_scan = _mutation(
        scan.import_scan_,
        scan.ImportScanPayload,
        "Import a report of nmap, as if its hosts had been scanned; the same report again changes nothing.",
    )
    create_token = _mutation(
        organization.create_token_, organization.CreateTokenPayload, "Create an API token; its text is shown once."
    )
    create_credential = _mutation(
        credential.create_credential_,
        credential.CreateCredentialPayload,
        "Create a credential. Its secret is sealed at once and never returned.",
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
    create_webhook = _mutation(
        webhook.create_webhook_,
        webhook.CreateWebhookPayload,
        "Create a webhook. Its secret is sealed at once and never returned.",
    )
    update_webhook = _mutation(webhook.update_webhook_, webhook.UpdateWebhookPayload, "Change a webhook.")
    delete_webhook = _mutation(
        webhook.delete_webhook_, webhook.DeleteWebhookPayload, "Delete a webhook with its secret and its log."
    )
    test_webhook = _mutation(
        webhook.test_webhook_, webhook.TestWebhookPayload, "Send a webhook a test; the answer does not wait for it."
    )
