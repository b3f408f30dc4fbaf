"""Finds the word at the cursor of a search text: a keyword, or a value after one.

The text may be incomplete. Positions count code points here; the API counts UTF-16 units, as editors do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schema.search.token import OPENING, QUOTED

# Skip a minus or an exclamation mark, which negates in other languages: complete the word after it.
_SIGNS = re.compile(r"[-!]*")
_KEYWORD = re.compile(r'[^\s():"\\]*:')
_OPERATOR = re.compile(r"<=|>=|=|<|>")
_BARE = re.compile(r'(?:[^\s()"\\,]|\\.|\\$)*', re.DOTALL)
_BETWEEN = re.compile(r"[\s()]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class CursorPlace:
    """The unfinished word at the cursor.

    Args:
        start: the start of the range that a completion replaces.
        end: the end of that range, exclusive.
        typed: the text between `start` and the cursor, without quotes and backslashes.
        keyword: the keyword before the colon; None while the keyword itself is typed.
        operator: the operator after the colon, or empty.
        is_first: whether there is no term before it that AND or OR could join.
        is_named: whether a colon follows the range.
        is_listed: whether the value is one of several separated by commas.
    """

    start: int
    end: int
    typed: str
    keyword: str | None = None
    operator: str = ""
    is_first: bool = False
    is_named: bool = False
    is_listed: bool = False


@dataclass(frozen=True)
class _Word:
    """A word of the text.

    Args:
        start: without leading signs such as `-`.
        end: exclusive.
        behind_colon: the position after the keyword's colon; None without a keyword.
        operator: the operator after the colon, or empty.
        values: start and end of each value.
    """

    start: int
    end: int
    behind_colon: int | None
    operator: str
    values: tuple[tuple[int, int], ...]


def place_of(text: str, cursor: int) -> CursorPlace:
    """Find the word at the cursor; at a blank it is empty."""
    at, is_first = 0, True
    while at < len(text):
        if between := _BETWEEN.match(text, at):
            if cursor < between.end():
                break
            is_first = is_first or text[between.end() - 1] == "("
            at = between.end()
            continue
        if cursor <= at:
            break
        word = _word_at(text, at)
        if cursor < word.start:
            break
        if cursor <= word.end:
            return _inside(text, word, cursor, is_first)
        is_first = text[at : word.end].upper() in ("AND", "OR", "NOT")
        at = word.end
    return CursorPlace(cursor, cursor, "", is_first=is_first)


def _word_at(text: str, at: int) -> _Word:
    start = _end(_SIGNS, text, at)
    keyword = _KEYWORD.match(text, start)
    begin = keyword.end() if keyword else start
    sign = _OPERATOR.match(text, begin) if keyword else None
    begin = sign.end() if sign else begin
    values = [(begin, _end_of_value(text, begin))]
    while text[values[-1][1] : values[-1][1] + 1] == ",":
        begin = values[-1][1] + 1
        values.append((begin, _end_of_value(text, begin)))
    end = max(values[-1][1], at + 1)
    return _Word(start, end, keyword.end() if keyword else None, sign[0] if sign else "", tuple(values))


def _end_of_value(text: str, at: int) -> int:
    if text[at : at + 1] in OPENING:
        quoted = QUOTED[text[at]].match(text, at)
        return quoted.end() if quoted else len(text)
    return _end(_BARE, text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _inside(text: str, word: _Word, cursor: int, is_first: bool) -> CursorPlace:
    behind = word.behind_colon
    if behind is None or cursor < behind:
        end = word.end if behind is None else behind - 1
        typed = text[word.start : cursor]
        typed = typed[1:] if typed[:1] in OPENING else typed
        return CursorPlace(word.start, end, typed, is_first=is_first, is_named=behind is not None)
    keyword = text[word.start : behind - 1]
    if cursor < word.values[0][0]:
        return CursorPlace(behind, word.end, "", keyword)
    number, (start, end) = next((n, place) for n, place in enumerate(word.values) if cursor <= place[1])
    typed = text[start:cursor]
    if typed[:1] in OPENING:
        typed = typed[1:-1] if cursor == end and QUOTED[typed[0]].fullmatch(typed) else typed[1:]
    typed = _ESCAPED.sub(r"\1", typed)
    return CursorPlace(start, end, typed, keyword, word.operator, is_listed=number > 0 or len(word.values) > 1)


def place_at(text: str, wanted: int) -> int:
    """Convert a position in UTF-16 units to code points, within the text; a surrogate pair is not split."""
    passed = 0
    for place, character in enumerate(text):
        passed += 2 if character > "\uffff" else 1
        if passed > wanted:
            return place
    return len(text)
