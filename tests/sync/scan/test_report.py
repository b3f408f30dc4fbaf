"""Reports of nmap: read as nmap means them; bombs, rubbish and mangled bytes end in one typed error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import BadReport
from sync.inventory.scan.service import Service
from sync.scan.report.finding import AHEAD_MAX
from sync.scan.report.format import FormatReader
from sync.scan.report.safe_xml import DEPTH_MAX
from sync.scan.report.xml import ReportReader, read_report

NOW = datetime(2026, 11, 25, tzinfo=UTC)
REPORT = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<?xml-stylesheet href="file:///usr/share/nmap/nmap.xsl" type="text/xsl"?>
<!-- Nmap 7.93 scan -->
<nmaprun scanner="nmap" start="1790000000" version="7.93">
<host starttime="1790000000" endtime="1790000005"><status state="up" reason="arp-response" reason_ttl="0"/>
<address addr="10.0.0.5" addrtype="ipv4"/><address addr="02:AA:00:00:00:05" addrtype="mac" vendor="Acme &amp; Co"/>
<hostnames><hostname name="Web-5.corp.example." type="PTR"/></hostnames>
<ports><extraports state="closed" count="3"/>
<port protocol="tcp" portid="22"><state state="open"/><service name="ssh" product="OpenSSH" version="9.2"/></port>
<port protocol="tcp" portid="80"><state state="open"/><service name="http"/></port>
<port protocol="tcp" portid="81"><state state="filtered"/><service name="hosts2-ns"/></port></ports>
<os><osmatch name="Linux 5" accuracy="97"><osclass type="general purpose" osfamily="Linux" osgen="5.X" accuracy="97"/>
<osclass type="printer" osfamily="embedded" accuracy="91"/></osmatch></os></host>
<host><status state="down" reason="no-response"/><address addr="10.0.0.6" addrtype="ipv4"/></host>
</nmaprun>"""
MANY = "".join(f'<!ENTITY e{n} "&e{n - 1};&e{n - 1};">' for n in range(1, 40))
BOMBS = {
    "laughs": f'<!DOCTYPE nmaprun [<!ENTITY e0 "ha">{MANY}]><nmaprun a="&e39;"/>',
    "quadratic": f'<!DOCTYPE nmaprun [<!ENTITY a "{"a" * 50_000}">]><nmaprun>{"&a;" * 5_000}</nmaprun>',
    "external": '<!DOCTYPE nmaprun [<!ENTITY x SYSTEM "file:///etc/passwd">]><nmaprun>&x;</nmaprun>',
    "parameter": '<!DOCTYPE nmaprun [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><nmaprun/>',
    "outer": '<!DOCTYPE nmaprun SYSTEM "http://127.0.0.1:1/x.dtd"><nmaprun/>',
    "deep": "<nmaprun>" + "<a>" * 100_000,
    "attributes": '<!DOCTYPE nmaprun [<!ATTLIST host a CDATA "x">]><nmaprun/>',
}


def test_report_is_read_as_nmap_means_it() -> None:
    """Names, addresses, the likeliest system and open ports with what answers there; hosts that were down apart."""
    report = read_report(REPORT, NOW)
    (host,) = report.hosts
    assert (host.names, host.addresses, host.macs) == (("Web-5.corp.example",), ("10.0.0.5",), ("02aa00000005",))
    assert (host.os, host.os_version, host.type, host.manufacturer) == ("Linux", "5.X", None, "Acme & Co")
    assert host.services == (
        Service(22, "tcp", "OpenSSH 9.2", "ssh", (), ("ssh",), is_asked=True),
        Service(80, "tcp", "http", "http", (), ("http",)),
    )
    assert (host.detected_by, host.alive, host.seen_at) == ("ARP", True, "2026-09-21T14:13:25.000Z")
    assert report.silent == {"10.0.0.6": "2026-09-21T14:13:20.000Z"}


def test_report_is_the_same_in_whatever_pieces_it_comes() -> None:
    """What comes from a pipe is cut anywhere."""
    reader = ReportReader(NOW)
    for place in range(0, len(REPORT), 7):
        reader.feed(REPORT[place : place + 7])
    reader.close()
    assert reader.report == read_report(REPORT, NOW)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
@pytest.mark.timeout(20)
def test_bomb_is_refused_before_it_goes_off(bomb: str) -> None:
    """Entities, outer documents and depth are refused where they begin."""
    with pytest.raises(BadReport) as caught:
        read_report(bomb.encode(), NOW)
    assert caught.value.facts["path"] == "xml"


def test_report_is_refused_when_it_is_longer_than_allowed() -> None:
    """The limit counts bytes over all pieces."""
    with pytest.raises(BadReport, match="1,000 bytes"):
        read_report(REPORT, NOW, bytes_max=1_000)


@pytest.mark.parametrize(
    "host",
    [
        '<address addr="10.0.0.999" addrtype="ipv4"/>',
        '<address addr="zz" addrtype="mac"/>',
        '<ports><port protocol="tcp" portid="65536"/></ports>',
        '<ports><port protocol="tcp" portid="-1"/></ports>',
        "".join(f'<address addr="10.0.1.{n}" addrtype="ipv4"/>' for n in range(200)),
        "<a>" * DEPTH_MAX,
    ],
    ids=["address", "mac", "port", "minus", "addresses", "depth"],
)
def test_report_is_refused_when_a_host_cannot_be(host: str) -> None:
    """Values that no network has are not stored."""
    with pytest.raises(BadReport):
        read_report(f'<nmaprun start="1"><host><status state="up"/>{host}</host></nmaprun>'.encode(), NOW)


def test_time_of_a_report_is_refused_when_it_is_still_to_come() -> None:
    """A clock that goes wrong elsewhere cannot keep an asset alive for ever; a day ahead is another time zone."""
    text = '<nmaprun><host endtime="{}"><status state="up"/><address addr="10.0.0.1" addrtype="ipv4"/></host></nmaprun>'
    with pytest.raises(BadReport, match="in the future"):
        read_report(text.format(9999999999).encode(), NOW)
    ahead = int((NOW + AHEAD_MAX).timestamp())
    assert read_report(text.format(ahead).encode(), NOW).hosts[0].seen_at == "2026-11-26T00:00:00.000Z"


@given(st.data())
def test_mangled_report_ends_in_a_report_or_one_typed_error(data: st.DataObject) -> None:
    """Bytes cut out, put in and changed anywhere: never another exception."""
    text = bytearray(REPORT)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    try:
        reader = FormatReader(NOW)
        reader.feed(bytes(text))
        reader.close()
    except BadReport as error:
        assert error.message
