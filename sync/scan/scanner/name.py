"""Names of addresses and addresses of names, by this machine's resolver; without an answer there is no name."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

from sync.errors import TargetsRefused
from sync.scan.target import Span, Spans, read_targets

LOOKUP_S = 3.0
LOOKUPS_MAX = 16
ADDRESSES_OF_NAME_MAX = 16
NAME_CHARS_MAX = 253
# The owner of a PTR record can write any text in it.
_NAME = re.compile(r"[A-Za-z0-9_.-]+")

NameOf = Callable[[str], Awaitable[str | None]]
"""Looks up the name of an address; tests pass one that needs no network."""


async def name_of(address: str) -> str | None:
    """Ask the resolver for the name of an address; None if it has none or does not answer in time."""
    try:
        async with asyncio.timeout(LOOKUP_S):
            name, _ = await asyncio.get_running_loop().getnameinfo((address, 0), socket.NI_NAMEREQD)
    except (OSError, UnicodeError, TimeoutError):
        return None
    return name.rstrip(".") if len(name) <= NAME_CHARS_MAX and _NAME.fullmatch(name) else None


async def names_of(addresses: Iterable[str], look_up: NameOf) -> dict[str, str]:
    """Look up many addresses, `LOOKUPS_MAX` at once; those without a name are left out."""
    turn = asyncio.Semaphore(LOOKUPS_MAX)

    async def one(address: str) -> tuple[str, str | None]:
        async with turn:
            return address, await look_up(address)

    found = await asyncio.gather(*(one(address) for address in addresses))
    return {address: name for address, name in found if name}


async def spans_of(names: Sequence[str]) -> Spans:
    """Look up the addresses of host names.

    Raises:
        TargetsRefused: a name has no address.
    """
    spans: list[Span] = []
    for name in names:
        try:
            async with asyncio.timeout(LOOKUP_S):
                answers = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError):
            hint = "Check the name, or write its address."
            raise TargetsRefused(f"The name {name} has no address here.", hint=hint) from None
        addresses = [str(answer[4][0]).partition("%")[0] for answer in answers[:ADDRESSES_OF_NAME_MAX]]
        spans += read_targets(addresses, "targets").spans.spans
    return Spans.of(spans)
