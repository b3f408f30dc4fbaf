"""One generated device, from a phone to a server, with the properties that Microsoft documents.

Source: learn.microsoft.com/graph/api/resources/device
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from server.simulator.tenant.draw import Draw
from server.simulator.tenant.extension import build_extensions
from server.simulator.tenant.origin import Origin

STALE_PERCENT = 12
DISABLED_PERCENT = 6
DUPLICATE_EVERY = 97  # every 97th device has the display name of the one before; for a PC it is a second record
INTUNE_APP = "0000000a-0000-0000-c000-000000000000"

WINDOWS = ("10.0.19045.4529", "10.0.22631.4317", "10.0.22631.3880", "10.0.26100.2161", "10.0.26200.1")
SERVER = ("10.0.17763.6414", "10.0.20348.2762", "10.0.26100.1742")
PC_MODELS = (
    ("Dell Inc.", "Latitude 5440"), ("Dell Inc.", "OptiPlex 7010"), ("LENOVO", "21CBCTO1WW"), ("LENOVO", "20XW004AUS"),
    ("HP", "HP EliteBook 840 14 inch G10 Notebook PC"), ("Microsoft Corporation", "Surface Laptop 5"),
    ("Microsoft Corporation", "Surface Pro 9"), ("ASUSTeK COMPUTER INC.", "ExpertBook B5402CBA"),
)  # fmt: skip
VM_MODELS = (("VMware, Inc.", "VMware7,1"), ("Microsoft Corporation", "Virtual Machine"), ("QEMU", "Standard PC"))
IPHONES = ("iPhone 13", "iPhone 14 Pro", "iPhone 15", "iPhone SE", "iPad Air (5th generation)")
ANDROIDS = (("samsung", "SM-S911B"), ("Google", "Pixel 8"), ("Xiaomi", "2201117TG"), ("samsung", "SM-A546B"))

# The mix of a tenant with laptops, phones and hybrid desktops, in percent.
SORTS: tuple[str, ...] = (
    *("laptop",) * 34, *("hybrid",) * 26, *("server",) * 6, *("iphone",) * 14,
    *("android",) * 9, *("mac",) * 7, *("linux",) * 2, *("cloudpc",) * 2,
)  # fmt: skip


def build_device(origin: Origin, number: int, device_id: str) -> dict[str, Any]:
    """Return device `number` without its object id; properties that were never set are absent."""
    draw = origin.draw("device", number)
    sort = draw.pick(SORTS)
    registered = 40 + draw.below(1_500)
    seen = 200 + draw.below(1_000) if draw.percent(STALE_PERCENT) else draw.below(30)
    hardware = draw.below(10**12)
    values: dict[str, Any] = {
        "accountEnabled": not draw.percent(DISABLED_PERCENT),
        "alternativeSecurityIds": [_key(draw)],
        "createdDateTime": origin.moment(draw, registered),
        "deviceId": device_id,
        "deviceVersion": 2,
        "displayName": device_name(origin, number),
        "extensionAttributes": build_extensions(draw),
        "physicalIds": [f"[USER-GID]:{device_id}:{hardware}", f"[GID]:g:{hardware}", f"[HWID]:h:{hardware}"],
        "profileType": "SecureVM" if sort == "cloudpc" else "RegisteredDevice",
        "registrationDateTime": origin.moment(draw, registered),
        "systemLabels": ["M365Managed"] if sort == "cloudpc" else [],
    }
    if not draw.percent(3):  # a few devices registered and never signed in
        values["approximateLastSignInDateTime"] = origin.moment(draw, min(seen, registered))
    values |= BUILDERS[sort](origin, draw)
    if _is_duplicate(number):
        values |= _registered(origin, number, device_id)
    if draw.percent(5):
        values["physicalIds"].append(f"[ZTDID]:{origin.ids.encode(5, number)}")
    return values


def _is_duplicate(number: int) -> bool:
    return number % DUPLICATE_EVERY == DUPLICATE_EVERY - 1


def _registered(origin: Origin, number: int, device_id: str) -> dict[str, Any]:
    """Return the properties of a second, registered record of the joined PC before it; empty if that is not a PC."""
    joined = build_device(origin, number - 1, "")
    if joined["operatingSystem"] != "Windows" or joined["profileType"] != "RegisteredDevice":
        return {}
    same = ("operatingSystem", "operatingSystemVersion", "manufacturer", "model")
    mine = [f"[USER-GID]:{device_id}:{joined['physicalIds'][1].rpartition(':')[2]}", *joined["physicalIds"][1:3]]
    return {name: joined[name] for name in same} | {"trustType": "Workplace", "physicalIds": mine}


def device_name(origin: Origin, number: int) -> str:
    """Return the display name of a device, in the style of real host names; some occur twice."""
    if _is_duplicate(number):
        number -= 1
    sort = origin.draw("device", number).pick(SORTS)
    draw = origin.draw("hostname", number)
    return NAMERS[sort](origin, draw, number)


def _laptop_name(origin: Origin, draw: Draw, number: int) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    styles = (
        f"LAP-{number:04d}{draw.pick(letters)}",
        f"{draw.pick(('fin', 'eng', 'hr', 'sales'))}-laptop-{number:04d}",
        f"DESKTOP-{draw.hex(3).upper()}{number:04X}",
        f"CPC-{number:05d}-{draw.hex(3).upper()}",
    )
    return styles[draw.below(2) if draw.percent(80) else 2 + draw.below(2)]


def _server_name(origin: Origin, draw: Draw, number: int) -> str:
    name = f"{draw.pick(('web', 'sql', 'app', 'file', 'dc', 'print'))}-{number:02d}"
    return f"{name}.corp.{origin.domain}" if draw.percent(30) else name


def _phone_name(origin: Origin, draw: Draw, number: int) -> str:
    # Most phones are called "iPhone", a name that identifies nothing.
    styles = ("iPhone", f"iPhone von Jürgen {number}", f"📱 {number}", f"iPhone-{number}")
    return draw.pick(styles)


def _android_name(origin: Origin, draw: Draw, number: int) -> str:
    return f"User{number}_AndroidForWork_{draw.below(12) + 1}/{draw.below(28) + 1}/2025_{draw.below(12) + 1}:30 PM"


def _hybrid_name(origin: Origin, draw: Draw, number: int) -> str:
    return f"{draw.pick(('PC', 'WS', 'MUC', 'NYC'))}-{number:06d}"  # a NetBIOS name: 15 characters at most


def _mac_name(origin: Origin, draw: Draw, number: int) -> str:
    # macOS itself writes the typographic apostrophe.
    return f"{draw.pick(('Priya', 'Zoë', '太郎', 'محمد'))}\u2019s MacBook Pro {number}"


def _linux_name(origin: Origin, draw: Draw, number: int) -> str:
    return f"ubuntu-{number:04d}"


def _cloudpc_name(origin: Origin, draw: Draw, number: int) -> str:
    return f"CPC-sim-{number:05d}"


NAMERS: dict[str, Callable[[Origin, Draw, int], str]] = {
    "laptop": _laptop_name,
    "hybrid": _hybrid_name,
    "server": _server_name,
    "iphone": _phone_name,
    "android": _android_name,
    "mac": _mac_name,
    "linux": _linux_name,
    "cloudpc": _cloudpc_name,
}


def _key(draw: Draw) -> dict[str, Any]:
    thumbprint = f"X509:<SHA1-TP-PUBKEY>{draw.below(16**40):040X}"
    return {"type": 2, "identityProvider": None, "key": b64encode(thumbprint.encode("utf-16-le")).decode()}


def _managed(origin: Origin, draw: Draw, enrollment: str, profile: str, owner: str = "company") -> dict[str, Any]:
    compliant = draw.percent(88)
    return {
        "complianceExpirationDateTime": origin.moment(draw, 0) if compliant else None,
        "deviceCategory": draw.pick(("Standard", "Standard", "Executive", "Kiosk")),
        "deviceOwnership": owner,
        "enrollmentProfileName": profile,
        "enrollmentType": enrollment,
        "isCompliant": compliant,
        "isManaged": True,
        "isRooted": draw.percent(1),
        "managementType": "mdm",
        "mdmAppId": INTUNE_APP,
    }


def _pc(draw: Draw, system: str, version: str, model: tuple[str, str], trust: str) -> dict[str, Any]:
    return {
        "manufacturer": model[0],
        "model": model[1],
        "operatingSystem": system,
        "operatingSystemVersion": version,
        "trustType": trust,
    }


def _laptop(origin: Origin, draw: Draw) -> dict[str, Any]:
    values = _pc(draw, "Windows", draw.pick(WINDOWS), draw.pick(PC_MODELS), "AzureAd")
    if draw.percent(85):
        values |= _managed(origin, draw, "windowsAzureADJoin", "Autopilot Default")
    return values


def _hybrid(origin: Origin, draw: Draw) -> dict[str, Any]:
    values = _pc(draw, "Windows", draw.pick(WINDOWS), draw.pick(PC_MODELS), "ServerAd") | _synced(origin, draw)
    if draw.percent(50):
        values |= _managed(origin, draw, "windowsCoManagement", "Co-management")
    return values


def _server(origin: Origin, draw: Draw) -> dict[str, Any]:
    model = draw.pick(VM_MODELS)
    return _pc(draw, "Windows Server", draw.pick(SERVER), model, "ServerAd") | _synced(origin, draw)


def _synced(origin: Origin, draw: Draw) -> dict[str, Any]:
    return {
        "onPremisesLastSyncDateTime": origin.moment(draw, draw.below(3)),
        "onPremisesSecurityIdentifier": f"S-1-5-21-3623811015-3361044348-30300820-{500_000 + draw.below(2**31)}",
        "onPremisesSyncEnabled": True,
    }


def _iphone(origin: Origin, draw: Draw) -> dict[str, Any]:
    model, version = draw.pick(IPHONES), draw.pick(("17.6.1", "18.0.1", "18.1"))
    system = "IPhone" if draw.percent(30) else "iOS"
    values = _pc(draw, "IPad" if model.startswith("iPad") else system, version, ("Apple", model), "Workplace")
    return values | (_managed(origin, draw, "userEnrollment", "iOS BYOD", "personal") if draw.percent(70) else {})


def _android(origin: Origin, draw: Draw) -> dict[str, Any]:
    values = _pc(draw, "AndroidForWork", draw.pick(("12", "13", "14")), draw.pick(ANDROIDS), "Workplace")
    return values | _managed(origin, draw, "androidEnterpriseWorkProfile", "Work profile", "personal")


def _mac(origin: Origin, draw: Draw) -> dict[str, Any]:
    version = draw.pick(("13.7", "14.6.1", "15.1"))
    values = _pc(draw, "MacMDM", version, ("Apple", "MacBook Pro"), draw.pick(("Workplace", "AzureAd")))
    return values | _managed(origin, draw, "appleBulkWithUser", "macOS ADE")


def _linux(origin: Origin, draw: Draw) -> dict[str, Any]:
    return _pc(draw, "Linux", draw.pick(("Ubuntu 22.04", "Ubuntu 24.04")), draw.pick(VM_MODELS), "Workplace")


def _cloudpc(origin: Origin, draw: Draw) -> dict[str, Any]:
    model = ("Microsoft Corporation", "Cloud PC Enterprise 4vCPU/16GB/128GB")
    values = _pc(draw, "Windows", draw.pick(WINDOWS), model, "AzureAd")
    return values | _managed(origin, draw, "windowsAzureADJoinUsingDeviceAuth", "Cloud PC")


BUILDERS: dict[str, Callable[[Origin, Draw], dict[str, Any]]] = {
    "laptop": _laptop,
    "hybrid": _hybrid,
    "server": _server,
    "iphone": _iphone,
    "android": _android,
    "mac": _mac,
    "linux": _linux,
    "cloudpc": _cloudpc,
}
