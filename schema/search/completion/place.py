"""The place of the cursor in a search text that is being typed: in a keyword, or in the value behind one.

The text need not be complete. Places inside the program count code points; the API counts UTF-16 units, as editors do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(
    r'(?P<keyword>[^\s():"\\]*:)?(?P<operator><=|>=|=|<|>)?(?P<value>"(?:[^"\\]|\\.)*"?|(?:[^\s()"\\]|\\.|\\$)*)',
    re.DOTALL,
)
_BETWEEN = re.compile(r"[\s()]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class CursorPlace:
    """The unfinished word at the cursor.

    Args:
        start: of what a completion replaces.
        end: behind what a completion replaces.
        typed: what stands between `start` and the cursor, without quotes and backslashes.
        keyword: the keyword before the colon; None while the keyword itself is typed.
        operator: the sign behind the colon, or empty.
        is_first: whether nothing that a joiner could join stands before.
        is_named: whether a colon follows what is replaced.
    """

    start: int
    end: int
    typed: str
    keyword: str | None = None
    operator: str = ""
    is_first: bool = False
    is_named: bool = False


def place_of(text: str, cursor: int) -> CursorPlace:
    """Find the word at the cursor; at a blank it is an empty one."""
    at, is_first = 0, True
    while at < len(text):
        if between := _BETWEEN.match(text, at):
            if cursor < between.end():
                break
            is_first = is_first or text[between.end() - 1] == "("
            at = between.end()
            continue
        word = _WORD.match(text, at)
        end = word.end() if word and word.end() > at else at + 1
        if cursor <= at:
            break
        if cursor <= end and word:
            return _inside(text, word, cursor, is_first)
        is_first = text[at:end].upper() in ("AND", "OR", "NOT")
        at = end
    return CursorPlace(cursor, cursor, "", is_first=is_first)


def _inside(text: str, word: re.Match[str], cursor: int, is_first: bool) -> CursorPlace:
    behind_colon = word.end("keyword")
    if behind_colon < 0 or cursor < behind_colon:
        end = word.end() if behind_colon < 0 else behind_colon - 1
        typed = text[word.start() : cursor].removeprefix('"')
        return CursorPlace(word.start(), end, typed, is_first=is_first, is_named=behind_colon >= 0)
    keyword = text[word.start() : behind_colon - 1]
    start, end = word.span("value")
    if cursor < start:
        return CursorPlace(behind_colon, end, "", keyword)
    if text.startswith('"', start):
        typed = text[start + 1 : cursor].removesuffix('"')
    else:
        # A list of values: the one at the cursor.
        start = text.rfind(",", start, cursor) + 1 or start
        comma = text.find(",", cursor, end)
        end = end if comma < 0 else comma
        typed = text[start:cursor]
    return CursorPlace(start, end, _ESCAPED.sub(r"\1", typed), keyword, word["operator"] or "")


def units(text: str, place: int) -> int:
    """Return how many UTF-16 units stand before a place."""
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2


def place_at(text: str, wanted: int) -> int:
    """Return the place behind so many UTF-16 units, between the ends of the text; a pair is not split."""
    passed = 0
    for place, character in enumerate(text):
        passed += 2 if character > "\uffff" else 1
        if passed > wanted:
            return place
    return len(text)
