"""Writes a report of nmap about the simulated tenant's networks, with machines of the directory and others.

The same seed and devices give the same hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from server.simulator.tenant.draw import Draw

KNOWN, UNKNOWN_PCS = 34, 6
NETWORKS = ("10.20.0.0/20", "10.20.16.0/20", "192.168.50.0/24", "203.0.113.0/24", "2001:db8:20::/64")
"""The tenant's networks: the office's, the lab's, and what is public."""
DEVICES = """{ assets(
  first: 1000, where: { sources: { has: "azuread" }, os: { contains: "windows" } }, orderBy: [{ field: NAME }]
) { nodes { name } } }"""
"""Asks for the devices, in an order that is the same after every sync; some of them are on the network."""
IMPORT = """mutation($site: ID!, $xml: String!) { importScan(input: { site: $site, xml: $xml }) {
  counts { created merged } errors { code message hint }
} }"""
_HOST_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,14}")
# Name of a service → port, transport, and the attributes that nmap writes about it.
_SERVICES = {
    "ssh": (22, "tcp", 'name="ssh" product="OpenSSH" version="9.6" method="probed"'),
    "ssh2222": (2222, "tcp", 'name="ssh" product="Dropbear sshd" version="2022.83" method="probed"'),
    "telnet": (23, "tcp", 'name="telnet" product="Cisco router telnetd" method="probed"'),
    "dns": (53, "udp", 'name="domain" product="Simple DNS Plus" method="probed"'),
    "http": (80, "tcp", 'name="http" product="nginx" version="1.24.0" method="probed"'),
    "iis": (80, "tcp", 'name="http" product="Microsoft IIS httpd" version="10.0" method="probed"'),
    "https": (443, "tcp", 'name="http" product="nginx" version="1.24.0" tunnel="ssl" method="probed"'),
    "guess": (443, "tcp", 'name="https" method="table" conf="3"'),
    "dsm": (5001, "tcp", 'name="http" product="nginx" tunnel="ssl" method="probed"'),
    "kerberos": (88, "tcp", 'name="kerberos-sec" product="Microsoft Windows Kerberos" method="probed"'),
    "ntp": (123, "udp", 'name="ntp" product="NTP" version="v4" method="probed"'),
    "rpc": (135, "tcp", 'name="msrpc" product="Microsoft Windows RPC" method="probed"'),
    "netbios": (137, "udp", 'name="netbios-ns" product="Microsoft Windows netbios-ns" method="probed"'),
    "snmp": (161, "udp", 'name="snmp" product="SNMPv1 server" method="probed"'),
    "ldap": (389, "tcp", 'name="ldap" product="Microsoft Windows Active Directory LDAP" method="probed"'),
    "ldaps": (636, "tcp", 'name="ldap" product="Microsoft Windows Active Directory LDAP" tunnel="ssl" method="probed"'),
    "smb": (445, "tcp", 'name="microsoft-ds" product="Microsoft Windows Server" method="probed"'),
    "samba": (445, "tcp", 'name="netbios-ssn" product="Samba smbd" version="4" method="probed"'),
    "rtsp": (554, "tcp", 'name="rtsp" product="Axis Webcam rtspd" method="probed"'),
    "ipp": (631, "tcp", 'name="ipp" product="CUPS" version="2.4" method="probed"'),
    "mssql": (1433, "tcp", 'name="ms-sql-s" product="Microsoft SQL Server 2019" method="probed"'),
    "postgres": (5432, "tcp", 'name="postgresql" product="PostgreSQL DB" version="15" method="probed"'),
    "rdp": (3389, "tcp", 'name="ms-wbt-server" product="Microsoft Terminal Services" method="probed"'),
    "winrm": (5985, "tcp", 'name="wsman" method="table" conf="3"'),
    "jetdirect": (9100, "tcp", 'name="jetdirect" method="table" conf="3"'),
}
# MAC address prefixes of manufacturers.
_DELL, _LENOVO, _HP, _VMWARE = "00:14:22", "54:EE:75", "3C:D9:2B", "00:50:56"
_LINUX, _WINDOWS = ("Linux", "5.X"), ("Windows", "2022")


@dataclass(frozen=True)
class _Host:
    """A machine on the network; blanks separate several addresses or services.

    Args:
        maker: the prefix of its MAC address; empty if the scanner saw no MAC address.
    """

    name: str
    addresses: str
    maker: str
    vendor: str
    services: str
    type: str = ""
    os: tuple[str, str] = ("", "")


_UNKNOWN = (
    _Host("nas-01", "10.20.10.30", "00:11:32", "Synology", "ssh http dsm samba snmp", os=_LINUX),
    _Host("nas-02", "10.20.10.31", "00:11:32", "Synology", "http dsm samba", os=_LINUX),
    _Host(
        "dc-01",
        "10.20.10.10",
        _VMWARE,
        "VMware",
        "ssh dns iis ntp kerberos rpc netbios ldap ldaps smb rdp winrm guess",
        os=_WINDOWS,
    ),
    _Host("dc-02", "10.20.10.11", _VMWARE, "VMware", "dns ntp kerberos rpc ldap ldaps smb rdp winrm", os=_WINDOWS),
    _Host("sql-01", "10.20.10.20", _VMWARE, "VMware", "rpc smb mssql rdp winrm", os=_WINDOWS),
    _Host("git", "10.20.10.40", _VMWARE, "VMware", "ssh2222 http https", os=_LINUX),
    _Host("db-01", "10.20.10.41", _VMWARE, "VMware", "ssh postgres", os=_LINUX),
    _Host("printer-1f", "10.20.20.20", "00:1B:A9", "Brother", "http ipp jetdirect snmp", "printer"),
    _Host("printer-2f", "10.20.20.21", "00:1B:A9", "Brother", "http ipp jetdirect snmp", "printer"),
    _Host("printer-3f", "10.20.20.22", _HP, "Hewlett Packard", "http guess ipp jetdirect snmp", "printer"),
    _Host("", "10.20.20.40", "00:40:8C", "Axis Communications", "http rtsp", "webcam"),
    _Host("", "10.20.20.41", "00:40:8C", "Axis Communications", "http rtsp", "webcam"),
    _Host("", "10.20.20.42", "00:40:8C", "Axis Communications", "http https rtsp ntp snmp", "webcam"),
    _Host("core-switch", "10.20.0.1 192.168.50.1", "00:1B:54", "Cisco Systems", "ssh telnet snmp ntp", "switch"),
    _Host("access-switch", "10.20.20.1", "00:1B:54", "Cisco Systems", "telnet snmp", "switch"),
    _Host("lab-pi", "192.168.50.5", "B8:27:EB", "Raspberry Pi Foundation", "ssh", os=_LINUX),
    _Host("lab-pi-2", "192.168.50.6", "B8:27:EB", "Raspberry Pi Foundation", "ssh2222", os=_LINUX),
    _Host("www", "203.0.113.10", "", "", "ssh http https", os=_LINUX),
    _Host("mail", "203.0.113.25", "", "", "https", os=_LINUX),
    _Host("vpn", "203.0.113.40", "", "", "guess"),
    _Host("www6", "2001:db8:20::10", "", "", "https", os=_LINUX),
)


def scan_report(names: Sequence[str], seed: int, made_at: datetime) -> str:
    """Return the report of a scan of the tenant's networks.

    Args:
        names: the names of the directory's devices; the scan finds some of them.
        seed: the tenant's seed.
        made_at: the begin of the scan.
    """
    hosts = [*_pcs(names, seed), *_UNKNOWN]
    at = int(made_at.timestamp())
    tcp, udp = (
        ",".join(map(str, sorted({s[0] for s in _SERVICES.values() if s[1] == name}))) for name in ("tcp", "udp")
    )
    looked = "".join(
        f'<scaninfo type="{kind}" protocol="{name}" services="{ports}"/>'
        for kind, name, ports in (("syn", "tcp", tcp), ("udp", "udp", udp))
    )
    told = "".join(_element(host, at, _draw(seed, host)) for host in hosts)
    return f'<nmaprun scanner="nmap" start="{at}">{looked}{told}</nmaprun>'


def _pcs(names: Sequence[str], seed: int) -> Iterator[_Host]:
    """Yield office computers: devices with a unique name, and some that the directory does not know."""
    known = {name for name in names if _HOST_NAME.fullmatch(name) and names.count(name) == 1}
    found = sorted(known, key=lambda name: Draw(f"{seed} {name}".encode()).hex(16))[:KNOWN]
    found += [f"GUEST-{number:02}" for number in range(UNKNOWN_PCS)]
    for number, name in enumerate(found):
        chance = Draw(f"{seed} services {name}".encode())
        maker, vendor = chance.pick([(_DELL, "Dell"), (_LENOVO, "Lenovo"), (_HP, "Hewlett Packard")])
        services = chance.pick(
            ["", "rpc smb", "rpc smb netbios", "rpc smb rdp", "rpc smb netbios rdp winrm", "iis rdp"]
        )
        yield _Host(name, f"10.20.{number % 2}.{50 + number}", maker, vendor, services)


def _element(host: _Host, at: int, chance: Draw) -> str:
    family, version = host.os
    parts = [f'<status state="up" reason="{"arp-response" if host.maker else "syn-ack"}"/>']
    for address in host.addresses.split():
        parts.append(f'<address addr="{address}" addrtype="{"ipv6" if ":" in address else "ipv4"}"/>')
    if host.maker:
        mac = ":".join([host.maker, *(chance.hex(2).upper() for _ in range(3))])
        parts.append(f'<address addr="{mac}" addrtype="mac" vendor={quoteattr(host.vendor)}/>')
    if host.name:
        parts.append(f'<hostnames><hostname name="{host.name}" type="PTR"/></hostnames>')
    ports = "".join(
        f'<port protocol="{transport}" portid="{port}"><state state="open" reason="response"/><service {told}/></port>'
        for port, transport, told in (_SERVICES[name] for name in host.services.split())
    )
    parts.append(f"<ports>{ports}</ports>")
    if family or host.type:
        name = " ".join(filter(None, (family or host.vendor, version)))
        says = f'type="{host.type or "general purpose"}" osfamily="{family}" osgen="{version}" accuracy="96"'
        parts.append(f'<os><osmatch name="{name}" accuracy="96"><osclass {says}/></osmatch></os>')
    return f'<host starttime="{at}" endtime="{at}">{"".join(parts)}</host>'


def _draw(seed: int, host: _Host) -> Draw:
    return Draw(f"{seed} {host.name} {host.addresses}".encode())


def device_names(data: Mapping[str, Any]) -> list[str]:
    """Return the names in an answer to `DEVICES`."""
    return [node["name"] for node in data["assets"]["nodes"] if node["name"]]
