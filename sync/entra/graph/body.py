"""Turns the bytes of an answer into a JSON object, without blocking the event loop for long.

A compressed body is unpacked up to a limit only (a ratio of 1000:1 is easy to send). Small answers are parsed in place,
large ones in a worker thread.
"""

from __future__ import annotations

import zlib
from typing import Any

import anyio.to_thread
import orjson

from sync.entra.graph.text import clean
from sync.errors import BadResponse
from sync.store.statement.digits import NumberTooLarge, has_long_number, read_exactly

INLINE_BYTES_MAX = 32 * 1024
"""Answers of up to this many received bytes are parsed on the event loop: about 2 ms on a slow core."""

_HINT = "If it lasts, a proxy on the way may be the cause."
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


def unpack(packed: bytes, encoding: str, bytes_max: int) -> bytes:
    """Undo the content encoding, with at most `bytes_max` bytes of output.

    Raises:
        BadResponse: unknown encoding, damaged or truncated data, or too much output.
    """
    if encoding in ("", "identity"):
        body = packed
    elif encoding in ("gzip", "x-gzip"):
        body = _gunzip(packed, bytes_max)
    else:
        raise BadResponse("The answer is compressed in an unknown way.", hint=_HINT)
    if len(body) > bytes_max:
        raise BadResponse("The answer is too large.", hint=_HINT, bytes_max=bytes_max)
    return body


def _gunzip(packed: bytes, bytes_max: int) -> bytes:
    inflate = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        body = inflate.decompress(packed, bytes_max + 1)
    except zlib.error:
        raise BadResponse("The answer is compressed, but damaged.", hint=_HINT) from None
    if not inflate.eof and len(body) <= bytes_max:
        raise BadResponse("The answer is truncated.", hint=_HINT)
    return body


def parse(body: bytes) -> dict[str, Any]:
    """Parse a JSON object and clean its texts; integers keep their digits (sync/store/statement/digits.py).

    Raises:
        BadResponse: not a JSON object, or a number is too large.
    """
    value = _parse_leniently(body) if has_long_number(body) else _parse(body)
    if not isinstance(value, dict):
        raise BadResponse("Microsoft Graph sent JSON that is not an object.", hint=_HINT)
    return value


def _parse(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses lone surrogates: use the standard parser, which accepts them, to lose a character, not a page.
        return _parse_leniently(body)
    # After orjson only an escaped NUL needs cleaning: search for its spelling before walking the value.
    return _cleaned(value) if rb"\u0000" in body else value


def _parse_leniently(body: bytes) -> Any:
    try:
        return clean(read_exactly(body.decode("utf-8", "replace")))
    except NumberTooLarge:
        raise BadResponse("Microsoft Graph sent a number beyond the range of a double.", hint=_HINT) from None
    except (ValueError, RecursionError):
        raise BadResponse("Microsoft Graph sent an answer that is not JSON.", hint=_HINT) from None


def _cleaned(value: Any) -> Any:
    try:
        return clean(value)
    except RecursionError:
        raise BadResponse("Microsoft Graph sent JSON that is nested too deeply.", hint=_HINT) from None


def _read(packed: bytes, encoding: str, bytes_max: int) -> dict[str, Any]:
    return parse(unpack(packed, encoding, bytes_max))


async def read_object(packed: bytes, encoding: str, *, bytes_max: int) -> dict[str, Any]:
    """Unpack and parse an answer, in a worker thread if it is large.

    Args:
        packed: the bytes as received.
        encoding: the Content-Encoding header, lower case; empty for none.
        bytes_max: the limit of the unpacked body.

    Raises:
        BadResponse: see `unpack` and `parse`.
    """
    if len(packed) > INLINE_BYTES_MAX:
        return await anyio.to_thread.run_sync(_read, packed, encoding, bytes_max, abandon_on_cancel=True)
    return _read(packed, encoding, bytes_max)
