"""Search text as tokens with their places: parentheses, AND, OR, NOT and terms; reads each character a few times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from schema.filter.check import UNSTORABLE
from sync.errors import BadSearch

CHARS_MAX = 2_000

_BLANK = re.compile(r"\s+")
_KEYWORD = re.compile(r'([^\s():"\\]+):')
_OPERATOR = re.compile("<=|>=|=|<|>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'(?:[^\s()"\\]|\\.)*', re.DOTALL)
_NEXT_WORD = re.compile(r"\s+([^\s():\"\\]+)(?![^\s)])")
_SHOWN_CHARS_MAX = 40
_MARKS = {"(", ")", "AND", "OR", "NOT"}
# Words that compare in other languages; behind a keyword they are refused, in quotes they are words.
FOREIGN = {"is", "in", "eq", "ne", "equals", "like", "ilike", "contains"}


@dataclass(frozen=True)
class TextSpan:
    """Where a piece of the text stands: its first character and the one behind its last."""

    start: int
    end: int


@dataclass(frozen=True)
class Term:
    """`keyword:value`, or a word of its own.

    Args:
        keyword: as written; empty for a word.
        operator: `=`, `<`, `<=`, `>`, `>=` or none.
        value: as written, but without quotes; a backslash makes the next character literal.
        place: where it stands; not part of what it says.
    """

    keyword: str
    operator: str
    value: str
    place: TextSpan = dataclass_field(compare=False, default=TextSpan(0, 0))


@dataclass(frozen=True)
class Mark:
    """A parenthesis, AND, OR or NOT."""

    text: str
    place: TextSpan


Token = Term | Mark


def bad_search(text: str, place: TextSpan, message: str, *, hint: str | None = None, **facts: object) -> BadSearch:
    """Make the error of a search text, with the place in it: offset, line and column count characters."""
    start = min(place.start, len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line, column = text.count("\n", 0, start) + 1, start - line_start + 1
    where = {"offset": start, "length": max(place.end - start, 0), "line": line, "column": column}
    return BadSearch(f"{message} (line {line}, column {column})", hint=hint, path="search", **where, **facts)


def tokens(text: str) -> Iterator[Token]:
    """Split a search text.

    Raises:
        BadSearch: it is too long, or a value is not complete.
    """
    if len(text) > CHARS_MAX:
        place = TextSpan(CHARS_MAX, len(text))
        hint = "Long lists are asked for with `where`: `in` takes 1,000 values."
        message = f"The search has {len(text)} characters; at most {CHARS_MAX} are allowed"
        raise bad_search(text, place, message, hint=hint)
    if bad := UNSTORABLE.search(text):
        raise bad_search(text, TextSpan(*bad.span()), "No text holds this character")
    at = 0
    while at < len(text):
        if blank := _BLANK.match(text, at):
            at = blank.end()
        elif text[at] in "()":
            yield Mark(text[at], TextSpan(at, at + 1))
            at += 1
        else:
            token = _word(text, at)
            yield token
            at = token.place.end


def _word(text: str, start: int) -> Token:
    at, keyword, operator = start, "", ""
    if named := _KEYWORD.match(text, at):
        keyword, at = named[1], named.end()
        if sign := _OPERATOR.match(text, at):
            operator, at = sign[0], sign.end()
    quoted = _QUOTED.match(text, at)
    value, end = (quoted[1], quoted.end()) if quoted else _bare(text, at)
    if end < len(text) and not (text[end].isspace() or text[end] in "()"):
        _refuse_rest(text, end)
    place = TextSpan(start, end)
    if not keyword and not quoted and value.upper() in _MARKS:
        return Mark(value.upper(), place)
    if quoted and keyword and not operator and (sign := _OPERATOR.match(value)):
        # Quotes may stand round the operator too: first_seen:"<2weeks".
        operator, value = sign[0], value[sign.end() :]
    if keyword and not value and not operator and not quoted:
        hint = _hint_of_value(text, keyword[:_SHOWN_CHARS_MAX], end)
        raise bad_search(text, place, "A value is missing behind the colon", hint=hint, expected=["a value"])
    if not quoted and not keyword and value[0:1] == ":" and value[1:2] != ":":
        before = "".join(text[:start].split()[-1:])
        said = f"{before[-_SHOWN_CHARS_MAX:] if before.isidentifier() else 'keyword'}{value[:_SHOWN_CHARS_MAX]}"
        hint = f"Write {said} without the space; a text that begins with a colon stands in quotes."
        raise bad_search(text, place, "A keyword is missing before the colon", hint=hint, expected=[said])
    if not keyword and not value:
        raise bad_search(text, place, "There is no word between the quotes", hint="Leave the quotes out.")
    # An empty value between quotes says the same as none behind an equals sign.
    return Term(keyword, operator or ("=" if keyword and not value else ""), value, place)


def _hint_of_value(text: str, keyword: str, at: int) -> str:
    """Say what to write instead of a keyword with nothing behind its colon."""
    if text[at : at + 1] == "(":
        return (
            f"Say the keyword each time: ({keyword}:one OR {keyword}:another). A value with parentheses needs quotes."
        )
    missing = f"For a missing value write {keyword}:= instead."
    if (following := _NEXT_WORD.match(text, at)) and following[1].upper() not in _MARKS:
        return f"Write {keyword}:{following[1][:_SHOWN_CHARS_MAX]} without the space. {missing}"
    return missing


def _bare(text: str, at: int) -> tuple[str, int]:
    bare = _BARE.match(text, at)
    return (bare[0], bare.end()) if bare else ("", at)


def _refuse_rest(text: str, at: int) -> None:
    place = TextSpan(at, at + 1)
    if text[at] == "\\":
        raise bad_search(text, place, "Nothing follows the backslash", hint="Write \\\\ for a backslash.")
    if text.count('"', at) == 1:
        raise bad_search(text, place, "The closing quote is missing", hint='Write \\" for a quote in a value.')
    raise bad_search(text, place, "A space is missing between two terms", hint="Quotes stand round a whole value.")
