"""Maps the name that a scanner gives to a service to its application protocols.

The names are those that nmap, masscan and Nessus write, and those of the IANA registry of service names
(https://www.iana.org/assignments/service-names-port-numbers). The table was written on 2026-12-01; add names that
reports show and the table lacks. A name that is not in the table counts as a protocol of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

TLS = "tls"
# Names that do not tell a protocol.
_NOTHING = ("unknown", "general", "tcpwrapped", "vuln", "safe", "versioning", "possible_wls")
# The protocols, joined by blanks → the names of services that speak them.
_NAMES = {
    "": " ".join(_NOTHING),
    "afp": "afpovertcp",
    "dhcp": "dhcps dhcpc bootps bootpc dhcpv6-client dhcpv6-server",
    "dns": "domain dns-ver",
    "dns tls": "domain-s",
    "ethernet-ip": "ethernetip-1 ethernetip-2",
    "ftp tls": "ftps ftps-data",
    "ftp": "ftp-data",
    "http": "www www-http http-alt http-proxy http-mgmt http.server title html",
    "http ipp": "ipp cups",
    "http tls": "https https-alt http-ssl",
    "http winrm": "wsman winrm",
    "http tls winrm": "wsmans",
    "ike": "isakmp",
    "imap": "imap4",
    "imap tls": "imaps imap4s",
    "irc tls": "ircs ircs-u",
    "jetdirect": "pdl-datastream pdl-datastr hp-pdl-datastr",
    "kerberos": "kerberos-sec",
    "ldap": "globalcatldap globalcat-ldap",
    "ldap tls": "ldaps ldapssl globalcatldapssl",
    "lpd": "printer",
    "mdns": "zeroconf",
    "memcached": "memcache",
    "modbus": "mbap",
    "mongodb": "mongod",
    "mqtt tls": "secure-mqtt mqtts",
    "msrpc": "epmap dce-rpc",
    "mssql": "ms-sql ms-sql-s",
    "netbios": "netbios-ns netbios-dgm nbname nbdgm nbtstat",
    "netbios smb": "netbios-ssn",
    "nntp tls": "nntps snews",
    "oracle": "oracle-tns",
    "pop3": "pop",
    "pop3 tls": "pop3s",
    "rdp": "ms-wbt-server msrdp ms-term-serv ms-term-services",
    "rpcbind": "sunrpc",
    "sip tls": "sips sip-tls",
    "smb": "microsoft-ds cifs",
    "smtp": "submission",
    "smtp tls": "smtps submissions",
    "snmp": "snmptrap",
    "ssh": "ssh1 ssh2",
    "telnet tls": "telnets",
    "tls": "ssl x509 x509ca heartbleed ticketbleed",
    "upnp": "ssdp",
    "vnc": "rfb",
}
_SPOKEN = {name: tuple(spoken.split()) for spoken, names in _NAMES.items() for name in names.split()}


def protocols_of(name: str, *, is_guess: bool = False, over_tls: bool = False) -> tuple[str, ...]:
    """Return the application protocols of a service, sorted.

    Args:
        name: the scanner's name of the service, such as `http` or `ssl/http`; empty if unknown.
        is_guess: the name is guessed by the port's number; a guess never includes TLS.
        over_tls: the service spoke TLS when it was asked.
    """
    words = filter(None, re.split(r"[/|]", name.strip().lower()))
    found = {protocol for word in words for protocol in _SPOKEN.get(word, (word,))}
    if is_guess:
        found.discard(TLS)
    return tuple(sorted(found | {TLS} if over_tls else found))


def spoken_at(services: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return all application protocols of stored services, sorted."""
    return sorted({protocol for service in services for protocol in service.get("protocols", ())})
