"""The embedded scanner: its bounds, IPv6, the neighbour table, and when silence means nothing."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.clock import SystemClock
from sync.errors import ScannerFailed
from sync.inventory.scan.record import Host
from sync.scan.scanner.detail import SHARED_MAX, with_details
from sync.scan.scanner.embedded import SETTLE_S, EmbeddedScanner
from sync.scan.scanner.neighbour import read_neighbours
from tests.patience import PATIENCE_S
from tests.sync.entra.clock import FakeClock
from tests.sync.scan.listeners import listening

HEAD = "IP address       HW type     Flags       HW address            Mask     Device\n"
UNROUTED = "127.255.255.255"
CONNECT_S = 0.02


def table_of(tmp_path: Path, *entries: tuple[str, str, str]) -> Path:
    """Write a neighbour table as the kernel does."""
    path = tmp_path / "arp"
    lines = [f"{address:16} 0x1         {flags}         {mac}     *        eth0\n" for address, flags, mac in entries]
    path.write_text(HEAD + "".join(lines))
    return path


async def test_table_is_read_as_the_kernel_means_it(tmp_path: Path) -> None:
    """Complete entries only; what never answered, and what is no entry, is left out."""
    table = table_of(
        tmp_path,
        ("10.0.0.1", "0x2", "02:00:00:00:00:0A"),
        ("10.0.0.2", "0x0", "02:00:00:00:00:0b"),
        ("10.0.0.3", "0x2", "00:00:00:00:00:00"),
        ("10.0.0.4", "0x6", "02:00:00:00:00:0c"),
        ("10.0.0.5", "zz", "nonsense"),
    )
    assert read_neighbours(table) == {"10.0.0.1": "02:00:00:00:00:0a", "10.0.0.4": "02:00:00:00:00:0c"}
    assert read_neighbours(tmp_path / "missing") == {}


async def test_host_is_alive_when_only_its_neighbour_entry_stays(tmp_path: Path) -> None:
    """A firewalled host answers ARP: it counts once the kernel has had the time to doubt the entry."""
    clock = FakeClock()
    table = table_of(tmp_path, (UNROUTED, "0x2", "02:00:00:00:00:0a"))
    found = await EmbeddedScanner(clock, table).look([UNROUTED], [9], 1_000)
    (host,) = found.hosts
    assert (host.addresses, host.macs, host.detected_by) == ((UNROUTED,), ("02:00:00:00:00:0a",), "ARP")
    assert clock.slept[-1] == SETTLE_S


async def test_scanner_reaches_hosts_over_ipv6() -> None:
    """The same over the other version."""
    with listening("::1") as (port,):
        found = await EmbeddedScanner(SystemClock()).look(["::1"], [port], 1_000)
    assert [service.port for service in found.hosts[0].services] == [port]


async def test_answer_counts_when_this_process_was_too_busy_to_read_it() -> None:
    """At the time limit the kernel is asked: an open port is open, and a refusal says that the host is alive."""

    async def keep_busy() -> None:
        for _ in range(10):
            time.sleep(2 * CONNECT_S)  # noqa: ASYNC251 - holds up the event loop
            await asyncio.sleep(0)

    with listening("127.0.0.1") as (port,):
        scanner = EmbeddedScanner(SystemClock(), connect_s=CONNECT_S)
        look = asyncio.create_task(scanner.look(["127.0.0.1", "127.0.0.2"], [port], 1_000))
        await asyncio.create_task(keep_busy())
        found = await look
    assert {host.addresses[0]: len(host.services) for host in found.hosts} == {"127.0.0.1": 1, "127.0.0.2": 0}


@contextmanager
def few_files(number: int) -> Iterator[None]:
    """Leave this process only so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_scan_fails_when_the_machine_has_no_sockets_left() -> None:
    """Not to be able to look is an error, never silence of the hosts."""
    taken = [open("/dev/null") for _ in range(64)]  # noqa: ASYNC230
    try:
        with few_files(max(file.fileno() for file in taken) + 1), pytest.raises(ScannerFailed) as caught:
            await EmbeddedScanner(SystemClock()).look(["127.0.0.1"], [9, 10], 1_000)
    finally:
        for file in taken:
            file.close()
    assert caught.value.hint and caught.value.retryable


async def test_scanner_leaves_no_socket_open_when_it_is_cancelled() -> None:
    """A scan that is stopped ends at once, however slow its rate is."""
    look = asyncio.create_task(EmbeddedScanner(SystemClock()).look(["127.0.0.1"], range(1, 1_000), 1))
    await asyncio.sleep(0.05)
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(look, PATIENCE_S)


async def test_name_or_mac_tells_nothing_when_many_addresses_share_it() -> None:
    """A router that answers for a whole network, or a name for a pool of addresses, must not make one asset of it."""
    hosts = [Host("2026-01-01T00:00:00.000Z", addresses=(f"10.0.0.{n}",)) for n in range(SHARED_MAX + 3)]
    macs = {host.addresses[0]: "02:00:00:00:00:0a" for host in hosts[:-2]} | {
        hosts[-1].addresses[0]: "02:00:00:00:00:0b"
    }

    async def name_of(address: str) -> str | None:
        return "own" if address == hosts[-1].addresses[0] else "pool.example"

    detailed = await with_details(hosts, name_of, macs)
    assert [(host.names, host.macs) for host in detailed] == [
        *[((), ())] * (SHARED_MAX + 2),
        (("own",), ("02:00:00:00:00:0b",)),
    ]
