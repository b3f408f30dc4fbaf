"""Turns every failure into the one error shape callers see; never passes on text of an unknown exception."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import GraphQLError

from sync.errors import RollcallError

log = structlog.stdlib.get_logger("rollcall.graphql")

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_USER_INPUT = "BAD_USER_INPUT"
TIMEOUT = "TIMEOUT"
INTERNAL = "INTERNAL"
RETRYABLE_CODES = frozenset({TIMEOUT, "RATE_LIMITED"})
PLAIN = (str, int, float, bool, list, tuple, dict, type(None))
INTERNAL_MESSAGE = "Something went wrong on the server."
INTERNAL_HINT = "Quote the request id to the operator; the server's log has the details."
# How graphql-core quotes the caller's value in its coercion messages; a value may be a secret.
QUOTED_VALUES = (
    (re.compile(r",? [fF]ound: .*\Z", re.DOTALL), ""),
    (re.compile(r"( cannot represent [^:]*): .*\Z", re.DOTALL), r"\1"),
    (re.compile(r"Value .* does not exist in", re.DOTALL), "The value does not exist in"),
)
# Where in the variables a scalar of ours found a value that it cannot read, as graphql-core says it.
PLACE = re.compile(r"Variable '(\$\w+)' has invalid value(?: at ([^:]+))?: ")


@dataclass
class Refused(Exception):
    """The request is refused before it becomes an operation: an HTTP status and one standard error."""

    status: int
    code: str
    message: str
    hint: str | None = None
    retryable: bool = False
    headers: Mapping[str, str] | None = None
    facts: Mapping[str, object] | None = None

    def body(self, request_id: str) -> dict[str, Any]:
        """Write the refusal as a GraphQL response without `data`."""
        extensions = _extensions(self.code, self.retryable, self.hint, request_id, self.facts or {})
        return {"errors": [{"message": self.message, "extensions": extensions}]}

    def bytes(self, request_id: str) -> bytes:
        """Write the refusal as the bytes of a response."""
        return orjson.dumps(self.body(request_id))


def write_errors(errors: Iterable[GraphQLError], request_id: str, *, code: str | None = None) -> list[Any]:
    """Write GraphQL errors in the standard shape.

    Args:
        errors: what parsing, validation, coercion or execution reported.
        request_id: goes into each error's extensions.
        code: the phase's own code, for errors that carry none; None while executing.
    """
    return [write_error(error, request_id, code=code) for error in errors]


def write_error(error: GraphQLError, request_id: str, *, code: str | None = None) -> dict[str, Any]:
    """Write one GraphQL error: ours with its facts, the specification's with its phase's code, all else as INTERNAL."""
    origin = origin_of(error)
    if isinstance(origin, RollcallError):
        place = PLACE.match(error.message)
        message = f"{place[1]}{place[2] or ''}: {origin.message}" if place else origin.message
        extensions = _extensions(origin.code, origin.retryable, origin.hint, request_id, origin.facts)
    elif origin is None or code is not None:
        message, extensions = _spoken(error, request_id, code)
    else:
        log.error("graphql.internal", request_id=request_id, path=error.path, exc_info=origin)
        message = INTERNAL_MESSAGE
        extensions = _extensions(INTERNAL, False, INTERNAL_HINT, request_id, {})
    written: dict[str, Any] = {"message": message}
    if error.locations:
        written["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        written["path"] = list(error.path)
    written["extensions"] = extensions
    return written


def origin_of(error: GraphQLError) -> BaseException | None:
    """Find what a resolver or scalar raised; graphql-core may wrap it several times."""
    origin: BaseException | None = error.original_error
    while isinstance(origin, GraphQLError) and origin.original_error is not None:
        origin = origin.original_error
    return None if isinstance(origin, GraphQLError) else origin


def _spoken(error: GraphQLError, request_id: str, code: str | None) -> tuple[str, dict[str, Any]]:
    """Use the text of graphql-core, or of a GraphQLError that our own code raised with extensions."""
    facts = dict(error.extensions or {})
    code = str(facts.pop("code", code or BAD_USER_INPUT))
    retryable = bool(facts.pop("retryable", code in RETRYABLE_CODES))
    hint = facts.pop("hint", None)
    message = without_value(error.message) if code == BAD_USER_INPUT else error.message
    return message, _extensions(code, retryable, hint, request_id, facts)


def without_value(message: str) -> str:
    """Drop the caller's value that graphql-core quotes in a coercion message."""
    for pattern, replacement in QUOTED_VALUES:
        message = pattern.sub(replacement, message)
    return message if message.endswith("?") else message.rstrip(".") + "."


def _extensions(
    code: str, retryable: bool, hint: object, request_id: str, facts: Mapping[str, object]
) -> dict[str, Any]:
    # Facts first: none of them may shadow what every error carries.
    plain = {name: value if isinstance(value, PLAIN) else str(value) for name, value in facts.items()}
    return {**plain, "code": code, "retryable": retryable, "hint": hint, "requestId": request_id}
