"""The documents that the operator lists: callers may name them by id, and `ROLLCALL_ALLOW_LIST` may allow no others.

They are read once, at the start. A listed document has the same limits and plans as one that the caller sends.

Source: apollographql.com/docs/graphos/operations/persisted-queries,
graphql.github.io/graphql-over-http/draft (Persisted Documents).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import orjson
import structlog
from graphql import GraphQLError, parse, print_ast

from schema.lru import Recent
from server.graphql.document import DocumentRejected
from server.graphql.errors import VALIDATION_FAILED
from server.graphql.request import DOCUMENT_ID_CHARS_MAX, GraphQLRequest, malformed
from sync.errors import BadSettings

Mode = Literal["off", "audit", "on"]
DOCUMENTS_MAX = 10_000
BYTES_MAX = 64 * 1024 * 1024
ENDINGS = (".graphql", ".gql")
TOLD_MAX = 1_024
SHA256 = "sha256:"

log = structlog.stdlib.get_logger("rollcall.graphql")


class TrustedDocuments:
    """Documents by id.

    Args:
        texts: documents by id; each is also found by the SHA-256 of its text.
        mode: the treatment of other documents: off runs them, audit runs and logs them, on refuses them.
    """

    def __init__(self, texts: Mapping[str, str] | None = None, mode: Mode = "off") -> None:
        self._mode = mode
        self._texts = dict(texts or {})
        self._texts |= {_hash(text): text for text in self._texts.values()}
        # Log each unlisted document once, or callers could fill the log; the number remembered is bounded, too.
        self._told: Recent[bool] = Recent(TOLD_MAX)

    def __len__(self) -> int:
        return len(self._texts)

    @classmethod
    def read(cls, path: Path | None, mode: Mode = "off") -> TrustedDocuments:
        """Read the documents of a folder or a JSON file; None lists none.

        Raises:
            BadSettings: the documents cannot be read, or are malformed.
        """
        if path is None:
            return cls(None, mode)
        try:
            texts = dict(_of_folder(path) if path.is_dir() else _of_file(path))
        except (OSError, ValueError, GraphQLError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "a document is malformed"
            raise BadSettings(
                f"The documents cannot be read: {reason}.",
                hint="Set ROLLCALL_DOCUMENTS to a folder of .graphql files, or a JSON file of ids and documents.",
            ) from None
        if len(texts) > DOCUMENTS_MAX:
            raise BadSettings(
                f"More than {DOCUMENTS_MAX} documents are listed.", hint="List fewer in ROLLCALL_DOCUMENTS."
            )
        return cls(texts, mode)

    def text(self, request: GraphQLRequest) -> str:
        """Return the text of the document that a request sends or names.

        Raises:
            DocumentRejected: the document is not listed, and the request names it or only listed ones may run.
            Refused: 400, the request sends a document that does not match the SHA-256 it names.
        """
        named = request.document_id
        if named is None:
            if self._mode != "off":
                self._check(request.document)
            return request.document
        if not request.document:
            return self._named(named)
        if named.startswith(SHA256) and named != _hash(request.document):
            raise malformed("The document does not match the SHA-256 that names it.")
        if self._mode != "off":
            self._check(request.document)
        return request.document

    def _named(self, id: str) -> str:
        # Build tools often write the hash alone as the id.
        for form in (id, id.removeprefix(SHA256), SHA256 + id):
            if form in self._texts:
                return self._texts[form]
        # Apollo's clients recognise these messages and codes.
        if not self._texts:
            raise _rejected("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED", "Send the document itself.")
        raise _rejected("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND", "The operator can list the document.")

    def _check(self, text: str) -> None:
        digest = _hash(text)
        if digest in self._texts:
            return
        if self._mode == "on":
            hint = "Name a listed document by its id; the operator can list more (ROLLCALL_DOCUMENTS)."
            raise _rejected("This server runs only listed documents.", "DOCUMENT_NOT_LISTED", hint)
        if self._told.find(digest) is None:
            self._told.keep(digest, True)
            log.warning("graphql.document_not_listed", document=digest)


def _hash(text: str) -> str:
    return SHA256 + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _rejected(message: str, code: str, hint: str) -> DocumentRejected:
    return DocumentRejected(VALIDATION_FAILED, [GraphQLError(message, extensions={"code": code, "hint": hint})])


def _of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file's text unchanged, without outer blanks, and as graphql's printers write it."""
    left = BYTES_MAX
    for path in sorted(folder.rglob("*")):
        if path.suffix not in ENDINGS or not path.is_file():
            continue
        left -= path.stat().st_size
        if left < 0:
            raise ValueError
        text = path.read_text(encoding="utf-8")
        for form in (text, text.strip(), print_ast(parse(text))):
            yield _hash(form), form


def _of_file(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the entries of a map of ids to documents, or of a manifest of Apollo's."""
    if path.stat().st_size > BYTES_MAX:
        raise ValueError
    found = orjson.loads(path.read_bytes())
    operations = found.get("operations") if isinstance(found, dict) else None
    entries: Any = found.items() if isinstance(found, dict) else ()
    if isinstance(operations, list):
        entries = [(one.get("id"), one.get("body")) for one in operations if isinstance(one, dict)]
    if not entries:
        raise ValueError
    for id, text in entries:
        if not isinstance(id, str) or not isinstance(text, str) or not 0 < len(id) <= DOCUMENT_ID_CHARS_MAX:
            raise ValueError
        yield id, text
