"""The ids that callers see: a prefix that names the kind and the row's key; checked before the database is asked.

They go out in small letters and are read in any, as every other key of a look-up is.
"""

from __future__ import annotations

import re

from sync.errors import BadInput

_ID = re.compile(r"([A-Za-z]{2,5})_([1-9][0-9]{0,17})", re.ASCII)


def encode_id(prefix: str, key: int) -> str:
    """Make the id of a row."""
    return f"{prefix}_{key}"


def prefix_of(text: str) -> str | None:
    """Return what an id begins with; None if it is not an id of any kind."""
    match = _ID.fullmatch(text)
    return match[1].lower() if match else None


def decode_id(text: str, prefix: str, noun: str, path: str = "id") -> int:
    """Read the key out of an id.

    Raises:
        BadInput: it is not an id of that kind; whether the row exists is a later question.
    """
    match = _ID.fullmatch(text)
    if match is None or match[1].lower() != prefix:
        article = "an" if noun[:1] in ("A", "O") else "a"
        hint = f"Ids of this kind begin with {prefix}_."
        # Do not repeat the text: a person may have pasted a secret in its place.
        raise BadInput(f"This is not the id of {article} {noun}.", hint=hint, path=path)
    return int(match[2])
