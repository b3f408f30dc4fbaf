"""The result of verifying a credential: a checklist of what works, what is missing and what to click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry

from schema.field.enums import described
from schema.field.scalars import DateTime
from schema.limit.expected import about
from sync.secret import verification as verified

CredentialCheckSubject = described(
    verified.CheckSubject,
    "CredentialCheckSubject",
    "What is checked of a credential.",
    SIGN_IN="Microsoft Entra ID lets it sign in.",
    ADMIN_CONSENT="An administrator of the tenant has consented to permissions; judged by what can be read.",
    USERS="Users can be read.",
    GROUPS="Groups can be read.",
    DEVICES="Devices can be read.",
    MEMBERS="Members of a group can be read.",
)
CredentialCheckResult = described(
    verified.Result,
    "CredentialCheckResult",
    "How a check ended.",
    PASSED="It works.",
    FAILED="It does not work; `message` and `hint` say why and what to do.",
    UNKNOWN="It could not be tried.",
)
PermissionKind = described(
    verified.PermissionKind,
    "PermissionKind",
    "Which permissions of an app registration count.",
    APPLICATION="Application permissions: the application signs in as itself, with a client secret.",
    DELEGATED="Delegated permissions: a user signs in, with name and password.",
)


@strawberry.type(description="One line of the checklist of a credential.")
class CredentialCheck:
    subject: CredentialCheckSubject = strawberry.field(description="What was checked.")  # type: ignore[valid-type]
    result: CredentialCheckResult = strawberry.field(description="How it ended.")  # type: ignore[valid-type]
    message: str = strawberry.field(description="What was found.")
    hint: str | None = strawberry.field(description="What to do about it, in the words of Microsoft's portals.")
    code: str | None = strawberry.field(description="What kind of failure, for programs.")
    permission: str | None = strawberry.field(description="The Microsoft Graph permission that it needs.")
    aadsts: int | None = strawberry.field(description="Microsoft's number of a refused sign-in (AADSTS…).")


@strawberry.type(description="What verifying a credential found.")
class CredentialVerification:
    at: DateTime = strawberry.field(description="When it was verified.")
    passed: bool = strawberry.field(description="Whether all that a sync needs works.")
    permission_kind: PermissionKind = strawberry.field(description="Which permissions count.")  # type: ignore[valid-type]
    checks: list[CredentialCheck] = strawberry.field(
        description="The checklist, always in the same order.", metadata=about(10)
    )


def verification_of(stored: Mapping[str, Any]) -> CredentialVerification:
    """Spell out a checklist in its stored form."""
    return CredentialVerification(
        at=stored["at"],
        passed=stored["passed"],
        permission_kind=PermissionKind[stored["permission_kind"]],
        checks=[
            CredentialCheck(
                **{
                    **check,
                    "subject": CredentialCheckSubject[check["subject"]],
                    "result": CredentialCheckResult[check["result"]],
                }
            )
            for check in stored["checks"]
        ],
    )
