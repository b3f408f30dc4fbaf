"""Shared parts of the HTTP clients: trusted certificates, proxies, timeouts, reasons of failures; sends no request.

Reasons are fixed texts: the text of an HTTP error can contain a header or a body, and so a secret.
"""

from __future__ import annotations

import functools
import logging
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import httpx
import truststore

from sync.entra.outbound import DIRECT, Outbound
from sync.errors import BadSettings
from sync.product import version

USER_AGENT = f"rollcall/{version()}"

# At INFO httpx logs every address, and so user names and the tokens in Graph's links.
logging.getLogger("httpx").setLevel(logging.WARNING)

CONNECT_TIMEOUT_S = 10.0
"""Timeout of a connection and its TLS handshake."""

CA_SETTING, CUSTOM_CA_SETTING = "ROLLCALL_CA_FILE", "ROLLCALL_CUSTOM_CA_FILE"


@functools.cache
def _machine_roots(also: Path | None) -> ssl.SSLContext:
    """Return a context, shared by the process, that trusts the machine's authorities and `also`.

    On macOS and Windows the system verifies each certificate. Elsewhere truststore would read the whole store for every
    connection, on the event loop; copy its certificates once instead, which takes 30 ms.
    """
    system = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    filled = system.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost").context
    if found := filled.get_ca_certs(binary_form=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=b"".join(found))
    else:
        context = system
    if also is not None:
        _load(context, also, CA_SETTING)
    return context


def _load(context: ssl.SSLContext, ca_file: Path, setting: str) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:  # includes ssl.SSLError, raised for a file without a certificate
        raise BadSettings(
            "The file with certificate authorities cannot be read.",
            hint=f"{setting} must name a readable PEM file.",
            setting=setting,
        ) from error


def tls_context(ca_file: Path | None, outbound: Outbound = DIRECT) -> ssl.SSLContext:
    """Return a context that trusts `ca_file`, or if None the machine's authorities, and those that `outbound` adds.

    Raises:
        BadSettings: a file cannot be read or contains no certificate.
    """
    if ca_file is None:
        return _machine_roots(outbound.ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, ca_file, CUSTOM_CA_SETTING)
    if outbound.ca_file is not None:
        _load(context, outbound.ca_file, CA_SETTING)
    return context


T_co = TypeVar("T_co", covariant=True)


class _Transport(Protocol[T_co]):
    """httpx.HTTPTransport or httpx.AsyncHTTPTransport."""

    def __call__(
        self, *, verify: ssl.SSLContext, trust_env: bool, limits: httpx.Limits, proxy: httpx.Proxy
    ) -> T_co: ...


def through_proxy(
    transport: _Transport[T_co],
    outbound: Outbound,
    origins: Iterable[str],
    context: ssl.SSLContext,
    limits: httpx.Limits = httpx.Limits(),  # noqa: B008 - immutable
) -> dict[str, T_co]:
    """Return httpx's `mounts`: a transport for each origin that needs a proxy."""
    found = {}
    for origin in origins:
        if (proxy := outbound.proxy_of(origin)) is not None:
            own = context if proxy.origin.startswith("https:") else None
            way = httpx.Proxy(proxy.origin, auth=proxy.auth, ssl_context=own)
            found[origin] = transport(verify=context, trust_env=False, limits=limits, proxy=way)
    return found


def timeouts(read_s: float) -> httpx.Timeout:
    """Return timeouts; `read_s` is the longest silence of the other side."""
    return httpx.Timeout(connect=CONNECT_TIMEOUT_S, read=read_s, write=read_s, pool=None)


@dataclass(frozen=True)
class TransportFailure:
    """Why a request got no answer, as a fixed text, and what to do; callers may see both."""

    reason: str
    hint: str = "Check the network, the firewall and the proxy."

    def __str__(self) -> str:
        return self.reason


_UNTRUSTED = "the server's certificate is not trusted"
_PROXY_STATUS = re.compile(r"([1-5][0-9]{2})\b", re.ASCII)
# OpenSSL's verification errors: openssl.org/docs/man3.0/man3/X509_STORE_CTX_get_error.html
_EXPIRED, _NOT_YET, _OTHER_NAMES = 10, 9, (62, 64)
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def failure(error: httpx.RequestError, *, proxied: bool = False) -> TransportFailure:
    """Return why a request got no answer.

    Args:
        error: the error of httpx.
        proxied: the request went through a proxy, so that connection errors concern the proxy.

    Source: www.python-httpx.org/exceptions
    """
    if isinstance(error, httpx.ProxyError):
        return _refused_by_proxy(str(error))
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(getattr(cause, "verify_code", None))
    setting = "Check ROLLCALL_HTTPS_PROXY, or HTTPS_PROXY in the environment."
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        if proxied:
            return TransportFailure("the proxy's host name cannot be resolved", setting)
        return TransportFailure(
            "the host name cannot be resolved",
            "Check this machine's name resolution; if only a proxy resolves names, set ROLLCALL_HTTPS_PROXY.",
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return (
            TransportFailure("the proxy refused the connection", setting)
            if proxied
            else TransportFailure("the connection was refused")
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return TransportFailure("the TLS connection failed")
    return TransportFailure(_broken(error, proxied=proxied))


def _broken(error: httpx.RequestError, *, proxied: bool) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "connecting to the proxy took too long" if proxied else "connecting took too long"
    if isinstance(error, httpx.TimeoutException):
        return "the server stopped answering"
    if isinstance(error, httpx.ConnectError):
        return "the connection failed"
    return "the connection broke"


def _untrusted(verify_code: int | None) -> TransportFailure:
    if verify_code in _UNKNOWN_AUTHORITY:
        return TransportFailure(
            f"{_UNTRUSTED}: it comes from an unknown authority",
            "A proxy that inspects TLS presents its own certificates. Add its authority to this machine's store and "
            f"restart Rollcall, or name it in {CA_SETTING}.",
        )
    if verify_code in (_EXPIRED, _NOT_YET):
        return TransportFailure(
            f"{_UNTRUSTED}: it is not valid today", "Check this machine's clock, and the certificate."
        )
    if verify_code in _OTHER_NAMES:
        return TransportFailure(
            f"{_UNTRUSTED}: it is for another name", "A proxy or a captive portal may have answered."
        )
    return TransportFailure(_UNTRUSTED, f"Check the certificate; {CA_SETTING} adds an authority to trust.")


def _refused_by_proxy(text: str) -> TransportFailure:
    """Return why a proxy refused to connect; only the status of its answer is used."""
    match = _PROXY_STATUS.match(text)
    status = match[1] if match else None
    if status == "407":
        return TransportFailure(
            "the proxy asks for credentials (407)",
            "Put user and password into the file of ROLLCALL_HTTPS_PROXY_FILE: http://user:password@host:port.",
        )
    if status is not None and status.startswith("5"):
        return TransportFailure(
            f"the proxy could not reach the server ({status})",
            "See the proxy's log: it may be unable to resolve the name, or not be allowed to connect.",
        )
    told = f" ({status})" if status else ""
    return TransportFailure(
        f"the proxy refused to connect{told}", "On the proxy, allow this host; or add it to NO_PROXY."
    )
