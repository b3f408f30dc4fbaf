"""Chooses the scanner of a task: the one it names, else nmap if it is installed, else the embedded one."""

from __future__ import annotations

from sync.clock import Clock
from sync.errors import ScannerMissing
from sync.scan.options import ScannerName
from sync.scan.scanner.embedded import EmbeddedScanner
from sync.scan.scanner.nmap import HINT, NmapScanner, find_nmap, may_send_packets
from sync.scan.scanner.scanner import Scanner


def choose_scanner(wanted: ScannerName | None, clock: Clock) -> Scanner:
    """Return the scanner of a task.

    Raises:
        ScannerMissing: the task names nmap, which is not installed.
    """
    program = find_nmap() if wanted is not ScannerName.EMBEDDED else None
    if program:
        return NmapScanner(clock, program, is_privileged=may_send_packets())
    if wanted is ScannerName.NMAP:
        raise ScannerMissing("The task needs nmap, which is not installed on this server.", hint=HINT)
    return EmbeddedScanner(clock)
