"""Hosts that a scanner gives up: the run says which, nothing that was known is lost, and the limit fits the scan."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sync.clock import timestamp
from sync.inventory.scan.record import Host, Service
from sync.scan.options import ScannerName
from sync.scan.scanner.nmap import host_limit_s
from sync.scan.scanner.scanner import BATCH_HOSTS_MAX
from sync.scan.target import ATTEMPTS_MAX, PORTS_MAX
from tests.sync.scan.network import Network

# What the real nmap wrote when its limit was three seconds.
REPORT = Path(__file__).parent / "reports" / "timed_out.xml"


@pytest.fixture
def slow_nmap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in nmap's place that ends as nmap did."""
    program = tmp_path / "nmap"
    program.write_text(f"#!/bin/sh\n/bin/cat > /dev/null\n/bin/cat '{REPORT}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


async def test_run_is_partial_and_names_the_hosts_when_the_scanner_gave_them_up(
    network: Network, slow_nmap: None
) -> None:
    """Its services stay, nobody is said to be silent for want of time, and the error says which host and what to do."""
    now = timestamp(network.clock.now())
    await network.seen_before(Host(now, addresses=("127.0.0.5",), services=(Service(445, "tcp", "smb", "smb"),)))
    run = await network.run(await network.add_scan("127.0.0.5", ports="1-1000", scanner=ScannerName.NMAP))
    (error,) = run.errors
    assert (run.status, error["code"], error["resource"]) == ("PARTIAL", "HOSTS_UNFINISHED", "hosts")
    assert "127.0.0.5" in error["message"] and error["hint"]
    assert any("127.0.0.5" in line for line in await network.log(run.id))
    record = (await network.records())["127.0.0.5"]
    assert [(service["port"], service["checkedAt"]) for service in record.services] == [(445, now)]
    assert record.alive and run.counts["hosts"].get("silent", 0) == 0


@pytest.mark.parametrize("rate", [1, 50, 1_000, 10_000])
@pytest.mark.parametrize(("addresses", "ports"), [(BATCH_HOSTS_MAX, 1), (256, ATTEMPTS_MAX // 256), (1, PORTS_MAX)])
def test_limit_of_a_host_fits_what_a_task_may_ask_for(addresses: int, ports: int, rate: int) -> None:
    """All packets of a batch, each sent three times at the task's rate, take less time than one host is given."""
    assert host_limit_s(addresses, ports, rate) > 3 * addresses * ports / rate
