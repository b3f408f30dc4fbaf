"""Promises G7, G8 and G13: hostile bodies end as BadResponse or as clean text, and never grow past their
cap.
"""

from __future__ import annotations

import gzip
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.entra.graph.body import parse, read_object, unpack
from sync.entra.graph.text import clean
from sync.errors import BadResponse
from tests.share import share

CAP_BYTES = 32 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"value": [',
        b'{"value": [{"id": "1"}, ',
        b'{"value": [{"id": "1"}] "x": 1}',
        b'{"value": [1,]}',
        b'{"a": 1,}',
        b"{1: 2}",
        b"{} {}",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"<html>sign in to the hotel</html>",
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"9" * 10_000,
        b'{"a": ' + b"9" * 400 + b"}",
        b'{"a": [{"b": -' + b"9" * 10_000 + b"}]}",
        b'{"a": 1e400}',
        b"\x1f\x8b\x08",
    ],
)
def test_parse_refuses_what_is_not_a_json_object(body: bytes) -> None:
    """Truncated, malformed, too deep or of another kind: one typed error."""
    with pytest.raises(BadResponse):
        parse(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'{"a": "x\u0000y"}', {"a": "x\ufffdy"}),
        (rb'{"a": "x\ud800y"}', {"a": "x\ufffdy"}),
        (rb'{"a": ["\udfff", {"\u0000": "\ud83d\ude00"}]}', {"a": ["\ufffd", {"\ufffd": "\U0001f600"}]}),
        (b'{"a": "x\xed\xa0\x80y"}', {"a": "x\ufffd\ufffd\ufffdy"}),
        ('{"a": "\u202e\u05d0\u0301"}'.encode(), {"a": "\u202e\u05d0\u0301"}),
        (rb'{"a": "\\u0000"}', {"a": r"\u0000"}),
        (b' {"a" : [ ] , "b" : { } , "c" : null } ', {"a": [], "b": {}, "c": None}),
        (b"{}", {}),
    ],
)
def test_parse_cleans_text_that_no_database_can_hold(body: bytes, value: object) -> None:
    """NUL and lone surrogates become U+FFFD; real pairs, bidi and combining characters stay."""
    assert parse(body) == value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.slow
@settings(max_examples=share(20, 100))
@given(st.dictionaries(st.text(), json_values))
def test_parse_returns_the_value_cleaned(value: dict[str, Any]) -> None:
    """Whichever parser reads it, what comes out is what was sent, but for text no database can hold."""
    assert parse(json.dumps(value).encode()) == clean(value)


@pytest.mark.parametrize("encoding", ["gzip", ""])
async def test_read_object_stops_at_the_cap(encoding: str) -> None:
    """A 1000:1 body costs its cap in memory, not what it unpacks to."""
    bomb = gzip.compress(b" " * (8 * 1024 * 1024)) if encoding else b" " * (1024 * 1024 + 1)
    tracemalloc.start()
    with pytest.raises(BadResponse):
        await read_object(bomb, encoding, bytes_max=1024 * 1024)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 1024 * 1024


def test_unpack_accepts_a_body_of_exactly_the_cap() -> None:
    """The cap itself is allowed; one byte more is not."""
    assert len(unpack(gzip.compress(b"x" * 1000), "gzip", 1000)) == 1000
    with pytest.raises(BadResponse):
        unpack(gzip.compress(b"x" * 1001), "gzip", 1000)


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [(gzip.compress(b"{}" * 500)[:-12], "gzip"), (b"{}", "gzip"), (b"{}", "br"), (b"", "gzip")],
    # gzip writes the time into its header: an id made of the bytes would differ between two workers of one run
    ids=["truncated", "not gzip", "not asked for", "empty"],
)
def test_unpack_refuses_damaged_or_unknown_encodings(packed: bytes, encoding: str) -> None:
    """Truncated, damaged and unasked-for encodings are typed errors."""
    with pytest.raises(BadResponse):
        unpack(packed, encoding, CAP_BYTES)
