"""The usual service of a port, for scans that do not detect services, and the usual port of a service."""

from __future__ import annotations

_NAMES = {
    21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "domain", 80: "http", 88: "kerberos", 110: "pop3",
    111: "rpcbind", 135: "msrpc", 139: "netbios-ssn", 143: "imap", 389: "ldap", 443: "https", 445: "microsoft-ds",
    515: "printer", 548: "afp", 554: "rtsp", 587: "submission", 631: "ipp", 636: "ldaps", 993: "imaps", 995: "pop3s",
    1433: "ms-sql", 1521: "oracle", 1883: "mqtt", 2049: "nfs", 3268: "globalcat-ldap", 3306: "mysql", 3389: "rdp",
    5060: "sip", 5432: "postgresql", 5900: "vnc", 5985: "winrm", 6379: "redis", 8080: "http-alt", 8443: "https-alt",
    8883: "secure-mqtt", 9100: "jetdirect", 9200: "elasticsearch", 27017: "mongodb", 62078: "iphone-sync",
}  # fmt: skip


def service_name(port: int) -> str:
    """Return the usual service of a port; empty if there is none."""
    return _NAMES.get(port, "")


_PORTS = {name: port for port, name in reversed(_NAMES.items())} | {"dns": 53, "smb": 445, "snmp": 161, "ntp": 123}


def port_of(service: str) -> int | None:
    """Return the usual port of a service; None if there is none."""
    return _PORTS.get(service)
