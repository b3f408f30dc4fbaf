"""The scanner nmap, as a child process: arguments in a list, targets over its standard input, its report read safely.

The child gets nothing of this process's environment, and none of it is left when a scan is cancelled.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from sync.clock import Clock, timestamp
from sync.errors import ScannerFailed, ScannerMissing
from sync.inventory.scan import Host
from sync.scan.options import ScannerName
from sync.scan.report import ReportReader
from sync.scan.scanner import Found

PIECE_BYTES = 64 * 1024
STDERR_BYTES_MAX = 16 * 1024
BATCH_S_MAX = 3_600.0
HOST_S_MAX = 900
"""How long nmap may spend on one host before it gives it up."""
HINT = "Choose the scanner EMBEDDED, or install nmap on the server."


def find_nmap() -> str | None:
    """Return the path of the installed program; None if there is none."""
    return shutil.which("nmap")


def may_send_packets() -> bool:
    """Tell whether this process may open raw sockets, which nmap needs for its quick scan and for systems."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except OSError:
        return False
    return True


class NmapScanner:
    """Runs nmap for each batch.

    Args:
        clock: bounds the times of the report.
        program: where nmap is.
        is_privileged: whether it may send packets of its own.
    """

    name = ScannerName.NMAP.value

    def __init__(self, clock: Clock, program: str, *, is_privileged: bool) -> None:
        self._clock, self._program, self._is_privileged = clock, program, is_privileged

    async def look(self, addresses: Sequence[str], ports: Sequence[int], rate: int) -> Found:
        """Run nmap once, over addresses of one version.

        Raises:
            ScannerMissing: nmap cannot be started.
            ScannerFailed: nmap ended with an error or took too long.
            BadReport: nmap wrote what is not a report.
        """
        arguments = self._arguments(ports, rate, is_v6=":" in addresses[0])
        try:
            child = await asyncio.create_subprocess_exec(
                self._program,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"LC_ALL": "C"},
            )
        except OSError as error:
            raise ScannerMissing(f"nmap cannot be started ({error.strerror}).", hint=HINT) from None
        try:
            async with asyncio.timeout(BATCH_S_MAX):
                return Found(await self._attend(child, addresses))
        except TimeoutError:
            raise ScannerFailed("nmap took longer than an hour for one batch.", hint="Name fewer ports.") from None
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
            await child.wait()

    def _arguments(self, ports: Sequence[int], rate: int, *, is_v6: bool) -> list[str]:
        kind = ["-sS", "-O", "--osscan-limit"] if self._is_privileged else ["--unprivileged", "-sT"]
        return [
            *(["-6"] if is_v6 else []),
            *kind,
            "-sV",
            "--version-light",
            # Names are looked up by this program, whichever scanner it uses.
            "-n",
            "-p",
            _ranges(ports),
            "--max-rate",
            str(rate),
            "--max-retries",
            "2",
            "--host-timeout",
            f"{HOST_S_MAX}s",
            "-oX",
            "-",
            "-iL",
            "-",
        ]

    async def _attend(self, child: asyncio.subprocess.Process, addresses: Sequence[str]) -> list[Host]:
        """Tell nmap its targets, and read its report while it writes it."""
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - all are pipes
        complaints = asyncio.create_task(_read_some(child.stderr))
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                child.stdin.write("".join(f"{address}\n" for address in addresses).encode())
                await child.stdin.drain()
                child.stdin.close()
            reader = ReportReader(self._clock.now())
            while piece := await child.stdout.read(PIECE_BYTES):
                reader.feed(piece)
            said = await complaints
        finally:
            complaints.cancel()
        if await child.wait() != 0:
            raise ScannerFailed(f"nmap ended with status {child.returncode}: {said or 'it said nothing'}", hint=HINT)
        reader.feed(b"", is_last=True)
        # nmap counts whole seconds, by a clock of its own.
        now = timestamp(self._clock.now())
        return [replace(host, seen_at=now) for host in reader.report.hosts]


def _ranges(ports: Sequence[int]) -> str:
    """Write ports as nmap takes them: runs of numbers as ranges."""
    parts: list[list[int]] = []
    for port in ports:
        if parts and port == parts[-1][1] + 1:
            parts[-1][1] = port
        else:
            parts.append([port, port])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


async def _read_some(stream: asyncio.StreamReader) -> str:
    """Read to the end and return the last line that says anything; what is longer than a screen is dropped."""
    kept = b""
    while piece := await stream.read(PIECE_BYTES):
        kept = (kept + piece)[-STDERR_BYTES_MAX:]
    lines = [line.strip() for line in kept.decode("utf-8", "replace").splitlines() if line.strip()]
    return "".join(c for c in lines[-1][:200] if c.isprintable()) if lines else ""
