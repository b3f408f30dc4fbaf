"""Pasted secrets: trimmed of what copying leaves at their ends, and refused when they cannot be one."""

from __future__ import annotations

import unicodedata

from sync.errors import BadInput

SECRET_CHARS_MAX = 1_000
# Blanks and characters that nobody sees. Line breaks are none of them: who pastes one may have pasted more.
_UNSEEN = "\t" + "".join(char for char in map(chr, range(0x10000)) if unicodedata.category(char) in ("Zs", "Cf"))
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")


def secret_text(given: str, path: str) -> str:
    """Return a secret without the blanks and zero-width characters at its ends; never repeats it.

    Raises:
        BadInput: it is empty, too long, or has a control character.
    """
    secret = given.strip(_UNSEEN)
    if any(unicodedata.category(char) in _CONTROLS for char in secret):
        raise BadInput(
            "The secret has a line break or another control character.",
            hint="Copy the secret alone, without what comes before or after it in its file.",
            path=path,
        )
    if not secret or len(secret) > SECRET_CHARS_MAX:
        raise BadInput(f"The secret must have 1 to {SECRET_CHARS_MAX} characters.", path=path)
    return secret
