"""Reports of every format that is read, and why others are not; those of nmap were written by the real one."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.errors import BadReport
from sync.inventory.scan.port_set import PortSet
from sync.inventory.scan.service import Service
from sync.scan.report.finding import SCRIPT_CHARS_MAX, Report
from sync.scan.report.format import FormatReader

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MADE_AT = datetime(2026, 11, 1, tzinfo=UTC)
FOLDER = Path(__file__).parent / "reports"
NMAP = sorted(FOLDER.glob("*.xml"))
WHEN = "2026-09-21T14:13:20.000Z"
HEAD = '<nmaprun scanner="nmap" start="1790000000">'
UP = '<host><status state="up" reason="syn-ack"/><address addr="10.0.0.1" addrtype="ipv4"/>{}</host>'
SCRIPT = '<script id="smb" output="x"/>'
NMAP_6 = (
    '<?xml version="1.0"?>\n<!DOCTYPE nmaprun PUBLIC "-//IDN nmap.org//DTD Nmap XML 1.04//EN" '
    '"https://svn.nmap.org/nmap/docs/nmap.dtd">\n'
)
MASSCAN_XML = b"""<?xml version="1.0"?>
<!-- masscan v1.0 scan -->
<nmaprun scanner="masscan" start="1790000000" version="1.0-BETA"  xmloutputversion="1.03">
<scaninfo type="syn" protocol="tcp" />
<host endtime="1790000000"><address addr="10.0.0.1" addrtype="ipv4"/><ports><port protocol="tcp" portid="80">
<state state="open" reason="syn-ack" reason_ttl="64"/></port></ports></host>
<runstats><finished time="1790000001" timestr="2026" elapsed="11" /><hosts up="1" down="0" total="1" /></runstats>
</nmaprun>"""
MASSCAN_JSON = b"""[
{   "ip": "10.0.0.1",   "timestamp": "1790000000", "ports": [ {"port": 80, "proto": "tcp", "status": "open"} ] },
{   "ip": "10.0.0.1",   "timestamp": "1790000000", "ports": [ {"port": 22, "proto": "tcp",
 "service": {"name": "ssh", "banner": "}{\\\\\\" SSH-2.0"} } ] },
{finished: 1}
]
"""
NESSUS = """<?xml version="1.0" ?><NessusClientData_v2><Policy><policyName>Basic</policyName></Policy>
<Report name="Office"><ReportHost name="10.0.0.1"><HostProperties>
<tag name="HOST_END_TIMESTAMP">1790000000</tag><tag name="HOST_END">Mon Sep 21 16:13:20 2026</tag>
<tag name="host-ip">10.0.0.1</tag><tag name="host-fqdn">db.corp.example</tag><tag name="netbios-name">DB</tag>
<tag name="mac-address">02:00:00:00:00:0A
02:00:00:00:00:0B</tag><tag name="operating-system">Linux Kernel 5.10</tag>
<tag name="cpe-0">cpe:/o:linux:linux_kernel -&gt; Linux Kernel</tag></HostProperties>
<ReportItem port="0" svc_name="general" protocol="tcp" severity="0" pluginID="19506"><description>a</description>
</ReportItem><ReportItem port="5432" svc_name="postgresql" protocol="tcp" severity="0" pluginID="1"></ReportItem>
<ReportItem port="161" svc_name="snmp?" protocol="udp" severity="2" pluginID="2"></ReportItem>
</ReportHost></Report></NessusClientData_v2>"""


def read(data: bytes, step: int = 1 << 20, made_at: datetime | None = None) -> Report:
    """Read a report in pieces of so many bytes."""
    reader = FormatReader(NOW, made_at)
    for begin in range(0, len(data), step):
        reader.feed(data[begin : begin + step])
    reader.close()
    return reader.report


ALIKE = [*(path.read_bytes() for path in NMAP), MASSCAN_XML, MASSCAN_JSON, NESSUS.encode()]


@pytest.mark.parametrize("data", ALIKE, ids=[*(path.stem for path in NMAP), "masscan", "masscan-json", "nessus"])
def test_report_is_the_same_in_pieces_packed_and_repeated(data: bytes) -> None:
    """However it is cut, packed by gzip in one or two members; appended to itself it says everything twice."""
    whole = read(data)
    assert whole.count
    assert read(data, 7) == whole
    assert read(gzip.compress(data), 11) == whole
    half = len(data) // 2
    assert read(gzip.compress(data[:half]) + gzip.compress(data[half:]) + bytes(20), 13) == whole
    twice = read(data + b"\n" + data, 17)
    assert (twice.count, twice.hosts) == (2 * whole.count, whole.hosts * 2)


def test_ping_and_list_tell_nothing_of_ports() -> None:
    """`-sn` finds hosts at the time of its report; `-sL` looks at nobody, and says so."""
    ping, listed = read((FOLDER / "ping.xml").read_bytes()), read((FOLDER / "listed.xml").read_bytes())
    assert [(host.seen_at, host.looked, host.services) for host in ping.hosts] == [
        ("2026-11-30T14:18:18.000Z", (), ())
    ] * 2
    assert (listed.hosts, listed.silent) == ([], {})
    assert listed.said() == ["2 hosts were listed but not scanned; nothing was concluded about them."]


def test_host_that_timed_out_is_named_and_nothing_of_it_counts_as_closed() -> None:
    """nmap gave it up: it is up, and its ports are as they were."""
    report = read((FOLDER / "timed_out.xml").read_bytes())
    assert [host.looked for host in report.hosts] == [()] and report.unfinished == ["127.0.0.5"]
    assert "127.0.0.5" in report.said()[0]


def test_ports_were_looked_at_as_the_report_says() -> None:
    """Each protocol by itself."""
    (host,) = read((FOLDER / "tcp_and_udp.xml").read_bytes()).hosts
    assert host.looked == (PortSet([("tcp", 40022, 40022)]), PortSet([("udp", 40000, 40100)]))
    assert [service.port for service in host.services] == [40022]


@pytest.mark.parametrize(
    ("ports", "looked"),
    [
        ('<extraports state="open|filtered" count="9"/><port protocol="udp" portid="53"><state state="closed"/></port>',
         [("udp", 53, 53)]),
        ('<extraports state="open|filtered" count="9"><extrareasons reason="no-response" count="9" proto="udp" '
         'ports="54-62"/></extraports>', [("udp", 53, 53), ("udp", 63, 65)]),
        ('<port protocol="udp" portid="54"><state state="open|filtered"/></port>',
         [("udp", 53, 53), ("udp", 55, 65)]),
        ('<extraports state="filtered" count="13"/>', [("udp", 53, 65)]),
    ],
    ids=["old nmap", "ranges", "one", "filtered"],
)  # fmt: skip
def test_port_that_may_be_open_is_not_closed(ports: str, looked: list[tuple[str, int, int]]) -> None:
    """`open|filtered` finds out nothing; `filtered` is not open."""
    text = HEAD + '<scaninfo type="udp" protocol="udp" services="53-65"/>' + UP.format(f"<ports>{ports}</ports>")
    (host,) = read(f"{text}</nmaprun>".encode()).hosts
    assert [part for ports_ in host.looked for part in ports_.ranges] == looked


def test_host_is_up_when_it_has_no_status_and_not_because_a_person_said_so() -> None:
    """masscan writes no status; with `-Pn` nmap says that all are up."""
    quiet = UP.replace("syn-ack", "user-set").format('<ports><extraports state="filtered" count="3"/></ports>')
    heard = UP.replace("syn-ack", "user-set").format('<ports><extraports state="closed" count="3"/></ports>')
    assert len(read(MASSCAN_XML).hosts) == 1
    assert (len(read(f"{HEAD}{quiet}".encode()).hosts), len(read(f"{HEAD}{heard}".encode()).hosts)) == (0, 1)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "UTF-16", "windows-1252"])
def test_report_of_nmap_6_is_read_in_its_encoding(encoding: str) -> None:
    """Its document type is not fetched; the declared encoding counts."""
    vendor = '<address addr="02:00:00:00:00:01" addrtype="mac" vendor="Müller"/>'
    text = NMAP_6.replace("?>", f' encoding="{encoding}"?>', 1) + HEAD + UP.format(vendor) + "</nmaprun>"
    (host,) = read(text.encode(encoding), 5).hosts
    assert (host.manufacturer, host.seen_at) == ("Müller", WHEN)


def test_names_cpe_systems_and_scripts_are_kept_and_bounded() -> None:
    """What nmap found out of a service and of the host, without control characters."""
    service = '<service name="ssh" product="OpenSSH" version="9"><cpe>cpe:/a:openbsd:openssh:9</cpe></service>'
    script = f'<script id="ssh-hostkey" output="&#10;2048&#9;aa{"b" * 9_000}"/>'
    port = f'<ports><port protocol="tcp" portid="22"><state state="open"/>{service}{script}</port></ports>'
    system = '<os><osmatch name="Linux 5" accuracy="97"><osclass osfamily="Linux" accuracy="97"><cpe>cpe:/o:l</cpe>'
    os_ = f"{system}</osclass></osmatch></os><hostscript>{SCRIPT * 200}</hostscript>"
    (host,) = read(f"{HEAD}{UP.format(port + os_)}</nmaprun>".encode()).hosts
    cpe = ("cpe:/a:openbsd:openssh:9",)
    assert host.services == (Service(22, "tcp", "OpenSSH 9", "ssh", cpe, ("ssh",), is_asked=True),)
    assert host.detail is not None
    assert host.detail["osMatches"] == [{"name": "Linux 5", "accuracy": 97}] and host.detail["cpe"] == ["cpe:/o:l"]
    first, second, *rest = host.detail["scripts"]
    assert (first["port"], first["script"], second["port"]) == (22, "ssh-hostkey", None)
    assert first["output"].startswith("2048\taab") and len(first["output"]) <= SCRIPT_CHARS_MAX
    assert len(rest) < 100


def test_formats_say_the_same_of_a_host() -> None:
    """masscan's two forms, Nessus and lists come down to one model; none of them closes a port."""
    found = {
        "masscan": read(MASSCAN_XML).hosts,
        "json": read(MASSCAN_JSON, 3).hosts,
        "nessus": read(NESSUS.encode()).hosts,
        "list": read(f"IP;Port;Protocol;Service;Time\n10.0.0.1;80;TCP;http;{WHEN}\n".encode("utf-8-sig")).hosts,
        "bare": read(b"# made by hand\n10.0.0.1,53,udp,domain\r\n10.0.0.1,80", made_at=MADE_AT).hosts,
    }
    ports = {
        name: [(one.port, one.protocol) for host in hosts for one in host.services] for name, hosts in found.items()
    }
    assert ports == {
        "masscan": [(80, "tcp")],
        "json": [(80, "tcp"), (22, "tcp")],
        "nessus": [(161, "udp"), (5432, "tcp")],
        "list": [(80, "tcp")],
        "bare": [(53, "udp"), (80, "tcp")],
    }
    assert {host.seen_at for name in ("masscan", "json", "nessus", "list") for host in found[name]} == {WHEN}
    assert {host.seen_at for host in found["bare"]} == {"2026-11-01T00:00:00.000Z"}
    assert not any(host.looked for hosts in found.values() for host in hosts)
    (nessus,) = found["nessus"]
    assert (nessus.names, nessus.macs, nessus.os) == (
        ("db.corp.example", "DB"), ("02000000000a", "02000000000b"), "Linux Kernel 5.10"
    )  # fmt: skip


@pytest.mark.parametrize("data", [HEAD.encode() + UP.format("").encode() + b"<host><sta", MASSCAN_JSON[:150],
                                  gzip.compress(HEAD.encode() + UP.format("").encode() * 3_000)[:-12],
                                  NESSUS.encode()[:-30]],
                         ids=["nmap", "masscan", "gzip", "nessus"])  # fmt: skip
def test_report_that_was_cut_short_counts_as_far_as_it_goes(data: bytes) -> None:
    """Hosts that are whole count, and the person is told."""
    report = read(data, 64)
    assert report.hosts and any("cut short" in text for text in report.said())


def test_error_of_the_scanner_is_shown() -> None:
    """nmap says in its report that, and why, it gave up."""
    end = '<runstats><finished exit="error" errormsg="out of memory"/></runstats></nmaprun>'
    assert read(f"{HEAD}{UP.format('')}{end}".encode()).said() == ["nmap ended with an error: out of memory"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"<html/>", "its root is html"),
        (b"<nmaprun></host>", "not well-formed"),
        (b"# Nmap 7.93 scan initiated", "-oN or -oG"),
        (b"#masscan\nopen tcp 80 10.0.0.1 1790000000", "-oL"),
        (b"PK\x03\x04", "packed with zip"),
        (b"\xfd7zXZ\0", "packed with xz"),
        (gzip.compress(gzip.compress(b"a", mtime=0), mtime=0), "gzip, twice"),
        (b"\x1f\x8b\x08aaaaaaaaaaaaaaaaaa", "is damaged"),
        (b'{"users": []}', "not a report of masscan"),
        (b"hello", "known format"),
        (b"10.0.0.1,80,tcp,http", "when it was made"),
        (b"address,port,time\n10.0.0.1,http,2026-01-01", "Line 2"),
        (b"address,port,time\n10.0.0.1,80,yesterday", "Line 2"),
        (UP.format("").join(("<nmaprun>", "</nmaprun>")).encode(), "when it was made"),
        (b'<nmaprun start="1" a="' + b"a" * 9_000_000, "a tag of more than"),
        (b'<!DOCTYPE NessusClientData_v2 [<!ENTITY a "b">]><NessusClientData_v2>&a;</NessusClientData_v2>', "type"),
        (NMAP_6.replace("IDN nmap.org", "elsewhere").encode() + b"<nmaprun/>", "document type"),
        (NMAP_6[:-2].encode() + b'[<!ENTITY a "b">]>' + b"<nmaprun/>", "document type"),
        (f"{NMAP_6}{HEAD}<host>&a;</host></nmaprun>".encode(), "entities"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_report_is_refused_with_the_true_reason(data: bytes, said: str) -> None:
    """What cannot be read says what it is, not that it is bad XML."""
    with pytest.raises(BadReport, match=said):
        read(data)


def test_packed_bomb_is_refused_when_it_has_unpacked_to_the_limit() -> None:
    """A megabyte of gzip is a gigabyte of blanks: no more of it is unpacked than a report may have."""
    bomb = gzip.compress(HEAD.encode() + b" " * 4_000_000)
    reader = FormatReader(NOW, bytes_max=100_000)
    with pytest.raises(BadReport, match="100,000 bytes"):
        reader.feed(bomb)
