"""A scan with the Azure AD probe: devices add to what was just found, and what fails of it leaves the scan alone."""

from __future__ import annotations

import pytest

from sync.errors import SignInFailed
from sync.inventory.asset.source import AZUREAD, BITS, SCAN
from sync.tasks.run.state import RunStatus
from tests.sync.scan.network import Network

TARGETS = "127.0.0.0/28"
BOTH = BITS[AZUREAD] | BITS[SCAN]
KNOWN = 5
SEARCH = """query($search: String!) { assets(search: $search, first: 100) { totalCount nodes {
  names scan { addresses } azureAd { displayName } } } }"""


def name_some(network: Network) -> set[str]:
    """Give some addresses of the targets the names of devices, and return those names."""
    names = network.device_names()[:KNOWN]
    network.names = {f"127.0.0.{number}": name for number, name in enumerate(names, 1)}
    return set(names)


@pytest.mark.parametrize("exclude_unknown", [False, True])
async def test_devices_add_to_the_hosts_that_were_just_found(network: Network, exclude_unknown: bool) -> None:
    """Hosts with a device have both sources; search names the rest; the others are made or left out as asked."""
    names = name_some(network)
    options = {"credential_id": network.credential_id, "azure_ad": True, "exclude_unknown": exclude_unknown}
    run = await network.run(await network.add_scan(TARGETS, ports="9", **options))
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    hosts = run.counts["hosts"]["created"]
    assert run.progress["hosts"]["done"] == 16 and 14 <= hosts <= 16
    assert run.counts["assets"]["merged"] == KNOWN and run.counts["devices"]["created"] == 60
    assert run.counts["assets"].get("created", 0) > 0 or exclude_unknown
    found = await network.assets()
    assert {asset.name for asset in found if asset.source_mask == BOTH} == names
    assert any(asset.source_mask == BITS[AZUREAD] for asset in found) is not exclude_unknown
    both = (await network.caller().data(SEARCH, search="source:scan AND source:azuread"))["assets"]
    assert {node["azureAd"][0]["displayName"] for node in both["nodes"]} == names
    rest = (await network.caller().data(SEARCH, search="source:scan AND NOT source:azuread"))["assets"]
    assert rest["totalCount"] == hosts - KNOWN
    assert not any(node["azureAd"] for node in rest["nodes"])
    assert {node["scan"][0]["addresses"][0] for node in rest["nodes"]}.isdisjoint(network.names)


async def test_device_that_was_left_out_is_linked_when_a_scan_finds_its_host(network: Network) -> None:
    """With excludeUnknown a device waits until something else knows its machine, though it never changes itself."""
    options = {"credential_id": network.credential_id, "azure_ad": True, "exclude_unknown": True}
    task = await network.add_scan(TARGETS, ports="9", **options)
    await network.run(task)
    assert not any(asset.source_mask & BITS[AZUREAD] for asset in await network.assets())
    names = name_some(network)
    run = await network.run(task)
    assert run.status == "SUCCEEDED" and run.counts["assets"]["merged"] == KNOWN
    assert {asset.name for asset in await network.assets() if asset.source_mask == BOTH} == names


async def test_scan_keeps_its_results_when_the_probe_fails(network: Network) -> None:
    """PARTIAL: the error is the probe's, with its hint; hosts, counts and liveness are as without it."""
    network.refusal = SignInFailed("The secret has expired.", hint="Make a new one.")
    options = {"credential_id": network.credential_id, "azure_ad": True}
    run = await network.run(await network.add_scan(TARGETS, ports="9", **options))
    (error,) = run.errors
    assert run.status == RunStatus.PARTIAL
    assert (error["resource"], error["code"], error["hint"]) == ("azureAd", "SIGN_IN_FAILED", "Make a new one.")
    assert run.counts == {"hosts": {"created": len(await network.assets())}} and await network.assets()


async def test_directory_is_not_asked_when_the_probe_is_not_enabled(network: Network) -> None:
    """A credential alone makes no probe."""
    network.refusal = SignInFailed("Nobody may sign in.")
    run = await network.run(await network.add_scan(TARGETS, ports="9", credential_id=network.credential_id))
    assert (run.status, run.errors) == ("SUCCEEDED", [])
