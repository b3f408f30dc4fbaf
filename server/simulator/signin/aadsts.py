# ruff: noqa: E501 - Microsoft's sentences are kept whole, so that they can be searched for
"""The refusals of the token service by AADSTS number, in Microsoft's words.

Faults can produce those that no account or app of the simulated tenant causes.

Source: learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# number → HTTP status, OAuth error, text, suberror. Where documents disagree, we follow the answers of real tenants.
CODES: dict[int, tuple[int, str, str, str | None]] = {
    50033: (400, "temporarily_unavailable", "RetryableError - Indicates a transient error not related to the database operations.", None),
    50034: (400, "invalid_grant", "The user account {user} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory.", None),
    50053: (400, "invalid_grant", "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.", None),
    50055: (400, "invalid_grant", "The password is expired.", "user_password_expired"),
    50057: (400, "invalid_grant", "The user account is disabled.", None),
    50076: (400, "interaction_required", "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.", "basic_action"),
    50079: (400, "interaction_required", "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.", "basic_action"),
    50126: (400, "invalid_grant", "Error validating credentials due to invalid username or password.", None),
    50158: (400, "interaction_required", "External security challenge not satisfied. User will be redirected to another page or authentication provider to satisfy additional authentication challenges.", "basic_action"),
    53003: (400, "invalid_grant", "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.", "message_only"),
    65001: (400, "invalid_grant", "The user or administrator has not consented to use the application with ID '{client}' named '{name}'. Send an interactive authorization request for this user and resource.", "consent_required"),
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type '{grant}'.", None),
    70011: (400, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.", None),
    90002: (400, "invalid_request", "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", None),
    90024: (400, "temporarily_unavailable", "RequestBudgetExceededError - A transient error has occurred. Try again.", None),
    90033: (400, "temporarily_unavailable", "A transient error has occurred. Please try again.", None),
    90055: (400, "temporarily_unavailable", "TenantThrottlingError - There are too many incoming requests. This exception is thrown for blocked tenants.", None),
    90094: (400, "invalid_grant", "{name} needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it.", "consent_required"),
    90014: (400, "invalid_request", "The required field '{field}' is missing from the credential. Ensure that you have all the necessary parameters for the login request.", None),
    530032: (400, "invalid_grant", "User blocked due to risk on home tenant, or by the security policy of the tenant.", "message_only"),
    900023: (400, "invalid_request", "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.", None),
    500011: (400, "invalid_resource", "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", None),
    700016: (400, "unauthorized_client", "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", None),
    700038: (400, "unauthorized_client", "'{client}' is not a valid application identifier.", None),
    7000112: (400, "unauthorized_client", "Application '{client}'({name}) is disabled.", None),
    7000215: (401, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'.", None),
    7000218: (401, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", None),
    7000222: (401, "invalid_client", "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", None),
}  # fmt: skip


class _Facts(dict[str, str]):
    """The facts of a text; an unknown fact is replaced by its name."""

    def __missing__(self, name: str) -> str:
        return name


def refusal_body(
    number: int, facts: Mapping[str, str], *, at: datetime, trace_id: str, correlation_id: str
) -> tuple[int, dict[str, Any]]:
    """Return HTTP status and body of a refusal, as the token service writes it."""
    status, error, text, suberror = CODES[number]
    stamp = at.strftime("%Y-%m-%d %H:%M:%SZ")
    body: dict[str, Any] = {
        "error": error,
        "error_description": f"AADSTS{number}: {text.format_map(_Facts(facts))} Trace ID: {trace_id} "
        f"Correlation ID: {correlation_id} Timestamp: {stamp}",
        "error_codes": [number],
        "timestamp": stamp,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }
    return status, body | ({"suberror": suberror} if suberror else {})
