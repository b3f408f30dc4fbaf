"""Reads reports of Nessus (`.nessus`, version 2): hosts, their operating systems, and the ports with findings.

A report does not list the scanned ports, so that nothing is concluded about ports that it does not name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sync.errors import BadReport
from sync.inventory.scan.protocol import TLS, protocols_of
from sync.inventory.scan.record import Host, Service
from sync.scan.report.finding import (
    ADDRESSES_MAX,
    CPES_MAX,
    SERVICES_MAX,
    Report,
    Times,
    as_address,
    as_mac,
    as_port,
    as_text,
    bad,
    detail_of,
)
from sync.scan.report.safe_xml import Attributes, XmlDocuments

ROOT = "NessusClientData_v2"
PROPERTY_CHARS_MAX = 2_000
_PROPERTIES = frozenset(
    {"host-ip", "host-fqdn", "host-rdns", "netbios-name", "hostname", "mac-address", "operating-system"}
)
_TIMES = ("HOST_END_TIMESTAMP", "HOST_START_TIMESTAMP", "HOST_END", "HOST_START")
# The plugins that list the certificate, the ciphers and the versions of TLS: the port speaks TLS.
_TLS_PLUGINS = frozenset({"10863", "21643", "56984"})
_ASCTIME = "%a %b %d %H:%M:%S %Y"


@dataclass
class _Draft:
    """A host while its element is open."""

    name: str
    properties: dict[str, str] = field(default_factory=dict)
    cpe: list[str] = field(default_factory=list)
    services: dict[tuple[int, str], str] = field(default_factory=dict)
    # Port → protocols that were detected, and protocols guessed by its number.
    asked: dict[tuple[int, str], set[str]] = field(default_factory=dict)
    guessed: dict[tuple[int, str], set[str]] = field(default_factory=dict)


class NessusReader:
    """Reads a report, piece by piece.

    Args:
        now: by this machine's clock.
        made_at: when the report was made, for hosts without a time.
        encoding: the encoding of the bytes, whatever the report declares; None: as declared.
    """

    def __init__(self, now: datetime, made_at: datetime | None = None, encoding: str | None = None) -> None:
        self.report = Report()
        self._times = Times(now, made_at)
        self._documents = XmlDocuments(self, encoding)
        self._draft: _Draft | None = None
        self._property, self._text = "", ""
        self.feed: Callable[[bytes], None] = self._documents.feed

    def close(self) -> None:
        """End the report; complete hosts count."""
        if not self._documents.close():
            self.report.warn("The report was cut short: the hosts before the cut count.")

    def start(self, name: str, attributes: Attributes, depth: int) -> None:
        """Handle the start of an element."""
        if depth == 1 and name != ROOT:
            raise bad(f"This is not a report of Nessus: its root is not {ROOT}.", "Export it as Nessus, version 2.")
        if name == "ReportHost" and depth == 3:
            self._draft = _Draft(as_text(attributes.get("name")))
        elif self._draft and name == "tag" and depth == 5:
            self._property, self._text = as_text(attributes.get("name")), ""
        elif self._draft and name == "ReportItem" and depth == 4:
            _item(self._draft, attributes)

    def end(self, name: str, depth: int) -> None:
        """Handle the end of an element."""
        draft = self._draft
        if draft and name == "tag" and depth == 5:
            self._keep(draft, self._property, self._text.strip())
            self._property = ""
        elif draft and name == "ReportHost" and depth == 3:
            self._draft = None
            self.report.add(self._host(draft))

    def text(self, text: str) -> None:
        """Handle text; only the text of properties is used."""
        if self._property and len(self._text) < PROPERTY_CHARS_MAX:
            self._text += text

    def _keep(self, draft: _Draft, name: str, value: str) -> None:
        if name in _PROPERTIES or name in _TIMES:
            draft.properties[name] = value
        elif name == "cpe" or name.startswith("cpe-"):
            # `cpe:/a:vendor:product -> description`
            if len(draft.cpe) < CPES_MAX and (cpe := as_text(value.partition(" ")[0])):
                draft.cpe.append(cpe)

    def _host(self, draft: _Draft) -> Host:
        told = draft.properties
        addresses = [as_address(address) for address in (told.get("host-ip"), _address_in(draft.name)) if address]
        names = [as_text(told.get(name)) for name in ("host-fqdn", "host-rdns", "hostname", "netbios-name")]
        if not addresses and draft.name:
            names.append(draft.name)
        systems = [as_text(line) for line in told.get("operating-system", "").splitlines() if line.strip()]
        return Host(
            seen_at=self._times.known(
                self._times.epoch(*(told.get(name) for name in _TIMES[:2])),
                *(self._asctime(told.get(name)) for name in _TIMES[2:]),
            ),
            names=tuple(dict.fromkeys(name for name in names if name and not _address_in(name))),
            addresses=tuple(dict.fromkeys(addresses)),
            macs=tuple(dict.fromkeys(as_mac(mac) for mac in told.get("mac-address", "").split()[:ADDRESSES_MAX])),
            # Use a single line only: several lines are guesses.
            os=systems[0] if len(systems) == 1 else None,
            detected_by="Nessus",
            services=tuple(_service(draft, key, name) for key, name in sorted(draft.services.items())),
            detail=detail_of([{"name": name, "accuracy": None} for name in systems[:5]], draft.cpe),
        )

    def _asctime(self, text: str | None) -> str | None:
        """Parse a time that Nessus wrote without a zone; assume UTC."""
        try:
            return self._times.moment(datetime.strptime(text or "", _ASCTIME).replace(tzinfo=UTC))
        except ValueError:
            return None


def _service(draft: _Draft, key: tuple[int, str], name: str) -> Service:
    asked = draft.asked.get(key, set())
    # If only TLS was detected, the protocol inside TLS is still a guess.
    spoken = asked | draft.guessed.get(key, set()) if asked <= {TLS} else asked
    return Service(*key, name, name, (), tuple(sorted(spoken)), is_asked=bool(asked))


def _item(draft: _Draft, attributes: Attributes) -> None:
    """Keep the port of a finding; findings of the machine as a whole have port 0."""
    port = as_port(attributes.get("port"))
    if not port:
        return
    if len(draft.services) >= SERVICES_MAX:
        raise bad(f"A host has more than {SERVICES_MAX:,} open ports.")
    # A name with a question mark is Nessus's guess by the port's number.
    told = as_text(attributes.get("svc_name"))
    name, is_guess = told.rstrip("?"), told.endswith("?")
    key = port, as_text(attributes.get("protocol")).lower()
    spoken = protocols_of(name, is_guess=is_guess)
    (draft.guessed if is_guess else draft.asked).setdefault(key, set()).update(spoken)
    if attributes.get("pluginID") in _TLS_PLUGINS:
        draft.asked.setdefault(key, set()).add(TLS)
    known = draft.services.get(key)
    draft.services[key] = known if known and known != "unknown" else "" if name == "unknown" else name


def _address_in(text: str) -> str | None:
    """Return the address if the text is one; Nessus names a host by its target, a name or an address."""
    try:
        return as_address(text)
    except BadReport:
        return None
