"""Application protocols of services, and how many services an asset has.

Existing services get the protocols of their stored names, without TLS, which was not stored. Only scanned hosts are
changed.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Copied from sync/inventory/scan/protocol.py at this revision, without TLS.
_NAMES = {
    "": "unknown general tcpwrapped vuln safe versioning possible_wls ssl x509 x509ca heartbleed ticketbleed",
    "afp": "afpovertcp",
    "dhcp": "dhcps dhcpc bootps bootpc dhcpv6-client dhcpv6-server",
    "dns": "domain domain-s dns-ver",
    "ethernet-ip": "ethernetip-1 ethernetip-2",
    "ftp": "ftps ftps-data ftp-data",
    "http": "www www-http http-alt http-proxy http-mgmt http.server title html https https-alt http-ssl",
    "http ipp": "ipp cups",
    "http winrm": "wsman winrm wsmans",
    "ike": "isakmp",
    "imap": "imap4 imaps imap4s",
    "irc": "ircs ircs-u",
    "jetdirect": "pdl-datastream pdl-datastr hp-pdl-datastr",
    "kerberos": "kerberos-sec",
    "ldap": "globalcatldap globalcat-ldap ldaps ldapssl globalcatldapssl",
    "lpd": "printer",
    "mdns": "zeroconf",
    "memcached": "memcache",
    "modbus": "mbap",
    "mongodb": "mongod",
    "mqtt": "secure-mqtt mqtts",
    "msrpc": "epmap dce-rpc",
    "mssql": "ms-sql ms-sql-s",
    "netbios": "netbios-ns netbios-dgm nbname nbdgm nbtstat",
    "netbios smb": "netbios-ssn",
    "nntp": "nntps snews",
    "oracle": "oracle-tns",
    "pop3": "pop pop3s",
    "rdp": "ms-wbt-server msrdp ms-term-serv ms-term-services",
    "rpcbind": "sunrpc",
    "sip": "sips sip-tls",
    "smb": "microsoft-ds cifs",
    "smtp": "submission smtps submissions",
    "snmp": "snmptrap",
    "ssh": "ssh1 ssh2",
    "telnet": "telnets",
    "upnp": "ssdp",
    "vnc": "rfb",
}
_SPOKEN = {name: spoken.split() for spoken, names in _NAMES.items() for name in names.split()}
_PRIVATE = (
    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 0.0.0.0/8 224.0.0.0/3 "
    "fc00::/7 fe80::/10 ff00::/8 ::/127"
)
_CHUNK = 2_000


def upgrade() -> None:
    """Add the columns, and fill them from stored data."""
    json_ = sa.JSON(none_as_null=True).with_variant(
        postgresql.JSONB(none_as_null=True, astext_type=Text()), "postgresql"
    )
    op.add_column("scan_records", sa.Column("protocols", json_, server_default=sa.text("'[]'"), nullable=False))
    for name in ("service_count", "tcp_count", "udp_count"):
        op.add_column("assets", sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("assets", sa.Column("service_has_public", sa.Boolean(), server_default=sa.false(), nullable=False))
    if op.get_bind().dialect.name == "sqlite":
        _name_protocols()
        _count_services()


def _name_protocols() -> None:
    connection, last = op.get_bind(), 0
    page = sa.text("SELECT id, services FROM scan_records WHERE id > :last AND services <> '[]' ORDER BY id LIMIT :n")
    write = sa.text("UPDATE scan_records SET services = :services, protocols = :protocols WHERE id = :id")
    while rows := connection.execute(page, {"last": last, "n": _CHUNK}).all():
        last = rows[-1].id
        changed = []
        for row in rows:
            services: list[dict[str, Any]] = json.loads(row.services)
            for service in services:
                name = (service.get("name") or "").lower()
                if spoken := _SPOKEN.get(name, [name] if name else []):
                    service["protocols"] = spoken
            spoken = sorted({protocol for service in services for protocol in service.get("protocols", ())})
            if spoken:
                changed.append({"id": row.id, "services": json.dumps(services), "protocols": json.dumps(spoken)})
        if changed:
            connection.execute(write, changed)


def _count_services() -> None:
    """Count the distinct open ports of each asset that has any."""
    count = (
        "(SELECT count(DISTINCT json_extract(value, '$.protocol') || json_extract(value, '$.port')) FROM scan_records,"
        " json_each(scan_records.services) WHERE scan_records.asset_id = assets.id{})"
    )
    of = " AND json_extract(value, '$.protocol') = '{}'"
    public = (
        "EXISTS (SELECT 1 FROM scan_records, json_each(scan_records.addresses) WHERE scan_records.asset_id = assets.id"
        f" AND scan_records.services <> '[]' AND in_networks(value, '{_PRIVATE}') = 0)"
    )
    op.execute(
        sa.text(
            f"UPDATE assets SET service_count = {count.format('')}, tcp_count = {count.format(of.format('tcp'))},"
            f" udp_count = {count.format(of.format('udp'))}, service_has_public = {public}"
            " WHERE id IN (SELECT asset_id FROM scan_records WHERE services <> '[]')".replace(":", "\\:")
        )
    )
