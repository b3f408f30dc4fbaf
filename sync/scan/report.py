"""Reads what nmap writes (`-oX`), from anybody: bounded in bytes, depth and number, and without any entity.

The parser is fed in pieces, so a report of any length takes little memory. It fetches nothing, expands nothing that a
document declares, and stops at the first thing that is not nmap's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from xml.parsers import expat

from sync.clock import timestamp
from sync.errors import BadReport
from sync.inventory.scan import Host, Service

REPORT_BYTES_MAX = 64 * 1024 * 1024
DEPTH_MAX = 32
HOSTS_MAX = 65_536
SERVICES_MAX = 65_536
NAMES_MAX = 32
ADDRESSES_MAX = 64
TEXT_CHARS_MAX = 200
OS_ACCURACY_MIN = 90
"""Below that nmap's guess of a system is as often wrong as right."""
_TYPES = {"printer": "Printer", "router": "Router", "switch": "Switch", "phone": "Mobile", "webcam": "Camera"}


@dataclass
class Report:
    """What a report tells: hosts that were up, and addresses that were looked at and down."""

    # When the scan began: who was seen later was not down.
    began_at: str
    hosts: list[Host] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)


@dataclass
class _Draft:
    """A host while its element is open."""

    ends_at: str
    is_up: bool = False
    reason: str = ""
    addresses: list[str] = field(default_factory=list)
    macs: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    port: tuple[int, str] | None = None
    is_open: bool = False
    product: str = ""
    manufacturer: str | None = None
    os_accuracy: int = OS_ACCURACY_MIN - 1
    os: str | None = None
    os_version: str | None = None
    type: str | None = None


class ReportReader:
    """Reads one report, piece by piece.

    Args:
        now: hosts are never seen later than this, whatever the report says.
        bytes_max: a longer report is refused.
    """

    def __init__(self, now: datetime, bytes_max: int = REPORT_BYTES_MAX) -> None:
        self._now, self._bytes_max, self._bytes, self._depth = timestamp(now), bytes_max, 0, 0
        self.report = Report(self._now)
        self._draft: _Draft | None = None
        parser = expat.ParserCreate("utf-8")
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = _refuse_entity
        self._parser = parser

    def feed(self, piece: bytes, *, is_last: bool = False) -> None:
        """Read a piece.

        Raises:
            BadReport: it is too long, not XML, not nmap's, or holds what no report needs.
        """
        self._bytes += len(piece)
        if self._bytes > self._bytes_max:
            raise _bad(f"The report is longer than {self._bytes_max:,} bytes.", "Import it in parts.")
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            text = f"The report is not well-formed XML: {expat.ErrorString(error.code)}, line {error.lineno}."
            raise _bad(
                text, "Send the whole file that nmap wrote with -oX; an interrupted scan leaves half of one."
            ) from None

    def _doctype(self, name: str, system: str | None, public: str | None, has_internal_subset: bool) -> None:
        if has_internal_subset or system or public:
            raise _bad("The report declares a document type of its own.", "nmap's says `<!DOCTYPE nmaprun>` only.")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _bad(f"The report nests more than {DEPTH_MAX} elements.")
        if self._depth == 1:
            if name != "nmaprun":
                raise _bad("This is not a report of nmap: its root is not nmaprun.", "Write one with nmap -oX.")
            self.report.began_at = self._moment(attributes, "start")
        if name == "host" and self._depth == 2:
            self._draft = _Draft(self._moment(attributes, "endtime", "starttime"))
        elif self._draft and (read := _ELEMENTS.get(name)):
            read(self._draft, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        draft = self._draft
        if draft is None:
            return
        if name == "port":
            _close_port(draft)
        elif name == "host" and self._depth == 1:
            self._draft = None
            self._close_host(draft)

    def _moment(self, attributes: Mapping[str, str], *names: str) -> str:
        seconds = next((seconds for name in names if (seconds := _number(attributes, name, 0))), 0)
        try:
            moment = timestamp(datetime.fromtimestamp(seconds, UTC)) if seconds > 0 else self._now
        except (ValueError, OverflowError, OSError):
            moment = self._now
        return min(moment, self._now)

    def _close_host(self, draft: _Draft) -> None:
        if len(self.report.hosts) + len(self.report.silent) >= HOSTS_MAX:
            raise _bad(f"The report has more than {HOSTS_MAX:,} hosts.", "Import it in parts.")
        if not draft.is_up:
            self.report.silent.update(draft.addresses)
        elif draft.addresses or draft.macs:
            self.report.hosts.append(_host(draft))


def read_report(text: bytes, now: datetime, bytes_max: int = REPORT_BYTES_MAX) -> Report:
    """Read a whole report.

    Raises:
        BadReport: as `ReportReader.feed`.
    """
    reader = ReportReader(now, bytes_max)
    reader.feed(text, is_last=True)
    return reader.report


def _bad(message: str, hint: str | None = None) -> BadReport:
    return BadReport(message, hint=hint, path="xml")


def _refuse_entity(*_: Any) -> None:
    raise _bad("The report declares entities; nmap never does.", "Do not import files from strangers.")


def _host(draft: _Draft) -> Host:
    return Host(
        seen_at=draft.ends_at,
        names=tuple(dict.fromkeys(draft.names)),
        addresses=tuple(dict.fromkeys(draft.addresses)),
        macs=tuple(dict.fromkeys(draft.macs)),
        type=draft.type,
        os=draft.os,
        os_version=draft.os_version,
        manufacturer=draft.manufacturer,
        detected_by="ARP" if draft.reason.startswith(("arp", "nd-")) else "nmap",
        services=tuple(draft.services),
    )


def _text(attributes: Mapping[str, str], name: str) -> str:
    """Return an attribute as text that may be shown: no control characters, not endless."""
    return "".join(c for c in attributes.get(name, "")[:TEXT_CHARS_MAX] if c.isprintable()).strip()


def _number(attributes: Mapping[str, str], name: str, missing: int) -> int:
    text = attributes.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else missing


def _status(draft: _Draft, attributes: Mapping[str, str]) -> None:
    draft.is_up, draft.reason = attributes.get("state") == "up", attributes.get("reason", "")


def _address(draft: _Draft, attributes: Mapping[str, str]) -> None:
    kept = draft.macs if attributes.get("addrtype") == "mac" else draft.addresses
    if len(kept) >= ADDRESSES_MAX:
        raise _bad(f"A host has more than {ADDRESSES_MAX} addresses.")
    check = _check_mac if kept is draft.macs else _check_ip
    kept.append(check(_text(attributes, "addr")))
    if kept is draft.macs:
        draft.manufacturer = draft.manufacturer or _text(attributes, "vendor") or None


def _hostname(draft: _Draft, attributes: Mapping[str, str]) -> None:
    if attributes.get("type") == "user":
        # What a person typed to nmap: all addresses of a service are hosts of that name.
        return
    if (name := _text(attributes, "name").rstrip(".")) and len(draft.names) < NAMES_MAX:
        draft.names.append(name)


def _port(draft: _Draft, attributes: Mapping[str, str]) -> None:
    draft.port = _number(attributes, "portid", -1), _text(attributes, "protocol").lower()
    draft.is_open, draft.product = False, ""
    if not 0 <= draft.port[0] <= 65_535:
        raise _bad("A host has a port that is no number from 0 to 65535.")


def _state(draft: _Draft, attributes: Mapping[str, str]) -> None:
    draft.is_open = draft.port is not None and attributes.get("state") == "open"


def _service(draft: _Draft, attributes: Mapping[str, str]) -> None:
    if draft.port is None:
        return
    product = " ".join(filter(None, (_text(attributes, "product"), _text(attributes, "version"))))
    draft.product = (product or _text(attributes, "name"))[:TEXT_CHARS_MAX]


def _close_port(draft: _Draft) -> None:
    if draft.port and draft.is_open:
        if len(draft.services) >= SERVICES_MAX:
            raise _bad(f"A host has more than {SERVICES_MAX:,} open ports.")
        draft.services.append(Service(*draft.port, draft.product))
    draft.port = None


def _osclass(draft: _Draft, attributes: Mapping[str, str]) -> None:
    """Keep the likeliest system; of two as likely ones the first, as nmap puts it first."""
    accuracy = _number(attributes, "accuracy", 0)
    if accuracy <= draft.os_accuracy:
        return
    draft.os_accuracy = accuracy
    draft.os = _text(attributes, "osfamily") or None
    draft.os_version = (_text(attributes, "osgen") or None) if draft.os else None
    draft.type = _TYPES.get(_text(attributes, "type"))


def _check_ip(text: str) -> str:
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        raise _bad("A host has an address that is not an IP address.") from None


def _check_mac(text: str) -> str:
    digits = text.replace(":", "").lower()
    if len(digits) != 12 or set(digits) - set("0123456789abcdef"):
        raise _bad("A host has a MAC address that is none.")
    return digits


_ELEMENTS: dict[str, Callable[[_Draft, Mapping[str, str]], None]] = {
    "status": _status,
    "address": _address,
    "hostname": _hostname,
    "port": _port,
    "state": _state,
    "service": _service,
    "osclass": _osclass,
}
