"""Joins maker and model of a machine in one text.

Pure.
"""

from __future__ import annotations

from functools import lru_cache

# Folded name of a maker as firmware writes it → common name. Other names stay as received.
# Sources: the values of Win32_ComputerSystem.Manufacturer that Microsoft's device documentation shows, and what
# directories hold.
MAKERS: dict[str, str] = {
    "dell inc.": "Dell",
    "dell computer corporation": "Dell",
    "hewlett-packard": "HP",
    "hp inc.": "HP",
    "lenovo": "Lenovo",
    "microsoft corporation": "Microsoft",
    "apple inc.": "Apple",
    "asustek computer inc.": "ASUS",
    "acer, inc.": "Acer",
    "samsung": "Samsung",
    "samsung electronics co., ltd.": "Samsung",
    "samsung electronics": "Samsung",
    "vmware, inc.": "VMware",
    "qemu": "QEMU",
    "innotek gmbh": "VirtualBox",
    "fujitsu limited": "Fujitsu",
    "toshiba corporation": "Toshiba",
    "huawei technologies co., ltd.": "Huawei",
    "super micro computer, inc.": "Supermicro",
    "panasonic corporation": "Panasonic",
    "intel corporation": "Intel",
    "intel(r) client systems": "Intel",
}


@lru_cache(maxsize=4_096)
def hardware(manufacturer: str | None, model: str | None) -> str | None:
    """Join maker and model: `Dell Inc.` and `OptiPlex 7010` become `Dell OptiPlex 7010`, without a repeated maker."""
    name = " ".join((model or "").split())
    received = " ".join((manufacturer or "").split())
    maker = MAKERS.get(received.casefold(), received)
    if not name or not maker:
        return name or maker or None
    begins = name.casefold().startswith((f"{maker.casefold()} ", f"{received.casefold()} "))
    is_all = name.casefold() in (maker.casefold(), received.casefold())
    if is_all:
        return maker
    # VMware's firmware names its machines "VMware7,1".
    glued = name.casefold().startswith(maker.casefold()) and not name[len(maker) : len(maker) + 1].isalpha()
    return name if begins or glued else f"{maker} {name}"
