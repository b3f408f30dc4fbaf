"""Reads a GraphQL request from a body or a query string; an error never repeats the caller's input.

Source: graphql.github.io/graphql-over-http/draft (Request).
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from server.graphql.errors import BAD_USER_INPUT, Refused

VARIABLES_DEPTH_MAX = 20
VARIABLES_VALUES_MAX = 10_000
OPERATION_NAME_CHARS_MAX = 256
NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*\Z")
DOCUMENT_ID_CHARS_MAX = 256
SHA256_HASH = re.compile(r"[0-9a-f]{64}\Z")
PARAMETERS = ("query", "documentId", "operationName", "variables", "extensions")


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One operation as the caller sent it; shapes are checked, the document is not parsed yet.

    The document may be empty if `document_id` names a trusted document.
    """

    document: str
    operation_name: str | None
    variables: Mapping[str, Any]
    document_id: str | None = None


def malformed(message: str, hint: str | None = None, **facts: object) -> Refused:
    """Return the refusal of a malformed request, with status 400."""
    return Refused(400, BAD_USER_INPUT, message, hint=hint, facts=facts)


def parse_body(body: bytes) -> GraphQLRequest:
    """Read the JSON body of a POST.

    Raises:
        Refused: 400, the body is not one JSON object of the right shape.
    """
    body = body.removeprefix(BOM_UTF8)  # RFC 8259, 8.1: a parser may ignore it
    if not body.strip():
        raise malformed("The request body is empty.", hint='Send {"query": "…"} as JSON.')
    parameters = _json(body, "The request body")
    if isinstance(parameters, list):
        raise malformed("Batching is not supported.", hint="Send one operation a request.")
    if not isinstance(parameters, dict):
        raise malformed("The request body is not a JSON object.", hint='Send {"query": "…"} as JSON.')
    return read_parameters(parameters)


def parse_query_string(query_string: bytes, bytes_max: int) -> GraphQLRequest:
    """Read the parameters of a GET; `variables` and `extensions` are JSON text.

    Raises:
        Refused: 400, a parameter is missing, repeated or malformed; 414, the query string is too long.
    """
    if len(query_string) > bytes_max:
        raise Refused(414, "LIMIT_EXCEEDED", "The query string is too long.", facts={"limit": bytes_max})
    parameters: dict[str, Any] = {}
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=100,
        )
    except ValueError:
        raise malformed("The query string is malformed.", hint="Percent-encode it as UTF-8.") from None
    for name, value in pairs:
        if name not in PARAMETERS:
            continue
        if name in parameters:
            raise malformed(f"The parameter {name} is given twice.")
        parameters[name] = value
    for name in ("variables", "extensions"):
        if name in parameters:
            text = parameters[name]
            parameters[name] = _json(text.encode(), f"The parameter {name}") if text else None
    parameters["operationName"] = parameters.get("operationName") or None
    return read_parameters(parameters)


def _json(text: bytes, subject: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Do not pass on the parser's message: it may quote the input.
        raise malformed(f"{subject} is not valid JSON.", hint="Send JSON in UTF-8, without NaN.") from None


def read_parameters(parameters: Mapping[str, Any]) -> GraphQLRequest:
    """Read the parameters of an operation from a body, a query string or a WebSocket message.

    Raises:
        Refused: 400, a parameter is missing or malformed.
    """
    if not isinstance(parameters.get("extensions"), dict | None):
        raise malformed("extensions is not an object.")
    document, document_id = parameters.get("query"), _document_id(parameters)
    if document is None and document_id is not None:
        document = ""
    elif not isinstance(document, str):
        raise malformed("query is missing or not a string.", hint='Send {"query": "…"} as JSON.')
    elif not document.strip():
        raise malformed("query is empty.")
    return GraphQLRequest(document, _operation_name(parameters), _variables(parameters), document_id)


def _document_id(parameters: Mapping[str, Any]) -> str | None:
    """Return the document's id, as GraphQL over HTTP or Apollo sends it, or None."""
    id = parameters.get("documentId")
    if id is not None and not (isinstance(id, str) and 0 < len(id) <= DOCUMENT_ID_CHARS_MAX):
        raise malformed(f"documentId is not a string of 1 to {DOCUMENT_ID_CHARS_MAX} characters.")
    persisted = (parameters.get("extensions") or {}).get("persistedQuery")
    if persisted is None:
        return id
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise malformed("extensions.persistedQuery is not an object of version 1.")
    sha = persisted.get("sha256Hash")
    if not isinstance(sha, str) or not SHA256_HASH.match(sha):
        raise malformed("extensions.persistedQuery.sha256Hash is not a SHA-256 in hexadecimal digits.")
    if id not in (None, sha, f"sha256:{sha}"):
        raise malformed("documentId and extensions.persistedQuery name different documents.")
    return f"sha256:{sha}"


def _operation_name(parameters: Mapping[str, Any]) -> str | None:
    name = parameters.get("operationName")
    if name is None or name == "":
        return None
    if not isinstance(name, str):
        raise malformed("operationName is not a string.")
    if len(name) > OPERATION_NAME_CHARS_MAX or not NAME.match(name):
        raise malformed("operationName is not a GraphQL name.")
    return name


def _variables(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    variables = parameters.get("variables")
    if variables is None:
        return {}
    if not isinstance(variables, dict):
        raise malformed("variables is not an object.")
    _measure(variables)
    return variables


def _measure(variables: Mapping[str, Any]) -> None:
    """Refuse variables that nest too deeply or hold too many values; works level by level, without recursion."""
    count = 0
    level: list[Any] = [variables]
    depth = 0
    while level:
        depth += 1
        containers = [value for value in level if isinstance(value, dict | list)]
        if containers and depth > VARIABLES_DEPTH_MAX:
            raise _too_much("variablesDepth", VARIABLES_DEPTH_MAX, depth)
        level = [child for container in containers for child in _children(container)]
        count += len(level)
        if count > VARIABLES_VALUES_MAX:
            raise _too_much("variablesValues", VARIABLES_VALUES_MAX, count)


def _children(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _too_much(which: str, limit: int, actual: int) -> Refused:
    return Refused(
        400,
        "LIMIT_EXCEEDED",
        "The variables are too large.",
        hint=f"At most {limit} are allowed: {which}.",
        facts={"which": which, "limit": limit, "actual": actual},
    )
