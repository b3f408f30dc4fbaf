"""Reads the JSON of masscan (`-oJ`, `-oD`): one object for each port that answered.

Each object is parsed by itself, because masscan may end its list with a comma or with invalid JSON.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from sync.inventory.scan.protocol import protocols_of
from sync.inventory.scan.record import Host, Service
from sync.scan.report.finding import SERVICES_MAX, Report, Times, as_address, as_port, as_text, bad

OBJECT_BYTES_MAX = 1024 * 1024
_QUOTE, _BACKSLASH, _OPEN, _CLOSE = b'"\\{}'
_BETWEEN = frozenset(b" \t\r\n,[]\xef\xbb\xbf")
HINT = "Import the output of masscan -oJ, or of nmap -oX."


class MasscanReader:
    """Reads a report, piece by piece.

    Args:
        now: by this machine's clock.
        made_at: when the report was made, for objects without a time.
    """

    def __init__(self, now: datetime, made_at: datetime | None = None) -> None:
        self.report = Report()
        self._times = Times(now, made_at)
        self._object = bytearray()
        self._depth, self._is_quoted, self._is_escaped = 0, False, False

    def feed(self, piece: bytes) -> None:
        """Read a piece.

        Raises:
            BadReport: it is not a report of masscan.
        """
        begin = 0
        for place, byte in enumerate(piece):
            if self._is_quoted:
                if self._is_escaped:
                    self._is_escaped = False
                elif byte == _BACKSLASH:
                    self._is_escaped = True
                elif byte == _QUOTE:
                    self._is_quoted = False
            elif byte == _QUOTE and self._depth:
                self._is_quoted = True
            elif byte == _OPEN:
                if not self._depth:
                    begin = place
                self._depth += 1
            elif byte == _CLOSE and self._depth:
                self._depth -= 1
                if not self._depth:
                    self._object += piece[begin : place + 1]
                    self._read(bytes(self._object))
                    self._object.clear()
            elif not self._depth and byte not in _BETWEEN:
                raise bad("This is not a report of masscan: it has text between its objects.", HINT)
        if self._depth:
            self._object += piece[begin:]
            if len(self._object) > OBJECT_BYTES_MAX:
                raise bad(f"The report has an object of more than {OBJECT_BYTES_MAX:,} bytes.", HINT)

    def close(self) -> None:
        """End the report; complete objects count."""
        if self._depth:
            self.report.warn("The report was cut short: the hosts before the cut count.")

    def _read(self, text: bytes) -> None:
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            if text.replace(b" ", b"") == b"{finished:1}":
                return
            raise bad("The report has an object that is not valid JSON.", HINT) from None
        if "finished" in found:
            return
        if not isinstance(found.get("ip"), str) or not isinstance(found.get("ports"), list):
            raise bad("This is not a report of masscan: an object has no `ip` and `ports`.", HINT)
        self.report.add(self._host(found))

    def _host(self, found: dict[str, Any]) -> Host:
        if len(found["ports"]) > SERVICES_MAX:
            raise bad(f"A host has more than {SERVICES_MAX:,} open ports.")
        return Host(
            seen_at=self._times.known(self._times.epoch(found.get("timestamp"))),
            addresses=(as_address(found["ip"]),),
            detected_by="masscan",
            services=tuple(service for port in found["ports"] if (service := _service(port))),
        )


def _service(port: Any) -> Service | None:
    """Return an open port; None if it answered and was closed."""
    if not isinstance(port, dict):
        raise bad("A host has a port that is not an object.", HINT)
    service = port.get("service")
    told = service if isinstance(service, dict) else {}
    if port.get("status", "open") != "open":
        return None
    name = as_text(told.get("name"))
    transport = as_text(port.get("proto") or "tcp").lower()
    # masscan names a service only by its banner, so that the protocol was detected.
    return Service(as_port(port.get("port")), transport, name, name, (), protocols_of(name), is_asked=True)
