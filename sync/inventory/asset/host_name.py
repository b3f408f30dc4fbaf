"""Host names: the part of a name that is compared, and its domain.

A device's name in a directory can be any text (`Dr. Meier iPad`); only a valid host name has labels and a domain.
Source: RFC 952 and RFC 1123 2.1 (letters, digits, hyphens), RFC 3696 2 (the last label is no number). Underscores are
accepted too, because Windows allows them in computer names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from sync.store.statement.function import folded

NAME_CHARS_MAX = 253
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)
# Default names that identify no machine, so that they make no duplicates. Other shared names need no list: the number
# of machines with the name decides (BEARERS_MAX).
_GENERIC_NAME = re.compile(
    r"localhost|desktop|laptop|android|(iphone|ipad)( ?\d{1,2})?|macbook([ -]?(pro|air))?|windows( ?pc)?|pc|workstation"
    r"|unknown|none",
    re.IGNORECASE,
)


@lru_cache(maxsize=4_096)
def host_name(name: str | None) -> tuple[str, str]:
    """Return the compared form of a name and its domain, both folded; the whole name and "" if it has no domain."""
    text = (name or "").strip()
    whole = folded(text)
    # A trailing dot marks the root.
    bare = text.removesuffix(".")
    if "." not in bare or len(bare) > NAME_CHARS_MAX or not _HOST_NAME.fullmatch(bare):
        return "" if whole.startswith(".") else whole, ""
    short, _, domain = bare.lower().partition(".")
    if domain.rpartition(".")[2].isdecimal():
        return whole, ""
    return short, domain


@lru_cache(maxsize=4_096)
def name_key(name: str | None) -> str | None:
    """Return the compared form of a name, for a host name its first label; None if it identifies nothing."""
    short, _ = host_name(name)
    return None if not short or _GENERIC_NAME.fullmatch(short) else short


def name_keys(names: Iterable[str]) -> set[str]:
    """Return the compared forms of several names."""
    return {short for name in names if (short := name_key(name))}


def domains_in(names: Iterable[str]) -> list[str]:
    """List the domains of names, sorted."""
    return sorted({domain for name in names if (domain := host_name(name)[1])})
