"""updateRetention and retentionPreview: who may, what is kept of what was said, and what would go."""

from __future__ import annotations

from typing import Any

import pytest

from sync.inventory.asset.asset import AssetPlace
from sync.inventory.scan.record import Host, apply_scan
from sync.store import tables
from tests.api.mutation import assert_audited, perform
from tests.api.world import World

PREVIEW = "query($input: UpdateRetentionInput) { retentionPreview(input: $input) { subject days before count } }"
NOTHING = {"staleAssets": None, "offlineAssets": None, "sourceAttributes": None, "runs": None, "tombstones": 90}


async def test_settings_are_kept_as_far_as_they_were_said(office: World) -> None:
    """What is left out stays, null keeps for good, another organization's settings are its own."""
    caller = office.caller()
    text = "{ viewer { organization { retention { staleAssets offlineAssets sourceAttributes runs tombstones } } } }"
    assert (await caller.data(text))["viewer"]["organization"]["retention"] == NOTHING
    outcome = await perform(office, caller, "updateRetention", staleAssets=180, runs=30)
    made = outcome.made()
    assert made["retention"] == NOTHING | {"staleAssets": 180, "runs": 30}
    assert_audited(outcome, caller, "updateRetention", "OK", f"org_{office.home}")
    made = (await perform(office, caller, "updateRetention", runs=None, tombstones=45)).made()
    assert made["retention"] == NOTHING | {"staleAssets": 180, "tombstones": 45}
    other = office.caller(organization=office.beta)
    assert (await other.data(text))["viewer"]["organization"]["retention"] == NOTHING
    (await perform(office, caller, "updateRetention", staleAssets=None, tombstones=90)).made()


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"staleAssets": 0}, "staleAssets"),
        ({"offlineAssets": -5}, "offlineAssets"),
        ({"sourceAttributes": 3_651}, "sourceAttributes"),
        ({"runs": 0, "staleAssets": 10}, "runs"),
        ({"tombstones": 29}, "tombstones"),
        ({"tombstones": None}, "tombstones"),
    ],
)
async def test_settings_are_refused_when_days_are_out_of_range(
    office: World, given: dict[str, Any], place: str
) -> None:
    """INVALID at the setting's place, by the mutation and by the preview; nothing is changed."""
    caller = office.caller()
    outcome = await perform(office, caller, "updateRetention", **given)
    assert outcome.refusal() == ("INVALID", ["input", place])
    assert_audited(outcome, caller, "updateRetention", "BAD_USER_INPUT")
    assert (await caller.ask(PREVIEW, input=given)).code == "BAD_USER_INPUT"
    preview = (await caller.data(PREVIEW))["retentionPreview"]
    assert {row["subject"]: row["days"] for row in preview}["TOMBSTONES"] == 90


async def test_preview_counts_what_would_go_and_removes_nothing(office: World) -> None:
    """With other settings than the stored ones, for this organization only."""
    caller = office.caller()
    hosts = [
        Host("2020-01-01T00:00:00.000Z", names=("ancient",)),
        Host("2020-01-01T00:00:00.000Z", names=("silent",), alive=False),
        Host("2099-01-01T00:00:00.000Z", names=("fresh",)),
    ]
    async with office.runtime.store.write() as tx:
        await tx.run_sync(apply_scan, office.runtime.clock, AssetPlace(office.home, 1), hosts)
    given = {"staleAssets": 30, "offlineAssets": 30, "sourceAttributes": 30, "runs": 30}
    rows = (await caller.data(PREVIEW, input=given))["retentionPreview"]
    counts = {row["subject"]: row["count"] for row in rows}
    assert counts == {"STALE_ASSETS": 2, "OFFLINE_ASSETS": 1, "SOURCE_ATTRIBUTES": 2, "RUNS": 0, "TOMBSTONES": 0}
    assert all(row["before"] < "2099" and row["days"] in (30, 90) for row in rows)
    text = "{ before: viewer { organization { name } } retentionPreview { days before count } assets { totalCount } }"
    stored = (await caller.data(text))["retentionPreview"]
    assert {row["count"] for row in stored} == {0}
    assert {row["before"] is None for row in stored if row["days"] is None} == {True}
    assert len(await office.rows(tables.scan_records, office.home)) == 3
