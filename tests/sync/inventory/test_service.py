"""Services of several scans are joined without an order: what nobody looked at is not closed, nothing late wins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.inventory.scan.port_set import PortSet, ports_of
from sync.inventory.scan.record import Host, Service, mark_silent
from sync.inventory.scan.service import LOOKED_MAX, join
from tests.sync.inventory.inventory import Inventory
from tests.sync.inventory.scans import host, scanned
from tests.sync.inventory.test_scan import one_asset

TIMES = [f"2026-01-0{day}T00:00:00.000Z" for day in range(1, 8)]
ALL = PortSet([("tcp", 1, 65_535)])
WEB = PortSet([("tcp", 80, 90)])
UDP = PortSet([("udp", 1, 65_535)])
SMB, HTTP, SNMP = Service(445, "tcp", "smb", "smb"), Service(80, "tcp", "http", "http"), Service(161, "udp", "", "snmp")


async def record(inventory: Inventory) -> dict[str, Any]:
    """Return the only scan record, as it was told by its asset."""
    (text,) = (await one_asset(inventory))["records"]
    found: dict[str, Any] = eval(text)  # noqa: S307 - the repr of a row
    return found


async def open_ports(inventory: Inventory) -> dict[tuple[str, int], str]:
    """Return what is open, and when it was checked."""
    services = (await record(inventory))["services"]
    return {(service["protocol"], service["port"]): service["checkedAt"] for service in services}


def seen(at: int, *services: Service, looked: tuple[PortSet, ...] = (), **more: Any) -> Host:
    """Return what one scan says of the host."""
    return host(names=("a",), seen_at=TIMES[at], services=services, looked=looked, **more)


@pytest.mark.parametrize(
    "looked",
    [(), (WEB,), (UDP,), (PortSet([("tcp", 446, 65_535), ("tcp", 1, 444)]),)],
    ids=["-sn", "few", "udp", "but"],
)
async def test_service_stays_when_a_scan_did_not_look_at_its_port(
    inventory: Inventory, looked: tuple[PortSet, ...]
) -> None:
    """A ping, other ports and another protocol say nothing of 445/tcp: it is as old as its last check."""
    await scanned(inventory, seen(0, SMB, looked=(ALL,)))
    await scanned(inventory, seen(1, looked=looked))
    assert await open_ports(inventory) == {("tcp", 445): TIMES[0]}


async def test_service_is_gone_when_a_scan_looked_at_its_port(inventory: Inventory) -> None:
    """What is closed now is no service; what is open was checked now."""
    await scanned(inventory, seen(0, SMB, HTTP, SNMP, looked=(ALL, UDP)))
    await scanned(inventory, seen(1, HTTP, looked=(ALL,)))
    assert await open_ports(inventory) == {("tcp", 80): TIMES[1], ("udp", 161): TIMES[0]}


async def test_older_report_does_not_open_what_a_newer_scan_found_closed(inventory: Inventory) -> None:
    """Also if nobody knew of the service: the newer scan looked, and that is remembered."""
    await scanned(inventory, seen(3, HTTP, looked=(ALL,)))
    await scanned(inventory, seen(1, SMB, HTTP, SNMP, looked=(ALL,)))
    assert await open_ports(inventory) == {("tcp", 80): TIMES[3], ("udp", 161): TIMES[1]}


async def test_host_stays_silent_when_an_older_report_says_that_it_was_up(inventory: Inventory) -> None:
    """A newer scan did not find it; a scan that is newer still brings it back."""
    place = inventory.directory
    await scanned(inventory, seen(0, SMB, addresses=("10.0.0.1",)))
    async with inventory.store.write() as tx:
        told = {"10.0.0.1": TIMES[3]}
        assert await tx.run_sync(lambda tx: mark_silent(tx, inventory.clock, place, told.get)) == 1  # type: ignore[arg-type]
    await scanned(inventory, seen(2, addresses=("10.0.0.1",)))
    assert (await one_asset(inventory))["alive"] is False
    await scanned(inventory, seen(4, addresses=("10.0.0.1",)))
    assert (await one_asset(inventory))["alive"] is True


async def test_nothing_is_written_when_a_report_is_applied_again(inventory: Inventory) -> None:
    """Not even the time of the row moves; its asset and the inventory's version neither."""
    report = seen(0, SMB, HTTP, looked=(ALL,), detail={"cpe": ["cpe:/o:a"]})
    await scanned(inventory, report)
    await scanned(inventory, seen(1, HTTP, looked=(WEB,)))

    async def state() -> tuple[int, list[Any]]:
        async with inventory.store.read() as tx:
            rows = (await tx.exec_driver_sql("SELECT * FROM scan_records")).all()
        return await inventory.version(), list(rows)

    before = await state()
    for again in (report, seen(1, HTTP, looked=(WEB,)), report):
        await scanned(inventory, again)
    assert await state() == before


async def test_product_stays_when_a_later_scan_did_not_ask_for_it(inventory: Inventory) -> None:
    """A quick scan that only sees the port open takes nothing away of what answers there."""
    asked = Service(80, "tcp", "nginx 1.24", "http", ("cpe:/a:nginx",))
    await scanned(inventory, seen(0, asked, looked=(ALL,)))
    await scanned(inventory, seen(1, HTTP, looked=(ALL,)))
    (service,) = (await record(inventory))["services"]
    assert (service["product"], service["cpe"], service["checkedAt"]) == ("nginx 1.24", ["cpe:/a:nginx"], TIMES[1])


TOLD = st.tuples(st.sampled_from(TIMES), st.sampled_from([("http",), ("http", "tls"), ()]), st.booleans())


@given(st.lists(TOLD, min_size=1, max_size=5).flatmap(lambda told: st.tuples(st.just(told), st.permutations(told))))
def test_protocols_are_those_of_the_latest_scan_that_asked(
    orders: tuple[list[tuple[str, tuple[str, ...], bool]], ...],
) -> None:
    """A later guess by the port's number takes nothing away, whatever order the reports come in."""
    last = max((at for at, protocols, is_asked in orders[0] if protocols and is_asked), default=None)
    at_last = [spoken for at, spoken, is_asked in orders[0] if (is_asked and at == last) or not (is_asked or last)]
    for told in orders:
        found: list[dict[str, Any]] = []
        for at, protocols, is_asked in told:
            one = Service(443, "tcp", "", "https", (), protocols, is_asked)
            found, _looked = join([*found, one.stored(at)], [])
        (service,) = found
        assert service["checkedAt"] == max(at for at, _, _ in told)
        assert service.get("askedAt") == last
        assert {*service.get("protocols", [])} == {protocol for spoken in at_last for protocol in spoken}


sets = st.lists(st.tuples(st.sampled_from(["tcp", "udp"]), st.integers(1, 12), st.integers(0, 5)), max_size=4)


@given(sets, sets)
def test_sets_of_ports_are_sets(ones: list[tuple[str, int, int]], others: list[tuple[str, int, int]]) -> None:
    """Membership, difference and equality agree with plain sets."""

    def both(parts: list[tuple[str, int, int]]) -> tuple[PortSet, set[tuple[str, int]]]:
        ranges = [(protocol, first, first + more) for protocol, first, more in parts]
        return PortSet(ranges), {(name, port) for name, first, last in ranges for port in range(first, last + 1)}

    (mine, truth), (theirs, holes) = both(ones), both(others)
    every = [(protocol, port) for protocol in ("tcp", "udp") for port in range(20)]
    assert {one for one in every if mine.holds(*one)} == truth
    assert {one for one in every if mine.without(theirs.ranges).holds(*one)} == truth - holes
    assert (mine == theirs) == (truth == holes)


scans = st.lists(
    st.tuples(
        st.sampled_from(TIMES),
        st.lists(st.sampled_from([SMB, HTTP, SNMP]), max_size=3),
        st.sampled_from([ALL, WEB, UDP, ports_of("tcp", [445])]),
    ),
    max_size=5,
)


@given(scans.flatmap(lambda told: st.tuples(st.just(told), st.permutations(told))))
def test_services_are_joined_the_same_in_any_order(
    orders: tuple[list[tuple[str, list[Service], PortSet]], list[tuple[str, list[Service], PortSet]]],
) -> None:
    """Reports that come late, twice or shuffled end in the same services."""
    results = []
    for told in (orders[0], orders[1], [*orders[1], *orders[0]]):
        services: list[dict[str, Any]] = []
        looked: dict[PortSet, str] = {}
        for at, found, ports in told:
            services, looked = join([*services, *(one.stored(at) for one in found)], [looked, {ports: at}])
        results.append((services, looked))
    assert results[0] == results[1] == results[2]


def test_what_was_looked_at_is_bounded() -> None:
    """Only the latest sets of a host are remembered, and none that is its own."""
    many = {ports_of("tcp", [port]): f"{TIMES[0][:-3]}{port:02}Z" for port in range(1, 20)}
    own = PortSet([("tcp", 99, 99)], is_whole=False)
    _, looked = join([], [{**many, own: TIMES[6]}])
    assert len(looked) == LOOKED_MAX and own not in looked and ports_of("tcp", [19]) in looked
