"""The embedded scanner: opens a TCP connection to each port and reads the neighbour table; sends no data.

A host that accepts or refuses a connection is alive. A host that drops all packets, as firewalled machines do, is alive
if the kernel has just had an answer from its MAC address.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sync.clock import Clock, timestamp
from sync.errors import ScannerFailed
from sync.inventory.scan.port_set import PortSet, ports_of
from sync.inventory.scan.protocol import protocols_of
from sync.inventory.scan.record import Host, Service
from sync.scan.options import ScannerName
from sync.scan.report.usual_service import service_name
from sync.scan.scanner.neighbour import TABLE, read_neighbours
from sync.scan.scanner.pace import Pace
from sync.scan.scanner.scanner import BatchFindings

SOCKETS_MAX = 256
CONNECT_S = 1.5
SETTLE_S = 9.0
"""How long the kernel may keep a neighbour that no longer answers: a delay and three probes (man 7 arp)."""
# Errors of this machine: end the scan, which would otherwise report living hosts as silent.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
_NO_WAY = {errno.ENETUNREACH, errno.ENETDOWN, errno.EACCES, errno.EPERM}
# Close with a reset: sockets in TIME_WAIT would use up this machine's ports.
_LINGER = struct.pack("ii", 1, 0)


@dataclass
class _Seen:
    open: dict[str, set[int]] = field(default_factory=dict)
    no_way: set[str] = field(default_factory=set)


class EmbeddedScanner:
    """Connects to ports, with at most `SOCKETS_MAX` sockets at once.

    Args:
        clock: keeps the rate and gives the times of hosts.
        neighbours: the kernel's neighbour table.
        connect_s: the time limit of a connection.
    """

    name = ScannerName.EMBEDDED.value

    def __init__(self, clock: Clock, neighbours: Path = TABLE, connect_s: float = CONNECT_S) -> None:
        self._clock, self._table, self._connect_s = clock, neighbours, connect_s

    async def look(self, addresses: Sequence[str], ports: Sequence[int], rate: int) -> BatchFindings:
        """Try every port of every address, all hosts at one port before the next."""
        seen, pace = _Seen(), Pace(self._clock, rate)
        attempts = ((address, port) for port in ports for address in addresses)
        workers = min(SOCKETS_MAX, len(addresses) * len(ports))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(attempts, pace, seen))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        quiet = await self._neighbours(set(addresses) - seen.open.keys())
        looked = ports_of("tcp", ports)
        hosts = [self._host(address, "TCP", None, found, looked) for address, found in seen.open.items()]
        hosts += [self._host(address, "ARP", mac, (), looked) for address, mac in quiet.items()]
        return BatchFindings(hosts, frozenset(seen.no_way - seen.open.keys()))

    async def _work(self, attempts: Iterable[tuple[str, int]], pace: Pace, seen: _Seen) -> None:
        for address, port in attempts:
            await pace.step()
            await self._try(address, port, seen)

    async def _try(self, address: str, port: int, seen: _Seen) -> None:
        """Connect to one port and note the result."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
                await self._connect(sock, (address, port))
                # On loopback a socket can connect to itself.
                is_open = sock.getsockname() != sock.getpeername()
        except (ConnectionRefusedError, ConnectionResetError):
            is_open = False
        except OSError as error:
            if error.errno in _EXHAUSTED:
                hint = "Lower the rate, or raise the limit of open files."
                raise ScannerFailed("This server has no sockets left to scan with.", hint=hint) from None
            if error.errno in _NO_WAY:
                seen.no_way.add(address)
            return
        found = seen.open.setdefault(address, set())
        if is_open:
            found.add(port)

    async def _connect(self, sock: socket.socket, target: tuple[str, int]) -> None:
        """Connect, or return at the time limit; without an answer the socket then has no peer.

        Raises:
            OSError: the connection is refused or impossible.
        """
        loop, answered = asyncio.get_running_loop(), asyncio.Event()
        code = sock.connect_ex(target)
        if code == errno.EINPROGRESS:
            loop.add_writer(sock, answered.set)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._connect_s):
                        await answered.wait()
            finally:
                loop.remove_writer(sock)
            # Ask the kernel at the time limit too: the answer may have come while this process was busy.
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def _host(self, address: str, detected_by: str, mac: str | None, ports: Iterable[int], looked: PortSet) -> Host:
        return Host(
            timestamp(self._clock.now()),
            addresses=(address,),
            macs=(mac,) if mac else (),
            detected_by=detected_by,
            services=tuple(_service(port) for port in sorted(ports)),
            looked=(looked,),
        )

    async def _neighbours(self, silent: set[str]) -> dict[str, str]:
        """Find the hosts that dropped every connection but answer ARP requests."""
        if not silent & read_neighbours(self._table).keys():
            return {}
        await self._clock.sleep(SETTLE_S)
        table = read_neighbours(self._table)
        return {address: table[address] for address in sorted(silent) if address in table}


def _service(port: int) -> Service:
    name = service_name(port)
    return Service(port, "tcp", name, name, (), protocols_of(name, is_guess=True))
