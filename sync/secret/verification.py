"""Verifies a credential: signs in anew, reads one object of each kind, and reports what is missing.

Stores and changes nothing. A check without an answer within the time limit is unknown, not failed.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any

from sync.clock import Clock, timestamp
from sync.entra.diagnose import ADVICE, CONSENT_NUMBERS, missing_permission
from sync.entra.graph.client import GraphClient
from sync.entra.graph.probe import Access, check_access
from sync.entra.signin.token import SecretSignIn, SignIn
from sync.errors import EntraError, RollcallError, SignInFailed, Unavailable

Open = Callable[[SignIn, Clock], AbstractAsyncContextManager[GraphClient]]
VERIFY_S = 8.0
"""The time limit of a verification; shorter than that of a request."""


class CheckSubject(enum.StrEnum):
    """The subject of a check."""

    SIGN_IN = "SIGN_IN"
    ADMIN_CONSENT = "ADMIN_CONSENT"
    USERS = "USERS"
    GROUPS = "GROUPS"
    DEVICES = "DEVICES"
    MEMBERS = "MEMBERS"


class Result(enum.StrEnum):
    """The result of a check."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class PermissionKind(enum.StrEnum):
    """The type of permissions that a sign-in uses."""

    APPLICATION = "APPLICATION"
    DELEGATED = "DELEGATED"


@dataclass(frozen=True)
class Check:
    """One line of the checklist; `permission`: needed by the check; `aadsts`: Microsoft's number of a refusal."""

    subject: CheckSubject
    result: Result
    message: str
    hint: str | None = None
    code: str | None = None
    permission: str | None = None
    aadsts: int | None = None


@dataclass(frozen=True)
class Verification:
    """A checklist, in the order of `CheckSubject`."""

    at: str
    permission_kind: PermissionKind
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed, and all but MEMBERS passed."""
        needed = set(CheckSubject) - {CheckSubject.MEMBERS}
        good = {check.subject for check in self.checks if check.result is Result.PASSED}
        return needed <= good and all(check.result is not Result.FAILED for check in self.checks)

    def stored(self) -> dict[str, Any]:
        """Return the form that is stored with a credential."""
        return {**asdict(self), "passed": self.passed}


_READS = (CheckSubject.USERS, CheckSubject.GROUPS, CheckSubject.DEVICES, CheckSubject.MEMBERS)
_NO_CONSENT = "Every read was denied: the permissions were not added, are of the other type, or have no admin consent."


async def verify(sign_in: SignIn, clock: Clock, connect: Open) -> Verification:
    """Sign in with a new MSAL application, try the reads that a sync needs, and return the checklist.

    Args:
        sign_in: the opened credential; the caller drops it afterwards.
        connect: signs in and opens a Graph client, as a run does.
    """
    at, kind = timestamp(clock.now()), _kind(sign_in)
    signed_in = False
    error: EntraError
    try:
        async with asyncio.timeout(VERIFY_S), connect(sign_in, clock) as client:
            signed_in = True
            access = await check_access(client)
    except EntraError as failure:
        error = failure
    except TimeoutError:
        error = Unavailable(
            f"Microsoft did not answer within {VERIFY_S:g} s.",
            hint="Try again. If this persists, check the network, the proxy and the cloud of the credential.",
        )
    else:
        return Verification(at, kind, (_signed_in(kind), _consent(access), *_reads(access, kind)))
    checks = (_signed_in(kind), _consent(()), *_unread(error)) if signed_in else _refused(error)
    return Verification(at, kind, checks)


def _kind(sign_in: SignIn) -> PermissionKind:
    return PermissionKind.APPLICATION if isinstance(sign_in, SecretSignIn) else PermissionKind.DELEGATED


def _signed_in(kind: PermissionKind) -> Check:
    who = "the application" if kind is PermissionKind.APPLICATION else "the user"
    return Check(CheckSubject.SIGN_IN, Result.PASSED, f"Signed in as {who}, with {kind.lower()} permissions.")


def _consent(access: Iterable[Access]) -> Check:
    """Conclude from the reads whether admin consent was given: an access token for Graph must not be parsed."""
    tried = [one for one in access if one.is_tried]
    if any(one.granted for one in tried):
        return Check(CheckSubject.ADMIN_CONSENT, Result.PASSED, "Permissions were granted.")
    if tried and all(one.error is not None and "permission" in one.error.facts for one in tried):
        return Check(CheckSubject.ADMIN_CONSENT, Result.FAILED, _NO_CONSENT, ADVICE[CONSENT_NUMBERS[0]].hint)
    return Check(CheckSubject.ADMIN_CONSENT, Result.UNKNOWN, "Not known: no read gave an answer about permissions.")


def _reads(access: Iterable[Access], kind: PermissionKind) -> Iterable[Check]:
    found = {one.resource.upper(): one for one in access}
    for subject in _READS:
        one = found[subject]
        permission = missing_permission(one.resource)
        if one.error is not None:
            yield _failed(subject, one.error, permission)
        elif one.is_tried:
            what = f"{one.resource} can be read".capitalize()
            yield Check(subject, Result.PASSED, f"{what} ({kind.lower()} permission).", permission=permission)
        else:
            yield Check(subject, Result.UNKNOWN, "Not tried: the tenant has no group.", permission=permission)


def _unread(error: EntraError) -> Iterable[Check]:
    return (Check(subject, Result.UNKNOWN, error.message, error.hint, error.code) for subject in _READS)


def _refused(error: EntraError) -> tuple[Check, ...]:
    """Return the checklist of a failed sign-in: the other checks could not be tried."""
    number = error.facts.get("aadsts")
    # Without an answer the credential may still be right.
    result = Result.FAILED if isinstance(error, SignInFailed) else Result.UNKNOWN
    sign_in = _failed(CheckSubject.SIGN_IN, error, None, result)
    lacks_consent = number in CONSENT_NUMBERS
    consent = (
        Check(CheckSubject.ADMIN_CONSENT, Result.FAILED, error.message, error.hint)
        if lacks_consent
        else Check(CheckSubject.ADMIN_CONSENT, Result.UNKNOWN, "Not tried: the sign-in did not succeed.")
    )
    rest = (Check(subject, Result.UNKNOWN, "Not tried: the sign-in did not succeed.") for subject in _READS)
    return (sign_in, consent, *rest)


def _failed(
    subject: CheckSubject, error: RollcallError, permission: str | None, result: Result = Result.FAILED
) -> Check:
    number = error.facts.get("aadsts")
    aadsts = number if isinstance(number, int) else None
    return Check(subject, result, error.message, error.hint, error.code, permission, aadsts)
