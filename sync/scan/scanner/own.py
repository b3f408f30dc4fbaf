"""The addresses of this machine, and the broadcast addresses of its networks, as the kernel lists them."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path

from sync.scan.target import Spans, read_targets

IPV4, IPV6 = Path("/proc/net/fib_trie"), Path("/proc/net/if_inet6")
TABLE_BYTES_MAX = 16 * 1024 * 1024
# A leaf and its type: `|-- 10.0.0.5`, then `/32 host LOCAL` or `/32 link BROADCAST`.
_LEAF = re.compile(r"\|-- (\d{1,3}(?:\.\d{1,3}){3})\n\s*/32 (?:host LOCAL|link BROADCAST)")


def own_addresses(ipv4: Path = IPV4, ipv6: Path = IPV6) -> Spans:
    """Read the addresses of this machine; on systems without these tables, resolve its host name.

    Source: man 5 proc; net/ipv4/fib_trie.c (fib_trie_seq_show), net/ipv6/addrconf.c (if6_seq_show).
    """
    found = set(_LEAF.findall(_read(ipv4)))
    digits = (line[:32] for line in _read(ipv6).splitlines())
    found |= {str(IPv6Address(int(text, 16))) for text in digits if re.fullmatch(r"[0-9a-f]{32}", text)}
    if not found:
        with suppress(OSError):
            answers = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_DGRAM)
            found = {str(answer[4][0]).partition("%")[0] for answer in answers}
    spans = [span for address in found for span in read_targets([address], "own").spans.spans]
    return Spans.of(spans)


def _read(table: Path) -> str:
    try:
        with table.open("rb") as file:
            return file.read(TABLE_BYTES_MAX).decode("ascii", "replace")
    except OSError:
        return ""
