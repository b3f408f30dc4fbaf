"""Derives the type of a machine.

Pure. The types are those of the search language: Desktop, Laptop, Server, Mobile, Tablet, Virtual, Printer, Camera,
NAS, Router, Switch, WAP, IoT, Hypervisor, and any other type that a scan names.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sync.inventory.fingerprint.system import OperatingSystem
from sync.inventory.fingerprint.windows import SERVER

# A directory's `profileType` → the type. Source: learn.microsoft.com/graph/api/resources/device
PROFILES = {"Printer": "Printer", "IoT": "IoT"}
# Beginning of the folded name of a system that runs on one type of machine → the type.
SYSTEMS = {
    "vmware esxi": "Hypervisor", "esxi": "Hypervisor", "proxmox": "Hypervisor", "xenserver": "Hypervisor",
    "hyper-v server": "Hypervisor", "routeros": "Router", "openwrt": "Router", "junos": "Router",
    "synology": "NAS", "dsm": "NAS", "qts": "NAS", "truenas": "NAS", "freenas": "NAS",
}  # fmt: skip
_ALWAYS_MOBILE = ("iOS", "Android", "Windows Phone", "Windows Mobile")
# Type → pattern for its models; the first match decides. Product lines of several types are left out.
MODELS: tuple[tuple[str, str], ...] = (
    ("Virtual", r"virtual|vmware|kvm|qemu|standard pc \(|^standard pc$|hvm domu|bochs|cloud pc|parallels"),
    ("Tablet", r"ipad|surface (pro|go)\b(?! laptop)|galaxy tab|^sm-[tx]\d|\btablet\b|elitepad|^tb-?\w?\d"),
    ("Printer", r"laserjet|officejet|pagewide|imagerunner|bizhub|workcentre|\bprinter\b"),
    ("NAS", r"diskstation|rackstation|readynas|\bnas\b"),
    ("Server", r"poweredge|proliant|thinksystem|primergy|superserver|\bucs[bc]?-|\bserver\b"),
    (
        "Laptop",
        r"latitude|elitebook|probook|zbook|thinkpad|thinkbook|ideapad|macbook|surface (laptop|book)|notebook|laptop"
        r"|chromebook|vivobook|zenbook|expertbook|travelmate|toughbook|lifebook|tecra|portege|dynabook|\byoga\b"
        r"|\bxps 1\d|galaxy book",
    ),
    (
        "Desktop",
        r"optiplex|elitedesk|prodesk|eliteone|thinkcentre|thinkstation|esprimo|veriton|imac|mac ?mini|mac ?pro"
        r"|mac ?studio|surface studio|\bnuc\d?|desktop|\btower\b|all-in-one|\baio\b|\bmini pc\b",
    ),
    ("Mobile", r"iphone|pixel \d|galaxy s\d|^sm-[a-gs]\d"),
)
_MODELS = tuple((name, re.compile(words)) for name, words in MODELS)


@lru_cache(maxsize=4_096)
def machine(
    scanned: str | None, profile: str | None, model: str | None, system: OperatingSystem | None
) -> tuple[str | None, str | None]:
    """Return the type of a machine and the reason; None for both if unknown.

    Args:
        scanned: the type that a scan found.
        profile: the directory's `profileType`.
        model: the model.
        system: the operating system, if there is one candidate only.
    """
    if scanned:
        return scanned, f"scan: {scanned}"
    if profile in PROFILES:
        return PROFILES[profile], f"profileType {profile}"
    if system and (system.kind == SERVER or "server" in system.text.casefold()):
        return "Server", f"system {system.text}"
    folded = (model or "").casefold().strip()
    if found := next((name for name, words in _MODELS if words.search(folded)), None) if folded else None:
        return found, f"model {model}"
    if system is None:
        return None, None
    if system.product == "iPadOS":
        return "Tablet", f"system {system.text}"
    if system.product in _ALWAYS_MOBILE:
        return "Mobile", f"system {system.text}"
    name = system.text.casefold()
    if found := next((type_ for start, type_ in SYSTEMS.items() if name.startswith(start)), None):
        return found, f"system {system.text}"
    return None, None
