# ruff: noqa: E501 - Microsoft's sentences are kept whole, so that they can be searched for
"""The refusals of the token service by AADSTS number, in Microsoft's words; decides nothing.

Source: learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

# number → HTTP status, OAuth error, text, suberror. Where documents disagree, the shape seen from live tenants wins.
CODES: dict[int, tuple[int, str, str, str | None]] = {
    50034: (400, "invalid_grant", "The user account {user} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory.", None),
    50053: (400, "invalid_grant", "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.", None),
    50055: (400, "invalid_grant", "The password is expired.", "user_password_expired"),
    50057: (400, "invalid_grant", "The user account is disabled.", None),
    50076: (400, "interaction_required", "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.", "basic_action"),
    50126: (400, "invalid_grant", "Error validating credentials due to invalid username or password.", None),
    65001: (400, "invalid_grant", "The user or administrator has not consented to use the application with ID '{client}' named '{name}'. Send an interactive authorization request for this user and resource.", "consent_required"),
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type '{grant}'.", None),
    70011: (400, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.", None),
    90002: (400, "invalid_request", "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", None),
    90014: (400, "invalid_request", "The required field '{field}' is missing from the credential. Ensure that you have all the necessary parameters for the login request.", None),
    500011: (400, "invalid_resource", "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", None),
    700016: (400, "unauthorized_client", "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", None),
    7000112: (400, "unauthorized_client", "Application '{client}'({name}) is disabled.", None),
    7000215: (401, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'.", None),
    7000218: (401, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", None),
    7000222: (401, "invalid_client", "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", None),
}  # fmt: skip
