"""Reads lists of services as CSV: address, port, protocol, service; column names in the first line allow any order.

Nothing is concluded about ports that a list does not name. Times come from the column `time`, or from `made_at`.
"""

from __future__ import annotations

import codecs
import csv
from datetime import UTC, datetime

from sync.errors import BadReport
from sync.inventory.scan.protocol import protocols_of
from sync.inventory.scan.record import Host, Service
from sync.scan.report.finding import Report, Times, as_address, as_port, as_text, bad

LINE_CHARS_MAX = 64 * 1024
_NAMES = {
    "address": "address", "ip": "address", "ip address": "address", "ipaddress": "address", "host": "address",
    "port": "port", "portid": "port",
    "protocol": "protocol", "proto": "protocol",
    "service": "service", "name": "service", "service name": "service",
    "product": "product",
    "hostname": "hostname", "fqdn": "hostname",
    "time": "time", "timestamp": "time", "seen": "time", "last seen": "time",
}  # fmt: skip
_ORDER = ("address", "port", "protocol", "service")
_DELIMITERS = ",;\t"
HINT = "Each line is: address, port, protocol, service; such as 10.0.0.5,443,tcp,https."


class ServiceListReader:
    """Reads a list, piece by piece.

    Args:
        now: by this machine's clock.
        made_at: when the list was made, for lines without a time.
    """

    def __init__(self, now: datetime, made_at: datetime | None = None) -> None:
        self.report = Report()
        self._times = Times(now, made_at)
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest, self._line = "", 0
        self._columns: tuple[str, ...] | None = None
        self._delimiter = ","

    def feed(self, piece: bytes) -> None:
        """Read a piece.

        Raises:
            BadReport: a line is not one of a list of services.
        """
        *lines, self._rest = (self._rest + self._decode.decode(piece)).split("\n")
        if len(self._rest) > LINE_CHARS_MAX:
            raise bad(f"The list has a line of more than {LINE_CHARS_MAX:,} characters.", HINT)
        for line in lines:
            self._read(line)

    def close(self) -> None:
        """Read the last line, which may lack a line break."""
        self._read(self._rest + self._decode.decode(b"", final=True))
        self._rest = ""
        if self._columns is None:
            raise bad("The list is empty.", HINT)

    def _read(self, line: str) -> None:
        self._line += 1
        if not line.strip() or line.startswith("#"):
            return
        if self._columns is None:
            self._delimiter = max(_DELIMITERS, key=line.count)
        values = [value.strip() for value in next(csv.reader([line.rstrip("\r")], delimiter=self._delimiter))]
        if self._columns is None:
            self._columns = named = columns_of(values)
            if named is not _ORDER:
                return
        self.report.add(self._host(dict(zip(self._columns, values, strict=False))))

    def _host(self, told: dict[str, str]) -> Host:
        try:
            address = as_address(told.get("address", ""))
            port = as_port(told.get("port"))
        except BadReport:
            raise bad(f"Line {self._line} of the list has no address and port.", HINT) from None
        name = as_text(told.get("service"))
        product = as_text(told.get("product")) or name
        protocol = as_text(told.get("protocol")).lower() or "tcp"
        hostname = as_text(told.get("hostname")).rstrip(".")
        return Host(
            seen_at=self._times.known(self._moment(told.get("time"))),
            names=(hostname,) if hostname else (),
            addresses=(address,),
            detected_by="list",
            # Take the listed service as detected, not as a guess.
            services=(Service(port, protocol, product, name, (), protocols_of(name), True),) if port else (),
        )

    def _moment(self, text: str | None) -> str | None:
        if not text:
            return None
        if text.isdecimal():
            return self._times.epoch(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            hint = "Write times as 2026-11-25T12:00:00Z, or as seconds since 1970."
            raise bad(f"Line {self._line} of the list has an invalid time.", hint) from None
        return self._times.moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def columns_of(values: list[str]) -> tuple[str, ...]:
    """Return the columns of the first line if it has column names, else the default order."""
    found = tuple(_NAMES.get(value.strip().casefold().replace("_", " "), "") for value in values)
    return found if "address" in found and "port" in found else _ORDER


def is_first_line(text: str) -> bool:
    """Tell whether a text starts like a list: with column names, or with an address and a port."""
    line = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(_DELIMITERS, key=line.count)
    values = [value.strip(' "') for value in line.split(delimiter)]
    if columns_of(values) is not _ORDER:
        return True
    try:
        as_address(values[0])
        as_port(values[1])
    except (BadReport, IndexError):
        return False
    return True
