"""All errors that Rollcall raises on purpose, as one tree.

    RollcallError
    ├── BadInput                  a value the caller sent cannot be used
    │   ├── BadCursor             the paging cursor belongs to another list
    │   ├── BadSearch             a search text that cannot be understood
    │   └── BadReport             a scan report that cannot be read, or must not be
    ├── NotFound                  no such object in the caller's organization
    ├── Conflict                  the request contradicts what is stored
    ├── Unauthenticated           no valid token
    ├── Forbidden                 the token's role does not allow this
    ├── AnswerTooLarge            an answer exceeds a limit
    ├── BadSettings               the server's configuration is wrong
    ├── StoreError                the database cannot be used
    │   ├── StoreLocked           another process holds the file
    │   ├── StoreExposed          other users of the machine can reach it
    │   ├── StoreNewer            written by a newer program
    │   ├── StoreMisfit           its tables do not match its revision
    │   ├── StoreUnreadable       damaged, foreign or not writable
    │   ├── StoreBusy             another process holds a lock for too long
    │   ├── StoreSlow             a read exceeded its time limit
    │   ├── StoreCrowded          more reads wait than could be answered in time
    │   └── StoreFull             no space left
    ├── VaultError                a secret cannot be sealed or opened
    │   ├── KeyUnusable           the key file is missing, malformed or the wrong one
    │   └── Tampered              sealed bytes were changed or moved
    ├── RunError                  a run of a task cannot continue here
    │   ├── IllegalMove           a run cannot move between these states
    │   ├── ClaimLost             another worker has claimed the run
    │   ├── RemovalHeld           a sweep would remove unusually much
    │   ├── Interrupted           the process is stopping
    │   └── ScanError             a scan cannot be carried out
    │       ├── TargetsRefused    nothing to scan, too much, or outside the site's scope
    │       ├── ScannerMissing    the task's scanner is not installed
    │       ├── ScannerFailed     the scanner ended before it was done
    │       └── HostsUnfinished   the scanner gave up on hosts that took too long
    ├── DemoFailed                the demonstration did not reach its result
    ├── WatchFailed               `rollcall task watch` has nothing to watch, or lost it
    └── EntraError                Microsoft Entra ID or Graph refused, failed or misbehaved
        ├── SignInFailed          the token service refused the credential
        ├── AuthRejected          Graph refused a fresh token
        ├── PermissionDenied      Graph answered 403
        │   ├── AppUnknown        the tenant does not know the app that signed in
        │   └── LicenseMissing    the tenant has no licence for the request
        ├── Blocked               a web filter or captive portal answered in Graph's place
        ├── RequestRefused        Graph answered another 4xx, which a retry does not help
        │   └── UnknownProperty   Graph does not have a selected property, or not in lists
        ├── CursorExpired         a stored link is no longer valid: a full round is needed
        ├── Unavailable           no usable answer after every retry
        ├── Throttled             Graph asked for a longer wait than a run may take
        ├── BadResponse           the answer breaks the protocol
        └── OffOrigin             a link or redirect leaves the Graph origin

Each class has a `code` (stable, for programs), `retryable`, and a default message: the first line of its docstring.
Facts are keyword arguments. Callers may see them, so they never contain a secret, a path or SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar


class RollcallError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None, *, hint: str | None = None, **facts: object) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        self.hint = hint
        self.facts = facts
        super().__init__(self.message)


class BadInput(RollcallError):
    """The input cannot be used."""

    code = "BAD_USER_INPUT"


class BadCursor(BadInput):
    """The cursor does not belong to this list."""

    code = "BAD_CURSOR"


class BadSearch(BadInput):
    """The search text cannot be understood."""

    code = "BAD_SEARCH"
    span: tuple[int, int] = (0, 0)  # start and end of the mistake in the text, in Python's characters
    repaired: str | None = None  # the text without the mistake
    is_unknown = False  # the mistake is a term that the search does not know


class BadReport(BadInput):
    """The scan report cannot be read."""

    code = "BAD_REPORT"


class NotFound(RollcallError):
    """There is no such object."""

    code = "NOT_FOUND"


class Conflict(RollcallError):
    """The request contradicts what is stored."""

    code = "CONFLICT"


class Unauthenticated(RollcallError):
    """A valid API token is needed."""

    code = "UNAUTHENTICATED"


class Forbidden(RollcallError):
    """The token's role does not allow this."""

    code = "FORBIDDEN"


class AnswerTooLarge(RollcallError):
    """The answer is larger than this server's limit."""

    code = "LIMIT_EXCEEDED"


class BadSettings(RollcallError):
    """The settings cannot be used."""

    code = "BAD_SETTINGS"


class StoreError(RollcallError):
    """The database cannot be used."""

    code = "STORE_ERROR"


class StoreLocked(StoreError):
    """Another process uses this database."""

    code = "STORE_LOCKED"


class StoreExposed(StoreError):
    """Other users of the machine can reach the data directory."""

    code = "STORE_EXPOSED"


class StoreNewer(StoreError):
    """The database was written by a newer version of Rollcall."""

    code = "STORE_NEWER"


class StoreMisfit(StoreError):
    """The tables of the database do not match its revision."""

    code = "STORE_MISFIT"


class StoreUnreadable(StoreError):
    """The database file cannot be read or written."""

    code = "STORE_UNREADABLE"


class StoreBusy(StoreError):
    """The database is busy."""

    code = "STORE_BUSY"
    retryable = True


class StoreSlow(StoreError):
    """The database took too long; ask for less at once, or filter by a field that has an index."""

    code = "TIMEOUT"
    retryable = True


class StoreCrowded(StoreError):
    """The server has too many requests to answer them in time; try again."""

    code = "OVERLOADED"
    retryable = True


class StoreFull(StoreError):
    """There is no space left for the database."""

    code = "STORE_FULL"
    retryable = True


class VaultError(RollcallError):
    """A secret cannot be sealed or opened."""

    code = "VAULT_ERROR"


class KeyUnusable(VaultError):
    """The key file cannot be used."""

    code = "KEY_UNUSABLE"


class Tampered(VaultError):
    """A sealed secret was changed or moved."""

    code = "SECRET_TAMPERED"


class RunError(RollcallError):
    """The run cannot continue here."""

    code = "RUN_ERROR"


class IllegalMove(RunError):
    """A run cannot move between these states."""

    code = "ILLEGAL_MOVE"


class ClaimLost(RunError):
    """Another worker has claimed this run; this one must write nothing more for it."""

    code = "CLAIM_LOST"


class RemovalHeld(RunError):
    """The run would remove unusually much; an administrator must confirm it."""

    code = "REMOVAL_HELD"

    def __init__(
        self,
        message: str | None = None,
        *,
        hint: str | None = None,
        removals: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.removals = removals or {}
        told = {kind: f"{held['rows']} of {held['of']}" for kind, held in self.removals.items()}
        super().__init__(message, hint=hint, **told)


class Interrupted(RunError):
    """The process is stopping; the run continues from its cursors at the next start."""

    code = "INTERRUPTED"
    retryable = True


class ScanError(RunError):
    """The scan cannot be carried out."""

    code = "SCAN_ERROR"


class TargetsRefused(ScanError):
    """The scan's targets cannot be used."""

    code = "TARGETS_REFUSED"


class ScannerMissing(ScanError):
    """The scanner is not installed on this server."""

    code = "SCANNER_MISSING"


class ScannerFailed(ScanError):
    """The scanner ended before it was done."""

    code = "SCANNER_FAILED"
    retryable = True


class HostsUnfinished(ScanError):
    """The scanner gave up on hosts that took too long."""

    code = "HOSTS_UNFINISHED"
    retryable = True


class DemoFailed(RollcallError):
    """The demonstration did not reach its result."""

    code = "DEMO_FAILED"


class WatchFailed(RollcallError):
    """The run cannot be watched."""

    code = "WATCH_FAILED"


class EntraError(RollcallError):
    """Microsoft Entra ID or Microsoft Graph could not be used."""

    code = "ENTRA_ERROR"


class SignInFailed(EntraError):
    """Microsoft Entra ID refused to sign in."""

    code = "SIGN_IN_FAILED"


class AuthRejected(EntraError):
    """Microsoft Graph rejected a fresh token."""

    code = "AUTH_REJECTED"


class PermissionDenied(EntraError):
    """Microsoft Graph denied permission."""

    code = "PERMISSION_DENIED"


class AppUnknown(PermissionDenied):
    """Microsoft Graph does not know the app in this tenant."""

    code = "APP_UNKNOWN"


class LicenseMissing(PermissionDenied):
    """The tenant has no licence for the request."""

    code = "LICENSE_MISSING"


class Blocked(EntraError):
    """A device between this server and Microsoft Graph refused the request."""

    code = "BLOCKED"


class RequestRefused(EntraError):
    """Microsoft Graph refused the request."""

    code = "REQUEST_REFUSED"


class UnknownProperty(RequestRefused):
    """Microsoft Graph does not know a selected property."""

    code = "UNKNOWN_PROPERTY"

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, named: Collection[str] = (), **facts: object
    ) -> None:
        super().__init__(message, hint=hint, **facts)
        # Names from Graph's answer: compare them with the request, never show them.
        self.named = frozenset(named)


class CursorExpired(EntraError):
    """The stored position in the directory has expired."""

    code = "CURSOR_EXPIRED"
    retryable = True


class Unavailable(EntraError):
    """Microsoft Graph or Entra ID did not answer."""

    code = "UNAVAILABLE"
    retryable = True


class Throttled(EntraError):
    """Microsoft Graph asked for a long wait."""

    code = "THROTTLED"
    retryable = True


class BadResponse(EntraError):
    """Microsoft Graph sent an answer that cannot be understood."""

    code = "BAD_RESPONSE"
    retryable = True


class OffOrigin(EntraError):
    """Microsoft Graph sent a link that leaves its own origin."""

    code = "OFF_ORIGIN"
