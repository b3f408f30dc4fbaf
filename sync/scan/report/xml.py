"""Reads the XML of nmap and masscan (`-oX`): hosts, and which of their ports were scanned.

`scaninfo` lists the scanned ports. A scanned port was not open unless the host reports that it is or may be open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sync.inventory.scan.port_set import PortSet, Range
from sync.inventory.scan.protocol import protocols_of
from sync.inventory.scan.record import Host, Service
from sync.scan.report.finding import (
    ADDRESSES_MAX,
    CPES_MAX,
    NAMES_MAX,
    REPORT_BYTES_MAX,
    SCRIPTS_CHARS_MAX,
    SCRIPTS_MAX,
    SERVICES_MAX,
    TEXT_CHARS_MAX,
    Report,
    Times,
    as_address,
    as_lines,
    as_mac,
    as_number,
    as_port,
    as_text,
    bad,
    detail_of,
)
from sync.scan.report.safe_xml import Attributes, XmlDocuments

OS_ACCURACY_MIN = 90
"""Below this, nmap's guess of an operating system is as often wrong as right."""
OS_MATCHES_MAX = 5
RANGES_MAX = 65_536
_TYPES = {"printer": "Printer", "router": "Router", "switch": "Switch", "phone": "Mobile", "webcam": "Camera"}
# Scripts with output only if the port speaks TLS.
_TLS_SCRIPTS = frozenset({"ssl-cert", "ssl-enum-ciphers"})
# States of ports that may be open.
_UNSURE = frozenset({"open|filtered", "unfiltered"})


@dataclass
class _Port:
    """A port while its element is open."""

    number: int
    protocol: str
    state: str = ""
    reason: str = ""
    name: str = ""
    product: str = ""
    cpe: list[str] = field(default_factory=list)
    over_tls: bool = False
    # Detected by a probe (nmap) or a banner (masscan), not guessed by the port's number.
    is_asked: bool = False


@dataclass
class _Draft:
    """A host while its element is open."""

    seen_at: str | None
    is_unfinished: bool
    # masscan writes no status: it reports only hosts that answered.
    state: str = "up"
    reason: str = ""
    has_answered: bool = False
    addresses: list[str] = field(default_factory=list)
    macs: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    port: _Port | None = None
    has_ports: bool = False
    shut: list[Range] = field(default_factory=list)
    unsure: list[Range] = field(default_factory=list)
    # Of ports that are not listed one by one: state, number, and their ranges if given.
    extra: list[tuple[str, int, list[Range]]] = field(default_factory=list)
    manufacturer: str | None = None
    os_accuracy: int = OS_ACCURACY_MIN - 1
    os: str | None = None
    os_version: str | None = None
    type: str | None = None
    os_matches: list[dict[str, Any]] = field(default_factory=list)
    cpe: list[str] = field(default_factory=list)
    takes_cpe: bool = False
    scripts: list[dict[str, Any]] = field(default_factory=list)
    script_chars: int = 0


class ReportReader:
    """Reads reports, piece by piece.

    Args:
        now: by this machine's clock, to refuse times far in the future; None accepts any time.
        bytes_max: the limit of a report.
        made_at: when the report was made, for reports without times.
        encoding: the encoding of the bytes, whatever the report declares; None: as declared.
    """

    def __init__(
        self,
        now: datetime | None,
        bytes_max: int = REPORT_BYTES_MAX,
        made_at: datetime | None = None,
        encoding: str | None = None,
    ) -> None:
        self.report = Report()
        self._times, self._bytes_max, self._bytes = Times(now, made_at), bytes_max, 0
        self._documents = XmlDocuments(self, encoding)
        self._began_at: str | None = None
        self._scanner = "nmap"
        self._looked: dict[str, PortSet] = {}
        self._draft: _Draft | None = None
        # The text of the open `cpe` element.
        self._cpe: str | None = None

    def feed(self, piece: bytes) -> None:
        """Read a piece.

        Raises:
            BadReport: it is too long, not XML, not nmap's, or has parts that no report needs.
        """
        self._bytes += len(piece)
        if self._bytes > self._bytes_max:
            raise bad(f"The report is longer than {self._bytes_max:,} bytes.", "Import it in parts.")
        self._documents.feed(piece)

    def close(self) -> None:
        """End the report; complete hosts count."""
        if not self._documents.close():
            self.report.warn("The report was cut short: the hosts before the cut count.")

    def start(self, name: str, attributes: Attributes, depth: int) -> None:
        """Handle the start of an element."""
        if depth == 1:
            if name != "nmaprun":
                problem = f"This is not a report of nmap: its root is {as_text(name)}, not nmaprun."
                raise bad(problem, "Write one with nmap -oX; Nessus exports version 2 of its format.")
            self._began_at, self._looked = self._times.epoch(attributes.get("start")), {}
            self._scanner = "masscan" if attributes.get("scanner") == "masscan" else "nmap"
        elif name == "host" and depth == 2:
            seen_at = self._times.epoch(attributes.get("endtime"), attributes.get("starttime"))
            self._draft = _Draft(seen_at, attributes.get("timedout") == "true")
        elif name == "scaninfo" and depth == 2:
            self._scaninfo(attributes)
        elif name == "finished":
            self._finished(attributes)
        elif self._draft and name == "cpe":
            self._cpe = ""
        elif self._draft and (read := _ELEMENTS.get(name)):
            read(self._draft, attributes)
            if name == "service" and self._draft.port and self._scanner == "masscan":
                self._draft.port.is_asked = True

    def end(self, name: str, depth: int) -> None:
        """Handle the end of an element."""
        draft = self._draft
        if draft is None:
            return
        if name == "cpe":
            _close_cpe(draft, as_text(self._cpe))
            self._cpe = None
        elif name == "port":
            _close_port(draft)
        elif name == "host" and depth == 2:
            self._draft = None
            self._close_host(draft)

    def text(self, text: str) -> None:
        """Handle text; only the text of `cpe` elements is used."""
        if self._cpe is not None and len(self._cpe) < TEXT_CHARS_MAX:
            self._cpe += text

    def _scaninfo(self, attributes: Attributes) -> None:
        protocol = as_text(attributes.get("protocol")).lower()
        ranges = _ranges(protocol, attributes.get("services", ""))
        if ranges:
            known = self._looked.get(protocol)
            self._looked[protocol] = PortSet([*(known.ranges if known else ()), *ranges])

    def _finished(self, attributes: Attributes) -> None:
        if attributes.get("exit") == "error":
            said = as_text(attributes.get("errormsg")) or "it does not say why"
            self.report.warn(f"{self._scanner} ended with an error: {said}")

    def _close_host(self, draft: _Draft) -> None:
        report = self.report
        if draft.is_unfinished:
            report.unfinished += draft.addresses[:1]
        # `-sL` only lists hosts; with `-Pn` a person declares that hosts are up.
        if draft.state not in ("up", "down") or (draft.reason == "user-set" and not draft.has_answered):
            report.counted()
            report.listed += not draft.is_unfinished
        elif draft.state == "down":
            report.counted()
            at = self._times.known(max(draft.seen_at or "", self._began_at or ""))
            for address in draft.addresses:
                report.silent[address] = max(at, report.silent.get(address, at))
        elif draft.addresses or draft.macs:
            report.add(self._host(draft))

    def _host(self, draft: _Draft) -> Host:
        return Host(
            seen_at=self._times.known(draft.seen_at, self._began_at),
            names=tuple(dict.fromkeys(draft.names)),
            addresses=tuple(dict.fromkeys(draft.addresses)),
            macs=tuple(dict.fromkeys(draft.macs)),
            type=draft.type,
            os=draft.os,
            os_version=draft.os_version,
            manufacturer=draft.manufacturer,
            detected_by="ARP" if draft.reason.startswith(("arp", "nd-")) else self._scanner,
            services=tuple(draft.services),
            looked=tuple(self._looked_at(draft)),
            detail=detail_of(draft.os_matches, draft.cpe, draft.scripts),
        )

    def _looked_at(self, draft: _Draft) -> list[PortSet]:
        """Return the scanned ports that are known to be closed unless the host lists them as open."""
        if draft.is_unfinished or not draft.has_ports:
            return []
        unsure = [*draft.unsure, *(one for state, _, ranges in draft.extra if state in _UNSURE for one in ranges)]
        if any(state in _UNSURE and not ranges for state, _, ranges in draft.extra):
            # The report does not say which ports may be open: use only the listed closed ones.
            return [PortSet(draft.shut, is_whole=False)]
        protocols = {protocol for protocol, _, _ in unsure}
        return [ports.without(unsure) if protocol in protocols else ports for protocol, ports in self._looked.items()]


def read_report(text: bytes, now: datetime, bytes_max: int = REPORT_BYTES_MAX) -> Report:
    """Read a whole report.

    Raises:
        BadReport: see `ReportReader.feed`.
    """
    reader = ReportReader(now, bytes_max)
    reader.feed(text)
    reader.close()
    return reader.report


def _ranges(protocol: str, text: str) -> list[Range]:
    """Parse ports such as `1,3-5`; ignore invalid parts."""
    found: list[Range] = []
    for part in text.split(",", RANGES_MAX):
        first, _, last = part.strip().partition("-")
        begin, end = as_number(first, -1), as_number(last or first, -1)
        if 0 <= begin <= end <= 65_535:
            found.append((protocol, begin, end))
    return found


def _status(draft: _Draft, attributes: Attributes) -> None:
    draft.state, draft.reason = attributes.get("state", "up"), attributes.get("reason", "")


def _address(draft: _Draft, attributes: Attributes) -> None:
    kept = draft.macs if attributes.get("addrtype") == "mac" else draft.addresses
    if len(kept) >= ADDRESSES_MAX:
        raise bad(f"A host has more than {ADDRESSES_MAX} addresses.")
    check = as_mac if kept is draft.macs else as_address
    kept.append(check(as_text(attributes.get("addr"))))
    if kept is draft.macs:
        draft.manufacturer = draft.manufacturer or as_text(attributes.get("vendor")) or None
        draft.has_answered = True


def _hostname(draft: _Draft, attributes: Attributes) -> None:
    if attributes.get("type") == "user":
        # Skip a name that a person gave to nmap: a service with that name may have many hosts.
        return
    if (name := as_text(attributes.get("name")).rstrip(".")) and len(draft.names) < NAMES_MAX:
        draft.names.append(name)


def _ports(draft: _Draft, attributes: Attributes) -> None:
    draft.has_ports = True


def _extraports(draft: _Draft, attributes: Attributes) -> None:
    state = attributes.get("state", "")
    draft.extra.append((state, as_number(attributes.get("count"), 0), []))
    draft.has_answered = draft.has_answered or state in ("closed", "unfiltered")


def _extrareasons(draft: _Draft, attributes: Attributes) -> None:
    if draft.extra:
        draft.extra[-1][2].extend(_ranges(attributes.get("proto", ""), attributes.get("ports", "")))


def _port(draft: _Draft, attributes: Attributes) -> None:
    draft.port = _Port(as_port(attributes.get("portid")), as_text(attributes.get("protocol")).lower())


def _state(draft: _Draft, attributes: Attributes) -> None:
    if draft.port:
        draft.port.state, draft.port.reason = attributes.get("state", ""), attributes.get("reason", "")


def _service(draft: _Draft, attributes: Attributes) -> None:
    if draft.port:
        name = as_text(attributes.get("name"))
        # nmap writes "unknown" if it does not know the service.
        draft.port.name = "" if name == "unknown" else name
        product = " ".join(filter(None, (as_text(attributes.get(part)) for part in ("product", "version"))))
        draft.port.product = product[:TEXT_CHARS_MAX]
        draft.port.over_tls = draft.port.over_tls or attributes.get("tunnel") == "ssl"
        # Old versions give no method; they write a product only if they probed the service.
        draft.port.is_asked = attributes.get("method", "probed" if product else "table") == "probed"


def _close_port(draft: _Draft) -> None:
    port, draft.port = draft.port, None
    if port is None:
        return
    place = (port.protocol, port.number, port.number)
    if port.state in ("open", "closed"):
        draft.has_answered = True
    if port.state in _UNSURE:
        draft.unsure.append(place)
    elif port.state != "open":
        draft.shut.append(place)
    elif len(draft.services) >= SERVICES_MAX:
        raise bad(f"A host has more than {SERVICES_MAX:,} open ports.")
    else:
        said = port.product or port.name
        spoken = protocols_of(port.name, is_guess=not port.is_asked, over_tls=port.over_tls)
        is_asked = port.is_asked or port.over_tls
        draft.services.append(Service(port.number, port.protocol, said, port.name, tuple(port.cpe), spoken, is_asked))


def _close_cpe(draft: _Draft, name: str) -> None:
    kept = draft.port.cpe if draft.port else draft.cpe if draft.takes_cpe else None
    if kept is not None and name and len(kept) < CPES_MAX:
        kept.append(name)


def _osmatch(draft: _Draft, attributes: Attributes) -> None:
    name = as_text(attributes.get("name"))
    if name and len(draft.os_matches) < OS_MATCHES_MAX:
        draft.os_matches.append({"name": name, "accuracy": min(as_number(attributes.get("accuracy"), 0), 100)})
        draft.has_answered = True


def _osclass(draft: _Draft, attributes: Attributes) -> None:
    """Keep the most likely system; of equally likely ones the first, as in nmap's order."""
    accuracy = as_number(attributes.get("accuracy"), 0)
    draft.takes_cpe = accuracy > draft.os_accuracy
    if not draft.takes_cpe:
        return
    draft.os_accuracy, draft.cpe = accuracy, []
    draft.os = as_text(attributes.get("osfamily")) or None
    draft.os_version = (as_text(attributes.get("osgen")) or None) if draft.os else None
    draft.type = _TYPES.get(as_text(attributes.get("type")))


def _script(draft: _Draft, attributes: Attributes) -> None:
    output = as_lines(attributes.get("output"))
    if draft.port and output and attributes.get("id") in _TLS_SCRIPTS:
        draft.port.over_tls = True
    left = SCRIPTS_CHARS_MAX - draft.script_chars
    if len(draft.scripts) >= SCRIPTS_MAX or left <= 0:
        return
    draft.script_chars += len(output)
    port = draft.port
    place = {"port": port.number, "protocol": port.protocol} if port else {"port": None, "protocol": None}
    draft.scripts.append({**place, "script": as_text(attributes.get("id")), "output": output[:left]})


_ELEMENTS: dict[str, Callable[[_Draft, Attributes], None]] = {
    "status": _status,
    "address": _address,
    "hostname": _hostname,
    "ports": _ports,
    "extraports": _extraports,
    "extrareasons": _extrareasons,
    "port": _port,
    "state": _state,
    "service": _service,
    "osmatch": _osmatch,
    "osclass": _osclass,
    "script": _script,
}
