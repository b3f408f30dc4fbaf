"""What is checked before an operation runs: the document once, then each request."""

from __future__ import annotations

from types import SimpleNamespace

from graphql import DocumentNode, GraphQLError

from server.graphql.admission import Admission
from server.graphql.operation import Prepared
from sync.errors import Forbidden
from tests.server.conftest import OpenProbe, touched

GRAPHQL = "application/graphql-response+json"


async def test_document_check_runs_before_validation(open_probe: OpenProbe) -> None:
    """Limits are tested on what parsed, before validation spends time on it."""
    seen: list[DocumentNode] = []

    class Shallow(Admission):
        def check(self, document: DocumentNode) -> list[GraphQLError]:
            seen.append(document)
            return [GraphQLError("Too deep.", extensions={"code": "LIMIT_EXCEEDED", "limit": 1})]

    async with open_probe(admission=Shallow()) as probe:
        response = await probe.post("{ nothing }", accept=GRAPHQL)
    assert response.status_code == 400
    assert [error["message"] for error in response.json()["errors"]] == ["Too deep."]
    assert len(seen) == 1


async def test_document_is_refused_when_the_caller_may_not_use_it(open_probe: OpenProbe) -> None:
    """`admit` sees what `measure` found and refuses before anything runs; measured once a document."""
    measured: list[DocumentNode] = []

    class Strict(Admission):
        def measure(self, document: DocumentNode) -> str:
            measured.append(document)
            return "needs"

        def admit(self, prepared: Prepared, context: SimpleNamespace) -> None:
            raise Forbidden(f"{context.principal} {prepared.document.needs} more.", hint="Ask.")

    async with open_probe(admission=Strict()) as probe:
        for _ in range(2):
            response = await probe.post("mutation{touch}", accept=GRAPHQL)
    assert response.status_code == 403
    (error,) = response.json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("canary needs more.", "FORBIDDEN")
    assert len(measured) == 1
    assert not touched
