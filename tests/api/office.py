"""An organization whose few rows are known by name, so that a test can say which of them a search must return."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import SystemClock, timestamp
from sync.inventory.asset.service import service_fields
from sync.inventory.directory.kind import Edge
from sync.store import tables

_LISTS: dict[str, list[str]] = {name: [] for name in ("names", "addresses", "macs")}
_EMPTY_LISTS: dict[str, list[str]] = {name: [] for name in ("names", "domains", "addresses", "macs", "tags")}


def ago(days: float) -> str:
    """Return the time so many days ago, or ahead if negative."""
    return timestamp(SystemClock().now() - timedelta(days=days))


USERS: dict[str, dict[str, Any]] = {
    "ann": {
        "display_name": "Ann Alder", "user_principal_name": "ann@corp.example", "mail": "ann@corp.example",
        "given_name": "Ann", "surname": "Alder", "job_title": "Chief Engineer", "department": "Research",
        "company_name": "Corp", "office_location": "Building 7", "mobile_phone": "+1 555 0100",
        "account_enabled": True, "user_type": "Member", "employee_id": "E-1", "created_date_time": ago(400),
    },
    "bob": {
        "display_name": "Bob Birch", "user_principal_name": "bob@corp.example", "mail": "bob@corp.example",
        "given_name": "Bob", "surname": "Birch", "job_title": "Sales 100%", "department": "Sales",
        "account_enabled": False, "user_type": "Member", "business_phones": ["555-0199"],
    },
    "cem": {
        "display_name": "Cem Ünal", "user_principal_name": "cem_ext@partner.example", "department": "Sales",
        "account_enabled": True, "user_type": "Guest",
    },
    "dora": {"display_name": "Dora (Admin)", "user_principal_name": "dora@corp.example", "account_enabled": False},
}  # fmt: skip
GROUPS: dict[str, dict[str, Any]] = {
    "admins": {"display_name": "Domain Admins", "kind": "SECURITY", "description": "May do everything"},
    "sales": {"display_name": "Sales", "kind": "MICROSOFT_365", "mail": "sales@corp.example", "visibility": "Public"},
    "laptops": {"display_name": "All laptops", "kind": "SECURITY", "is_dynamic": True},
    "empty": {"display_name": "Nobody", "kind": "DISTRIBUTION", "description": ""},
}
ASSETS: dict[str, dict[str, Any]] = {
    "web-01": {
        "names": ["web-01", "www.corp.example"], "domains": ["corp.example"], "addresses": ["10.0.0.5", "8.8.8.8"],
        "macs": ["AA:BB:CC:00:00:01"], "type": "Server", "os": "Ubuntu Linux", "os_version": "22.04.3", "alive": True,
        "manufacturer": "Dell", "model": "PowerEdge R740", "hw": "Dell PowerEdge R740", "serial": "S-1",
        "os_vendor": "Ubuntu", "os_product": "Ubuntu Linux", "os_eol": ago(-400), "multi_home": True,
        "mac_vendors": ["Contoso Networks"], "source_mask": 2, "tags": ["prod", "dmz"],
        "first_seen": ago(100), "last_seen": ago(1), "criticality": "high",
    },
    "web-02": {
        "names": ["web-02"], "addresses": ["10.0.0.6"], "macs": ["AA:BB:CC:00:00:02"], "type": "Server",
        "os": "Windows Server 2022", "os_version": "10.0.20348", "os_eol": ago(60), "os_eol_extended": ago(-800),
        "os_vendor": "Microsoft", "os_alternative": "Microsoft Windows Nano", "alive": False, "manufacturer": "HP",
        "model": "ProLiant", "source_mask": 3, "first_seen": ago(10), "last_seen": ago(3), "tags": ["prod"],
    },
    "fin-7-laptop": {
        "names": ["fin-7-laptop"], "addresses": ["192.168.1.7"], "type": "Laptop", "os": "Windows 10 Pro",
        "os_version": "10.0.9045", "manufacturer": "Lenovo", "model": "ThinkPad_X1 100%", "source_mask": 1,
        "hw": "Lenovo ThinkPad_X1 100%",
        "last_seen": ago(120), "first_seen": ago(300),
    },
    "fin-8-laptop": {
        "names": ["fin-8-laptop"], "type": "Laptop", "os": "Windows 10 Pro", "os_version": "10.0.19045",
        "source_mask": 1, "last_seen": ago(20), "comment": 'says "hi" (twice)',
    },
    "phone": {"names": ["phone"], "type": "Mobile", "os": "iOS", "os_version": "17.1", "source_mask": 1},
    "ghost": {"names": [], "source_mask": 2, "addresses": ["fe80::1"]},
}  # fmt: skip
DEVICES: dict[str, dict[str, Any]] = {
    "web-02": {"trust_type": "ServerAd", "account_enabled": True, "is_compliant": True, "mdm_app_id": "intune"},
    "fin-7-laptop": {
        "trust_type": "ServerAd", "account_enabled": False, "is_compliant": False,
        "approximate_last_sign_in_date_time": ago(120), "operating_system_version": "10.0.9045",
        "extension_attributes": {"extensionAttribute1": "Kiosk", "extensionAttribute2": None},
    },
    "fin-8-laptop": {
        "trust_type": "AzureAd", "account_enabled": True, "is_compliant": True, "mdm_app_id": "intune",
        "approximate_last_sign_in_date_time": ago(20), "physical_ids": ["[USER-GID]:1", "[HWID]:h:9"],
    },
    "phone": {"trust_type": "Workplace", "account_enabled": True, "mdm_app_id": "intune"},
}  # fmt: skip
SCANS: dict[str, dict[str, Any]] = {
    "web-01": {
        "detected_by": "TCP", "match_key": "mac", "alive": True, "model": "R740",
        "services": [
            {"port": 22, "protocol": "tcp", "product": "OpenSSH", "protocols": ["ssh"], "askedAt": ago(1)},
            {"port": 8080, "protocol": "tcp", "product": "nginx", "protocols": ["http", "tls"], "askedAt": ago(1)},
            {"port": 53, "protocol": "udp", "product": None, "protocols": ["dns"]},
        ],
        "protocols": ["dns", "http", "ssh", "tls"], "addresses": ["10.0.0.5", "8.8.8.8"],
    },
    "web-02": {
        "detected_by": "ARP", "match_key": "new", "alive": False,
        "services": [{"port": 53, "protocol": "tcp", "product": None, "protocols": ["dns"]}], "protocols": ["dns"],
    },
    "ghost": {"detected_by": "ICMP", "match_key": "new", "alive": False, "services": []},
}  # fmt: skip
EDGES = [
    (Edge.MEMBER, "admins", "ann"), (Edge.MEMBER, "admins", "bob"), (Edge.MEMBER, "sales", "bob"),
    (Edge.MEMBER, "laptops", "device fin-7-laptop"), (Edge.MEMBER, "laptops", "device fin-8-laptop"),
    (Edge.MEMBER, "admins", "sales"), (Edge.GROUP_OWNER, "admins", "ann"), (Edge.GROUP_OWNER, "sales", "bob"),
    (Edge.DEVICE_OWNER, "device fin-7-laptop", "bob"), (Edge.DEVICE_OWNER, "device fin-8-laptop", "ann"),
    (Edge.DEVICE_OWNER, "device phone", "cem"), (Edge.DEVICE_USER, "device phone", "ann"),
    (Edge.MANAGER, "bob", "ann"), (Edge.MANAGER, "cem", "bob"),
]  # fmt: skip
CREDENTIALS: dict[str, dict[str, Any]] = {
    "Directory": {"kind": "AZURE_CLIENT_SECRET", "secret_expires_at": ago(-10), "last_used_at": ago(1)},
    "Unused": {"kind": "AZURE_CLIENT_SECRET", "secret_expires_at": ago(-20)},
    "Old": {"kind": "AZURE_USERNAME_PASSWORD", "secret_expires_at": ago(5), "last_verified_at": ago(3)},
}
TASKS: dict[str, dict[str, Any]] = {
    "Nightly": {"schedule": {"every": "P1D"}, "next_run_at": ago(-0.5), "credential": "Directory"},
    "Once": {"description": "by hand"},
    "Sweep": {"kind": "SCAN", "paused": True, "created_at": ago(200)},
}
RUNS: list[tuple[str, str, str | None]] = [
    ("Nightly", "SUCCEEDED", None),
    ("Nightly", "FAILED", "Graph asked for a long wait"),
    ("Sweep", "SUCCEEDED", None),
]


async def furnish_office(tx: AsyncConnection, organization_id: int, site_id: int) -> None:
    """Write the rows above into an organization."""
    stamps = {"created_at": ago(30), "updated_at": ago(2)}
    own = {"organization_id": organization_id, **stamps}
    here = {**own, "site_id": site_id, "source": "azuread"}
    place = {**here, "cloud": "GLOBAL", "tenant_id": "t"}
    keys = {"directory": await _one(tx, tables.directories, place)}
    await _write_work(tx, own, site_id)
    for name, fields in ASSETS.items():
        counted: dict[str, Any] = {"source_count": fields["source_mask"].bit_count()}
        counted["scanned"] = bool(fields["source_mask"] & 2)
        counted |= service_fields([{**_LISTS, **SCANS[name]}] if name in SCANS else [])
        row = {**own, "site_id": site_id, **_EMPTY_LISTS, **counted, "name": name, "version": 1, **fields}
        keys[f"asset {name}"] = await _one(tx, tables.assets, row)
    for name, fields in SCANS.items():
        seen = {"asset_id": keys[f"asset {name}"], "first_seen": ago(9), "last_seen": ago(1)}
        await _one(tx, tables.scan_records, {**own, "site_id": site_id, **_LISTS, **seen, **fields})
    here |= {"directory_id": keys["directory"], "content_hash": b"", "version": 1}
    kept = {"is_dynamic": False, "membership_known": True}
    for table, kind, rows in (
        (tables.users, "", USERS), (tables.groups, "", GROUPS), (tables.devices, "device ", DEVICES),
    ):  # fmt: skip
        for name, fields in rows.items():
            known = {"directory_id": keys["directory"], "external_id": f"x-{kind}{name}", "generation": 1}
            keys[kind + name] = await _one(tx, tables.objects, known)
            more = kept if table is tables.groups else {"asset_id": keys.get(f"asset {name}")}
            row = {**here, **more, "id": keys[kind + name], "external_id": f"x-{kind}{name}", **fields}
            await tx.execute(insert(table).values({key: row[key] for key in row if key in table.c}))
    match = {"source": "azuread", "key": "name", "matched_at": ago(3)}
    for name in ("web-02", "phone"):
        ends = {"asset_id": keys[f"asset {name}"], "object_id": keys[f"device {name}"]}
        await _one(tx, tables.matches, {**match, **ends})
    await tx.execute(
        insert(tables.edges),
        [{"kind": kind, "from_id": keys[a], "to_id": keys[b], "generation": 1} for kind, a, b in EDGES],
    )


async def _write_work(tx: AsyncConnection, own: Mapping[str, Any], site_id: int) -> None:
    credential = {
        "cloud": "GLOBAL", "client_id": "c", "tenant_id": "t", "all_subscriptions": False, "is_global": False,
        "sealed_secret": b"", "secret_set_at": own["created_at"],
    }  # fmt: skip
    keys = {name: await _one(tx, tables.credentials, {**own, **credential, "name": name, **fields})
            for name, fields in CREDENTIALS.items()}  # fmt: skip
    task = {"kind": "CONNECTOR", "exclude_unknown": False, "include_inactive": True, "paused": False, "hidden": False}
    for name, fields in TASKS.items():
        row = {**own, **task, "site_id": site_id, "name": name, **fields}
        row["credential_id"] = keys.get(row.pop("credential", ""))
        keys[name] = await _one(tx, tables.tasks, row)
    for name, status, message in RUNS:
        errors = [{"code": "THROTTLED", "message": message, "hint": None, "resource": None, "retryable": True}]
        row = {**own, "task_id": keys[name], "status": status, "trigger": "MANUAL", "attempt": 1}
        row |= {"progress": {}, "counts": {}, "requests": {}, "errors": errors if message else []}
        await _one(tx, tables.runs, row)


async def _one(tx: AsyncConnection, table: Table, row: Mapping[str, Any]) -> int:
    return int(await tx.scalar(insert(table).values(**row).returning(table.c.id)))
