"""Derives the operating system of a machine from the values of a directory and of a scan.

Pure. docs/assets.md has the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sync.inventory.fingerprint.lifecycle import ENDS
from sync.inventory.fingerprint.windows import CLIENT, SERVER, WINDOWS, WindowsRelease

MICROSOFT, APPLE, GOOGLE = "Microsoft", "Apple", "Google"
_BUILD = re.compile(r"(\d+\.\d)(?:\.| ?\()(\d{4,5})")
_NAMED = re.compile(
    r"windows (server )?(\d{4}(?: r2)?|\d{1,2}(?:\.1)?|vista|xp)\b(?:.*?\b(1[5-9]\d\d|2004|2\dh[12])\b)?"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_EDITION = re.compile(r"\b(pro|professional|home|enterprise|education|business|workstation)\b")
_ENTERPRISE = re.compile(r"\b(enterprise|education)\b")
_LONG_TERM = re.compile(r"\blts[bc]\b")
# Beginning of a Linux system's name → vendor, product, and how many numbers of the version make its release.
LINUXES: tuple[tuple[str, str, str, int], ...] = (
    ("ubuntu", "Ubuntu", "Ubuntu Linux", 2),
    ("debian", "Debian", "Debian Linux", 1),
    ("red hat", "Red Hat", "Red Hat Enterprise Linux", 1),
    ("redhat", "Red Hat", "Red Hat Enterprise Linux", 1),
    ("rhel", "Red Hat", "Red Hat Enterprise Linux", 1),
    ("centos", "CentOS", "CentOS Linux", 1),
    ("rocky", "Rocky", "Rocky Linux", 1),
    ("alma", "AlmaLinux", "AlmaLinux", 1),
    ("fedora", "Fedora", "Fedora Linux", 1),
    ("opensuse", "SUSE", "openSUSE", 1),
    ("suse", "SUSE", "SUSE Linux Enterprise", 1),
    ("oracle", "Oracle", "Oracle Linux", 1),
    ("amazon", "Amazon", "Amazon Linux", 1),
)


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """One product that may run on a machine.

    Args:
        release: such as `23H2` or `15`; None if unknown.
        kind: CLIENT or SERVER, of Windows only.
        eol: the last day of support, such as `2025-10-14`; None if unknown.
        extended: the last day of extended support.
        is_earliest: whether other editions may have a later `eol`.
    """

    vendor: str | None
    product: str
    release: str | None = None
    kind: str | None = None
    eol: str | None = None
    extended: str | None = None
    is_earliest: bool = False

    @property
    def text(self) -> str:
        """The full name: vendor, product and release."""
        vendor = "" if not self.vendor or self.product.startswith(self.vendor) else self.vendor
        return " ".join(part for part in (vendor, self.product, self.release) if part)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The operating system of a machine, or two candidates that cannot be told apart.

    Args:
        candidates: the products, the likelier first.
        reason: the received values that it was derived from, and why there are two.
    """

    candidates: tuple[OperatingSystem, ...] = ()
    reason: str | None = None

    @property
    def eol(self) -> str | None:
        """The last day of support: the earliest among the candidates."""
        days = [one.eol for one in self.candidates]
        return min((day for day in days if day), default=None)

    @property
    def extended(self) -> str | None:
        """The last day of extended support: the earliest among the candidates; None if one of them has none."""
        days = [one.extended for one in self.candidates if one.extended]
        return min(days) if days and len(days) == len(self.candidates) else None

    @property
    def is_earliest(self) -> bool:
        """Whether another edition or candidate may have a later day."""
        return self.eol is not None and (len(self.candidates) > 1 or self.candidates[0].is_earliest)


@lru_cache(maxsize=4_096)
def fingerprint(
    system: str | None, version: str | None, model: str | None, scanned: str | None, scanned_version: str | None
) -> Fingerprint:
    """Derive the operating system.

    A scan has precedence over the directory. The directory decides if it names the same maker's product and release
    and the scan names no release; a scan then only tells clients from servers.

    Args:
        system: the directory's `operatingSystem`.
        version: the directory's `operatingSystemVersion`.
        model: the model, which tells an iPad that reports iOS.
        scanned: the system that a scan found.
        scanned_version: the version that a scan found.
    """
    told, found = candidates(system, version, model), candidates(scanned, scanned_version, None)
    mine = _said("operatingSystem", system, "operatingSystemVersion", version)
    its = _said("scan", scanned, "version", scanned_version)
    if not found:
        return Fingerprint(tuple(told), _why(told, mine))
    if not told or found[0].vendor != told[0].vendor:
        return Fingerprint(tuple(found), _why(found, its))
    kinds = {one.kind for one in found if one.kind}
    narrowed = [one for one in told if one.kind in kinds] if len(kinds) == 1 else told
    # A scan that names no release knows less than a build.
    if all(one.release is None for one in found) and _is_exact(told) and narrowed:
        return Fingerprint(tuple(narrowed), _why(narrowed, f"{mine}; {its}"))
    if len(found) > 1 and len(told) == 1 and told[0] in found:
        return Fingerprint((told[0],), f"{its}; {mine}")
    return Fingerprint(tuple(found), _why(found, its))


def _is_exact(found: Sequence[OperatingSystem]) -> bool:
    return any(one.release or one.eol for one in found)


def _said(name: str, system: str | None, more: str, version: str | None) -> str:
    told = [f"{label} {value}" for label, value in ((name, system), (more, version)) if value]
    return ", ".join(told)


def _why(found: Sequence[OperatingSystem], said: str) -> str | None:
    if not found:
        return None
    if len(found) > 1:
        names = " and ".join(one.text for one in found)
        return f"{said}: {names} have this build, and nothing tells which of them it is"
    return said


@lru_cache(maxsize=4_096)
def candidates(system: str | None, version: str | None, model: str | None) -> tuple[OperatingSystem, ...]:
    """List the products that a system and a version may mean, the likelier first; none without a system."""
    text = " ".join((system or "").casefold().split())
    if not text:
        return ()
    text = text.removeprefix("microsoft ").removeprefix("apple ").removeprefix("google ")
    if text.startswith("windows"):
        return _windows(text, version or "")
    if found := _apple(text, version, model):
        return (found,)
    if text.startswith("android"):
        return (_with_end(GOOGLE, "Android", _numbers(version or text, 1)),)
    if text.replace(" ", "").startswith("chromeos"):
        return (_with_end(GOOGLE, "ChromeOS", _numbers(version or text, 1)),)
    if found := _linux(text, version or ""):
        return (found,)
    return (OperatingSystem(None, str(system).strip()),)


def _windows(text: str, version: str) -> tuple[OperatingSystem, ...]:
    if "phone" in text or "mobile" in text:
        return (OperatingSystem(MICROSOFT, "Windows Phone" if "phone" in text else "Windows Mobile"),)
    named = _NAMED.search(text)
    if "server" in text:
        kind: str | None = SERVER
    else:
        kind = CLIENT if named or _EDITION.search(text) else None
    build = _BUILD.search(version) or _BUILD.search(text)
    rows = WINDOWS.rows.get(f"{build[1]}.{build[2]}", ()) if build else ()
    if found := [row for row in rows if kind in (None, row.kind)]:
        return tuple(_of_build(row, text) for row in found)
    return (_by_name(text, version, kind, int(build[2]) if build else None),)


def _of_build(row: WindowsRelease, text: str) -> OperatingSystem:
    eol, extended, is_earliest = row.eol, row.extended, False
    if row.kind == CLIENT:
        if row.ltsc and _LONG_TERM.search(text):
            eol, extended = row.ltsc
        elif _ENTERPRISE.search(text):
            eol = row.enterprise or row.eol
        else:
            # Home and Pro end first; the build does not tell a long-term edition.
            is_earliest = not _EDITION.search(text) and bool(row.enterprise or row.ltsc)
    return OperatingSystem(MICROSOFT, row.product, row.release, row.kind, eol, extended, is_earliest)


def _by_name(text: str, version: str, kind: str | None, build: int | None) -> OperatingSystem:
    """Return the product that a text names; a build between two releases tells only the product."""
    named = _NAMED.search(text) or (None if build else _NAMED.search(f"{text} {version.casefold()}"))
    if named:
        number = named[2].upper() if named[2] != "vista" else "Vista"
        release = named[3].upper() if named[3] else None
        product = f"Windows {'Server ' if kind == SERVER else ''}{number}"
        rows = [row for found in WINDOWS.rows.values() for row in found if row.product == product]
        exact = [row for row in rows if row.release == release]
        if exact:
            return _of_build(exact[0], text)
        return OperatingSystem(MICROSOFT, product, release, kind or CLIENT)
    if kind != SERVER and build and build >= 10240:
        return OperatingSystem(MICROSOFT, "Windows 11" if build >= 22000 else "Windows 10", None, CLIENT)
    return OperatingSystem(MICROSOFT, "Windows Server" if kind == SERVER else "Windows", None, kind)


def _apple(text: str, version: str | None, model: str | None) -> OperatingSystem | None:
    if text.startswith(("mac", "os x", "darwin")):
        # Darwin has version numbers of its own.
        release = None if text.startswith("darwin") else _numbers(version or text, 1)
        return _with_end(APPLE, "macOS", _numbers(version or text, 2) if release == "10" else release)
    if not text.startswith(("ios", "iphone", "ipad")):
        return None
    release = _numbers(version or text, 1)
    is_ipad = text.startswith("ipad") or (model or "").casefold().startswith("ipad")
    # Before release 13 an iPad ran iOS.
    is_ipados = is_ipad and (release is None or int(release) >= 13)
    return _with_end(APPLE, "iPadOS" if is_ipados else "iOS", release)


def _linux(text: str, version: str) -> OperatingSystem | None:
    for said in (text, version.casefold()):
        for start, vendor, product, count in LINUXES:
            if said.startswith(start):
                return _with_end(vendor, product, _numbers(version, count) or _numbers(said, count))
    if text == "linux" or text.startswith(("linux ", "gnu/linux")):
        return OperatingSystem(None, "Linux", _numbers(version or text, 2))
    return None


def _with_end(vendor: str, product: str, release: str | None) -> OperatingSystem:
    eol, extended = ENDS.get((product, release or ""), (None, None))
    return OperatingSystem(vendor, product, release, None, eol, extended)


def _numbers(text: str, count: int) -> str | None:
    """Return the first number in a text, or the first two with the dot between them."""
    found = _NUMBER.search(text)
    if not found:
        return None
    return found[0] if count == 2 else found[0].partition(".")[0]
