"""Rendered pages: compressed once, cached within a byte limit, and completed with a link for each request.

A page's link differs from round to round, its objects do not. So the objects are compressed as a deflate stream that
ends on a byte boundary, and the compressed link is appended: both together are one valid stream.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import orjson

CACHE_BYTES_MAX = 128 * 1024 * 1024
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
Resume = tuple[int, int]  # next slot, and the offset in its links


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """The head and the objects of one response, without its end."""

    deflated: bytes
    checksum: int
    size: int
    count: int
    resume: Resume | None

    def gzip(self, tail: bytes) -> bytes:
        """Return the whole body as gzip."""
        end = zlib.compressobj(1, zlib.DEFLATED, -15)
        trailer = zlib.crc32(tail, self.checksum).to_bytes(4, "little")
        trailer += ((self.size + len(tail)) & 0xFFFFFFFF).to_bytes(4, "little")
        return b"".join((GZIP_HEADER, self.deflated, end.compress(tail), end.flush(), trailer))

    def plain(self, tail: bytes) -> bytes:
        """Return the whole body uncompressed."""
        return zlib.decompressobj(-15).decompress(self.deflated) + tail


def render(context: str, items: list[dict[str, Any]], resume: Resume | None) -> RenderedPage:
    """Serialise and compress one page."""
    head = b'{"@odata.context":' + orjson.dumps(context) + b',"value":' + orjson.dumps(items)
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
    deflated = squeeze.compress(head) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    return RenderedPage(deflated, zlib.crc32(head), len(head), len(items), resume)


def tail(**annotations: str | int | None) -> bytes:
    """Return the end of a page: its `@odata` annotations, None left out."""
    parts = [b',"@odata.%s":%s' % (name.encode(), orjson.dumps(v)) for name, v in annotations.items() if v is not None]
    return b"".join(parts) + b"}"


class PageCache:
    """The most recently used pages, up to a number of bytes."""

    def __init__(self, bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._pages: OrderedDict[Hashable, RenderedPage] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], RenderedPage]) -> RenderedPage:
        """Return the page of a key; make it if it is missing."""
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
            return page
        page = make()
        self._pages[key] = page
        self._bytes += len(page.deflated)
        while self._bytes > self._bytes_max:
            self._bytes -= len(self._pages.popitem(last=False)[1].deflated)
        return page

    def clear(self) -> None:
        """Forget every page."""
        self._pages.clear()
        self._bytes = 0
