"""Parsers for the values of settings. Each raises `Unfit` without repeating the value, which may be a secret."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sync.entra.cloud import GUID, parse_origin
from sync.entra.outbound import Proxy, parse_no_proxy, parse_proxy
from sync.errors import BadInput


class Unfit(Exception):
    """A value does not fit its setting; a text says what is expected and never repeats the value."""


def text(value: str) -> str:
    """Return a text unchanged."""
    return value


def secret(value: str) -> str:
    """Return a secret that fits in a header and is too long to guess."""
    if not re.fullmatch(r"[\x21-\x7e]{16,512}", value):
        raise Unfit
    return value


def path(value: str) -> Path:
    """Return a path, with `~` expanded."""
    return Path(value).expanduser()


def host(value: str) -> str:
    """Read an IP address or a host name."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", value):
            return value
        raise Unfit from None


def port(value: str) -> int:
    """Read a port from 0 to 65535."""
    return int(number(value, least=0, most=65535))


def number(value: str, *, least: float, most: float) -> float:
    """Read a number from `least` to `most`, with at most three decimals."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", value):
        raise Unfit
    found = float(value)
    if not least <= found <= most:
        raise Unfit
    return found


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` to `most`."""

    def parse(value: str) -> int:
        if not value.isascii() or not value.isdigit():
            raise Unfit
        return int(number(value, least=least, most=most))

    return parse


def choice(*choices: str) -> Callable[[str], str]:
    """Return a parser of one of the given words, in any case."""

    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise Unfit
        return value.lower()

    return parse


def switch(value: str) -> bool:
    """Read `on` or `off`."""
    return {"on": True, "off": False}[choice("on", "off")(value)]


def guid(value: str) -> str:
    """Return a GUID in lower case."""
    if not GUID.fullmatch(value):
        raise Unfit
    return value.lower()


def https_origin(value: str) -> str:
    """Read an https:// origin."""
    try:
        return parse_origin(value)
    except BadInput:
        raise Unfit from None


def proxy(value: str) -> Proxy | None:
    """Read the address of a proxy; `direct` is None."""
    try:
        return None if value.lower() == "direct" else parse_proxy(value)
    except BadInput:
        raise Unfit from None


def no_proxy(value: str) -> tuple[str, ...]:
    """Read the hosts to reach without a proxy."""
    try:
        return parse_no_proxy(value)
    except BadInput:
        raise Unfit from None


def split(value: str) -> Any:
    """Return the parts of a URL that has a host, no user and no blank."""
    try:
        parts = urlsplit(value)
        hostname = parts.hostname
        _ = parts.port  # raises ValueError if it is out of range
    except ValueError:
        raise Unfit from None
    if not hostname or parts.username is not None or any(mark in value for mark in " \t\r\n\\"):
        raise Unfit
    return parts


def origins(value: str) -> tuple[str, ...]:
    """Read web origins, separated by commas."""
    return tuple(web_origin(item.strip()) for item in value.split(",") if item.strip())


def header_names(value: str) -> tuple[str, ...]:
    """Read names of HTTP headers, separated by commas."""
    names = tuple(item.strip() for item in value.split(",") if item.strip())
    if not all(re.fullmatch(r"[A-Za-z0-9-]{1,64}", name) for name in names):
        raise Unfit
    return names


def web_origin(value: str) -> str:
    """Read one web origin."""
    parts = split(value)
    if parts.scheme not in ("http", "https") or parts.path or parts.query or parts.fragment:
        raise Unfit
    return f"{parts.scheme}://{parts.netloc.lower()}"


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Return a parser of seconds from `least` to `most`."""

    def parse(value: str) -> float:
        return number(value, least=least, most=most)

    return parse


def networks(value: str) -> tuple[str, ...]:
    """Read IP addresses and networks, separated by commas."""
    try:
        return tuple(str(ipaddress.ip_network(item.strip())) for item in value.split(",") if item.strip())
    except ValueError:
        raise Unfit from None
