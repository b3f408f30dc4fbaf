"""Application protocols: what each format of report, and the scanner of our own, tells of what is spoken at a port."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.inventory.scan.protocol import protocols_of
from sync.scan.report.format import FormatReader
from sync.scan.report.usual_service import service_name

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def nmap(service: str, port: str = "443", more: str = "", scanner: str = "nmap") -> str:
    """Return a report of one open port."""
    ports = f'<ports><port protocol="tcp" portid="{port}"><state state="open"/>{service}{more}</port></ports>'
    host = f'<host><status state="up"/><address addr="10.0.0.1" addrtype="ipv4"/>{ports}</host>'
    return f'<nmaprun scanner="{scanner}" start="1790000000">{host}</nmaprun>'


def nessus(*items: str) -> str:
    """Return a report of findings at one port."""
    found = "".join(f'<ReportItem port="443" protocol="tcp" severity="0" {item}></ReportItem>' for item in items)
    times = '<HostProperties><tag name="HOST_END_TIMESTAMP">1790000000</tag></HostProperties>'
    host = f'<ReportHost name="10.0.0.1">{times}{found}</ReportHost>'
    return f'<NessusClientData_v2><Report name="r">{host}</Report></NessusClientData_v2>'


REPORTS = {
    "asked, in a tunnel": (nmap('<service name="http" product="nginx" tunnel="ssl" method="probed"/>'), "http tls", 1),
    "asked, unknown to us": (nmap('<service name="Gopher" method="probed"/>'), "gopher", 1),
    "guessed": (nmap('<service name="https" method="table" conf="3"/>'), "http", 0),
    "guessed inside TLS": (nmap('<service name="imaps" method="table" tunnel="ssl"/>'), "imap tls", 1),
    "with a certificate": (nmap('<service name="https"/>', more='<script id="ssl-cert" output="CN"/>'), "http tls", 1),
    "remote desktop": (nmap('<service name="ms-wbt-server" product="x"/>'), "rdp", 1),
    "old, product known": (nmap('<service name="https" product="IIS"/>'), "http tls", 1),
    "not known": (nmap('<service name="unknown" method="table"/>'), "", 0),
    "masscan's XML": (nmap('<service name="ssl" banner="x"/>', scanner="masscan"), "tls", 1),
    "masscan's JSON": (
        """[{"ip":"10.0.0.1","timestamp":"1790000000","ports":[{"port":443,"proto":"tcp","status":"open"}]},
        {"ip":"10.0.0.1","timestamp":"1790000000","ports":[{"port":443,"proto":"tcp","service":{"name":"X509"}}]}]""",
        "tls",
        1,
    ),
    "Nessus": (nessus('svc_name="www" pluginID="1"', 'svc_name="www" pluginID="56984"'), "http tls", 1),
    "Nessus, a guess": (nessus('svc_name="https?" pluginID="1"'), "http", 0),
    "Nessus, a guess inside TLS": (nessus('svc_name="www?" pluginID="10863"'), "http tls", 1),
    "a list": ("address,port,protocol,service,time\n10.0.0.1,443,tcp,ssl/ldap,1790000000\n", "ldap tls", 1),
}


@pytest.mark.parametrize("name", REPORTS)
def test_report_tells_protocols_and_whether_they_were_asked_for(name: str) -> None:
    """A guess by the port's number is kept as one and never says TLS; what was asked is kept whole."""
    text, protocols, is_asked = REPORTS[name]
    reader = FormatReader(NOW)
    reader.feed(text.encode())
    reader.close()
    services = [service for host in reader.report.hosts for service in host.services if service.protocols]
    assert {protocol for service in services for protocol in service.protocols} == {*protocols.split()}
    assert {service.is_asked for service in services} == ({bool(is_asked)} if protocols else set())


def test_guess_never_says_tls_whatever_the_port() -> None:
    """The scanner of our own sends nothing: of each usual port it names what is spoken, without TLS."""
    found = {port: protocols_of(service_name(port), is_guess=True) for port in range(65_536)}
    assert not any("tls" in protocols for protocols in found.values())
    assert (found[443], found[445], found[3389], found[53], found[4]) == (("http",), ("smb",), ("rdp",), ("dns",), ())
    assert "tls" in protocols_of(service_name(443))
