"""Options of a scan: checked when the task is created, stored as JSON, and checked again by each run."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.errors import BadInput
from sync.scan.scanner.own import own_addresses
from sync.scan.special import check_special, without_own
from sync.scan.target import DEFAULT_PORTS, Targets, check_scope, check_size, read_ports, read_targets

RATE_DEFAULT, RATE_MAX = 1_000, 10_000


class ScannerName(enum.StrEnum):
    """The scanner to use."""

    EMBEDDED = "EMBEDDED"
    NMAP = "NMAP"


@dataclass(frozen=True)
class ScanOptions:
    """What a scan scans, and how.

    Args:
        targets: texts that sync/scan/target.py can read.
        excludes: the same; they are never scanned.
        ports: such as `22,80,8000-8100`; None: DEFAULT_PORTS.
        rate: the limit of connections, or packets, a second.
        scanner: None: nmap if it is installed, else the embedded scanner.
        azure_ad: whether the Azure AD probe runs after the scan, with the task's credential and options.
    """

    targets: tuple[str, ...]
    excludes: tuple[str, ...] = ()
    ports: str | None = None
    rate: int = RATE_DEFAULT
    scanner: ScannerName | None = None
    azure_ad: bool = False

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> ScanOptions:
        """Read options that `dump` returned."""
        lists = {name: tuple(stored[name]) for name in ("targets", "excludes")}
        scanner = ScannerName(stored["scanner"]) if stored["scanner"] else None
        return cls(**(dict(stored) | lists | {"scanner": scanner}))

    def dump(self) -> dict[str, Any]:
        """Return the options as JSON."""
        return vars(self) | {"targets": list(self.targets), "excludes": list(self.excludes)}

    def port_numbers(self) -> tuple[int, ...]:
        """Return the ports to scan."""
        return read_ports(self.ports or DEFAULT_PORTS)


def check_options(options: ScanOptions, scope: Sequence[str] | None) -> None:
    """Check options; each run resolves host names and checks again.

    Raises:
        BadInput: names the field, its limit and the given value.
    """
    if not options.targets:
        raise BadInput("There is nothing to scan.", hint="Name a network, such as 10.0.0.0/24.", path="targets")
    if not 1 <= options.rate <= RATE_MAX:
        raise BadInput(f"The rate is {options.rate:,}; it must be from 1 to {RATE_MAX:,} a second.", path="rate")
    targets, excludes = read_targets(options.targets, "targets"), read_targets(options.excludes, "excludes")
    spans = targets.spans.without(excludes.spans)
    if not spans.size and not targets.names:
        raise BadInput("The excludes leave nothing to scan.", path="excludes")
    check_size(spans, len(options.port_numbers()))
    check_scope(spans, scope)
    check_special(spans, scope)
    left, own = without_own(spans, scope, own_addresses())
    if own.size and not left.size and not targets.names:
        hint = "Ask an administrator to add the server to the site's scope."
        raise BadInput(f"The only address to scan is this server itself: {own}.", hint=hint, path="targets")


def check_site_scope(scope: Sequence[str] | None) -> list[str] | None:
    """Return the stored form of a site's scope; None allows all addresses except special ones.

    Raises:
        BadInput: an entry is not a network, a range or an address.
    """
    if scope is None:
        return None
    read: Targets = read_targets(scope, "scope")
    if read.names:
        hint = "Write networks and ranges: the address of a name may change."
        raise BadInput("A scope cannot contain host names.", hint=hint, path="scope")
    return [text.strip() for text in scope]
