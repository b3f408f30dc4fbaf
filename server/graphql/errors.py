"""Turns every failure into the standard error shape; never passes on the text of an unknown exception."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import GraphQLError

from schema.suggestion import Suggestion
from sync.errors import RollcallError

log = structlog.stdlib.get_logger("rollcall.graphql")

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_USER_INPUT = "BAD_USER_INPUT"
TIMEOUT = "TIMEOUT"
INTERNAL = "INTERNAL"
RETRYABLE_CODES = frozenset({TIMEOUT, "RATE_LIMITED"})
SUGGESTIONS = "suggestions"
PLAIN = (str, int, float, bool, list, tuple, dict, type(None))
INTERNAL_MESSAGE = "Something went wrong on the server."
INTERNAL_HINT = "Quote the request id to the operator; the server's log has the details."
# The places where messages of graphql-core quote the caller's input, with replacements. Any quoted input may be a
# secret, even in the place of something else, as when a closing quote is missing. Messages keep types, names of the
# schema, and the document's own names of fields, variables and fragments.
QUOTED_VALUES = (
    (re.compile(r"\b(Name|String|BlockString|Int|Float|Comment) '.*'", re.DOTALL), r"\1"),
    (re.compile(r"(Syntax Error: Invalid [^:']*?)(?::|, did you mean) .*\Z", re.DOTALL), r"\1"),
    (re.compile(r", but encountered error '.*\Z", re.DOTALL), ""),
    (re.compile(r"[,.;]? [fF]ound: .*\Z", re.DOTALL), ""),
    (re.compile(r"( cannot represent [^:]*): .*\Z", re.DOTALL), r"\1"),
    (re.compile(r"Value .* does not exist in", re.DOTALL), "The value does not exist in"),
    # The key of an input object in a variable may be any text. Drop it unless it has the form of a field's name.
    (re.compile(r" unknown field '(?![_A-Za-z]\w{0,39}'(?:\.|\Z)).*\Z", re.DOTALL), " an unknown field"),
)
# The prefix of graphql-core's message that names the variable, and the place in it, which a scalar could not read.
PLACE = re.compile(r"Variable '(\$\w+)' has invalid value(?: at ([^:]+))?: ")


@dataclass
class Refused(Exception):
    """Refuses a request before it becomes an operation: an HTTP status and one standard error."""

    status: int
    code: str
    message: str
    hint: str | None = None
    retryable: bool = False
    headers: Mapping[str, str] | None = None
    facts: Mapping[str, object] | None = None

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the refusal as a GraphQL response without `data`."""
        extensions = _extensions(self.code, self.retryable, self.hint, request_id, self.facts or {})
        return {"errors": [{"message": self.message, "extensions": extensions}]}

    def bytes(self, request_id: str) -> bytes:
        """Return the refusal as the bytes of a response."""
        return orjson.dumps(self.body(request_id))


def write_errors(
    errors: Iterable[GraphQLError], request_id: str, *, code: str | None = None, hides: bool = False
) -> list[Any]:
    """Return GraphQL errors in the standard shape.

    Args:
        errors: errors of parsing, validation, coercion or execution.
        request_id: goes into each error's extensions.
        code: the code of the phase, for errors without one; None while executing.
        hides: whether to leave out suggested names of the schema.
    """
    return [write_error(error, request_id, code=code, hides=hides) for error in errors]


def write_error(
    error: GraphQLError, request_id: str, *, code: str | None = None, hides: bool = False
) -> dict[str, Any]:
    """Return one error: ours with its facts, graphql-core's own with the phase's code, any other one as INTERNAL."""
    origin = origin_of(error)
    if isinstance(origin, RollcallError):
        place = PLACE.match(error.message)
        message = f"{place[1]}{place[2] or ''}: {origin.message}" if place else origin.message
        hint, facts = (_unsuggested if hides else _whole)(origin)
        extensions = _extensions(origin.code, origin.retryable, hint, request_id, facts)
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
    """Return the exception that a resolver or scalar raised; graphql-core may wrap it several times."""
    origin: BaseException | None = error.original_error
    while isinstance(origin, GraphQLError) and origin.original_error is not None:
        origin = origin.original_error
    return None if isinstance(origin, GraphQLError) else origin


def _whole(error: RollcallError) -> tuple[str | None, Mapping[str, object]]:
    return error.hint, error.facts


def _unsuggested(error: RollcallError) -> tuple[str | None, Mapping[str, object]]:
    """Return an error's hint and facts without suggested names."""
    facts = {name: value for name, value in error.facts.items() if name != SUGGESTIONS}
    return None if isinstance(error.hint, Suggestion) else error.hint, facts


def _spoken(error: GraphQLError, request_id: str, code: str | None) -> tuple[str, dict[str, Any]]:
    """Return the message and extensions of an error of graphql-core, or of a GraphQLError of ours."""
    facts = dict(error.extensions or {})
    code = str(facts.pop("code", code or BAD_USER_INPUT))
    retryable = bool(facts.pop("retryable", code in RETRYABLE_CODES))
    hint = facts.pop("hint", None)
    return without_value(error.message), _extensions(code, retryable, hint, request_id, facts)


def without_value(message: str) -> str:
    """Remove quoted literals and values of variables from a message of graphql-core."""
    for pattern, replacement in QUOTED_VALUES:
        message = pattern.sub(replacement, message)
    # Add no full stop to a single word: clients compare it, as with PersistedQueryNotFound.
    return message if message.endswith("?") or " " not in message else message.rstrip(".") + "."


def _extensions(
    code: str, retryable: bool, hint: object, request_id: str, facts: Mapping[str, object]
) -> dict[str, Any]:
    # Facts come first, so that none of them replaces a standard entry.
    plain = {name: value if isinstance(value, PLAIN) else str(value) for name, value in facts.items()}
    return {**plain, "code": code, "retryable": retryable, "hint": hint, "requestId": request_id}
