"""Parses untrusted XML in pieces: no entities, no external documents, limited depth and memory.

A file may have several documents, one after another, as `nmap --append-output` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from xml.parsers import expat

from sync.errors import BadReport
from sync.scan.report.finding import bad

DEPTH_MAX = 32
TOKEN_BYTES_MAX = 8 * 1024 * 1024
"""The limit of a tag, which the parser keeps in memory; no report needs longer ones."""
_SPACE = b" \t\r\n\0"
_NMAP_DTD = "-//IDN nmap.org//DTD Nmap XML"
Attributes = Mapping[str, str]


class Handlers(Protocol):
    """Handles the parts of documents."""

    def start(self, name: str, attributes: Attributes, depth: int) -> None:
        """Handle the start of an element; the root's depth is 1."""

    def end(self, name: str, depth: int) -> None:
        """Handle the end of an element."""

    def text(self, text: str) -> None:
        """Handle a part of the text in an element."""


class XmlDocuments:
    """Reads documents, one after another.

    Args:
        handlers: called for every element.
        encoding: the encoding of the bytes, whatever the document declares; None: as declared.
    """

    def __init__(self, handlers: Handlers, encoding: str | None = None) -> None:
        self._handlers, self._encoding = handlers, encoding
        self._parser: expat.XMLParserType | None = None
        self._fed = self._depth = self._whole = 0
        self._has_root = False
        self._ends_at: int | None = None

    def feed(self, piece: bytes) -> None:
        """Read a piece.

        Raises:
            BadReport: it is not XML, or has parts that no report needs.
        """
        while piece:
            if self._parser is None:
                piece = piece.lstrip(_SPACE)
                if not piece:
                    return
                self._parser = self._begin()
            piece = self._parse(self._parser, piece)

    def close(self) -> bool:
        """Return whether the last document was complete.

        Raises:
            BadReport: there was no document.
        """
        if self._parser is not None:
            try:
                self._parser.Parse(b"", True)
            except expat.ExpatError as error:
                if not self._has_root and not self._whole:
                    raise _malformed(error) from None
                # Only comments follow the last document: no document was cut short.
                return not self._has_root
        elif not self._whole:
            raise bad("The report is empty.", "Was the scan interrupted before it wrote anything?")
        return True

    def _begin(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(self._encoding)
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._handlers.text
        parser.StartDoctypeDeclHandler = _check_doctype
        parser.EntityDeclHandler = _refuse_entity
        parser.SkippedEntityHandler = _refuse_entity
        self._fed, self._depth, self._has_root, self._ends_at = 0, 0, False, None
        return parser

    def _parse(self, parser: expat.XMLParserType, piece: bytes) -> bytes:
        """Read a piece of the open document and return the bytes after its end."""
        before, self._fed = self._fed, self._fed + len(piece)
        try:
            parser.Parse(piece, False)
        except expat.ExpatError as error:
            # Only comments are valid after a document's end: an error there means that another document follows.
            if self._ends_at is None:
                raise _malformed(error) from None
        if self._ends_at is None:
            if self._fed - max(parser.CurrentByteIndex, 0) > TOKEN_BYTES_MAX:
                raise bad(f"The report has a tag of more than {TOKEN_BYTES_MAX:,} bytes.")
            return b""
        rest = piece[max(0, self._ends_at - before) :]
        if self._ends_at < before or rest[:4].replace(b"\0", b"").startswith(b"</"):
            rest = rest.partition(b">")[2]
        self._parser, self._whole = None, self._whole + 1
        return rest.lstrip(_SPACE)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth, self._has_root = self._depth + 1, True
        if self._depth > DEPTH_MAX:
            raise bad(f"The report nests more than {DEPTH_MAX} elements.")
        self._handlers.start(name, attributes, self._depth)

    def _end(self, name: str) -> None:
        self._handlers.end(name, self._depth)
        self._depth -= 1
        if not self._depth and self._parser is not None:
            self._ends_at = self._parser.CurrentByteIndex


def _check_doctype(name: str, system: str | None, public: str | None, has_internal_subset: bool) -> None:
    # nmap 6 declares its own document type; allow it, but do not fetch it.
    is_nmaps = name == "nmaprun" and bool(public) and str(public).startswith(_NMAP_DTD)
    if has_internal_subset or ((system or public) and not is_nmaps):
        raise bad(
            "The report declares a document type.", "Import the file as the scanner wrote it: reports declare none."
        )


def _refuse_entity(*_: Any) -> None:
    raise bad("The report declares or uses entities; no scanner does.", "Do not import files from strangers.")


def _malformed(error: expat.ExpatError) -> BadReport:
    text = f"The report is not well-formed XML: {expat.ErrorString(error.code)}, line {error.lineno}."
    return bad(text, "Import the file as the scanner wrote it.")
