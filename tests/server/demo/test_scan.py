"""The scan of the demo: a report that the importer takes, the same for the same seed, with everything people search."""

from __future__ import annotations

from datetime import UTC, datetime

from schema.mutations.scan import XML_BYTES_MAX
from server.demo.scan import scan_report
from sync.scan.report.finding import Report
from sync.scan.report.format import FormatReader

NOW = datetime(2026, 11, 25, tzinfo=UTC)
NAMES = [f"PC-{number:06}" for number in range(90)] + ["Zoë's Mac", "DESKTOP", "DESKTOP"]


def read(text: str) -> Report:
    """Read a report as an import does."""
    reader = FormatReader(NOW)
    reader.feed(text.encode())
    reader.close()
    return reader.report


def test_scan_of_the_demo_is_the_same_for_the_same_seed() -> None:
    """It fits into one mutation; another seed finds other devices, and none whose name tells nothing."""
    text = scan_report(NAMES, 1, NOW)
    assert text == scan_report(NAMES, 1, NOW) != scan_report(NAMES, 2, NOW)
    assert len(text.encode()) < XML_BYTES_MAX
    found = {name for host in read(text).hosts for name in host.names}
    assert len(found & {*NAMES}) > 20 and "DESKTOP" not in found


def test_scan_of_the_demo_has_what_people_search() -> None:
    """Some sixty hosts: both transports, protocols asked and guessed, products, MACs, public and private addresses."""
    report = read(scan_report(NAMES, 1, NOW))
    services = [service for host in report.hosts for service in host.services]
    assert 50 <= len(report.hosts) <= 70 and not report.said()
    assert {service.protocol for service in services} == {"tcp", "udp"}
    assert {"http", "tls", "ssh", "smb", "rdp", "dns", "snmp"} <= {one for s in services for one in s.protocols}
    assert {service.is_asked for service in services} == {True, False}
    assert any(len(host.addresses) > 1 for host in report.hosts) and any(not host.macs for host in report.hosts)
    networks = {address.rpartition(".")[0] for host in report.hosts for address in host.addresses}
    assert {"10.20.0", "10.20.10", "192.168.50", "203.0.113"} <= networks


def test_scan_of_the_demo_is_a_report_when_the_directory_has_no_devices() -> None:
    """A tenant without devices is scanned too."""
    assert len(read(scan_report([], 1, NOW)).hosts) > 20
