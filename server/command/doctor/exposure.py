"""Checks whether others on the network can read tokens and answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from server.command.doctor.finding import Finding, doubtful, well
from server.settings import Settings


def check_edge(settings: Settings) -> Iterator[Finding]:
    """Check the server's address and TLS."""
    where = f"The server listens on {settings.host} port {settings.port}"
    if settings.tls_cert_file is not None:
        yield well("edge", f"{where}, with TLS.")
    elif _is_loopback(settings.host):
        yield well("edge", f"{where}, for this machine only.")
    elif settings.trusted_proxies:
        yield well("edge", f"{where}, without TLS, for its proxies: {', '.join(settings.trusted_proxies)}.")
    else:
        yield doubtful(
            "edge",
            f"{where}, without TLS: others on the network can read tokens and answers.",
            "Set ROLLCALL_TLS_CERT_FILE and ROLLCALL_TLS_KEY_FILE, or listen on 127.0.0.1 behind a proxy that "
            "terminates TLS, and name it in ROLLCALL_TRUSTED_PROXIES.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
