"""One operation: its prepared form, its answer, and its entry in the access log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from graphql import OperationDefinitionNode

from schema.limit.budget import Tally
from schema.plan import AskedQuery, Response
from server.graphql.document import Document
from server.graphql.request import GraphQLRequest

Outcome = Literal["executed", "rejected", "forbidden", "timeout", "internal"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that is ready to run: a valid document, the chosen operation, coerced variables."""

    document: Document
    request: GraphQLRequest
    asked: AskedQuery

    @property
    def operation(self) -> OperationDefinitionNode:
        """The operation that runs."""
        return self.asked.operation


@dataclass(frozen=True, slots=True)
class Answer:
    """A response body and the operation's outcome; the handler maps the outcome to a status.

    `planned` is set when a plan has answered: the same body with its tag and its gzipped form. `tally` holds the
    memory of a large body until it is sent.
    """

    body: bytes
    outcome: Outcome
    planned: Response | None = None
    tally: Tally | None = None

    def close(self) -> None:
        """Release the memory; call this once the body was sent, or will not be."""
        if self.tally is not None:
            self.tally.close()


@dataclass
class Trace:
    """The facts of an operation for the access log: name, type and error codes, never its text."""

    operation_name: str | None = None
    operation_type: str | None = None
    errors: list[str] = field(default_factory=list)

    def name(self, operation: OperationDefinitionNode) -> None:
        """Set the operation's name and type."""
        self.operation_name = operation.name.value if operation.name else None
        self.operation_type = operation.operation.value
