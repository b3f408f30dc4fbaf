"""Sends mutations and reads what they left behind: payloads, audit rows, and the whole of an answer as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from sync.store import tables
from tests.api.caller import Caller
from tests.api.world import World

ERRORS = "errors { code message path hint }"
TASK = (
    "id name description kind status excludeUnknown includeInactive createdBy site { id } "
    "credential { id } scan { targets excludes ports rate scanner probes { azureAd { enabled excludeUnknown "
    "includeInactive } } } nextRunAt schedule { kind moment everyHours at days day cron zone start end jitterSeconds "
    "graceSeconds }"
)
VERIFICATION = "at passed permissionKind checks { subject result message hint code permission aadsts }"
# Mutation → what of its result is read back.
FIELDS = {
    "createOrganization": "organization { id name sites { totalCount } }",
    "createSite": "site { id name description scope organization { id } }",
    "updateSite": "site { id name description scope }",
    "importScan": "site { id } counts { inventory created merged updated silent } warnings",
    "createToken": "text token { id name role prefix createdBy expiresAt organization { id } }",
    "revokeToken": "token { id revokedAt }",
    "createCredential": "credential { id name kind cloud clientId tenantId username subscriptionId allSubscriptions "
    "isGlobal secretSetAt secretExpiresAt lastUsedAt createdBy organization { id } }",
    "updateCredential": "credential { id name clientId tenantId username allSubscriptions subscriptionId isGlobal "
    "secretExpiresAt secretState lastVerifiedAt lastVerification { passed } sharedWith { id } }",
    "rotateSecret": "credential { id secretSetAt secretExpiresAt secretState lastVerifiedAt }",
    "deleteCredential": "deletedId",
    "verifyCredential": f"verification {{ {VERIFICATION} }} credential {{ lastVerifiedAt lastVerification "
    f"{{ {VERIFICATION} }} }}",
    "testCredential": f"verification {{ {VERIFICATION} }}",
    "createTask": f"task {{ {TASK} }}",
    "updateTask": f"task {{ {TASK} }}",
    "deleteTask": "deletedId",
    "pauseTask": "task { id status paused nextRunAt nextRuns }",
    "resumeTask": "task { id status paused nextRunAt nextRuns }",
    "hideTask": "task { id hidden }",
    "pauseTasks": "count",
    "resumeTasks": "count",
    "updateRetention": "organization { id retention { staleAssets offlineAssets sourceAttributes runs tombstones } }",
    "mergeAssets": "asset { id name names tags comment criticality matches { source key value } azureAd { id } }",
    "splitAsset": "newAsset { id names matches { source key value } } asset { id names azureAd { id } scan { id } }",
    "triggerTask": "run { id status trigger triggeredBy attempt task { id } }",
    "stopRun": "run { id status stopAskedAt finishedAt task { id } }",
    "stopRuns": "count",
    "retryRun": "run { id status trigger triggeredBy task { id } retryOf { id } }",
    "createWebhook": "webhook { id name url events isEnabled createdBy secretSetAt }",
    "updateWebhook": "webhook { id name url events isEnabled secretSetAt }",
    "deleteWebhook": "deletedId",
    "testWebhook": "delivery { id event status attempts body }",
    "confirmRemoval": "run { id status task { id } }",
}


def document(mutation: str) -> str:
    """Write a mutation's document."""
    name = mutation[0].upper() + mutation[1:]
    return f"mutation($input: {name}Input!) {{ {mutation}(input: $input) {{ {FIELDS[mutation]} {ERRORS} }} }}"


@dataclass(frozen=True)
class Outcome:
    """A payload, and the audit rows that were written meanwhile."""

    payload: Mapping[str, Any]
    audit: list[dict[str, Any]]

    def refusal(self) -> tuple[str, list[str]]:
        """Return code and path of the one error; nothing was done."""
        (error,) = self.payload["errors"]
        assert all(value is None for name, value in self.payload.items() if name != "errors")
        assert error["message"]
        return error["code"], error["path"]

    def made(self) -> Any:
        """Return what the mutation made."""
        assert self.payload["errors"] == []
        return next(value for name, value in self.payload.items() if name not in ("errors", "text"))


async def perform(world: World, caller: Caller, mutation: str, **given: Any) -> Outcome:
    """Run a mutation that must get as far as a payload."""
    before = await _audit(world)
    data = await caller.data(document(mutation), input=given)
    return Outcome(data[mutation], (await _audit(world))[len(before) :])


async def _audit(world: World) -> list[dict[str, Any]]:
    return [dict(row) for row in await world.read(select(tables.audit_events).order_by(tables.audit_events.c.id))]


def assert_audited(outcome: Outcome, caller: Caller, action: str, result: str, target: str | None = None) -> None:
    """Assert that exactly one audit row says who did what to what, and how it ended."""
    (row,) = outcome.audit
    assert (row["action"], row["outcome"], row["target"]) == (action, result, target)
    assert row["organization_id"] == caller.principal.organization_id
    assert caller.principal.name in row["actor"] and row["request_id"] == "request-1" and row["at"]
