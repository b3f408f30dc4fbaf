"""The documents that the operator has listed: callers may name one by its id, and may be held to them alone.

They are read once, at the start. A listed document passes the same limits and runs by the same plan as if it were sent.

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
        texts: by id; each is found by the SHA-256 of its text, too.
        mode: what happens to a document that is not among them: off runs it, audit runs and logs it, on refuses it.
    """

    def __init__(self, texts: Mapping[str, str] | None = None, mode: Mode = "off") -> None:
        self._mode = mode
        self._texts = dict(texts or {})
        self._texts |= {_hash(text): text for text in self._texts.values()}
        # Told once each, and not for ever: whoever sends them could fill the log.
        self._told: Recent[bool] = Recent(TOLD_MAX)

    def __len__(self) -> int:
        return len(self._texts)

    @classmethod
    def read(cls, path: Path | None, mode: Mode = "off") -> TrustedDocuments:
        """Read the documents of a folder or a JSON file; no path lists none.

        Raises:
            BadSettings: they cannot be read, or are not of that form.
        """
        if path is None:
            return cls(None, mode)
        try:
            texts = dict(_of_folder(path) if path.is_dir() else _of_file(path))
        except (OSError, ValueError, GraphQLError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not of the right form"
            raise BadSettings(
                f"The documents cannot be read: {reason}.",
                hint="ROLLCALL_DOCUMENTS names a folder of .graphql files, or a JSON file of ids and documents.",
            ) from None
        if len(texts) > DOCUMENTS_MAX:
            raise BadSettings(f"More than {DOCUMENTS_MAX} documents are listed.", hint="Change ROLLCALL_DOCUMENTS.")
        return cls(texts, mode)

    def text(self, request: GraphQLRequest) -> str:
        """Return the text of the document that a request sends or names.

        Raises:
            DocumentRejected: it names one that is not listed, or may only run what is.
            Refused: 400, it sends another document than it names.
        """
        named = request.document_id
        if named is None:
            if self._mode != "off":
                self._check(request.document)
            return request.document
        if not request.document:
            return self._named(named)
        if named.startswith(SHA256) and named != _hash(request.document):
            raise malformed("The document is not the one that its SHA-256 names.")
        if self._mode != "off":
            self._check(request.document)
        return request.document

    def _named(self, id: str) -> str:
        # The ids that a build tool writes are often the hash alone.
        for form in (id, id.removeprefix(SHA256), SHA256 + id):
            if form in self._texts:
                return self._texts[form]
        # The texts and codes that clients of Apollo's know.
        if not self._texts:
            raise _rejected("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED", "Send the document itself.")
        raise _rejected("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND", "The operator can list the document.")

    def _check(self, text: str) -> None:
        digest = _hash(text)
        if digest in self._texts:
            return
        if self._mode == "on":
            hint = "Name a listed document by its id; the operator can list more (ROLLCALL_DOCUMENTS)."
            raise _rejected("This server runs listed documents only.", "DOCUMENT_NOT_LISTED", hint)
        if self._told.find(digest) is None:
            self._told.keep(digest, True)
            log.warning("graphql.document_not_listed", document=digest)


def _hash(text: str) -> str:
    return SHA256 + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _rejected(message: str, code: str, hint: str) -> DocumentRejected:
    return DocumentRejected(VALIDATION_FAILED, [GraphQLError(message, extensions={"code": code, "hint": hint})])


def _of_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file's text as it stands, and as the printers of clients write it."""
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
    """Yield the entries of a map of ids to documents, or of Apollo's manifest."""
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
