"""Turns refusals of Entra ID and Graph into errors with advice; never repeats a secret.

Sources: learn.microsoft.com/entra/identity-platform/reference-error-codes, learn.microsoft.com/graph/errors,
learn.microsoft.com/graph/resolve-auth-errors
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple, get_args

from sync.entra.cloud import GUID
from sync.entra.refusal import refusal, unknown_property
from sync.errors import (
    AuthRejected,
    BadResponse,
    CursorExpired,
    EntraError,
    PermissionDenied,
    RequestRefused,
    SignInFailed,
    Throttled,
    Unavailable,
)

Resource = Literal["users", "groups", "devices", "members"]
"""A part of the directory that needs its own permission."""


class Advice(NamedTuple):
    """The meaning of an AADSTS number, and what to do about it."""

    message: str
    hint: str


_CONSENT = "App registrations → your app → API permissions → Grant admin consent."
_SWITCH = "Exclude this account from the policy, or use a client-secret credential instead."
_NEW_SECRET = "App registrations → your app → Certificates & secrets → New client secret; copy its Value."  # noqa: S105
_PUBLIC_FLOWS = (
    'App registrations → your app → Authentication → Advanced settings → "Allow public client flows" = Yes; '
    "then check that the API permissions are delegated and have admin consent. "
    "Or use a client-secret credential."
)
_IDS = "Check the client id and the tenant id: App registrations → your app → Overview."
_TENANT = "Check the tenant id (Entra admin center → Overview) and that the credential names the right cloud."

ADVICE: Mapping[int, Advice] = {
    7000218: Advice("The app is not allowed to sign in with a user name and password.", _PUBLIC_FLOWS),
    7000215: Advice(
        "The client secret is wrong.",
        f"Paste the secret's Value, not its Secret ID. If it is lost: {_NEW_SECRET}",
    ),
    7000222: Advice("The client secret has expired.", _NEW_SECRET),
    700016: Advice("The app is not known in this tenant.", f"{_IDS} If the app is from another tenant: {_CONSENT}"),
    700038: Advice("The client id does not name an app.", _IDS),
    90002: Advice("There is no such tenant.", _TENANT),
    900023: Advice("The tenant id is malformed.", _TENANT),
    50126: Advice(
        "The user name or the password is wrong.",
        "Enter them again. Accounts of a federated domain cannot sign in this way.",
    ),
    50034: Advice(
        "The user does not exist in this tenant.",
        "Use the full user principal name of a cloud user: name@domain.",
    ),
    50076: Advice("The account must use multi-factor authentication.", _SWITCH),
    50079: Advice("The account must enrol for multi-factor authentication.", _SWITCH),
    50158: Advice("A Conditional Access policy asks for a further step.", _SWITCH),
    53003: Advice("A Conditional Access policy blocks this sign-in.", _SWITCH),
    530032: Advice("The tenant's security policy blocks this sign-in.", _SWITCH),
    50053: Advice(
        "The account is locked, or this server's address is blocked.",
        "Unlock the account in the Entra admin center.",
    ),
    50055: Advice(
        "The account's password has expired.",
        "Set a new password for the account, then rotate the credential.",
    ),
    50057: Advice("The account is disabled.", "Entra admin center → Users → the account → Account enabled."),
    65001: Advice("The app has no consent for the permissions it asks for.", _CONSENT),
    90094: Advice("An administrator must consent to the app's permissions.", _CONSENT),
    500011: Advice(
        "Microsoft Graph is not known under this address in the tenant.",
        "Choose the cloud that the tenant lives in.",
    ),
    7000112: Advice(
        "The app is disabled in this tenant.",
        "Entra admin center → Enterprise applications → your app → Enabled for users to sign in.",
    ),
    70003: Advice("The sign-in service does not support this kind of sign-in.", "Use a client-secret credential."),
}
"""Advice for the numbers whose cause a person can remove."""

CONSENT_NUMBERS = (65001, 90094)
"""Numbers that mean: an administrator has not consented."""

TRANSIENT: Collection[int] = frozenset({90033, 90024, 90055, 50033})
"""Numbers that mean: ask again later."""

_TRANSIENT_ERROR = "temporarily_unavailable"
_AADSTS = re.compile(r"AADSTS([0-9]{4,8})\b", re.ASCII)
_DESCRIPTION_END = re.compile(r"\s*(?:Trace ID:|Correlation ID:|Timestamp:|[\r\n])")
_DESCRIPTION_CHARACTERS_MAX = 300
_ERROR_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)

_PERMISSIONS: Mapping[Resource, str] = {
    "users": "User.Read.All",
    "groups": "Group.Read.All",
    "devices": "Device.Read.All",
    "members": "GroupMember.Read.All",
}
_ENOUGH: Mapping[Resource, str] = {
    "groups": " (GroupMember.Read.All is enough)",
    "members": " (or Group.Read.All)",
}
_MEMBER_PATH = re.compile(r"/groups/[^/]+/(?:transitiveM|m)embers\b", re.IGNORECASE)
_RESOURCE_PATH = re.compile(r"^/v1\.0/([A-Za-z]+)")

_CURSOR_CODES = frozenset(
    {
        "syncstatenotfound",
        "syncstateinvalid",
        "resyncrequired",
        "resyncchangesapplydifferences",
        "resyncchangesuploaddifferences",
        "directory_expiredpagetoken",
    }
)
# Match this text: Graph sends it with the general code Request_BadRequest.
_BAD_TOKEN_TEXT = "badly formed token"  # noqa: S105
_REJECTED = (
    "Check that the cloud of the credential is the tenant's cloud. If it is: the app or the account may have been "
    "disabled, or a Conditional Access policy revokes its tokens; see Entra admin center → Sign-in logs."
)
_REJECTED_BY_OTHERS = "The answer was not Graph's: a proxy that asks for a sign-in, or a wrong address of the cloud."
_FINAL_SERVER_ERRORS = frozenset({501, 505})
_REQUEST_TIMEOUT = 408


def missing_permission(resource: Resource) -> str:
    """Return the Graph permission that reading a resource needs.

    Source: learn.microsoft.com/graph/permissions-reference
    """
    return _PERMISSIONS[resource]


def resource_of(path: str) -> Resource | None:
    """Return the resource that a Graph path reads; None if it needs none of these permissions."""
    if _MEMBER_PATH.search(path):
        return "members"
    match = _RESOURCE_PATH.match(path)
    name = match[1].lower() if match else ""
    return next((resource for resource in get_args(Resource) if resource == name), None)


def sign_in_error(result: Mapping[str, Any], *, secrets: Collection[str] = ()) -> EntraError:
    """Turn the token service's refusal into an error with advice.

    Args:
        result: the JSON answer, as MSAL returns it.
        secrets: texts that the error must not repeat, even if the answer quotes them.

    Returns:
        SignInFailed, or Unavailable when the service says that asking later helps.
    """
    numbers = aadsts_numbers(result)
    facts: dict[str, Any] = {"aadsts": numbers[0]} if numbers else {}
    for name in ("trace_id", "correlation_id"):
        if GUID.fullmatch(str(result.get(name) or "")):
            facts[name] = str(result[name])
    if any(number in TRANSIENT for number in numbers) or result.get("error") == _TRANSIENT_ERROR:
        return Unavailable(
            "The sign-in service is temporarily unavailable.", hint="Try again in some minutes.", **facts
        )
    for number in numbers:
        if advice := ADVICE.get(number):
            facts["aadsts"] = number
            return SignInFailed(f"{advice.message} (AADSTS{number})", hint=advice.hint, **facts)
    return SignInFailed(_unknown_refusal(result, secrets), hint=f"{_IDS} {_TENANT}", **facts)


def aadsts_numbers(result: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the AADSTS numbers of an answer: its `error_codes`, or else those in its description."""
    codes = result.get("error_codes")
    if isinstance(codes, list):
        numbers = tuple(code for code in codes if isinstance(code, int) and not isinstance(code, bool))
        if numbers:
            return numbers
    return tuple(int(number) for number in _AADSTS.findall(str(result.get("error_description") or "")))


def _unknown_refusal(result: Mapping[str, Any], secrets: Collection[str]) -> str:
    name = str(result.get("error") or "")
    description = _DESCRIPTION_END.split(str(result.get("error_description") or ""), maxsplit=1)[0]
    description = "".join(c for c in description if c.isprintable())[:_DESCRIPTION_CHARACTERS_MAX]
    if any(secret and secret[:8] in description for secret in secrets):
        description = ""  # The description quotes the secret: repeat none of it.
    said = description or (name if _ERROR_NAME.fullmatch(name) else "")
    return f"Microsoft Entra ID refused to sign in: {said}" if said else SignInFailed().message


def graph_code(body: Mapping[str, Any]) -> str:
    """Return the error code of a Graph answer; an empty text if it has none that is well formed."""
    error = body.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, str) and _ERROR_NAME.fullmatch(code) else ""


def _says_resync(status: int, body: Mapping[str, Any]) -> bool:
    if status == 410:
        return True
    error = body.get("error")
    if not isinstance(error, Mapping):
        return False
    inner = error.get("innerError") or error.get("innererror")
    inner_code = inner.get("code") if isinstance(inner, Mapping) else None
    codes = {str(code).lower() for code in (error.get("code"), inner_code) if code}
    return bool(codes & _CURSOR_CODES) or _BAD_TOKEN_TEXT in str(error.get("message") or "").lower()


def graph_error(
    status: int,
    body: Mapping[str, Any],
    *,
    path: str,
    is_cursor: bool,
    retry_after_s: float | None = None,
    request_id: str | None = None,
) -> EntraError:
    """Turn a Graph answer that is not a success into an error with advice.

    Args:
        status: the HTTP status, 400 or more.
        body: the parsed answer; empty if there was none.
        path: the requested path; for a 403 it determines the missing permission.
        is_cursor: the request used a link from Graph, whose token may have expired.
        retry_after_s: the seconds that the answer asked to wait.
        request_id: Graph's id of the request, for Microsoft's support.
    """
    facts: dict[str, Any] = {"status": status}
    if code := graph_code(body):
        facts["graph_code"] = code
    if request_id:
        facts["request_id"] = request_id
    if retry_after_s is not None:
        facts["retry_after_s"] = retry_after_s
    if status == 410 or (is_cursor and status in (400, 404) and _says_resync(status, body)):
        return CursorExpired(
            hint="The next round reads everything again; nothing is deleted before it is complete.", **facts
        )
    if status == 401:
        return AuthRejected(hint=_REJECTED if code else _REJECTED_BY_OTHERS, **facts)
    if (told := refusal(status, body, facts)) is not None:
        return told
    if status == 403:
        return _permission_denied(resource_of(path), facts)
    if status == 429:
        return Throttled(
            hint="If this persists, another program uses up the limit: give Rollcall its own app registration.",
            **facts,
        )
    if status == _REQUEST_TIMEOUT or (status >= 500 and status not in _FINAL_SERVER_ERRORS):
        return Unavailable(
            f"Microsoft Graph answered with server error {status}.",
            hint="If it lasts, see the Microsoft 365 service health.",
            **facts,
        )
    if not is_cursor and (unknown := unknown_property(status, body, facts)) is not None:
        return unknown
    return refused(status, facts)


def _permission_denied(resource: Resource | None, facts: Mapping[str, Any]) -> PermissionDenied:
    if resource is None:
        return PermissionDenied(hint=_permission_hint("the permission"), **facts)
    permission = missing_permission(resource)
    return PermissionDenied(
        f"Microsoft Graph denied permission to read {resource}: {permission} is missing.",
        hint=_permission_hint(permission + _ENOUGH.get(resource, "")),
        permission=permission,
        resource=resource,
        **facts,
    )


def _permission_hint(permission: str) -> str:
    return (
        f"App registrations → your app → API permissions: add {permission} of Microsoft Graph, as an "
        "application permission for a client secret or a delegated permission for user name and password, "
        "then Grant admin consent."
    )


def refused(status: int, facts: Mapping[str, Any]) -> RequestRefused:
    """Return the error for a request that Graph does not accept, for a reason without an error of its own."""
    code = f" ({facts['graph_code']})" if "graph_code" in facts else ""
    if status == 404:
        return RequestRefused(
            f"Microsoft Graph does not know the endpoint or the object{code}.",
            hint="Check the credential's cloud. The object may also have been deleted meanwhile.",
            **facts,
        )
    return RequestRefused(
        f"Microsoft Graph refused the request with status {status}{code}.",
        hint="Look up the code in Microsoft Graph's error reference, and check the selected properties.",
        **facts,
    )


def redirected(status: int) -> RequestRefused:
    """Return the error for a redirect: Graph does not redirect, so another server sent it."""
    return RequestRefused(
        "Microsoft Graph's address answered with a redirect; redirects are not followed.",
        hint="A proxy or a captive portal on the way may be the cause.",
        status=status,
    )


def malformed(what: str, **facts: object) -> BadResponse:
    """Return the error for an answer that breaks the protocol; `what` is a fixed text, never part of the answer."""
    return BadResponse(
        f"Microsoft Graph sent an answer that cannot be understood: {what}.",
        hint="If it lasts, a proxy on the way may be the cause.",
        **facts,
    )
