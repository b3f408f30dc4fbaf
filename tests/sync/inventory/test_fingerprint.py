"""What a machine is, derived from what was received: every row of every table of facts, and the rules between them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from sync.inventory.fingerprint.fields import NAMES, derived_fields, form
from sync.inventory.fingerprint.hardware import MAKERS, hardware
from sync.inventory.fingerprint.lifecycle import LIFECYCLES
from sync.inventory.fingerprint.machine import MODELS, machine
from sync.inventory.fingerprint.network import is_multi_home, mac_vendors
from sync.inventory.fingerprint.system import LINUXES, candidates, fingerprint
from sync.inventory.fingerprint.windows import CLIENT, SERVER, WINDOWS

BUILDS = [(build, row) for build, rows in WINDOWS.rows.items() for row in rows]


def texts(system: str | None, version: str | None = None, model: str | None = None) -> list[str]:
    """Return the joined texts of the candidates."""
    return [one.text for one in candidates(system, version, model)]


@pytest.mark.parametrize(("build", "row"), BUILDS, ids=lambda value: value if isinstance(value, str) else value.product)
@pytest.mark.parametrize("written", ["{}", "{}.1234", "{} ({})"])
def test_system_is_named_by_its_build_when_the_kind_is_told(build: str, row: Any, written: str) -> None:
    """Each row of the table is found, in both notations that directories use."""
    major, _, number = build.rpartition(".")
    version = f"{major} ({number})" if "(" in written else written.format(build)
    system = "Windows Server" if row.kind == SERVER else "Windows Pro"
    found = candidates(system, version, None)
    expected = " ".join(part for part in ("Microsoft", row.product, row.release) if part)
    assert [one.text for one in found] == [expected]
    assert (found[0].eol, found[0].extended) == (row.eol, row.extended)


@pytest.mark.parametrize(("build", "rows"), WINDOWS.rows.items(), ids=str)
def test_every_product_of_a_build_is_kept_when_nothing_decides(build: str, rows: Any) -> None:
    """No build has two products of one kind, and a bare build names all it has, the client first."""
    kinds = [row.kind for row in rows]
    assert kinds in ([CLIENT], [SERVER], [CLIENT, SERVER])
    assert [one.product for one in candidates("Windows", build, None)] == [row.product for row in rows]


@pytest.mark.parametrize("table", [WINDOWS, *LIFECYCLES], ids=lambda table: table.sources[0])
def test_table_tells_where_its_facts_stand_and_when_they_were_compared(table: Any) -> None:
    """Sources are addresses, and days are days."""
    assert all(re.fullmatch(r"https://[\w.-]+/[\w./-]*", source) for source in table.sources)
    assert date(2026, 1, 1) <= date.fromisoformat(table.checked)


def test_days_are_days_and_extended_support_is_the_longer() -> None:
    """Every day of every table parses, and no extended support ends before the support that it extends."""
    pairs = [(row.eol, row.extended) for _, row in BUILDS] + [row.ltsc for _, row in BUILDS if row.ltsc]
    pairs += [days for table in LIFECYCLES for days in table.rows.values()]
    for eol, extended in pairs:
        assert eol is None or date.fromisoformat(eol)
        assert extended is None or eol is None or date.fromisoformat(extended) > date.fromisoformat(eol)
    for _, row in BUILDS:
        assert row.enterprise is None or row.eol is None or row.enterprise >= row.eol


RECEIVED = {"macOS": "MacMDM", "iOS": "IPhone", "iPadOS": "IPad", "Android": "AndroidForWork", "Ubuntu Linux": "Ubuntu"}


@pytest.mark.parametrize(
    ("key", "days"),
    [pair for table in LIFECYCLES for pair in table.rows.items()],
    ids=str,
)
def test_release_ends_as_its_table_says(key: tuple[str, str], days: tuple[str, str | None]) -> None:
    """Each row is reached from what a directory says."""
    product, release = key
    (found,) = candidates(RECEIVED[product], f"{release}.1" if "." not in release else release, None)
    assert (found.product, found.release, found.eol, found.extended) == (product, release, *days)


@pytest.mark.parametrize(
    ("system", "version", "model", "expected"),
    [
        ("Windows", "10.0.22631.4317", None, "Microsoft Windows 11 23H2"),
        ("Windows Server", "10.0.20348.1", None, "Microsoft Windows Server 2022"),
        ("Windows Server 2012 R2 Standard", None, None, "Microsoft Windows Server 2012 R2"),
        ("Windows 10 Pro", None, None, "Microsoft Windows 10"),
        ("Microsoft Windows 11 23H2", None, None, "Microsoft Windows 11 23H2"),
        ("Windows", "10", None, "Microsoft Windows 10"),
        ("Windows", "10.0.26220.1", None, "Microsoft Windows 11"),
        ("Windows", None, None, "Microsoft Windows"),
        ("WindowsPhone", "8.1", None, "Microsoft Windows Phone"),
        ("MacMDM", "15.1", None, "Apple macOS 15"),
        ("Mac OS X", "10.15.7", None, "Apple macOS 10.15"),
        ("MacOS", "26.0", None, "Apple macOS 26"),
        ("IPhone", "17.6.1", "iPhone 13", "Apple iOS 17"),
        ("iOS", "17.6.1", "iPad Air", "Apple iPadOS 17"),
        ("iOS", "12.5", "iPad Air", "Apple iOS 12"),
        ("IPad", None, None, "Apple iPadOS"),
        ("AndroidEnterprise", "14", None, "Google Android 14"),
        ("Android", "8.1", None, "Google Android 8"),
        ("ChromeOS", "126.0", None, "Google ChromeOS 126"),
        ("Linux", "Ubuntu 22.04", None, "Ubuntu Linux 22.04"),
        ("Ubuntu Linux", "22.04.3", None, "Ubuntu Linux 22.04"),
        ("Linux", "6.8", None, "Linux 6.8"),
        ("FortiOS", "7.2", None, "FortiOS"),
    ],
)
def test_system_is_named_as_people_read_it(system: str, version: str | None, model: str | None, expected: str) -> None:
    """Vendor, product and release; what is unknown stays as it was received."""
    assert texts(system, version, model) == [expected]


@pytest.mark.parametrize(("start", "vendor", "product", "count"), LINUXES)
def test_linux_is_named_by_how_its_name_begins(start: str, vendor: str, product: str, count: int) -> None:
    """Each row, as the system itself and as what stands in the version of `Linux`."""
    release = "9.4" if count == 2 else "9"
    for found in (candidates(f"{start} x", "9.4", None), candidates("Linux", f"{start} 9.4", None)):
        assert [(one.vendor, one.product, one.release) for one in found] == [(vendor, product, release)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("Windows", "10.0.17763.1", None, None, None), ["Microsoft Windows 10 1809", "Microsoft Windows Server 2019"]),
        (("Windows", "10.0.17763.1", None, "Windows Server 2019", None), ["Microsoft Windows Server 2019"]),
        (("Windows", "10.0.17763.1", None, "Windows", "10"), ["Microsoft Windows 10 1809"]),
        (("Windows Server", "10.0.26100.1", None, None, None), ["Microsoft Windows Server 2025"]),
        (("Windows 11 Enterprise", "10.0.26100.1", None, None, None), ["Microsoft Windows 11 24H2"]),
        (("Windows", "10.0.22631.1", None, "Windows", None), ["Microsoft Windows 11 23H2"]),
        (("Windows", "10.0.22631.1", None, "Linux", "6.1"), ["Linux 6.1"]),
        (("Windows", "10.0.22631.1", None, "Ubuntu Linux", "24.04"), ["Ubuntu Linux 24.04"]),
        ((None, None, None, None, None), []),
    ],
)
def test_scan_and_directory_decide_together(asked: Any, expected: list[str]) -> None:
    """A scan tells which of two it is, and is believed for another system; a build knows more than a bare name."""
    found = fingerprint(*asked)
    assert [one.text for one in found.candidates] == expected
    assert (found.reason is not None) is bool(expected)
    assert ("nothing tells which" in (found.reason or "")) is (len(expected) > 1)


@pytest.mark.parametrize(
    ("system", "version", "eol", "extended", "is_earliest"),
    [
        ("Windows", "10.0.22631", "2025-11-11", None, True),
        ("Windows 11 Pro", "10.0.22631", "2025-11-11", None, False),
        ("Windows 11 Enterprise", "10.0.22631", "2026-11-10", None, False),
        ("Windows 10 Enterprise LTSC", "10.0.17763", "2024-01-09", "2029-01-09", False),
        ("Windows", "10.0.19045", "2025-10-14", None, False),
        ("Windows", "10.0.17763", "2020-11-10", None, True),
        ("Windows Server 2019 Standard", "10.0.17763", "2024-01-09", "2029-01-09", False),
        ("MacMDM", "13.7", "2025-09-15", None, False),
        ("FortiOS", "7", None, None, False),
    ],
)
def test_end_of_support_is_that_of_the_edition_or_the_earliest(
    system: str, version: str, eol: str | None, extended: str | None, is_earliest: bool
) -> None:
    """Where the edition is not told the earliest day counts, and that is marked."""
    found = fingerprint(system, version, None, None, None)
    assert (found.eol, found.extended, found.is_earliest) == (eol, extended, is_earliest)


@pytest.mark.parametrize(
    ("maker", "model", "expected"),
    [
        ("Dell Inc.", "OptiPlex 7010", "Dell OptiPlex 7010"),
        ("HP", "HP EliteBook 840", "HP EliteBook 840"),
        ("VMware, Inc.", "VMware7,1", "VMware7,1"),
        ("Contoso", None, "Contoso"),
        (None, "Pixel 8", "Pixel 8"),
        ("Dell Inc.", "Dell Inc.", "Dell"),
        (" ", "", None),
        *((received.upper(), "Model 1", f"{name} Model 1") for received, name in MAKERS.items()),
    ],
)
def test_hardware_names_its_maker_once(maker: str | None, model: str | None, expected: str | None) -> None:
    """Maker and model in one text, the maker as people call it."""
    assert hardware(maker, model) == expected


@pytest.mark.parametrize(
    ("scanned", "profile", "model", "system", "expected"),
    [
        ("Router", "IoT", "Latitude 5430", "iOS", ("Router", "scan: Router")),
        (None, "Printer", None, None, ("Printer", "profileType Printer")),
        (None, None, "Latitude 5430", "Windows", ("Laptop", "model Latitude 5430")),
        (None, None, "OptiPlex 7010", None, ("Desktop", "model OptiPlex 7010")),
        (None, None, "Virtual Machine", "Windows", ("Virtual", "model Virtual Machine")),
        (None, None, "Virtual Machine", "Windows Server", ("Server", "system Microsoft Windows Server")),
        (None, None, "PowerEdge R740", None, ("Server", "model PowerEdge R740")),
        (None, None, "iPad Pro", "iOS", ("Tablet", "model iPad Pro")),
        (None, None, None, "IPad", ("Tablet", "system Apple iPadOS")),
        (None, None, "iPhone 13", "iOS", ("Mobile", "model iPhone 13")),
        (None, None, None, "Android", ("Mobile", "system Google Android")),
        (None, None, None, "VMware ESXi", ("Hypervisor", "system VMware ESXi")),
        (None, None, "MacBook Pro", "MacMDM", ("Laptop", "model MacBook Pro")),
        (None, None, "Macmini9,1", "MacMDM", ("Desktop", "model Macmini9,1")),
        (None, None, "Surface Pro 9", "Windows", ("Tablet", "model Surface Pro 9")),
        (None, None, "Surface Laptop 5", "Windows", ("Laptop", "model Surface Laptop 5")),
        (None, None, "21CBCTO1WW", "Windows", (None, None)),
        (None, None, None, None, (None, None)),
    ],
)
def test_type_is_told_with_its_reason(
    scanned: str | None, profile: str | None, model: str | None, system: str | None, expected: tuple[str, str]
) -> None:
    """From a scan, the profile, the model or the system, and what tells nothing is not guessed."""
    found = candidates(system, None, None)
    assert machine(scanned, profile, model, found[0] if found else None) == expected


def test_types_of_models_are_named_once() -> None:
    """The first type whose words are in a model decides, so each stands in the table once."""
    assert len({name for name, _ in MODELS}) == len(MODELS)


@pytest.mark.parametrize(
    ("addresses", "is_multi"),
    [
        ([], False),
        (["10.0.0.1", "10.0.0.2"], False),
        (["10.0.0.1", "10.0.1.1"], True),
        (["10.0.0.1", "169.254.0.1", "127.0.0.1"], False),
        (["10.0.0.1", "2001:db8::1", "fe80::1"], False),
        (["2001:db8::1", "2001:db8:0:1::1"], True),
    ],
)
def test_machine_is_multi_homed_when_one_version_has_two_networks(addresses: list[str], is_multi: bool) -> None:
    """A /24 of IPv4, a /64 of IPv6; both versions side by side are no two networks."""
    assert is_multi_home(addresses) is is_multi


def test_makers_of_network_cards_come_from_the_list_of_the_ieee() -> None:
    """Each once and sorted; an address that a machine made up itself has none."""
    macs = ["f0:18:98:00:00:01", "00:15:5d:01:02:03", "f0:18:98:00:00:02", "0a:00:00:00:00:01"]
    assert mac_vendors(macs) == ["Apple, Inc.", "Microsoft Corporation"]


def test_derived_fields_are_those_that_are_named() -> None:
    """Of a machine of which nothing is told too, and the form of the fields is one word."""
    said = dict.fromkeys(("operating_system", "operating_system_version", "profile_type"))
    fields = derived_fields(said, dict.fromkeys(("type", "os", "os_version")), (None, None), ([], []))
    assert tuple(sorted(fields)) == tuple(sorted(NAMES))
    assert not any(fields.values())
    assert " " not in form()
