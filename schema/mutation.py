"""The root of all mutations."""

from __future__ import annotations

from typing import Any

import strawberry

from schema.field.arguments import INPUT, argument
from schema.mutations import asset, bulk, credential, organization, run, scan, task, verification, webhook


def _mutation(resolve: Any, payload: Any, description: str) -> Any:
    given = resolve.__globals__[resolve.__annotations__["input"]]
    resolve.__annotations__ |= {"input": argument(given, INPUT), "return": payload}
    return strawberry.mutation(resolver=resolve, description=description)


@strawberry.type(description="What can be changed.")
class Mutation:
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
    create_task = _mutation(
        task.create_task_, task.CreateTaskPayload, "Create a task; it runs by its schedule and when it is triggered."
    )
    update_task = _mutation(task.update_task_, task.UpdateTaskPayload, "Change a task.")
    delete_task = _mutation(
        task.delete_task_,
        task.DeleteTaskPayload,
        "Delete a task with its runs and their logs; what it wrote into the inventory stays. "
        "Refused while a run of it is active.",
    )
    pause_task = _mutation(
        task.pause_task_,
        task.PauseTaskPayload,
        "Suspend a task's schedule; a run that is active goes on, and it can be triggered.",
    )
    resume_task = _mutation(
        task.resume_task_,
        task.ResumeTaskPayload,
        "Let a task's schedule go on with its next time; times that passed meanwhile are not made up for.",
    )
    hide_task = _mutation(
        task.hide_task_, task.HideTaskPayload, "Mark a task as one for no everyday list; it runs as before."
    )
    pause_tasks = _mutation(
        bulk.pause_tasks_, bulk.PauseTasksPayload, "Suspend the schedules of the tasks that a filter chooses."
    )
    resume_tasks = _mutation(
        bulk.resume_tasks_, bulk.ResumeTasksPayload, "Let the schedules of the tasks that a filter chooses go on."
    )
    trigger_task = _mutation(
        run.trigger_task_, run.TriggerTaskPayload, "Run a task now; refused while a run of it is active."
    )
    stop_run = _mutation(
        run.stop_run_,
        run.StopRunPayload,
        "Stop a run. One that is running finishes the page in hand; what it has written stays.",
    )
    stop_runs = _mutation(bulk.stop_runs_, bulk.StopRunsPayload, "Stop the runs that a filter chooses.")
    retry_run = _mutation(
        run.retry_run_,
        run.RetryRunPayload,
        "Try a run again that did not succeed: a new run that goes on from where the directory's streams are.",
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
        run.confirm_removal_,
        run.ConfirmRemovalPayload,
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
