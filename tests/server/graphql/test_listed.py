"""Listed documents: named by id they run like any other; an allow-list lets nothing else run."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import parse, print_ast

from server.graphql.trusted_documents import TrustedDocuments
from sync.errors import BadSettings
from tests.server.conftest import OpenProbe, lines
from tests.server.served import served

GREETING = "query Greeting($n: String!) { hello(name: $n) }"
OTHER = "{ hello }"
UNLISTED = "{ __typename }"


def hash_of(text: str) -> str:
    """Return the hash that Apollo's clients send."""
    return sha256(text.encode()).hexdigest()


def apollo(text: str, **more: Any) -> dict[str, Any]:
    """Return a body that names a document as Apollo's clients do."""
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_of(text)}}, **more}


def code_of(response: httpx.Response) -> str | None:
    """Return the code of the first error; None if there is none."""
    errors = response.json().get("errors")
    return errors[0]["extensions"]["code"] if errors else None


LISTED = TrustedDocuments({"greeting": GREETING, "b" * 40: OTHER})


@pytest.mark.parametrize(
    "named",
    [
        apollo(GREETING),
        {"documentId": "greeting"},
        {"documentId": f"sha256:{hash_of(GREETING)}"},
        {"documentId": hash_of(GREETING)},
        apollo(GREETING, query=GREETING),
        apollo(GREETING, documentId=f"sha256:{hash_of(GREETING)}"),
    ],
    ids=["apollo", "id", "hash", "bare hash", "with its text", "both ways"],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_listed_document_runs_when_it_is_named(open_probe: OpenProbe, named: dict[str, Any], method: str) -> None:
    """By the id of its file or the SHA-256 of its text, in Apollo's form or that of GraphQL over HTTP."""
    body = {**named, "variables": {"n": "Ada"}}
    async with open_probe(listed=LISTED) as probe:
        if method == "POST":
            response = await probe.client.post("/graphql", json=body)
        else:
            params = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
            response = await probe.client.get("/graphql", params=params, headers={"GraphQL-Require-Preflight": "1"})
    assert response.json() == {"data": {"hello": "hello Ada"}}


async def test_unknown_hash_gets_the_answer_that_apollo_s_clients_understand(open_probe: OpenProbe) -> None:
    """NotFound if documents are listed, NotSupported if none are: then a client sends its documents itself."""
    for listed, text in ((LISTED, "PersistedQueryNotFound"), (TrustedDocuments(), "PersistedQueryNotSupported")):
        async with open_probe(listed=listed) as probe:
            response = await probe.client.post("/graphql", json=apollo(UNLISTED))
            # A client that registers as it goes sends both; nothing is registered, and it is answered.
            both = await probe.client.post("/graphql", json=apollo(UNLISTED, query=UNLISTED))
            again = await probe.client.post("/graphql", json=apollo(UNLISTED))
        assert [response.json()["errors"][0]["message"], again.json()["errors"][0]["message"]] == [text, text]
        assert code_of(response) in ("PERSISTED_QUERY_NOT_FOUND", "PERSISTED_QUERY_NOT_SUPPORTED")
        assert "data" not in response.json()
        assert both.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "body",
    [
        apollo(GREETING, query=OTHER),
        apollo(GREETING, documentId="greeting-2"),
        apollo(GREETING, query=1),
        {"documentId": 1},
        {"documentId": ""},
        {"documentId": "a" * 257},
        {"extensions": {"persistedQuery": 1}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": hash_of(GREETING)}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "A" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_of(GREETING) + "\n"}}},
    ],
    ids=[str(number) for number in range(11)],
)
async def test_name_of_a_document_is_refused_when_it_is_malformed(open_probe: OpenProbe, body: dict[str, Any]) -> None:
    """400 in the one error shape; a hash that belongs to another text is never believed."""
    async with open_probe(listed=LISTED) as probe:
        response = await probe.client.post("/graphql", json=body)
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "body",
    [
        {"query": UNLISTED},
        {"query": OTHER + " "},
        {"query": "#\n" + OTHER},
        {"query": "{ __schema { queryType { name } } }"},
        {"query": "{"},
        apollo(UNLISTED, query=UNLISTED),
        {"query": "mutation { touch }"},
    ],
    ids=["unlisted", "one blank more", "a comment more", "introspection", "no document", "with its hash", "mutation"],
)
async def test_allow_list_refuses_what_is_not_in_it_to_the_byte(open_probe: OpenProbe, body: dict[str, Any]) -> None:
    """Nothing else is even parsed; what is listed runs, sent or named."""
    async with open_probe(listed=TrustedDocuments({"a": OTHER}, "on")) as probe:
        assert code_of(await probe.client.post("/graphql", json=body)) == "DOCUMENT_NOT_LISTED"
        for listed in ({"query": OTHER}, {"documentId": "a"}, apollo(OTHER, query=OTHER), apollo(OTHER)):
            assert (await probe.client.post("/graphql", json=listed)).json() == {"data": {"hello": "hello world"}}


async def test_audit_runs_what_is_not_listed_and_logs_it_once(open_probe: OpenProbe, logs: io.StringIO) -> None:
    """The log names the hash, never the text; the operator learns what an allow-list would refuse."""
    async with open_probe(listed=TrustedDocuments({"a": OTHER}, "audit")) as probe:
        for query in (UNLISTED, UNLISTED, OTHER):
            assert code_of(await probe.post(query)) is None
    told = [line for line in lines(logs) if line["event"] == "graphql.document_not_listed"]
    assert [line["document"] for line in told] == [f"sha256:{hash_of(UNLISTED)}"]
    assert UNLISTED not in logs.getvalue()


def write_folder(folder: Path) -> Path:
    """Write a folder of documents."""
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "greeting.graphql").write_text(f"# A greeting.\n{GREETING}\n")
    (folder / "notes.txt").write_text("no document")
    return folder


def test_folder_lists_each_file_as_it_stands_and_as_clients_print_it(tmp_path: Path) -> None:
    """Clients hash what their own printer writes, so that comments and the last line break do not count."""
    listed = TrustedDocuments.read(write_folder(tmp_path / "documents"))
    file = f"# A greeting.\n{GREETING}\n"
    for form in (file, file.strip(), print_ast(parse(file))):
        assert f"sha256:{hash_of(form)}" in listed._texts
    assert len(listed) == 3


@pytest.mark.parametrize(
    "content",
    [
        {"greeting": GREETING},
        {
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": [{"id": "greeting", "body": GREETING}],
        },
    ],
    ids=["map", "manifest"],
)
def test_file_lists_ids_and_documents_of_the_usual_build_tools(tmp_path: Path, content: dict[str, Any]) -> None:
    """A map of ids, as Relay and GraphQL Code Generator write it, and Apollo's manifest."""
    path = tmp_path / "documents.json"
    path.write_text(json.dumps(content))
    assert TrustedDocuments.read(path)._texts["greeting"] == GREETING


@pytest.mark.parametrize(
    "content", ["[]", "{}", "{", '{"a": 1}', '{"": "{a}"}', '{"operations": [{"id": "a"}]}', "\xff"]
)
def test_file_of_another_form_is_refused_at_the_start(tmp_path: Path, content: str) -> None:
    """The server does not start with an empty list that refuses everything, nor repeats what is in the file."""
    path = tmp_path / "documents.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(BadSettings, match=r"The documents cannot be read: a document is malformed\."):
        TrustedDocuments.read(path)
    with pytest.raises(BadSettings, match="No such file"):
        TrustedDocuments.read(tmp_path / "nothing")


async def test_named_document_is_answered_by_the_same_plan_as_the_sent_one(tmp_path: Path) -> None:
    """On an allow-list too: one document, one plan, and a repeated request is not read again."""
    text = "query Sites($n: Int) { sites(first: $n) { nodes { name } } }"
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({"sites": text}))
    async with served(tmp_path / "data", documents=path, allow_list="on") as server:
        plans = server.app.state.live.execution.plans
        bodies: list[dict[str, Any]] = [{"query": text}, {"documentId": "sites"}, apollo(text)]
        answers = [await server.ask({**body, "variables": {"n": 5}}) for body in bodies for _ in range(3)]
        assert {answer.content for answer in answers} == {answers[0].content}
        assert code_of(answers[0]) is None
        assert len(plans.kept) == 1
        assert code_of(await server.ask({"query": UNLISTED})) == "DOCUMENT_NOT_LISTED"
