"""The scanner nmap, as Debian ships it: what it finds on loopback, and that nothing is left of it after a stop."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sync.clock import SystemClock
from sync.errors import ScannerFailed, ScannerMissing
from sync.inventory.scan.record import Service
from sync.scan.options import ScannerName
from sync.scan.scanner.choice import choose_scanner
from sync.scan.scanner.nmap import NmapScanner, find_nmap, may_send_packets
from tests.sync.scan.network import Network

pytestmark = [
    pytest.mark.nmap,
    pytest.mark.skipif(shutil.which("nmap") is None, reason="nmap is not installed (Debian: apt-get install nmap)"),
]
BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"


@asynccontextmanager
async def ssh_at(address: str) -> AsyncIterator[int]:
    """Greet as an SSH server does; yields the port."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(BANNER)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(greet, address, 0) as server:
        yield int(server.sockets[0].getsockname()[1])


def scanner(*, is_privileged: bool = False) -> NmapScanner:
    """Return the installed scanner."""
    return NmapScanner(SystemClock(), find_nmap() or "", is_privileged=is_privileged)


@pytest.mark.parametrize("is_privileged", [False, True])
async def test_nmap_tells_what_answers_where(is_privileged: bool) -> None:
    """Each address has its own open port, with the product that greets there; closed ports are no services."""
    if is_privileged and not may_send_packets():
        is_privileged = False  # A machine without raw sockets has one way only; it is proven twice.
    async with ssh_at("127.0.0.5") as five, ssh_at("127.0.0.9") as nine:
        found = await scanner(is_privileged=is_privileged).look(
            ["127.0.0.4", "127.0.0.5", "127.0.0.9"], sorted((five, nine)), 1_000
        )
    seen = {host.addresses[0]: host.services for host in found.hosts}
    ssh, cpe = "OpenSSH 9.2p1 Debian 2+deb12u3", ("cpe:/a:openbsd:openssh:9.2p1", "cpe:/o:linux:linux_kernel")
    expected = {
        "127.0.0.4": (),
        "127.0.0.5": (Service(five, "tcp", ssh, "ssh", cpe, ("ssh",), is_asked=True),),
        "127.0.0.9": (Service(nine, "tcp", ssh, "ssh", cpe, ("ssh",), is_asked=True),),
    }
    assert seen == expected


async def test_nmap_is_gone_when_the_scan_is_cancelled() -> None:
    """A scan that is stopped leaves no process behind."""
    before = set(running())
    task = asyncio.create_task(scanner().look(["127.0.0.5"], range(1, 2_000), 1))
    while not set(running()) - before:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not set(running()) - before


def running() -> list[str]:
    """Return the process ids of nmap children of this process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().partition("(")[2].partition(")")
        except OSError:
            continue
        if name == "nmap" and rest.split()[1] == str(os.getpid()):
            found.append(path.parent.name)
    return found


async def test_nmap_fails_with_its_own_words() -> None:
    """What nmap refuses becomes a typed error with what it said; nothing is concluded."""
    with pytest.raises(ScannerFailed, match=r"status \d+: .*"):
        await scanner().look(["not-an-address-%%"], [70_000], 1_000)


async def test_nmap_cannot_be_started_when_it_is_not_a_program(tmp_path: Path) -> None:
    """A broken installation is a typed error with a way out."""
    broken = NmapScanner(SystemClock(), str(tmp_path / "nmap"), is_privileged=False)
    with pytest.raises(ScannerMissing) as caught:
        await broken.look(["127.0.0.1"], [9], 1_000)
    assert caught.value.hint


async def test_scan_uses_nmap_when_it_is_installed(network: Network) -> None:
    """A task that names no scanner gets nmap, and its run says so; the product stands on the record."""
    assert choose_scanner(None, SystemClock()).name == ScannerName.NMAP
    async with ssh_at("127.0.0.6") as port:
        run = await network.run(await network.add_scan("127.0.0.5-6", ports=str(port), scanner=None))
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert any("with NMAP" in line for line in await network.log(run.id))
    (service,) = (await network.records())["127.0.0.6"].services
    assert service["product"].startswith("OpenSSH 9.2p1")
