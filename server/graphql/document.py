"""Parses and validates a document once and caches the result; never keeps the text of a document that failed.

Source: spec.graphql.org/September2025 sections 2 and 5.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import strawberry
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from schema.limit.limits import Limits
from schema.limit.refusal import exceeded
from server.graphql.errors import PARSE_FAILED, VALIDATION_FAILED
from server.graphql.hint import with_hints

DOCUMENTS_MAX = 256
# Report only the first errors: each may quote a long part of the document.
VALIDATION_ERRORS_MAX = 3
# Suggest names in short documents only: each suggestion compares a name with every possible one.
SUGGESTION_CHARS_MAX = 4_000


class DocumentRejected(Exception):
    """The document cannot run; holds the errors and the error code of the phase that found them."""

    def __init__(self, code: str, errors: Sequence[GraphQLError]) -> None:
        self.code = code
        self.errors = errors
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Document:
    """A document that parsed, is within the limits and is valid against the schema.

    `needs` is the result of `Admission.measure`, such as the roles that its fields need.
    """

    tree: DocumentNode
    digest: bytes
    operations: Mapping[str | None, OperationDefinitionNode]
    needs: Any = None

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation to run.

        Raises:
            DocumentRejected: the name is unknown, or missing in a document with several operations.
        """
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None:
            text = "The document has several operations. Name the one to run in operationName."
            raise DocumentRejected(VALIDATION_FAILED, [GraphQLError(text)])
        if name not in self.operations:
            raise DocumentRejected(VALIDATION_FAILED, [GraphQLError("The document has no operation of that name.")])
        return self.operations[name]


class DocumentChecks(Protocol):
    """The checks of a document that are done once; see `Admission`."""

    limits: Limits

    def check(self, document: DocumentNode) -> Sequence[GraphQLError]:
        """Return the errors of a parsed document that is not validated yet."""

    def measure(self, document: DocumentNode) -> Any:
        """Return the needs of a valid document."""


class DocumentCache:
    """Documents by the SHA-256 of their text; drops the least recently used first."""

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        introspection: bool = True,
        admission: DocumentChecks,
        documents_max: int = DOCUMENTS_MAX,
    ) -> None:
        self._schema = schema._schema  # Strawberry has no public name for graphql-core's schema
        rules = specified_rules if introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        # Strawberry's rule for `Maybe` is not needed: the schema has none.
        self._rules = (*rules, OneOfInputValidationRule)
        # Without introspection, an error must not suggest names of the schema.
        self._suggests = introspection
        self._admission = admission
        self._documents: OrderedDict[bytes, Document] = OrderedDict()
        self._documents_max = documents_max
        self.misses = 0

    def __len__(self) -> int:
        return len(self._documents)

    def find(self, text: str) -> Document | None:
        """Return the cached document of a text, or None."""
        digest = _digest(text)
        known = self._documents.get(digest)
        if known is not None:
            self._documents.move_to_end(digest)
        return known

    def keep(self, document: Document) -> Document:
        """Cache a document and return it."""
        self.misses += 1
        self._documents[document.digest] = document
        if len(self._documents) > self._documents_max:
            self._documents.popitem(last=False)
        return document

    def read(self, text: str) -> Document:
        """Parse and validate a text; safe in any thread, because it does not touch the cache.

        Raises:
            DocumentRejected: the text does not parse, exceeds a limit or is not valid.
        """
        try:
            tree = _parse(text, self._admission.limits)
        except DocumentRejected as rejected:
            with_hints(self._schema, rejected.errors)
            raise
        # Check the limits first: validating a hostile document may take very long.
        if errors := self._admission.check(tree):
            raise DocumentRejected(VALIDATION_FAILED, errors)
        if errors := self._invalid(tree, is_long=len(text) > SUGGESTION_CHARS_MAX):
            raise DocumentRejected(VALIDATION_FAILED, errors)
        operations = {
            node.name.value if node.name else None: node
            for node in tree.definitions
            if isinstance(node, OperationDefinitionNode)
        }
        if not operations:
            raise DocumentRejected(VALIDATION_FAILED, [GraphQLError("The document has no operation.")])
        return Document(tree, _digest(text), operations, self._admission.measure(tree))

    def _invalid(self, tree: DocumentNode, *, is_long: bool) -> list[GraphQLError]:
        hides = is_long or not self._suggests
        errors = validate(self._schema, tree, self._rules, max_errors=VALIDATION_ERRORS_MAX, hide_suggestions=hides)
        if not hides:
            with_hints(self._schema, errors)
        return errors


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _parse(text: str, limits: Limits) -> DocumentNode:
    if len(text) > limits.chars:
        raise DocumentRejected(PARSE_FAILED, [exceeded("chars", limits, len(text))])
    try:
        return parse(text, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
    except GraphQLSyntaxError as error:
        if error.message.startswith("Syntax Error: Document contains more than"):
            # The parser stops at the first token beyond the limit, so the real number is unknown.
            raise DocumentRejected(PARSE_FAILED, [exceeded("tokens", limits, limits.tokens + 1)]) from None
        raise DocumentRejected(PARSE_FAILED, [error]) from None
    except GraphQLError as error:
        raise DocumentRejected(PARSE_FAILED, [error]) from None


def is_query(operation: OperationDefinitionNode) -> bool:
    """Return whether an operation is a query."""
    return operation.operation is OperationType.QUERY
