"""Refuses values that a field never has because another field has them; an empty list would mislead."""

from __future__ import annotations

from collections.abc import Callable

from schema.suggestion import shown
from sync.errors import BadInput

TRANSPORTS = ("tcp", "udp", "sctp", "ip")
"""The transports that a scan knows."""


def check_known(field: str, text: str, path: str) -> None:
    """Refuse a value that no row can have.

    Args:
        field: the name of the compared field.
        text: the whole value to compare with.
        path: of the condition.

    Raises:
        BadInput: no row has the value; says what to ask for instead.
    """
    if check := _CHECKS.get(field):
        check(text.casefold(), path)


def is_foreign_id(word: str) -> bool:
    """Tell whether a text is the name that other products use for a match by the source's own id."""
    return word.casefold().replace("-", "").replace("_", "") == "foreignid"


def _check_protocol(word: str, path: str) -> None:
    if word in TRANSPORTS[:2]:
        hint = f'Ask for transports: {{has: "{word}"}}; protocols are those spoken over it, such as http or ssh.'
        raise BadInput(f'{path}: "{word}" is a transport.', hint=hint, path=path)


def _check_transport(word: str, path: str) -> None:
    if word not in TRANSPORTS:
        hint = f'Transports: {", ".join(TRANSPORTS)}. For a protocol over one, ask for protocols: {{has: "http"}}.'
        raise BadInput(f'{path}: "{shown(word)}" is not a transport.', hint=hint, path=path)


def _check_match(word: str, path: str) -> None:
    if is_foreign_id(word):
        hint = 'Ask for matchedBy: {eq: "deviceId"}, the id of a device.'
        raise BadInput(f"{path}: no record is matched by a foreign id.", hint=hint, path=path)


_CHECKS: dict[str, Callable[[str, str], None]] = {
    "protocols": _check_protocol,
    "transports": _check_transport,
    "matched_by": _check_match,
}
