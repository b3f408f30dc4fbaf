"""The targets of a scan: addresses, ranges and networks as intervals, and host names; never one object an address.

A text is `10.0.0.7`, `10.0.0.0/24`, `10.0.0.5-10.0.0.20`, `10.0.0.5-20`, an IPv6 form of the same, or a host name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from sync.errors import BadInput

HOSTS_MAX = 65_536
"""The limit of addresses of a scan: a /16."""
TEXTS_MAX = 256
PORTS_MAX = 65_535
ATTEMPTS_MAX = 10_000_000
"""The limit of connections of a scan: addresses times ports."""
DEFAULT_PORTS = (
    "21-23,25,53,80,88,110,111,135,139,143,389,443,445,515,548,554,587,631,636,993,995,1433,1521,1883,2049,3000,3268,"
    "3306,3389,5000,5060,5432,5900,5985,6379,7000,8000,8008,8080,8443,8883,9000,9090,9100,9200,27017,49152,62078"
)
_NAME = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9.]+")
_PORTS_CHARS_MAX = 2_000
_CLASSES = {4: IPv4Address, 6: IPv6Address}
# The first IPv4-mapped IPv6 address.
_MAPPED = int(IPv6Address("::ffff:0:0"))


@dataclass(frozen=True, order=True)
class Span:
    """Addresses of one version, from the first to the last, as numbers."""

    version: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """How many addresses there are."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Spans:
    """A set of addresses: sorted spans that neither touch nor overlap."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Spans:
        """Make a set from any spans."""
        united: list[Span] = []
        for span in sorted(spans):
            before = united[-1] if united else None
            if before and before.version == span.version and span.first <= before.last + 1:
                united[-1] = Span(span.version, before.first, max(before.last, span.last))
            else:
                united.append(span)
        return cls(tuple(united))

    @property
    def size(self) -> int:
        """How many addresses there are."""
        return sum(span.size for span in self.spans)

    def without(self, other: Spans) -> Spans:
        """Return the set without the addresses of another set."""
        left: list[Span] = []
        for span in self.spans:
            first = span.first
            for hole in other.spans:
                if hole.version != span.version or hole.last < first or hole.first > span.last:
                    continue
                if hole.first > first:
                    left.append(Span(span.version, first, hole.first - 1))
                first = hole.last + 1
            if first <= span.last:
                left.append(Span(span.version, first, span.last))
        return Spans(tuple(left))

    def covers(self, address: str) -> bool:
        """Tell whether an address is in the set."""
        read = ip_address(address)
        version, number = int(read.version), int(read)
        place = bisect_right(self.spans, (version, number), key=lambda span: (span.version, span.first))
        found = self.spans[place - 1] if place else None
        return found is not None and found.version == read.version and number <= found.last

    def addresses(self) -> Iterator[str]:
        """Yield the addresses in order."""
        for span in self.spans:
            make = _CLASSES[span.version]
            yield from (str(make(number)) for number in range(span.first, span.last + 1))

    def __str__(self) -> str:
        """Return the set in the form in which people write targets."""
        parts = []
        for span in self.spans:
            make = _CLASSES[span.version]
            ends = dict.fromkeys((str(make(span.first)), str(make(span.last))))
            parts.append("-".join(ends))
        return ", ".join(parts)


@dataclass(frozen=True)
class Targets:
    """Parsed targets: addresses, and host names that must still be resolved."""

    spans: Spans
    names: tuple[str, ...]


def read_targets(texts: Sequence[str], path: str) -> Targets:
    """Parse the texts of targets, excludes or a scope.

    Raises:
        BadInput: a text is invalid, or there are too many.
    """
    if len(texts) > TEXTS_MAX:
        raise BadInput(f"There are {len(texts):,} entries; at most {TEXTS_MAX:,} are allowed.", path=path)
    spans: list[Span] = []
    names: list[str] = []
    for number, text in enumerate(texts, 1):
        span = _span(text.strip(), path, number)
        if span is None:
            names.append(text.strip().rstrip(".").casefold())
        else:
            spans.append(span)
    return Targets(Spans.of(spans), tuple(dict.fromkeys(names)))


def _span(text: str, path: str, number: int) -> Span | None:
    """Parse one text, the entry `number`; return None if it is a host name."""
    try:
        if "%" in text:  # Refuse IPv6 zones: they are valid on one machine only.
            raise ValueError
        if "/" in text:
            network = ip_network(text, strict=False)
            return _plain(Span(network.version, int(network[0]), int(network[-1])))
        first, dash, last = text.partition("-")
        if not dash:
            one = ip_address(text)
            return _plain(Span(one.version, int(one), int(one)))
        if _DIGITS.fullmatch(first) or ":" in first:
            return _range(first.strip(), last.strip(), path, number)
    except ValueError:
        pass
    if "/" in text or ":" in text or _DIGITS.fullmatch(text.replace("-", "")) or not _NAME.fullmatch(text):
        hint = "Use an address, a network (10.0.0.0/24), a range (10.0.0.5-10.0.0.20) or a host name."
        problem = f"Entry {number} of the {path} is not an address, a network, a range or a host name."
        raise BadInput(problem, hint=hint, path=path)
    return None


def _range(first: str, last: str, path: str, number: int) -> Span:
    begin = ip_address(first)
    # The end of `10.0.0.5-20` is the last number only.
    end = ip_address(f"{first.rpartition('.')[0]}.{last}") if last.isdecimal() else ip_address(last)
    if begin.version != end.version or int(end) < int(begin):
        raise BadInput(f"Entry {number} of the {path} ends before it begins.", path=path)
    return _plain(Span(begin.version, int(begin), int(end)))


def _plain(span: Span) -> Span:
    """Return IPv4-mapped IPv6 addresses (::ffff:10.0.0.7) as IPv4 addresses."""
    if span.version == 6 and _MAPPED <= span.first and span.last < _MAPPED + 2**32:
        return Span(4, span.first - _MAPPED, span.last - _MAPPED)
    return span


def read_ports(text: str, path: str = "ports") -> tuple[int, ...]:
    """Parse ports, such as `22,80,8000-8100`, and return them sorted, each once.

    Raises:
        BadInput: it is not a list of ports.
    """
    if len(text) > _PORTS_CHARS_MAX:
        problem = f"The ports have {len(text):,} characters; at most {_PORTS_CHARS_MAX:,} are allowed."
        raise BadInput(problem, path=path)
    ports: set[int] = set()
    for number, part in enumerate(text.replace(" ", "").split(","), 1):
        found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part, re.ASCII)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= PORTS_MAX:
            hint = "Write numbers from 1 to 65535 and ranges, such as 22,80,8000-8100."
            raise BadInput(f"Part {number} of the ports is not a port or a range of ports.", hint=hint, path=path)
        ports.update(range(first, last + 1))
    return tuple(sorted(ports))


def check_size(spans: Spans, ports: int, path: str = "targets") -> None:
    """Refuse a scan that is too large.

    Raises:
        BadInput: names the limit and the size of the scan.
    """
    if spans.size > HOSTS_MAX:
        hint = "Split it into several tasks, or name smaller networks."
        problem = f"The targets are {spans.size:,} addresses; a scan may have {HOSTS_MAX:,} at most."
        raise BadInput(problem, hint=hint, path=path)
    if (attempts := spans.size * ports) > ATTEMPTS_MAX:
        problem = f"{spans.size:,} addresses and {ports:,} ports are {attempts:,} connections"
        hint = "Name fewer ports or smaller networks."
        raise BadInput(f"{problem}; a scan may have {ATTEMPTS_MAX:,} at most.", hint=hint, path=path)


def check_scope(spans: Spans, scope: Sequence[str] | None, path: str = "targets") -> None:
    """Refuse targets outside the site's scope; a site without a scope allows all addresses except special.py's.

    Raises:
        BadInput: names the addresses outside.
    """
    if scope is None:
        return
    outside = spans.without(read_targets(scope, "scope").spans)
    if outside.size:
        hint = "Exclude these addresses, or ask an administrator to widen the site's scope."
        text = str(outside)
        text = text if len(text) <= 200 else f"{text[:200]} ..."
        raise BadInput(f"The site's scope does not include {text}.", hint=hint, path=path)
