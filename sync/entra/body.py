"""Bytes of an answer to a JSON object: unpacks under a cap, parses; never blocks the event loop for long.

A compressed body is unpacked at most to the cap, whatever it claims (1000:1 is easy to send). Small bodies
are parsed in place. Large ones are parsed in a worker thread, and the largest item by item there: a JSON
parser in C holds the interpreter lock from its first byte to its last, so a thread alone would not let the
event loop run.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, Never

import anyio.to_thread
import orjson

from sync.entra.text import clean
from sync.errors import BadResponse

INLINE_BYTES_MAX = 256 * 1024
"""Bodies up to this size are parsed on the event loop: about 2 ms on a slow core."""

WHOLE_BYTES_MAX = 1024 * 1024
"""Bodies above this size are parsed item by item."""

_PACKED_INLINE_BYTES_MAX = 32 * 1024
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
# How NUL and a surrogate, lone or not, are written in JSON; raw bytes that are not UTF-8 are replaced anyway.
_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_SPACE = re.compile(r"[ \t\n\r]*")


def unpack(packed: bytes, encoding: str, bytes_max: int) -> bytes:
    """Undo the content encoding without ever holding more than `bytes_max` bytes of output.

    Raises:
        BadResponse: unknown encoding, damaged or truncated data, or more than the cap.
    """
    if encoding in ("", "identity"):
        body = packed
    elif encoding in ("gzip", "x-gzip"):
        body = _gunzip(packed, bytes_max)
    else:
        raise BadResponse("The answer is compressed in an unknown way.")
    if len(body) > bytes_max:
        raise BadResponse("The answer is larger than an answer can be.", bytes_max=bytes_max)
    return body


def _unpacks_small(packed: bytes) -> bool:
    """Tell whether the body may be unpacked on the event loop; the size of the packed bytes says little."""
    if len(packed) > _PACKED_INLINE_BYTES_MAX:
        return False
    try:
        start = zlib.decompressobj(_GZIP_WINDOW_BITS).decompress(packed, INLINE_BYTES_MAX + 1)
    except zlib.error:
        return True  # `unpack` reports it
    return len(start) <= INLINE_BYTES_MAX


def _gunzip(packed: bytes, bytes_max: int) -> bytes:
    inflate = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        body = inflate.decompress(packed, bytes_max + 1)
    except zlib.error:
        raise BadResponse("The answer is compressed, but damaged.") from None
    if not inflate.eof and len(body) <= bytes_max:
        raise BadResponse("The answer is truncated.")
    return body


def parse(body: bytes) -> dict[str, Any]:
    """Parse one JSON object and clean its text.

    Raises:
        BadResponse: not JSON, or JSON but not an object.
    """
    value = _parse_by_item(body) if len(body) > WHOLE_BYTES_MAX else _parse_whole(body)
    if not isinstance(value, dict):
        raise BadResponse("Microsoft Graph sent JSON that is not an object.")
    return value


def _parse_whole(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses lone surrogates, the standard parser does not; they may cost a character, no page.
        return _parse_leniently(body)
    # After orjson only an escaped NUL can be unstorable: look for its spelling before walking the value.
    return _cleaned(value) if rb"\u0000" in body else value


def _parse_leniently(body: bytes) -> Any:
    try:
        return clean(json.loads(body.decode("utf-8", "replace"), parse_constant=_refuse_constant))
    except (ValueError, RecursionError):
        raise BadResponse("Microsoft Graph sent an answer that is not JSON.") from None


def _cleaned(value: Any) -> Any:
    try:
        return clean(value)
    except RecursionError:
        raise BadResponse("Microsoft Graph sent JSON that is nested too deeply.") from None


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _parse_by_item(body: bytes) -> Any:
    # Each step is short, so that the interpreter can hand the lock to the event loop between two items.
    try:
        text = body.decode("utf-8", "replace")
        return _ItemReader(text, is_clean=_UNSTORABLE.search(body) is None).read()
    except (ValueError, IndexError, RecursionError):
        raise BadResponse("Microsoft Graph sent an answer that is not JSON.") from None


class _ItemReader:
    """Reads an object whose arrays are taken element by element."""

    def __init__(self, text: str, *, is_clean: bool) -> None:
        self._text = text
        self._is_clean = is_clean
        self._at = 0

    def read(self) -> Any:
        self._skip_space()
        value = self._members() if self._text[self._at] == "{" else self._value()
        self._skip_space()
        if self._at != len(self._text):
            raise ValueError("something follows the value")
        return value

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _take(self, character: str) -> bool:
        self._skip_space()
        if self._text[self._at] != character:
            return False
        self._at += 1
        return True

    def _expect(self, character: str) -> None:
        if not self._take(character):
            raise ValueError(f"{character} expected")

    def _value(self) -> Any:
        self._skip_space()
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value if self._is_clean else clean(value)

    def _members(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        self._expect("{")
        if self._take("}"):
            return members
        while True:
            key = self._value()
            if not isinstance(key, str):
                raise ValueError("a key must be text")
            self._expect(":")
            self._skip_space()
            members[key] = self._elements() if self._text[self._at] == "[" else self._value()
            if self._take("}"):
                return members
            self._expect(",")

    def _elements(self) -> list[Any]:
        elements: list[Any] = []
        self._expect("[")
        if self._take("]"):
            return elements
        while True:
            elements.append(self._value())
            if self._take("]"):
                return elements
            self._expect(",")


def _read(packed: bytes, encoding: str, bytes_max: int) -> dict[str, Any]:
    return parse(unpack(packed, encoding, bytes_max))


async def read_object(packed: bytes, encoding: str, *, bytes_max: int) -> dict[str, Any]:
    """Unpack and parse an answer, in a worker thread when it is large.

    Args:
        packed: the bytes as they came over the wire.
        encoding: the Content-Encoding header, lower case; empty for none.
        bytes_max: the cap on the unpacked body.

    Raises:
        BadResponse: see `unpack` and `parse`.
    """
    if encoding and not _unpacks_small(packed):
        return await anyio.to_thread.run_sync(_read, packed, encoding, bytes_max, abandon_on_cancel=True)
    body = unpack(packed, encoding, bytes_max)
    if len(body) > INLINE_BYTES_MAX:
        return await anyio.to_thread.run_sync(parse, body, abandon_on_cancel=True)
    return parse(body)
