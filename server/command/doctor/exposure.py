"""Whether tokens and answers may be read on their way to and from the server."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from server.command.doctor.finding import Finding, doubtful, well
from server.settings import Settings


def check_edge(settings: Settings) -> Iterator[Finding]:
    """Look at where the server listens, and in which way it speaks."""
    where = f"The server listens on {settings.host} port {settings.port}"
    if settings.tls_cert_file is not None:
        yield well("edge", f"{where}, by TLS.")
    elif _is_loopback(settings.host):
        yield well("edge", f"{where}, for this machine alone.")
    elif settings.trusted_proxies:
        yield well("edge", f"{where}, in the clear, for its proxies: {', '.join(settings.trusted_proxies)}.")
    else:
        yield doubtful(
            "edge",
            f"{where}, in the clear: whoever is on the way reads tokens and answers.",
            "Set ROLLCALL_TLS_CERT_FILE and ROLLCALL_TLS_KEY_FILE, or listen on 127.0.0.1 behind a proxy that ends "
            "TLS and name it in ROLLCALL_TRUSTED_PROXIES.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
