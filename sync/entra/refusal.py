"""Detects the cause of a refusal: a web filter, an unknown app, a missing licence, a busy directory.

`diagnose` handles the rest: a missing permission, or a request that Graph does not accept.

Source: learn.microsoft.com/graph/errors, learn.microsoft.com/graph/resolve-auth-errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync.errors import AppUnknown, Blocked, EntraError, LicenseMissing, Unavailable, UnknownProperty

# Graph never sends these statuses, and sends 403 and 451 only with an error object.
_NEVER_GRAPHS = frozenset({407, 418, 511})
_FILTERED = frozenset({403, 451}) | _NEVER_GRAPHS
_BUSY = {
    409: "The directory was busy with another change (409).",
    423: "Another change has locked the requested object (423).",
}
_MAY_LACK_LICENSE = frozenset({400, 403})
_PAYMENT_REQUIRED = 402
_NOT_PREMIUM = "authentication_requestfromnonpremiumtenantorb2ctenant"
_APP_UNKNOWN = frozenset({"authorization_identitynotfound", "authorization_identitydisabled"})
_LACKS_LICENSE = re.compile(r"(?:\bnot have|n't have|\bwithout|\bno|\brequires?)\b.{0,60}\blicen[sc]e", re.IGNORECASE)
_NOT_IMPLEMENTED = 501
_PROPERTY = r"[A-Za-z][A-Za-z0-9_]{0,80}"
# Match the text: Graph sends it with the general codes BadRequest and Request_BadRequest.
_NO_SUCH_PROPERTY = re.compile(rf"[Cc]ould not find a property named '({_PROPERTY})'", re.ASCII)
_NOT_SELECTABLE = re.compile(
    rf"\$select is not supported for (?:these|the following) properties(?::\s*({_PROPERTY}(?:\s*,\s*{_PROPERTY})*))?",
    re.ASCII,
)
_PRODUCTS = {
    "spo": "SharePoint Online",
    "sharepoint": "SharePoint Online",
    "intune": "Intune",
    "premium": "Entra ID P1 or P2",
    "exchange": "Exchange Online",
}


def refusal(status: int, body: Mapping[str, Any], facts: Mapping[str, Any]) -> EntraError | None:
    """Return the error for a refusal with a known cause; None for any other refusal.

    Args:
        status: the HTTP status, 400 or more.
        body: the parsed answer; empty if it was not JSON, such as the page of a web filter.
        facts: added to the error.
    """
    error = body.get("error")
    if status in _NEVER_GRAPHS or (status in _FILTERED and not isinstance(error, Mapping)):
        return _blocked(status, facts)
    if status in _BUSY:
        return Unavailable(_BUSY[status], hint="If it lasts, see the Microsoft 365 service health.", **facts)
    code, message = _texts(error)
    if status == 403 and code in _APP_UNKNOWN:
        return AppUnknown(
            hint="Check the tenant id. Entra admin center → Enterprise applications must list the app as enabled; "
            "granting admin consent adds it. A new app takes some minutes to appear.",
            **facts,
        )
    lacks = code == _NOT_PREMIUM or (status in _MAY_LACK_LICENSE and _LACKS_LICENSE.search(message))
    if status == _PAYMENT_REQUIRED or lacks:
        return _license_missing(f"premium {message}" if code == _NOT_PREMIUM else message, facts)
    return None


def unknown_property(status: int, body: Mapping[str, Any], facts: Mapping[str, Any]) -> UnknownProperty | None:
    """Return the error for selected properties that Graph refuses, with their names; None for other refusals."""
    _, message = _texts(body.get("error"))
    missing = _NO_SUCH_PROPERTY.findall(message)
    unreadable = _NOT_SELECTABLE.search(message)
    if status != _NOT_IMPLEMENTED and not (status == 400 and (missing or unreadable)):
        return None
    listed = re.findall(_PROPERTY, unreadable[1] or "") if unreadable else []
    return UnknownProperty(
        "Microsoft Graph does not know a selected property, or does not return it in lists.",
        hint="Check that the cloud of the credential is the tenant's cloud.",
        named=(*missing, *listed),
        **facts,
    )


def _texts(error: object) -> tuple[str, str]:
    """Return the code in lower case and the message of Graph's error object."""
    if not isinstance(error, Mapping):
        return "", ""
    return str(error.get("code") or "").lower(), str(error.get("message") or "")[:500]


def _blocked(status: int, facts: Mapping[str, Any]) -> Blocked:
    return Blocked(
        f"A device between this server and Microsoft Graph refused the request (status {status}).",
        hint="A web filter, a firewall or a captive portal has answered. Allow Microsoft's addresses there for this "
        "server; for a custom cloud, check its Graph address.",
        **facts,
    )


def _license_missing(message: str, facts: Mapping[str, Any]) -> LicenseMissing:
    # Repeat nothing of Graph's text but the name of a known product.
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", message)}
    product = next((name for word, name in _PRODUCTS.items() if word in words), None)
    named = f"the licence of {product}" if product else "a licence"
    return LicenseMissing(
        f"Microsoft Graph needs {named}, which the tenant does not have.",
        hint="Add the licence: Microsoft 365 admin center → Billing → Licenses. It takes effect after some hours. More "
        "permissions do not help.",
        **facts,
    )
