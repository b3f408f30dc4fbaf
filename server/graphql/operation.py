"""One operation: what is known before it runs, and what it came to."""

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
    """What is known before anything runs: a valid document, the chosen operation, coerced variables."""

    document: Document
    request: GraphQLRequest
    asked: AskedQuery

    @property
    def operation(self) -> OperationDefinitionNode:
        """The operation that runs."""
        return self.asked.operation


@dataclass(frozen=True, slots=True)
class Answer:
    """A response body and how far the operation came; the handler turns that into a status.

    `planned` is the same body with its tag and its gzipped form, when a plan has answered. `tally` holds the memory of
    a large body until it is sent.
    """

    body: bytes
    outcome: Outcome
    planned: Response | None = None
    tally: Tally | None = None

    def close(self) -> None:
        """Give the memory back: the body was sent, or never will be."""
        if self.tally is not None:
            self.tally.close()


@dataclass
class Trace:
    """What the access log may say of an operation: its name and type, never its text."""

    operation_name: str | None = None
    operation_type: str | None = None
    errors: list[str] = field(default_factory=list)

    def name(self, operation: OperationDefinitionNode) -> None:
        """Note which operation it is."""
        self.operation_name = operation.name.value if operation.name else None
        self.operation_type = operation.operation.value
