"""How texts are compared and sorted, letter by letter in plain Python: the oracle's own reading of the rules."""

from __future__ import annotations

import unicodedata

DOT_ABOVE, DOTLESS = "\N{COMBINING DOT ABOVE}", "\N{LATIN SMALL LETTER DOTLESS I}"


def fold(text: str) -> str:
    """Return a text as it is compared: no letter case, accents composed, one letter i."""
    found: list[str] = []
    for letter in unicodedata.normalize("NFC", text):
        for small in letter.casefold():
            small = "i" if small == DOTLESS else small
            if not (small == DOT_ABOVE and found and found[-1] == "i"):
                found.append(small)
    return unicodedata.normalize("NFC", "".join(found))


def order(text: str) -> str:
    """Return a text as it is sorted: folded, and without the marks that stand on its letters."""
    bare = [part for part in unicodedata.normalize("NFD", fold(text)) if unicodedata.category(part) != "Mn"]
    return unicodedata.normalize("NFC", "".join(bare))
