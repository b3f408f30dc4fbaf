"""The root of all mutations."""

from __future__ import annotations

import strawberry

from schema.mutations import asset, bulk, credential, organization, run, scan, task, verification, webhook


@strawberry.type(description="All mutations.")
class Mutation:
    create_organization = organization.create_organization
    create_site = organization.create_site
    update_site = organization.update_site
    import_scan = scan.import_scan
    create_token = organization.create_token
    revoke_token = organization.revoke_token
    create_credential = credential.create_credential
    update_credential = credential.update_credential
    rotate_secret = credential.rotate_secret
    delete_credential = credential.delete_credential
    verify_credential = verification.verify_credential
    test_credential = verification.test_credential
    create_task = task.create_task
    update_task = task.update_task
    delete_task = task.delete_task
    pause_task = task.pause_task
    resume_task = task.resume_task
    hide_task = task.hide_task
    pause_tasks = bulk.pause_tasks
    resume_tasks = bulk.resume_tasks
    trigger_task = run.trigger_task
    stop_run = run.stop_run
    stop_runs = bulk.stop_runs
    retry_run = run.retry_run
    update_retention = organization.update_retention
    merge_assets = asset.merge_assets
    split_asset = asset.split_asset
    confirm_removal = run.confirm_removal
    create_webhook = webhook.create_webhook
    update_webhook = webhook.update_webhook
    delete_webhook = webhook.delete_webhook
    test_webhook = webhook.test_webhook
