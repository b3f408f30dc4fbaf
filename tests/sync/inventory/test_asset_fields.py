"""The pure part of assets: names that tell machines apart, and fields that do not depend on the order of records."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.inventory.asset.asset import asset_fields
from sync.inventory.asset.host_name import name_key, name_keys
from sync.inventory.asset.source import AZUREAD, BITS, SCAN, names

FIELDS = (
    "display_name",
    "operating_system",
    "operating_system_version",
    "profile_type",
    "manufacturer",
    "model",
    "registration_date_time",
    "created_date_time",
    "approximate_last_sign_in_date_time",
    "physical_ids",
)
TIMES = st.sampled_from([None, "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"])
TEXTS = st.sampled_from([None, "", "a", "B.corp.example", "pc-1", "Windows", "iOS", "Printer", "é"])


def record(key: int = 1, **values: Any) -> Any:
    """Return a device record; what is not said is null."""
    return {"id": key, "external_id": f"d{key}", **dict.fromkeys(FIELDS)} | values


def scan_record(
    seen: str, names: list[str], macs: list[str], os: str | None, model: str | None, serial: str | None
) -> Any:
    """Return a scan record."""
    said = {"os": os, "model": model, "serial": serial, "os_version": None, "type": None, "manufacturer": None}
    found = {"names": names, "macs": macs, "addresses": [], "services": [], "alive": True}
    return {**found, "first_seen": seen, "last_seen": seen, **said}


def _values(name: str) -> st.SearchStrategy[Any]:
    if name == "physical_ids":
        return st.sampled_from([None, ["[MAC]:0A-00-00-00-00-01"], ["[MAC]:0a:00:00:00:00:02", "[GID]:g:1"]])
    return TIMES if name.endswith("time") else TEXTS


@st.composite
def records(draw: st.DrawFn) -> list[Any]:
    """Draw up to four records with distinct keys."""
    return [record(key, **{name: draw(_values(name)) for name in FIELDS}) for key in range(draw(st.integers(0, 4)))]


@given(records().flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_fields_are_the_same_whatever_the_order_of_records(orders: tuple[list[Any], list[Any]]) -> None:
    """Which record arrived first, and so got the smaller key, does not show in the asset."""
    rekeyed = [found | {"id": key} for key, found in enumerate(orders[1])]
    assert asset_fields(orders[0]) == asset_fields(rekeyed)


SCANS = st.builds(
    scan_record,
    seen=TIMES.filter(bool),
    names=st.sampled_from([[], ["a"], ["B.corp.example", "a"]]),
    macs=st.sampled_from([[], ["0a:00:00:00:00:01"]]),
    os=TEXTS,
    model=TEXTS,
    serial=TEXTS,
)


@given(records().flatmap(st.permutations), st.lists(SCANS, max_size=3).flatmap(st.permutations), st.randoms())
def test_fields_are_the_same_whatever_the_order_in_both_sources(
    devices: list[Any], scans: list[Any], chance: Random
) -> None:
    """With records of a directory and of scans, the precedence of fields knows no order of arrival."""
    before = asset_fields(devices, scans)
    shuffled = chance.sample(devices, len(devices)), chance.sample(scans, len(scans))
    assert asset_fields(*shuffled) == before


def test_precedence_of_sources_is_fixed_by_field() -> None:
    """A scan is believed for names and systems, the directory for maker and model; hardware of both is kept."""
    scan = scan_record("3", ["seen"], ["0b:00:00:00:00:01"], "Linux", "Scanned", None) | {"manufacturer": "Guess"}
    told = record(display_name="told", operating_system="Windows", model="M1", manufacturer="Dell")
    fields = asset_fields([told | {"physical_ids": ["[MAC]:0A-00-00-00-00-01"]}], [scan])
    assert (fields["name"], fields["names"], fields["os"]) == ("seen", ["seen", "told"], "Linux")
    assert (fields["manufacturer"], fields["model"]) == ("Dell", "M1")
    assert fields["macs"] == ["0a:00:00:00:00:01", "0b:00:00:00:00:01"]


SERVICES = st.builds(
    lambda port, protocol, product: {"port": port, "protocol": protocol, "product": product},
    st.integers(1, 3),
    st.sampled_from(["tcp", "udp", "sctp"]),
    st.sampled_from(["nginx", "OpenSSH", None]),
)
ADDRESSES = ["10.0.0.5", "8.8.8.8", "fd00::5", "2001:db8::5", "100.64.0.1"]


@given(st.lists(st.tuples(st.lists(SERVICES, max_size=4), st.lists(st.sampled_from(ADDRESSES), max_size=2))))
def test_open_ports_are_counted_once_whatever_record_names_them(
    told: list[tuple[list[dict[str, Any]], list[str]]],
) -> None:
    """The counts are those of the set of all open ports; public is a record with a port and a public address.

    The products are those of all services, each once, in order.
    """
    plain = scan_record("3", [], [], None, None, None)
    fields = asset_fields([], [plain | {"services": services, "addresses": found} for services, found in told])
    ports = {(one["protocol"], one["port"]) for services, _ in told for one in services}
    assert fields["service_count"] == len(ports)
    assert fields["tcp_count"] == len([one for one in ports if one[0] == "tcp"])
    assert fields["udp_count"] == len([one for one in ports if one[0] == "udp"])
    products = {one["product"] for services, _ in told for one in services}
    assert fields["products"] == sorted(products - {None})
    is_public = any(services and {"8.8.8.8", "2001:db8::5"} & {*found} for services, found in told)
    assert fields["service_has_public"] is is_public


def test_latest_record_decides_where_it_says_something() -> None:
    """Each field comes from the most recently seen record that has it."""
    old = record(1, display_name="old", model="M1", operating_system="Windows", approximate_last_sign_in_date_time="1")
    new = record(2, display_name="new", model=None, operating_system="Linux", approximate_last_sign_in_date_time="2")
    fields = asset_fields([old, new])
    assert (fields["name"], fields["names"], fields["model"], fields["os"]) == ("new", ["new", "old"], "M1", "Linux")
    assert (fields["last_seen"], fields["source_mask"], fields["source_count"]) == ("2", BITS[AZUREAD], 1)


def test_first_seen_is_the_earliest_of_registration_and_creation() -> None:
    """The oldest time any record tells is when the machine was first seen."""
    one = record(1, registration_date_time="3", created_date_time="2")
    assert asset_fields([one, record(2, registration_date_time="4")])["first_seen"] == "2"
    assert asset_fields([record()])["first_seen"] is None


def test_domains_are_what_follows_the_host_name() -> None:
    """Domains of all names, folded and sorted."""
    named = [
        record(key, display_name=name) for key, name in enumerate(["a.Corp.Example", "b", "c.corp.example", "d.x"])
    ]
    assert asset_fields(named)["domains"] == ["corp.example", "x"]


@pytest.mark.parametrize(
    ("os", "profile", "type_"),
    [
        ("iOS", None, "Mobile"),
        ("IPad", None, "Tablet"),
        ("AndroidForWork", None, "Mobile"),
        ("Windows", "RegisteredDevice", None),
        ("Windows", "Printer", "Printer"),
        ("Windows Server", None, "Server"),
        (None, "IoT", "IoT"),
        ("Curios", None, None),
        (None, None, None),
    ],
)
def test_type_is_told_only_where_the_directory_tells_it(os: str | None, profile: str | None, type_: str | None) -> None:
    """A phone is a phone; whether Windows runs on a desktop or a laptop is not guessed without a model."""
    assert asset_fields([record(operating_system=os, profile_type=profile)])["type"] == type_


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("PC-0042", "pc-0042"),
        ("pc-0042.corp.example", "pc-0042"),
        ("  Straße-9 ", "strasse-9"),
        ("Büro-7", "b\u00fcro-7"),
        ("Bu\u0308ro-7", "b\u00fcro-7"),
        ("İZMİR-3", "izmir-3"),
        ("Annas MacBook Pro 16", "annas macbook pro 16"),
        ("DESKTOP-7F3K2QX", "desktop-7f3k2qx"),
        ("", None),
        (None, None),
        ("   ", None),
        (".corp.example", None),
        ("localhost", None),
        ("localhost.localdomain", None),
        ("DESKTOP", None),
        ("Desktop-12", "desktop-12"),
        ("iPhone", None),
        ("iPhone 15", None),
        ("iPad2", None),
        ("MacBook Pro", None),
        ("MACBOOK AIR", None),
        ("Windows PC", None),
        ("Laptop_3", "laptop_3"),
        ("Unknown", None),
    ],
)
def test_name_key_is_the_host_name_or_nothing_for_a_generic_one(name: str | None, key: str | None) -> None:
    """Case and domain do not tell machines apart; names from the factory tell nothing."""
    assert name_key(name) == key


def test_name_keys_are_the_distinct_ones_that_tell_something() -> None:
    """Several names of one machine give each compared form once."""
    assert name_keys(["A", "a.corp", "localhost", "b"]) == {"a", "b"}


def test_sources_of_a_mask_are_listed_in_a_fixed_order() -> None:
    """A mask reads as names, the same way each time."""
    assert [names(mask) for mask in range(4)] == [[], [AZUREAD], [SCAN], [AZUREAD, SCAN]]
