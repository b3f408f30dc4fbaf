"""What both HTTP clients of this package share: trusted certificates, timeouts, reasons; never a request.

Reasons name the kind of failure only: the text of an HTTP error can hold a header or a body, and so a secret.
"""

from __future__ import annotations

import functools
import logging
import socket
import ssl
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import certifi
import httpx

from sync.errors import BadSettings

USER_AGENT = f"rollcall/{metadata.version('rollcall')}"

# At INFO httpx writes every address, and so user names and the tokens inside Graph's links.
logging.getLogger("httpx").setLevel(logging.WARNING)

CONNECT_TIMEOUT_S = 10.0
"""How long a connection and its TLS handshake may take."""


@functools.cache
def _public_roots() -> ssl.SSLContext:
    # Reading the bundle takes tens of milliseconds, so one context serves the process.
    return ssl.create_default_context(cafile=certifi.where())


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts `ca_file` alone, or the public authorities when it is None.

    Raises:
        BadSettings: the file cannot be read or holds no certificate.
    """
    if ca_file is None:
        return _public_roots()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError, for a file without a certificate, is one of these
        raise BadSettings(
            "The certificate authority of the custom cloud cannot be read.",
            hint="ROLLCALL_CUSTOM_CA_FILE must name a readable PEM file.",
            setting="ROLLCALL_CUSTOM_CA_FILE",
        ) from error


def timeouts(read_s: float) -> httpx.Timeout:
    """Return explicit timeouts: `read_s` is the longest silence from the other side."""
    return httpx.Timeout(connect=CONNECT_TIMEOUT_S, read=read_s, write=read_s, pool=None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def failure_reason(error: httpx.RequestError) -> str:
    """Say in a few words why a request got no answer; a fixed text, so it can reach a caller.

    Source: www.python-httpx.org/exceptions
    """
    causes = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return "the server's certificate is not trusted"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "the host name cannot be resolved"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "the connection was refused"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "the TLS connection failed"
    if isinstance(error, httpx.ConnectTimeout):
        return "connecting took too long"
    if isinstance(error, httpx.TimeoutException):
        return "the server stopped answering"
    if isinstance(error, httpx.ConnectError):
        return "the connection failed"
    return "the connection broke"
