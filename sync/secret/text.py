"""Pasted secrets: trims invisible characters that copying adds at the ends, and refuses malformed secrets."""

from __future__ import annotations

import unicodedata

from sync.errors import BadInput

SECRET_CHARS_MAX = 1_000
# Blanks and invisible characters, without line breaks: a pasted line break means that more than the secret was copied.
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
            hint="Copy only the secret, without the text before or after it.",
            path=path,
        )
    if not secret or len(secret) > SECRET_CHARS_MAX:
        raise BadInput(f"The secret must have 1 to {SECRET_CHARS_MAX} characters.", path=path)
    return secret
