"""Runs nmap as a child process: arguments as a list, targets on standard input, the report through the safe XML parser.

The child does not get this process's environment. Cancelling a scan kills the child.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from sync.clock import Clock, timestamp
from sync.errors import BadReport, ScannerFailed, ScannerMissing
from sync.scan.options import ScannerName
from sync.scan.report.xml import ReportReader
from sync.scan.scanner.scanner import BatchFindings

PIECE_BYTES = 64 * 1024
STDERR_BYTES_MAX = 16 * 1024
HOST_S_MIN, BATCH_S_MORE = 900.0, 2_700.0
"""Minimum time limit of one host, after which nmap gives up on it, and the time that a batch may take in addition."""
TRIES = 3
"""Tries of a port, `RETRIES` included."""
RETRIES = TRIES - 1
HINT = "Choose the scanner EMBEDDED, or install nmap on the server."


def find_nmap() -> str | None:
    """Return the path of nmap; None if it is not installed."""
    return shutil.which("nmap")


def may_send_packets() -> bool:
    """Tell whether this process may open raw sockets, which nmap needs for SYN scans and to detect systems."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except OSError:
        return False
    return True


class NmapScanner:
    """Runs nmap for each batch.

    Args:
        clock: gives the times of hosts.
        program: the path of nmap.
        is_privileged: whether nmap may open raw sockets.
    """

    name = ScannerName.NMAP.value

    def __init__(self, clock: Clock, program: str, *, is_privileged: bool) -> None:
        self._clock, self._program, self._is_privileged = clock, program, is_privileged

    async def look(self, addresses: Sequence[str], ports: Sequence[int], rate: int) -> BatchFindings:
        """Run nmap once, over addresses of one version.

        Raises:
            ScannerMissing: nmap cannot be started.
            ScannerFailed: nmap ended with an error or took too long.
            BadReport: the output of nmap is not a report.
        """
        host_s = host_limit_s(len(addresses), len(ports), rate)
        arguments = self._arguments(ports, rate, host_s, is_v6=":" in addresses[0])
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
            async with asyncio.timeout(host_s + BATCH_S_MORE):
                return await self._attend(child, addresses)
        except TimeoutError:
            problem = f"nmap took longer than {host_s + BATCH_S_MORE:,.0f} s for one batch."
            raise ScannerFailed(problem, hint="Name fewer ports, or raise the rate.") from None
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
            await child.wait()

    def _arguments(self, ports: Sequence[int], rate: int, host_s: float, *, is_v6: bool) -> list[str]:
        kind = ["-sS", "-O", "--osscan-limit"] if self._is_privileged else ["--unprivileged", "-sT"]
        return [
            *(["-6"] if is_v6 else []),
            *kind,
            "-sV",
            "--version-light",
            # Rollcall looks up names itself, for every scanner.
            "-n",
            "-p",
            _ranges(ports),
            "--max-rate",
            str(rate),
            "--max-retries",
            str(RETRIES),
            "--host-timeout",
            f"{host_s:.0f}s",
            "-oX",
            "-",
            "-iL",
            "-",
        ]

    async def _attend(self, child: asyncio.subprocess.Process, addresses: Sequence[str]) -> BatchFindings:
        """Write the targets to nmap, and read its report while nmap writes it."""
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - all are pipes
        complaints = asyncio.create_task(_read_some(child.stderr))
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                child.stdin.write("".join(f"{address}\n" for address in addresses).encode())
                await child.stdin.drain()
                child.stdin.close()
            reader = ReportReader(None)
            while piece := await child.stdout.read(PIECE_BYTES):
                reader.feed(piece)
            said = await complaints
        finally:
            complaints.cancel()
        if await child.wait() != 0:
            raise ScannerFailed(f"nmap ended with status {child.returncode}: {said or 'no message'}", hint=HINT)
        reader.close()
        # Use this clock's time: nmap's times are whole seconds.
        now = timestamp(self._clock.now())
        report = reader.report
        if report.warnings:
            raise BadReport("; ".join(report.warnings), hint="Run the task again.")
        return BatchFindings(
            [replace(host, seen_at=now) for host in report.hosts], unfinished=frozenset(report.unfinished)
        )


def host_limit_s(addresses: int, ports: int, rate: int) -> float:
    """Return the time limit of a host: all hosts of a batch share the rate, and finish at about the same time.

    The limit is one and a half times the sending time, because answers take time too.
    """
    return HOST_S_MIN + 1.5 * TRIES * addresses * ports / rate


def _ranges(ports: Sequence[int]) -> str:
    """Return ports in nmap's form, consecutive numbers as ranges."""
    parts: list[list[int]] = []
    for port in ports:
        if parts and port == parts[-1][1] + 1:
            parts[-1][1] = port
        else:
            parts.append([port, port])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


async def _read_some(stream: asyncio.StreamReader) -> str:
    """Read a stream to its end and return its last non-empty line, at most 200 characters of it."""
    kept = b""
    while piece := await stream.read(PIECE_BYTES):
        kept = (kept + piece)[-STDERR_BYTES_MAX:]
    lines = [line.strip() for line in kept.decode("utf-8", "replace").splitlines() if line.strip()]
    return "".join(c for c in lines[-1][:200] if c.isprintable()) if lines else ""
