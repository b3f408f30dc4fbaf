"""The common part of report readers: findings, times, limits and refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Protocol

from sync.clock import timestamp
from sync.errors import BadReport
from sync.inventory.scan.record import Host

REPORT_BYTES_MAX = 64 * 1024 * 1024
HOSTS_MAX = 262_144
SERVICES_MAX = 65_536
NAMES_MAX = 32
ADDRESSES_MAX = 64
TEXT_CHARS_MAX = 200
CPES_MAX = 8
SCRIPTS_MAX = 64
SCRIPT_CHARS_MAX = 2_000
SCRIPTS_CHARS_MAX = 16_000
"""The limit of kept script output of one host."""
AHEAD_MAX = timedelta(days=1)
"""How far the clock or time zone of the scanning machine may be ahead of this one."""
WHEN_HINT = "Give the time it was made: `--made-at` on the command line, `madeAt` in the mutation."


@dataclass
class Report:
    """The findings of reports: hosts that were up, addresses that did not answer, and warnings.

    Args:
        hosts: the hosts found and not taken yet.
        silent: address → when it was scanned without an answer.
        unfinished: addresses of hosts that the scanner gave up on because they took too long.
        warnings: texts for the person who imports the report, each once.
        listed: the number of hosts that were listed but not scanned, or that only a person declared up.
        count: the number of hosts read so far.
    """

    hosts: list[Host] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    listed: int = 0
    count: int = 0

    def add(self, host: Host) -> None:
        """Count a host and keep it until it is taken."""
        self.counted()
        self.hosts.append(host)

    def counted(self) -> None:
        """Count a host of the report.

        Raises:
            BadReport: there are too many.
        """
        self.count += 1
        if self.count > HOSTS_MAX:
            raise bad(f"The report has more than {HOSTS_MAX:,} hosts.", "Import it in parts.")

    def take(self) -> list[Host]:
        """Return the hosts that were not taken yet."""
        taken, self.hosts = self.hosts, []
        return taken

    def warn(self, text: str) -> None:
        """Add a warning, unless it is there already."""
        self.warnings[text] = None

    def said(self) -> list[str]:
        """Return all warnings."""
        more = []
        if self.listed:
            more.append(f"{self.listed:,} hosts were listed but not scanned; nothing was concluded about them.")
        if self.unfinished:
            some = ", ".join(self.unfinished[:20])
            more.append(f"The scanner gave up on {len(self.unfinished):,} hosts; their earlier services stay: {some}.")
        return [*self.warnings, *more]


class PieceReader(Protocol):
    """Reads reports of one format, piece by piece, into `report`."""

    report: Report

    def feed(self, piece: bytes) -> None:
        """Read a piece.

        Raises:
            BadReport: it is not of the format, or exceeds a limit.
        """

    def close(self) -> None:
        """End the report; add a warning if it was cut short.

        Raises:
            BadReport: the report has nothing complete.
        """


class Times:
    """Converts the times of a report to the stored form.

    Args:
        now: by this machine's clock; None accepts any time, for a report whose times are not used.
        made_at: when the report was made, for reports without times; None if unknown.
    """

    def __init__(self, now: datetime | None, made_at: datetime | None = None) -> None:
        self._last = now and now + AHEAD_MAX
        self.made_at = made_at and self.moment(made_at)

    def epoch(self, *seconds: object) -> str | None:
        """Return the first argument that is a number of seconds since 1970, as a time; None if none is.

        Raises:
            BadReport: the time is too far in the future, or out of range.
        """
        number = next((number for text in seconds if (number := as_number(text, 0)) > 0), 0)
        if not number:
            return None
        try:
            return self.moment(datetime.fromtimestamp(number, UTC))
        except (ValueError, OverflowError, OSError):
            raise bad(f"The report has a time that is out of range: {number} seconds since 1970.") from None

    def moment(self, moment: datetime) -> str:
        """Return a time of the report in the stored form; raise BadReport if it is too far in the future."""
        if self._last and moment > self._last:
            problem = f"The report has a time in the future: {timestamp(moment)}."
            raise bad(problem, "Set the clock of the scanning machine, and scan again.")
        return timestamp(moment)

    def known(self, *moments: str | None) -> str:
        """Return the first known time, or else when the report was made; never the time of the import.

        Raises:
            BadReport: no time is known.
        """
        found = next((moment for moment in (*moments, self.made_at) if moment), None)
        if found is None:
            raise bad("The report does not say when it was made.", WHEN_HINT)
        return found


def bad(message: str, hint: str | None = None) -> BadReport:
    """Return the error that refuses a report."""
    return BadReport(message, hint=hint, path="xml")


def as_text(value: object, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return a value as displayable text: without control characters, of limited length."""
    return "".join(c for c in str(value or "")[:chars_max] if c.isprintable()).strip()


def as_lines(value: object) -> str:
    """Return the output of a script: lines without control characters, of limited length."""
    return "".join(c for c in str(value or "")[:SCRIPT_CHARS_MAX] if c.isprintable() or c in "\n\t").strip()


def as_number(value: object, missing: int) -> int:
    """Return a value as a number, or `missing` if it is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else missing


def as_address(text: str) -> str:
    """Return the stored form of an IP address.

    Raises:
        BadReport: the text is not an IP address.
    """
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        raise bad("A host has an address that is not an IP address.") from None


def as_mac(text: str) -> str:
    """Return the digits of a MAC address.

    Raises:
        BadReport: the text is not a MAC address.
    """
    digits = text.replace(":", "").replace("-", "").lower()
    if len(digits) != 12 or set(digits) - set("0123456789abcdef"):
        raise bad("A host has an invalid MAC address.")
    return digits


def as_port(value: object) -> int:
    """Return the number of a port.

    Raises:
        BadReport: the value is not a port.
    """
    number = as_number(value, -1)
    if not 0 <= number <= 65_535:
        raise bad("A host has a port that is not a number from 0 to 65535.")
    return number


def detail_of(
    os_matches: Iterable[Mapping[str, Any]] = (), cpe: Iterable[str] = (), scripts: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any] | None:
    """Return the further results to store; None if there are none."""
    told = {"osMatches": list(os_matches), "cpe": list(dict.fromkeys(cpe))[:CPES_MAX], "scripts": list(scripts)}
    return {name: value for name, value in told.items() if value} or None
