"""The documents' GraphQL runs: each block of README and docs is sent to a served demo and answers without errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from graphql import OperationDefinitionNode, parse

from tests.house.test_documents import fences
from tests.server.demo.process import ServingDemo, serving_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingDemo]:
    """Serve one demo for all documents."""
    with serving_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


def _spare_token(demo: ServingDemo) -> str:
    """Return the id of a token that an example may revoke."""
    made = demo.ask('mutation { createToken(input: {name: "spare", role: VIEWER}) { token { id } } }')["data"]
    assert isinstance(made, dict)
    return str(made["createToken"]["token"]["id"])


def _variables(demo: ServingDemo, document: str) -> dict[str, str]:
    """Find a value for each variable that the examples use and the reader would fill in."""
    found = demo.ask(
        """{
          sites { nodes { id } } credentials { nodes { id } } tasks { nodes { id } } taskRuns { nodes { id } }
          users(first: 1) { nodes { userPrincipalName } } assets(first: 2) { nodes { id azureAd { id } } }
        }"""
    )["data"]
    assert isinstance(found, dict)
    values = {
        "site": found["sites"]["nodes"][0]["id"],
        "credential": found["credentials"]["nodes"][0]["id"],
        "task": found["tasks"]["nodes"][0]["id"],
        "run": found["taskRuns"]["nodes"][0]["id"],
        "token": _spare_token(demo),
        "name": found["users"]["nodes"][0]["userPrincipalName"],
        "one": found["assets"]["nodes"][0]["id"],
        "other": found["assets"]["nodes"][1]["id"],
        "record": found["assets"]["nodes"][1]["azureAd"][0]["id"],
    }
    (operation,) = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    wanted = {part.variable.name.value for part in operation.variable_definitions or ()}
    return {name: value for name, value in values.items() if name in wanted}


# A walk, whose operations follow one another: tests/sync/scan/test_tasks_document.py takes it.
WALK = "docs/tasks.md"
EXAMPLES = [fence for fence in fences("graphql") if fence.path != WALK]


@pytest.mark.parametrize("fence", EXAMPLES, ids=lambda fence: f"{fence.path}:{fence.line}")
def test_example_of_the_documents_answers_when_sent(demo: ServingDemo, fence: object) -> None:
    """A reader who copies an example gets data: no error at the top, none in a payload."""
    document = fence.body  # type: ignore[attr-defined]
    send = demo.first_event if document.lstrip().startswith("subscription") else demo.ask
    answer = send(document, **_variables(demo, document))
    assert "errors" not in answer, answer
    data = answer["data"]
    assert isinstance(data, dict)
    for part in data.values():
        assert part is not None, answer
        if document.lstrip().startswith("mutation"):
            assert not part["errors"], part
