"""Detects the format of a report by its first bytes, unpacks gzip, and passes the report to its format's reader."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from datetime import datetime

from sync.scan.report.finding import PieceReader, Report, bad
from sync.scan.report.masscan import MasscanReader
from sync.scan.report.nessus import ROOT, NessusReader
from sync.scan.report.service_list import HINT as LIST_HINT
from sync.scan.report.service_list import ServiceListReader, is_first_line
from sync.scan.report.xml import ReportReader

HEAD_BYTES = 4_096
"""The bytes that the format is detected from."""
FILE_BYTES_MAX = 2 * 1024 * 1024 * 1024
"""The limit of an unpacked file."""
PIECE_BYTES = 256 * 1024
PACKED_BYTES = 4 * 1024
"""The size of packed parts: gzip packs about a thousand to one at most."""
_GZIP = b"\x1f\x8b"
_PACKED = {b"PK": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", _GZIP: "gzip, twice"}
_OTHER = {
    b"# Nmap": "output of nmap -oN or -oG",
    b"Starting Nmap": "screen output of nmap",
    b"Nmap scan report": "screen output of nmap",
    b"#masscan": "output of masscan -oL",
    b"%PDF": "a PDF",
}
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
KNOWN = (
    "Known formats: XML of nmap (-oX) and masscan, JSON of masscan (-oJ), Nessus version 2, lists of services as CSV."
)


class FormatReader:
    """Reads a report of any known format, piece by piece.

    Args:
        now: by this machine's clock.
        made_at: when the report was made, for formats and reports without times.
        bytes_max: the limit of the unpacked report.
        encoding: the encoding of the bytes, whatever the report declares; None: as declared.
    """

    def __init__(
        self,
        now: datetime,
        made_at: datetime | None = None,
        bytes_max: int = FILE_BYTES_MAX,
        encoding: str | None = None,
    ) -> None:
        self._now, self._made_at, self._bytes_max, self._encoding = now, made_at, bytes_max, encoding
        self._head, self._bytes = b"", 0
        self._unpacker: _Gzip | None = None
        self._is_begun = False
        self._reader: PieceReader | None = None

    @property
    def report(self) -> Report:
        """Return the findings so far."""
        return self._reader.report if self._reader else Report()

    def parts(self, piece: bytes) -> Iterator[bytes]:
        """Split a piece into parts to feed one after another; each unpacks to a limited size."""
        is_packed = self._unpacker is not None or (not self._is_begun and piece.startswith(_GZIP))
        step = PACKED_BYTES if is_packed else max(len(piece), 1)
        yield from (piece[begin : begin + step] for begin in range(0, len(piece), step))

    def feed(self, piece: bytes) -> None:
        """Read a piece.

        Raises:
            BadReport: its format is unknown, or its reader refuses it.
        """
        if not self._is_begun:
            self._head += piece
            if len(self._head) < len(_GZIP):
                return
            self._is_begun = True
            if self._head.startswith(_GZIP):
                self._unpacker = _Gzip()
            piece, self._head = self._head, b""
        if self._unpacker is None:
            self._read(piece)
            return
        for part in self._unpacker.unpack(piece):
            self._read(part)

    def close(self) -> None:
        """End the report.

        Raises:
            BadReport: the report has nothing complete.
        """
        if self._reader is None:
            self._choose()
        assert self._reader is not None  # noqa: S101 - chosen, or refused
        self._reader.close()
        if self._unpacker and not self._unpacker.is_whole:
            self.report.warn("The file was cut short: the hosts before the cut count.")

    def _read(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes > self._bytes_max:
            raise bad(f"The report is longer than {self._bytes_max:,} bytes.", "Import it in parts.")
        if self._reader is not None:
            self._reader.feed(piece)
            return
        self._head += piece
        if len(self._head) >= HEAD_BYTES:
            self._choose()

    def _choose(self) -> None:
        self._reader = self._reader_of(self._head)
        self._reader.feed(self._head)
        self._head = b""

    def _reader_of(self, head: bytes) -> PieceReader:
        text = head
        for bom in _BOMS:
            text = text.removeprefix(bom)
        # In UTF-16, drop the zero bytes: the other half is enough to detect the format.
        text = text.replace(b"\0", b"").lstrip()
        if not text:
            raise bad("The report is empty.", "Was the scan interrupted before it wrote anything?")
        for mark, name in _PACKED.items():
            if head.startswith(mark):
                raise bad(f"The report is packed with {name}.", "Unpack it first, or pack it with gzip.")
        for mark, name in _OTHER.items():
            if text.startswith(mark):
                raise bad(f"This is {name}, which cannot be imported.", KNOWN)
        if text.startswith(b"<"):
            if _root(text) == ROOT.encode():
                return NessusReader(self._now, self._made_at, self._encoding)
            return ReportReader(self._now, self._bytes_max, self._made_at, self._encoding)
        if text[:1] in (b"{", b"["):
            return MasscanReader(self._now, self._made_at)
        if is_first_line(text.decode("utf-8", "replace")):
            return ServiceListReader(self._now, self._made_at)
        raise bad("The report has no known format.", f"{KNOWN} {LIST_HINT}")


def _root(text: bytes) -> bytes:
    """Return the name of the first element."""
    found = re.search(rb"<([A-Za-z_][\w.-]*)", re.sub(rb"<!--.*?-->", b"", text, flags=re.DOTALL))
    return found[1] if found else b""


class _Gzip:
    """Unpacks gzip in pieces of limited size; a file may have several members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._has_begun = False

    @property
    def is_whole(self) -> bool:
        """Whether the last member has ended."""
        return not self._has_begun

    def unpack(self, piece: bytes) -> Iterator[bytes]:
        """Yield the unpacked bytes of a piece, in parts.

        Raises:
            BadReport: the data are not valid gzip.
        """
        is_more = False
        while piece or is_more:
            if not self._has_begun:
                # Zeros may pad a file after its last member.
                piece = piece.lstrip(b"\0")
                if not piece:
                    return
                self._member, self._has_begun = zlib.decompressobj(wbits=31), True
            try:
                part = self._member.decompress(piece, PIECE_BYTES)
            except zlib.error:
                raise bad("The file is damaged: its gzip data are invalid.") from None
            if part:
                yield part
            if self._member.eof:
                piece, self._has_begun, is_more = self._member.unused_data, False, False
            else:
                # After a full part, zlib may keep more output even if it has taken the whole piece.
                piece, is_more = self._member.unconsumed_tail, len(part) == PIECE_BYTES
