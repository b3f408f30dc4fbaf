"""Services in the words of other programs: refused with what to write, because they would find nothing."""

from __future__ import annotations

import pytest

from schema import build_schema
from schema.search import parse_search
from sync.errors import BadSearch

build_schema()


@pytest.mark.parametrize(
    ("search", "instead"),
    [
        ("port:ssh", "protocol:ssh"),
        ("port:22/tcp", "tcp:22"),
        ("service.port:161/UDP", "udp:161"),
        ("protocol:tcp", "transport:tcp"),
        ("_service.protocol:UDP", "transport:udp"),
        ("transport:http", "tcp, udp"),
    ],
)
def test_service_in_other_words_is_refused_with_what_to_write(search: str, instead: str) -> None:
    """A port by its protocol, a port with its transport, and a transport as a protocol."""
    with pytest.raises(BadSearch) as caught:
        parse_search("Asset", search)
    assert instead in f"{caught.value.message} {caught.value.hint}"
