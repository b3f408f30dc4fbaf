"""The outbound connection: the proxy, and certificate authorities trusted in addition to the machine's.

Only the operator sets these, never a request. A proxy's credentials go to the proxy only and are shown nowhere.

Source: www.rfc-editor.org/rfc/rfc9110 (CONNECT), curl.se/docs/manpage.html (NO_PROXY)
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sync.errors import BadInput

_SCHEMES = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?", re.ASCII)
_CREDENTIAL = re.compile(r"[\x20-\x7e]{0,512}", re.ASCII)
_EXPECTED = "Write it as http://host:port or http://user:password@host:port."


@dataclass(frozen=True)
class Proxy:
    """A forward proxy: its origin, and its user and password if it needs them."""

    origin: str
    auth: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Outbound:
    """How the server connects to other hosts.

    Args:
        https: the proxy for https addresses; None: connect directly.
        http: the proxy for http addresses; None: connect directly.
        no_proxy: hosts to connect to without a proxy, see `parse_no_proxy`.
        ca_file: certificate authorities trusted in addition to the machine's, for every host.
    """

    https: Proxy | None = None
    http: Proxy | None = None
    no_proxy: tuple[str, ...] = ()
    ca_file: Path | None = None

    def proxy_of(self, url: str) -> Proxy | None:
        """Return the proxy for an address; None to connect directly, as always to this machine."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        proxy = self.http if parts.scheme == "http" else self.https
        if proxy is None or _is_loopback(host):
            return None
        port = parts.port or _SCHEMES.get(parts.scheme)
        return None if any(_fits(entry, host, port) for entry in self.no_proxy) else proxy


DIRECT = Outbound()
"""No proxy, and the authorities of the machine."""


def parse_proxy(text: str) -> Proxy:
    """Parse the address of a proxy; the default scheme is http.

    Raises:
        BadInput: the text is not a proxy's address; it may contain a password, so the error does not repeat it.
    """
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise BadInput("The address is not a proxy's.", hint=_EXPECTED) from None
    if parts.scheme not in _SCHEMES or not _is_host(host) or parts.path not in ("", "/") or parts.query:
        raise BadInput("The address is not a proxy's.", hint=_EXPECTED)
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}:{port or _SCHEMES[parts.scheme]}"
    if parts.username is None:
        return Proxy(origin)
    auth = unquote(parts.username), unquote(parts.password or "")
    if not all(_CREDENTIAL.fullmatch(part) for part in auth) or ":" in auth[0]:
        raise BadInput("The proxy's user or password has characters that cannot be sent.", hint=_EXPECTED)
    return Proxy(origin, auth)


def parse_no_proxy(text: str) -> tuple[str, ...]:
    """Parse hosts, domains, addresses and networks, separated by commas; `*` stands for all hosts.

    Raises:
        BadInput: an entry is none of these.
    """
    entries = tuple(entry.strip().lower() for entry in text.split(",") if entry.strip())
    for entry in entries:
        name, _ = _split(entry)
        if name != "*" and _network(name) is None and not _is_host(name.removeprefix("*").lstrip(".")):
            raise BadInput("An entry is neither a host, a domain nor a network.")
    return entries


def _split(entry: str) -> tuple[str, int | None]:
    """Split an entry into its name and port; an IPv6 address with a port must be in brackets."""
    match = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:]+))(?::(?P<port>[0-9]{1,5}))?", entry)
    if match is None:
        return entry, None
    return match["six"] or match["name"], int(match["port"]) if match["port"] else None


def _network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_host(host: str) -> bool:
    return _address(host) is not None or bool(_HOST.fullmatch(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return address is not None and (mapped or address).is_loopback


def _fits(entry: str, host: str, port: int | None) -> bool:
    name, only = _split(entry)
    if only is not None and only != port:
        return False
    if name == "*":
        return True
    network, address = _network(name), _address(host)
    if network is not None:
        return address is not None and address in network
    name = name.removeprefix("*").lstrip(".")
    return host == name or host.endswith(f".{name}")
