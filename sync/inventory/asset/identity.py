"""The identity of a device as its directory records it: hardware, MAC addresses, name, system, trust.

Pure. The rules, and why they are as they are, stand in docs/assets.md and docs/decisions/0018.
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
# Who gives them vouches for them in this order: Autopilot for a machine it has registered, Windows for the hardware,
# the service that registers devices. Where both records have one kind, the first such kind decides.
HARDWARE = ("ZTDID", "HWID", "GID")
STALE_DAYS = 90
"""A record is stale beside another that signed in so many days later. The directory writes these times only every two
weeks, so that less than three tells nothing; Microsoft calls a device stale after three months."""
_HARDWARE = re.compile(r"\[(ZTDID|HWID|GID)\]:(.+)", re.IGNORECASE | re.DOTALL)
_MOBILE = re.compile(r"\b(ios|iphone|ipad|ipados|android\w*|windows ?phone|windows ?mobile)\b", re.IGNORECASE)
_MAC_SYSTEM = re.compile(r"mac ?os|mac ?mdm|os ?x|darwin", re.IGNORECASE)
_TRUST = {"workplace": "registered", "azuread": "joined", "serverad": "joined"}


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """A record of a device, as far as it tells which machine it is.

    Args:
        short: the compared form of its name, None if that tells nothing.
        domain: of its name, "" without one.
        family: of its operating system, None if the directory does not say.
        trust: registered or joined; None if the directory does not say, or says something new.
        hardware: kind → values, of the kinds in `HARDWARE`.
        keys: by what other records may have to do with it, in the form of `device_keys`.
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
        """Whether it is of a kind whose names identify nothing: people and makers choose them."""
        return self.family == "mobile"

    @property
    def age(self) -> tuple[str, str]:
        """Order records from the oldest to the youngest, by what they say, never by when they arrived."""
        return self.registered or self.created or "9", self.external_id


def identity(row: Any) -> DeviceIdentity:
    """Read what a row of `devices` tells."""
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
    """Read the hardware ids in a device's `physicalIds`, such as `[HWID]:h:6825798571036`, by their kind.

    Source: learn.microsoft.com/graph/api/resources/device (physicalIds: for internal use, no promised form)
    """
    found: dict[str, set[str]] = {}
    for text in physical_ids if isinstance(physical_ids, list) else ():
        if isinstance(text, str) and (read := _HARDWARE.fullmatch(text.strip())):
            value = read[2].strip().casefold()
            # A placeholder of a machine that has none.
            if value.rpartition(":")[2].strip("0-{} "):
                found.setdefault(read[1].upper(), set()).add(value)
    return {kind: frozenset(found[kind]) for kind in HARDWARE if kind in found}


@lru_cache(maxsize=1_024)
def family_of(system: str | None) -> str | None:
    """Name the family of an operating system: `windows`, `macos`, `linux`, `mobile`, else its first word."""
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
    """Tell whether hardware ids say that two records are one machine; None if they do not say.

    Args:
        clones: keys that too many machines have, such as those of an image: they tell nothing.
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
    """Tell why two records with one name are not taken for one machine by it; None if they are, but for others."""
    if one.is_phone or other.is_phone:
        return "Names of phones and tablets tell nothing."
    if one.family is None or other.family is None:
        return "The directory does not say which system both run."
    if one.family != other.family:
        return "They run different systems."
    if one.trust is None or other.trust is None:
        return "The directory does not say how both are joined to it."
    if one.trust != other.trust:
        return None
    if one.trust == "registered":
        return "Both are registered, none is joined."
    old, new = sorted((one, other), key=lambda record: record.last_sign_in or "")
    if not (old.last_sign_in and new.last_sign_in) or _days_between(old.last_sign_in, new.last_sign_in) < STALE_DAYS:
        return f"Both are joined, and neither has been silent for {STALE_DAYS} days beside the other."
    if new.registered and new.registered < old.last_sign_in:
        return "Both are joined, and the older record signed in after the newer one was made."
    return None


def _days_between(early: str, late: str) -> float:
    try:
        return (datetime.fromisoformat(late) - datetime.fromisoformat(early)) / timedelta(days=1)
    except (ValueError, TypeError):
        return 0.0
