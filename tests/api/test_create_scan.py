"""createTask with a scan: what it looks at is checked at once, shown on the task, and kept inside the site's scope."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.mutation import assert_audited, perform
from tests.api.test_create_task import SITE, connector, credential
from tests.api.world import World


async def test_scan_task_is_made_with_what_was_given(office: World) -> None:
    """Targets, ports, rate, scanner and probe come back as they were sent; the probe's credential is the task's."""
    caller, key = office.caller(), await credential(office, "For a scan")
    probe = {"credential": key, "excludeUnknown": True, "includeInactive": True}
    scan = {
        "targets": ["10.0.0.0/24", "printer.corp.example"],
        "excludes": ["10.0.0.1-9"],
        "ports": "22,80-90",
        "rate": 50,
        "scanner": "EMBEDDED",
    }
    outcome = await perform(
        office, caller, "createTask", name="Office", site=SITE, scan=scan | {"probes": {"azureAd": probe}}
    )
    made = outcome.made()
    assert (made["kind"], made["credential"], made["status"]) == ("SCAN", {"id": key}, "NEW")
    shown = {"enabled": True, "excludeUnknown": True, "includeInactive": True}
    assert made["scan"] == scan | {"probes": {"azureAd": shown}}
    assert_audited(outcome, caller, "createTask", "OK", made["id"])


async def test_scan_task_has_sensible_defaults_when_only_targets_are_given(office: World) -> None:
    """No excludes, the usual ports, a thousand connections a second, nmap where it is installed, no probe."""
    made = (
        await perform(office, office.caller(), "createTask", name="S", site=SITE, scan={"targets": ["10.0.0.1"]})
    ).made()
    assert made["scan"] == {
        "targets": ["10.0.0.1"],
        "excludes": [],
        "ports": None,
        "rate": 1_000,
        "scanner": None,
        "probes": {"azureAd": {"enabled": False, "excludeUnknown": False, "includeInactive": False}},
    }
    assert made["credential"] is None


@pytest.mark.parametrize(
    ("changed", "place", "said"),
    [
        ({"targets": []}, "scan.targets", "nothing to scan"),
        ({"targets": ["10.0.0.0/33"]}, "scan.targets", "Entry 1 of the targets is not"),
        ({"targets": ["10.0.0.1; reboot"]}, "scan.targets", "is not"),
        ({"targets": ["-oX"]}, "scan.targets", "is not"),
        ({"targets": ["10.0.0.0/8"]}, "scan.targets", "16,777,216 addresses; a scan may have 65,536"),
        ({"targets": ["10.0.0.0/16"], "ports": "1-1000"}, "scan.targets", "65,536,000 connections"),
        ({"excludes": ["10.0.0.0/24"]}, "scan.excludes", "nothing to scan"),
        ({"excludes": ["x y"]}, "scan.excludes", "is not"),
        ({"ports": "0"}, "scan.ports", "Part 1 of the ports is not a port"),
        ({"rate": 0}, "scan.rate", "The rate is 0"),
        ({"rate": 10_001}, "scan.rate", "from 1 to 10,000"),
    ],
)
async def test_scan_task_is_refused_when_it_cannot_be_meant(
    office: World, changed: dict[str, Any], place: str, said: str
) -> None:
    """Each mistake has its place, and says the limit and what was given; nothing is made."""
    scan = {"targets": ["10.0.0.0/24"], **changed}
    outcome = await perform(office, office.caller(), "createTask", name="Wrong", site=SITE, scan=scan)
    assert outcome.refusal() == ("INVALID", ["input", *place.split(".")])
    assert said in outcome.payload["errors"][0]["message"]


async def test_scan_task_is_refused_when_it_leaves_the_scope_of_its_site(office: World) -> None:
    """A site may say what of it may be scanned; what is outside is named."""
    caller = office.caller()
    made = await perform(office, caller, "createSite", name="Scoped", scope=["10.1.0.0/16", "10.2.0.1-10.2.0.9"])
    site = made.made()
    assert site["scope"] == ["10.1.0.0/16", "10.2.0.1-10.2.0.9"]
    inside = {"targets": ["10.1.2.0/24", "10.2.0.1-9"]}
    (await perform(office, caller, "createTask", name="In", site=site["id"], scan=inside)).made()
    outside = {"targets": ["10.1.2.0/24", "10.2.0.9-12"]}
    refused = await perform(office, caller, "createTask", name="Out", site=site["id"], scan=outside)
    assert refused.refusal() == ("INVALID", ["input", "scan", "targets"])
    assert "10.2.0.10-10.2.0.12" in refused.payload["errors"][0]["message"]
    widened = await perform(office, caller, "updateSite", site=site["id"], scope=None)
    assert widened.made()["scope"] is None and widened.made()["name"] == "Scoped"
    (await perform(office, caller, "createTask", name="Now in", site=site["id"], scan=outside)).made()


@pytest.mark.parametrize("both", [True, False])
async def test_task_is_refused_when_it_is_not_exactly_one_kind(office: World, both: bool) -> None:
    """Either a connector or a scan: both and neither are INVALID."""
    key = await credential(office, f"For both {both}")
    given = {"connector": connector(key), "scan": {"targets": ["10.0.0.1"]}} if both else {}
    outcome = await perform(office, office.caller(), "createTask", name="Kind", site=SITE, **given)
    assert outcome.refusal()[0] == "INVALID"


async def test_scan_task_is_made_once_when_the_key_is_sent_again(office: World) -> None:
    """The same key and input give the first task; another target is CONFLICT."""
    given = {"name": "Once", "site": SITE, "scan": {"targets": ["10.0.0.1"]}, "idempotencyKey": "scan-1"}
    first = (await perform(office, office.caller(), "createTask", **given)).made()
    assert (await perform(office, office.caller(), "createTask", **given)).made() == first
    other = await perform(office, office.caller(), "createTask", **given | {"scan": {"targets": ["10.0.0.2"]}})
    assert other.refusal() == ("CONFLICT", ["input", "idempotencyKey"])
