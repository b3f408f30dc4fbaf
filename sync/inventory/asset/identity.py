"""The identity of a device in its directory: hardware ids, MAC addresses, name, operating system, trust.

Pure functions. docs/assets.md and docs/decisions/0018 give the rules and their reasons.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sync.inventory.asset.host_name import host_name, name_key
from sync.inventory.asset.mac import macs_in

NAME, MAC = "NAME", "MAC"
# The most reliable first: the ids of Autopilot, of Windows for the hardware, of the device registration service. The
# first kind that both records have decides.
HARDWARE = ("ZTDID", "HWID", "GID")
STALE_DAYS = 90
"""A record is stale if another signed in so many days later. The directory updates these times only every two weeks;
Microsoft calls a device stale after three months."""
_HARDWARE = re.compile(r"\[(ZTDID|HWID|GID)\]:(.+)", re.IGNORECASE | re.DOTALL)
_MOBILE = re.compile(r"\b(ios|iphone|ipad|ipados|android\w*|windows ?phone|windows ?mobile)\b", re.IGNORECASE)
_MAC_SYSTEM = re.compile(r"mac ?os|mac ?mdm|os ?x|darwin", re.IGNORECASE)
_TRUST = {"workplace": "registered", "azuread": "joined", "serverad": "joined"}


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """The identifying data of a device record.

    Args:
        short: the compared form of its name; None if it identifies nothing.
        domain: the domain of its name, or "".
        family: the family of its operating system; None if unknown.
        trust: registered or joined; None if unknown or a new value.
        hardware: kind → values, of the kinds in `HARDWARE`.
        keys: the values that other records can share, in the form of `device_keys`.
    """

    id: int
    external_id: str
    device_id: str | None
    short: str | None
    domain: str
    family: str | None
    trust: str | None
    hardware: Mapping[str, frozenset[str]]
    macs: tuple[str, ...]
    last_sign_in: str | None
    registered: str | None
    created: str | None
    keys: tuple[str, ...]

    @property
    def is_phone(self) -> bool:
        """Whether it is a phone or tablet, whose name identifies nothing: people and makers choose it."""
        return self.family == "mobile"

    @property
    def age(self) -> tuple[str, str]:
        """A sort key, the oldest record first: by the directory's times, never by when the record arrived."""
        return self.registered or self.created or "9", self.external_id


def identity(row: Any) -> DeviceIdentity:
    """Return the identity of a row of `devices`."""
    short, hardware, macs = name_key(row.display_name), hardware_in(row.physical_ids), tuple(macs_in(row.physical_ids))
    keys = [f"{kind}:{value}" for kind, values in hardware.items() for value in values]
    keys.extend(f"{MAC}:{mac}" for mac in macs)
    if short:
        keys.append(f"{NAME}:{short}")
    return DeviceIdentity(
        id=row.id,
        external_id=row.external_id,
        device_id=row.device_id or None,
        short=short,
        domain=host_name(row.display_name)[1],
        family=family_of(row.operating_system),
        trust=_TRUST.get((row.trust_type or "").casefold()),
        hardware=hardware,
        macs=macs,
        last_sign_in=row.approximate_last_sign_in_date_time,
        registered=row.registration_date_time,
        created=row.created_date_time,
        keys=tuple(keys),
    )


def hardware_in(physical_ids: Any) -> dict[str, frozenset[str]]:
    """Return the hardware ids in a device's `physicalIds`, such as `[HWID]:h:6825798571036`, by kind.

    Source: learn.microsoft.com/graph/api/resources/device (physicalIds: for internal use, no promised form)
    """
    found: dict[str, set[str]] = {}
    for text in physical_ids if isinstance(physical_ids, list) else ():
        if isinstance(text, str) and (read := _HARDWARE.fullmatch(text.strip())):
            value = read[2].strip().casefold()
            # Skip placeholders, which consist of zeros.
            if value.rpartition(":")[2].strip("0-{} "):
                found.setdefault(read[1].upper(), set()).add(value)
    return {kind: frozenset(found[kind]) for kind in HARDWARE if kind in found}


@lru_cache(maxsize=1_024)
def family_of(system: str | None) -> str | None:
    """Return the family of an operating system: `windows`, `macos`, `linux`, `mobile`, or else its first word."""
    text = (system or "").strip().casefold()
    if not text:
        return None
    if _MOBILE.search(text):
        return "mobile"
    if text.startswith("windows"):
        return "windows"
    if _MAC_SYSTEM.match(text):
        return "macos"
    return "linux" if "linux" in text else text.split()[0]


def same_hardware(one: DeviceIdentity, other: DeviceIdentity, clones: Container[str] = ()) -> bool | None:
    """Compare hardware ids: True: one machine, False: two machines, None: they do not decide.

    Args:
        clones: keys to ignore because too many machines have them, such as those of an image.
    """
    for kind in HARDWARE:
        mine, its = (
            {value for value in record.hardware.get(kind, ()) if f"{kind}:{value}" not in clones}
            for record in (one, other)
        )
        if mine and its:
            return bool(mine & its)
    return None


def why_names_differ(one: DeviceIdentity, other: DeviceIdentity) -> str | None:
    """Return why two records of one name do not match by it; None if the two match."""
    if one.is_phone or other.is_phone:
        return "Names of phones and tablets do not identify them."
    if one.family is None or other.family is None:
        return "The directory does not give the operating system of both."
    if one.family != other.family:
        return "They run different operating systems."
    if one.trust is None or other.trust is None:
        return "The directory does not give the trust type of both."
    if one.trust != other.trust:
        return None
    if one.trust == "registered":
        return "Both devices are registered, and neither is joined."
    old, new = sorted((one, other), key=lambda record: record.last_sign_in or "")
    if not (old.last_sign_in and new.last_sign_in) or _days_between(old.last_sign_in, new.last_sign_in) < STALE_DAYS:
        return f"Both devices are joined, and their last sign-ins are less than {STALE_DAYS} days apart, or unknown."
    if new.registered and new.registered < old.last_sign_in:
        return "Both devices are joined, and the older record signed in after the newer one was registered."
    return None


def _days_between(early: str, late: str) -> float:
    try:
        return (datetime.fromisoformat(late) - datetime.fromisoformat(early)) / timedelta(days=1)
    except (ValueError, TypeError):
        return 0.0
