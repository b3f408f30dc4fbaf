"""Every error this product raises on purpose, as one tree.

    RollcallError
    ├── BadInput                  a value the caller sent cannot be used
    │   ├── BadCursor             a paging cursor of another list
    │   ├── BadSearch             a search text that cannot be understood
    │   └── BadReport             a scan report that cannot be read, or must not be
    ├── NotFound                  no such object in the caller's organization
    ├── Conflict                  the request contradicts what is stored
    ├── Unauthenticated           no valid token
    ├── Forbidden                 the token's role does not reach this
    ├── AnswerTooLarge            an answer goes beyond a limit
    ├── BadSettings               the server's configuration is wrong
    ├── StoreError                the database cannot be used
    │   ├── StoreLocked           another process holds the file
    │   ├── StoreExposed          other users of the machine can reach it
    │   ├── StoreNewer            written by a newer program
    │   ├── StoreMisfit           its tables are not those of its revision
    │   ├── StoreUnreadable       damaged, foreign or not writable
    │   ├── StoreBusy             somebody else holds a lock for too long
    │   ├── StoreSlow             a read did not end in its time
    │   ├── StoreCrowded          more reads wait than could be answered in time
    │   └── StoreFull             no space left
    ├── VaultError                a secret cannot be sealed or opened
    │   ├── KeyUnusable           the key file is missing, malformed or the wrong one
    │   └── Tampered              sealed bytes were changed or moved
    ├── RunError                  a run of a task cannot go on here
    │   ├── IllegalMove           a run cannot move between these states
    │   ├── ClaimLost             another worker has taken the run up
    │   ├── RemovalHeld           a sweep would remove unusually much
    │   ├── Interrupted           the process is stopping
    │   └── ScanError             a scan cannot be carried out
    │       ├── TargetsRefused    nothing to scan, too much, or outside the site's scope
    │       ├── ScannerMissing    the task asks for a scanner that is not installed
    │       ├── ScannerFailed     the scanner ended before it was done
    │       └── HostsUnfinished   the scanner gave up hosts that took too long
    ├── DemoFailed                the demonstration did not get where it should
    ├── WatchFailed               `rollcall task watch` has nothing to watch, or lost it
    └── EntraError                Microsoft Entra ID or Graph refused, failed or misbehaved
        ├── SignInFailed          the token service refused the credential
        ├── AuthRejected          Graph refused a fresh token
        ├── PermissionDenied      Graph answered 403
        │   ├── AppUnknown        the tenant does not know the app that signed in
        │   └── LicenseMissing    the tenant has no licence for what was asked
        ├── Blocked               a web filter or captive portal answered in Graph's place
        ├── RequestRefused        Graph answered another 4xx that a retry cannot mend
        │   └── UnknownProperty   a selected property is not known there, or cannot be read in a list
        ├── CursorExpired         a stored link is no longer valid: a full round is needed
        ├── Unavailable           no usable answer after every retry
        ├── Throttled             Graph asked for a wait longer than a run may hold
        ├── BadResponse           the answer is not what the protocol promises
        └── OffOrigin             a link or redirect leaves the Graph origin

Each class carries a `code` (stable, for programs), `retryable`, and a default message: its docstring's first line.
Facts are keyword arguments; they may reach a caller, so they never hold a secret, a path or SQL.
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
    span: tuple[int, int] = (0, 0)  # where in the text, in characters of Python
    repaired: str | None = None  # the text without the mistake
    is_unknown = False  # whether it is a term that nothing here answers


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
    """The answer is larger than this server gives."""

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
    """The tables of the database are not those of its revision."""

    code = "STORE_MISFIT"


class StoreUnreadable(StoreError):
    """The database file cannot be read or written."""

    code = "STORE_UNREADABLE"


class StoreBusy(StoreError):
    """The database is busy."""

    code = "STORE_BUSY"
    retryable = True


class StoreSlow(StoreError):
    """The database took too long; ask for less at once, or with a filter it has an index for."""

    code = "TIMEOUT"
    retryable = True


class StoreCrowded(StoreError):
    """The server has more to do than it can answer in time; try again."""

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
    """The run cannot go on here."""

    code = "RUN_ERROR"


class IllegalMove(RunError):
    """A run cannot move between these states."""

    code = "ILLEGAL_MOVE"


class ClaimLost(RunError):
    """Another worker has taken this run up; nothing more may be written for it."""

    code = "CLAIM_LOST"


class RemovalHeld(RunError):
    """The run would remove unusually much; an administrator has to confirm it."""

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
    """The process is stopping; the run goes on from its cursors at the next start."""

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
    """The scanner gave up hosts that took too long."""

    code = "HOSTS_UNFINISHED"
    retryable = True


class DemoFailed(RollcallError):
    """The demonstration did not get where it should."""

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
    """The tenant has no licence for what was asked."""

    code = "LICENSE_MISSING"


class Blocked(EntraError):
    """Something on the way to Microsoft Graph refused the request."""

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
        # As Graph wrote them: to be compared with what was asked for, never to be shown.
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
