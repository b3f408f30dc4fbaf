"""Derives the fields of an asset from the values of its records.

Pure. Stored assets are derived anew in the background when the rules or tables change: `form` names their state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import version as version_of
from typing import Any

from sync.inventory.fingerprint import hardware, lifecycle, machine, network, system, windows

Networks = tuple[Sequence[str], Sequence[str]]
RULES = 2
"""The version of the rules of this folder: raise it with a change of them, so that stored assets are derived anew."""
NAMES = (
    "os", "os_vendor", "os_product", "os_alternative", "os_reason", "os_eol", "os_eol_extended", "os_eol_is_earliest",
    "hw", "type", "type_reason", "mac_vendors", "multi_home",
)  # fmt: skip


@cache
def form() -> str:
    """Name the state of rules and tables; a database with another name is brought up to date."""
    tables = (windows.WINDOWS, lifecycle.LIFECYCLES, hardware.MAKERS, machine.MODELS, machine.SYSTEMS, system.LINUXES)
    read = sha256(repr((tables, version_of("aiooui"))).encode()).hexdigest()
    return f"{RULES}-{read[:16]}"


def derived_fields(
    said: Mapping[str, Any], found: Mapping[str, Any], hardware_: tuple[str | None, str | None], networks: Networks
) -> dict[str, Any]:
    """Derive the fields of `NAMES`.

    Args:
        said: the directory's `operating_system`, `operating_system_version` and `profile_type`.
        found: the scans' `type`, `os` and `os_version`.
        hardware_: maker and model, of any source.
        networks: MAC addresses and IP addresses in stored form.
    """
    macs, addresses = networks
    of_system = (said["operating_system"], said["operating_system_version"], found["os"], found["os_version"])
    return {
        **_of_texts(of_system, (found["type"], said["profile_type"]), hardware_),
        "mac_vendors": network.mac_vendors(macs) if macs else [],
        "multi_home": len(addresses) > 1 and network.is_multi_home(addresses),
    }


@lru_cache(maxsize=4_096)
def _of_texts(
    of_system: tuple[str | None, ...], of_type: tuple[str | None, ...], hardware_: tuple[str | None, str | None]
) -> Mapping[str, Any]:
    """Derive the fields that depend on texts only; cached, because many machines share these texts."""
    (told, version, scanned, scanned_version), (maker, model) = of_system, hardware_
    print_ = system.fingerprint(told, version, model, scanned, scanned_version)
    first, second = (*print_.candidates, None, None)[:2]
    type_, reason = machine.machine(of_type[0], of_type[1], model, first if second is None else None)
    return {
        "os": first and first.text,
        "os_vendor": first and first.vendor,
        "os_product": first and first.product,
        "os_alternative": second and second.text,
        "os_reason": print_.reason,
        "os_eol": _end_of(print_.eol),
        "os_eol_extended": _end_of(print_.extended),
        "os_eol_is_earliest": print_.is_earliest,
        "hw": hardware.hardware(maker, model),
        "type": type_,
        "type_reason": reason,
    }


def _end_of(day: str | None) -> str | None:
    """Return the end of a day as a stored time: support includes the published day."""
    return f"{day}T23:59:59.999Z" if day else None
