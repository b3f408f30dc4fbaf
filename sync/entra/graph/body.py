"""Bytes of an answer to a JSON object: unpacks under a cap, parses; never blocks the event loop for long.

A compressed body is unpacked at most to the cap, whatever it claims (1000:1 is easy to send). Small answers are
read in place, large ones in a worker thread.
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
"""Answers up to this size over the wire are read on the event loop: about 2 ms on a slow core."""

_HINT = "If it lasts, a proxy on the way may be the cause."
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


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
        raise BadResponse("The answer is compressed in an unknown way.", hint=_HINT)
    if len(body) > bytes_max:
        raise BadResponse("The answer is larger than an answer can be.", hint=_HINT, bytes_max=bytes_max)
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
    """Parse one JSON object and clean its text; whole numbers keep their digits (sync/store/statement/digits.py).

    Raises:
        BadResponse: not JSON, a number that is too large, or JSON but not an object.
    """
    value = _parse_leniently(body) if has_long_number(body) else _parse(body)
    if not isinstance(value, dict):
        raise BadResponse("Microsoft Graph sent JSON that is not an object.", hint=_HINT)
    return value


def _parse(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses lone surrogates, the standard parser does not; they may cost a character, no page.
        return _parse_leniently(body)
    # After orjson only an escaped NUL can be unstorable: look for its spelling before walking the value.
    return _cleaned(value) if rb"\u0000" in body else value


def _parse_leniently(body: bytes) -> Any:
    try:
        return clean(read_exactly(body.decode("utf-8", "replace")))
    except NumberTooLarge:
        raise BadResponse("Microsoft Graph sent a number that is too large to be one.", hint=_HINT) from None
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
    """Unpack and parse an answer, in a worker thread when it is large.

    Args:
        packed: the bytes as they came over the wire.
        encoding: the Content-Encoding header, lower case; empty for none.
        bytes_max: the cap on the unpacked body.

    Raises:
        BadResponse: see `unpack` and `parse`.
    """
    if len(packed) > INLINE_BYTES_MAX:
        return await anyio.to_thread.run_sync(_read, packed, encoding, bytes_max, abandon_on_cancel=True)
    return _read(packed, encoding, bytes_max)
