"""Promises G4 and G6: refusals become errors that say what to click, and never repeat a secret."""

from __future__ import annotations

from typing import Any

import pytest

from sync.entra.diagnose import ADVICE, TRANSIENT, graph_error, missing_permission, resource_of, sign_in_error
from sync.errors import (
    AuthRejected,
    CursorExpired,
    EntraError,
    PermissionDenied,
    RequestRefused,
    SignInFailed,
    Throttled,
    Unavailable,
    UnknownProperty,
)
from tests.canary import canary_secret

SECRET = canary_secret("diagnose")
TRACE = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


def refused(number: int, **extra: Any) -> dict[str, Any]:
    """Return the token service's answer for a number."""
    text = f"AADSTS{number}: Something. Trace ID: {TRACE} Correlation ID: x Timestamp: y"
    return {"error": "any", "error_description": text, "error_codes": [number], "trace_id": TRACE} | extra


@pytest.mark.parametrize("number", ADVICE)
def test_sign_in_error_says_what_to_do_for_every_known_number(number: int) -> None:
    """Each number of the table has a message of its own and a hint, and is reported as a fact."""
    error = sign_in_error(refused(number))
    assert isinstance(error, SignInFailed)
    assert error.facts == {"aadsts": number, "trace_id": TRACE}
    assert f"AADSTS{number}" in error.message
    assert error.hint and len(error.hint) > 20


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (7000218, '"Allow public client flows" = Yes'),
        (7000215, "not its Secret ID"),
        (7000222, "New client secret"),
        (65001, "Grant admin consent"),
        (50076, "client-secret credential"),
    ],
)
def test_sign_in_error_names_the_thing_to_click(number: int, words: str) -> None:
    """The advice of the troubleshooting table is given word for word."""
    assert words in str(sign_in_error(refused(number)).hint)


@pytest.mark.parametrize("number", TRANSIENT)
def test_sign_in_error_is_retryable_when_the_service_is_busy(number: int) -> None:
    """Transient numbers are Unavailable, which is tried again."""
    error = sign_in_error(refused(number))
    assert isinstance(error, Unavailable) and error.retryable


def test_sign_in_error_reads_the_number_from_the_text_when_codes_are_missing() -> None:
    """Older answers carry the number only in the description."""
    answer = refused(50126)
    del answer["error_codes"]
    assert sign_in_error(answer).facts["aadsts"] == 50126


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"error": None, "error_codes": None, "error_description": None},
        {"error": ["x"], "error_codes": ["7000215", True], "error_description": {"a": 1}},
        {"error": "<script>", "error_codes": [], "error_description": "\x1b[31m\u2028 line\nnext"},
        {"error_description": "x" * 100_000},
    ],
)
def test_sign_in_error_survives_any_answer(answer: dict[str, Any]) -> None:
    """Whatever the answer holds, the message is one short printable line."""
    error = sign_in_error(answer)
    assert isinstance(error, SignInFailed)
    assert error.message.isprintable() and len(error.message) < 400


@pytest.mark.parametrize("text", [f"You sent {SECRET}.", f"prefix{SECRET}", f"cut off: {SECRET[:10]}", SECRET])
def test_sign_in_error_drops_a_description_that_quotes_the_secret(text: str) -> None:
    """An unknown refusal is passed on, but never with the secret or a part of it."""
    error = sign_in_error({"error": "odd", "error_description": text, "error_codes": [1234567]}, secrets=[SECRET])
    assert SECRET[:8] not in f"{error!r} {error} {error.hint} {error.facts}"
    assert "odd" in error.message


def test_sign_in_error_passes_an_unknown_description_on() -> None:
    """A number that is not in the table still says what Microsoft said, without its trailing ids."""
    error = sign_in_error(refused(9999999))
    assert error.message.endswith("AADSTS9999999: Something.")


@pytest.mark.parametrize(
    ("status", "code", "is_cursor", "kind"),
    [
        (400, "Request_BadRequest", False, RequestRefused),
        (400, "Request_BadRequest", True, RequestRefused),
        (400, "Directory_ExpiredPageToken", True, CursorExpired),
        (400, "directory_expiredPagetoken", True, CursorExpired),
        (400, "Directory_ExpiredPageToken", False, RequestRefused),
        (400, "syncStateNotFound", True, CursorExpired),
        (404, "resyncRequired", True, CursorExpired),
        (404, "Request_ResourceNotFound", True, RequestRefused),
        (410, "", False, CursorExpired),
        (410, "anything", True, CursorExpired),
        (401, "InvalidAuthenticationToken", False, AuthRejected),
        (403, "Authorization_RequestDenied", False, PermissionDenied),
        (405, "", False, RequestRefused),
        (408, "", False, Unavailable),
        (429, "TooManyRequests", False, Throttled),
        (500, "UnknownError", False, Unavailable),
        (502, "", False, Unavailable),
        (503, "serviceNotAvailable", False, Unavailable),
        (504, "", False, Unavailable),
        (501, "NotImplemented", False, UnknownProperty),
    ],
)
def test_graph_error_has_the_class_of_its_status_and_code(
    status: int, code: str, is_cursor: bool, kind: type[EntraError]
) -> None:
    """Status and code decide, whatever the case; expiry codes count on links of Graph's own only."""
    body = {"error": {"code": code, "message": "m"}}
    error = graph_error(status, body, path="/v1.0/users/delta", is_cursor=is_cursor)
    assert type(error) is kind
    assert error.facts["status"] == status
    assert error.facts.get("graph_code", "") == code


@pytest.mark.parametrize("key", ["innerError", "innererror"])
def test_graph_error_finds_an_expiry_code_inside(key: str) -> None:
    """Graph writes the precise code into an inner error, under either spelling."""
    body = {"error": {"code": "BadRequest", key: {"code": "SyncStateNotFound"}}}
    assert isinstance(graph_error(400, body, path="/", is_cursor=True), CursorExpired)


def test_graph_error_is_an_expired_cursor_when_the_token_is_badly_formed() -> None:
    """Graph has no code of its own for a token it cannot read."""
    body = {"error": {"code": "Request_BadRequest", "message": "Badly formed token."}}
    assert isinstance(graph_error(400, body, path="/", is_cursor=True), CursorExpired)
    assert isinstance(graph_error(400, body, path="/", is_cursor=False), RequestRefused)


@pytest.mark.parametrize("body", [{}, {"error": None}, {"error": "x"}, {"error": {"code": ["a"], "message": 7}}])
def test_graph_error_survives_any_body(body: dict[str, Any]) -> None:
    """A proxy's answer has no code; the status alone decides."""
    assert isinstance(graph_error(400, body, path="", is_cursor=True), RequestRefused)


DENIED = {"error": {"code": "Authorization_RequestDenied", "message": "m"}}


@pytest.mark.parametrize(
    ("path", "resource", "permission"),
    [
        ("/v1.0/users/delta", "users", "User.Read.All"),
        ("/v1.0/users", "users", "User.Read.All"),
        ("/v1.0/groups/delta", "groups", "Group.Read.All"),
        ("/v1.0/groups/7/members", "members", "GroupMember.Read.All"),
        ("/v1.0/devices", "devices", "Device.Read.All"),
        ("/v1.0/devices/7/registeredOwners", "devices", "Device.Read.All"),
    ],
)
def test_permission_denied_names_the_missing_permission(path: str, resource: Any, permission: str) -> None:
    """A 403 says which permission is missing and where to add it."""
    error = graph_error(403, DENIED, path=path, is_cursor=False)
    assert resource_of(path) == resource
    assert missing_permission(resource) == permission == error.facts["permission"]
    assert permission in error.message
    assert "Grant admin consent" in str(error.hint) and "delegated" in str(error.hint)


def test_permission_denied_says_that_the_smaller_permission_is_enough_for_groups() -> None:
    """Group.Read.All opens mail and files too; GroupMember.Read.All does not."""
    assert "GroupMember.Read.All" in str(graph_error(403, DENIED, path="/v1.0/groups", is_cursor=False).hint)
