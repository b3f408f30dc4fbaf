"""Host names: what of a name is compared, and which names have a domain.

A directory holds whatever a person called a device (`Dr. Meier iPad`); only a valid host name has labels and a domain.
Source: RFC 952 and RFC 1123 2.1 (letters, digits, hyphens), RFC 3696 2 (the last label is no number). An underscore is
taken as well, because Windows allows it in the name of a computer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from sync.store.statement.function import folded

NAME_CHARS_MAX = 253
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)
# Names that tell nothing of any machine, so that no report calls two of their bearers duplicates. What two machines
# merely happen to share is no matter of a list: it is decided by who else bears the name.
_GENERIC_NAME = re.compile(
    r"localhost|desktop|laptop|android|(iphone|ipad)( ?\d{1,2})?|macbook([ -]?(pro|air))?|windows( ?pc)?|pc|workstation"
    r"|unknown|none",
    re.IGNORECASE,
)


@lru_cache(maxsize=4_096)
def host_name(name: str | None) -> tuple[str, str]:
    """Return the compared form of a name and its domain, both folded: all of it and "" if it is no host name."""
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
    """Reduce a name to the form it is compared in: of a host name the first label; None if it tells nothing."""
    short, _ = host_name(name)
    return None if not short or _GENERIC_NAME.fullmatch(short) else short


def name_keys(names: Iterable[str]) -> set[str]:
    """Return the compared forms of several names."""
    return {short for name in names if (short := name_key(name))}


def domains_in(names: Iterable[str]) -> list[str]:
    """List the domains of those names that are host names, sorted."""
    return sorted({domain for name in names if (domain := host_name(name)[1])})
