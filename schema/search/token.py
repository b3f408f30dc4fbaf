"""Splits a search text into tokens with their positions: parentheses, AND, OR, NOT and terms; takes linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import NoReturn

from schema.filter.check import UNSTORABLE
from schema.suggestion import shown
from sync.errors import BadSearch

CHARS_MAX = 4_000
# Stop after this many mistakes.
MISTAKES_MAX = 20

# Opening quote → the quotes that close it. Single quotes count only at the ends of a word: O'Brien has none.
_DOUBLE = {'"': '"', "“": "”“", "”": "”", "„": "“”", "‟": "”“", "«": "»", "»": "«"}
_SINGLE = {"'": "'", "\u2018": "\u2019", "\u2019": "\u2019", "\u201a": "\u2018\u2019"}
OPENING = frozenset(_DOUBLE | _SINGLE)
_BLANK = re.compile(r"\s+")
_KEYWORD = re.compile(r'([^\s():"\\]+):')
_OPERATOR = re.compile("<=|>=|=|<|>")
# Signs of other languages → ours, which the error suggests.
_FOREIGN_SIGN = re.compile("!=|<>|=!|!~|=~|~=|==|=>|=<|[!~≠≥≤]")
SIGNS = {"!=": "NOT ", "<>": "NOT ", "=!": "NOT ", "!~": "NOT ", "!": "NOT ", "≠": "NOT ", "==": "=", "=>": ">="}
SIGNS |= {"=<": "<=", "≥": ">=", "≤": "<=", "=~": "", "~=": "", "~": ""}
_BARE = re.compile(r'(?:[^\s()"\\]|\\.)*', re.DOTALL)
_ELEMENT = re.compile(r'(?:[^\s()"\\,]|\\.)*', re.DOTALL)
_BRACKETS = re.compile(r"\[([^\[\]]{0,200})\]|\{([^{}]{0,200})\}|\(([^():]{0,200})\)")
_INNER = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'[^']*'|“[^”]*”|[^\s,]+(?:\s+(?![Oo][Rr]\s)[^\s,]+)*""")
_ALL = re.compile(r"(?i)[\w.-]+(?:\s+AND\s+[\w.-]+)+")
_COMBINED, _RANGE = re.compile(r"(?i)\b(AND|NOT)\b"), re.compile(r"\bTO\b")
_NEXT_WORD = re.compile(r"\s+([^\s():\"\\]+)(?![^\s)])")
_UNESCAPED = re.compile(r'(\\.)|"', re.DOTALL)
_MARKS = {"(", ")", "AND", "OR", "NOT"}
# Words that are operators in other languages: refused after a keyword, text in quotes.
FOREIGN = {"is", "in", "eq", "ne", "equals", "like", "ilike", "contains", "matches", "startswith", "endswith"}


def _quoted(opening: str, closing: str, *, at_end: bool) -> re.Pattern[str]:
    behind = r"(?=[\s(),]|\Z)" if at_end else ""
    inner = rf"[^{closing}\\]|\\." + (rf"|[{closing}](?![\s(),]|\Z)" if at_end else "")
    return re.compile(f"{opening}((?:{inner})*)[{closing}]{behind}", re.DOTALL)


QUOTED = {one: _quoted(one, closing, at_end=False) for one, closing in _DOUBLE.items()}
QUOTED |= {one: _quoted(one, closing, at_end=True) for one, closing in _SINGLE.items()}


@dataclass(frozen=True)
class TextSpan:
    """A range of the text: from `start` up to, but without, `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Term:
    """`keyword:value`, or a word without keyword.

    Args:
        keyword: as typed; empty for a word.
        operator: `=`, `<`, `<=`, `>`, `>=` or empty.
        value: as typed, but without quotes; a backslash makes the next character literal.
        place: its position; not compared.
        is_quoted: whether its value is quoted, and so not checked for notations of other languages.
        is_element: whether it is a value of a list; its position is then that of the value alone.
    """

    keyword: str
    operator: str
    value: str
    place: TextSpan = dataclass_field(compare=False, default=TextSpan(0, 0))
    is_quoted: bool = dataclass_field(compare=False, default=False)
    is_element: bool = dataclass_field(compare=False, default=False)


@dataclass(frozen=True)
class Listed:
    """`keyword:one,another`: a list of values, any of which may match; one term for each."""

    terms: tuple[Term, ...]
    place: TextSpan = dataclass_field(compare=False, default=TextSpan(0, 0))


@dataclass(frozen=True)
class Mark:
    """A parenthesis, AND, OR or NOT."""

    text: str
    place: TextSpan


AnyTerm = Term | Listed
Token = AnyTerm | Mark


def units(text: str) -> int:
    """Return the length of a text in UTF-16 units, as editors and JavaScript count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def bad_search(
    text: str,
    place: TextSpan,
    message: str,
    *,
    hint: str | None = None,
    instead: str | None = None,
    is_unknown: bool = False,
    **facts: object,
) -> BadSearch:
    """Make the error of a mistake in a search text.

    Args:
        text: the whole text.
        place: the position of the mistake; reported in UTF-16 units, and as line and column from 1.
        message: the mistake.
        hint: how to fix it.
        instead: the replacement for the text in that place.
        is_unknown: whether the mistake is an unknown keyword or value.
        facts: further facts of the error.
    """
    start, end = min(place.start, len(text)), max(place.start, place.end)
    line_start = text.rfind("\n", 0, start) + 1
    line, column = text.count("\n", 0, start) + 1, units(text[line_start:start]) + 1
    where = {"offset": units(text[:start]), "length": units(text[start:end]), "line": line, "column": column}
    error = BadSearch(f"{message} (line {line}, column {column})", hint=hint, path="search", **where, **facts)
    error.span, error.is_unknown = (start, end), is_unknown
    error.repaired = None if instead is None else text[:start] + instead + text[end:]
    return error


def tokens(text: str, found: list[BadSearch] | None = None) -> Iterator[Token]:
    """Split a search text.

    Args:
        text: as typed.
        found: collects the mistakes in terms, and an empty term replaces each; without it the first is raised.

    Raises:
        BadSearch: the text is too long or has a forbidden character, or a term is wrong.
    """
    if len(text) > CHARS_MAX:
        place = TextSpan(CHARS_MAX, len(text))
        hint = "For long lists use `where`: `in` takes 1,000 values."
        message = f"The search has {len(text)} characters; at most {CHARS_MAX} are allowed"
        raise bad_search(text, place, message, hint=hint)
    if bad := UNSTORABLE.search(text):
        raise bad_search(text, TextSpan(*bad.span()), "This character is not allowed")
    at = 0
    while at < len(text):
        if blank := _BLANK.match(text, at):
            at = blank.end()
        elif text[at] in "()":
            yield Mark(text[at], TextSpan(at, at + 1))
            at += 1
        else:
            try:
                token = _word(text, at)
            except BadSearch as error:
                if found is None:
                    raise
                found.append(error)
                if len(found) == MISTAKES_MAX:
                    return
                token = Term("", "", "", TextSpan(at, max(error.span[1], at + 1)))
            yield token
            at = token.place.end


def _word(text: str, start: int) -> Token:
    at, keyword, operator = start, "", ""
    if text[at] not in OPENING and (named := _KEYWORD.match(text, at)):
        keyword, at = named[1], named.end()
        _refuse_foreign(text, start, keyword, at)
        if sign := _OPERATOR.match(text, at):
            operator, at = sign[0], sign.end()
    values = _values(text, start, at, keyword, operator)
    end = values[-1].place.end
    if end < len(text) and not (text[end].isspace() or text[end] in "()"):
        _refuse_rest(text, end)
    place = TextSpan(start, end)
    if len(values) > 1:
        return Listed(tuple(values), place)
    value, is_quoted = values[0].value, values[0].is_quoted
    if not keyword and not is_quoted and value.upper() in _MARKS:
        return Mark(value.upper(), place)
    if is_quoted and keyword and not operator and (sign := _OPERATOR.match(value)):
        # The quotes may include the operator: first_seen:"<2weeks".
        operator, value = sign[0], value[sign.end() :]
    if keyword and not value and not operator and not is_quoted:
        _refuse_nothing(text, place, keyword)
    if not is_quoted and not keyword and value[0:1] == ":" and value[1:2] != ":":
        _refuse_space(text, place, value)
    if not keyword and not value:
        raise bad_search(text, place, "There is no word between the quotes", hint="Remove the quotes.", instead="")
    # `keyword:""` means the same as `keyword:=`.
    return Term(keyword, operator or ("=" if keyword and not value else ""), value, place, is_quoted)


def _values(text: str, start: int, at: int, keyword: str, operator: str) -> list[Term]:
    """Read one value or, after a keyword, several separated by commas."""
    found = []
    while True:
        value, is_quoted, end = _value(text, at, _ELEMENT if keyword else _BARE)
        found.append(Term(keyword, operator, value, TextSpan(at, end), is_quoted, is_element=True))
        if not keyword or text[end : end + 1] != ",":
            break
        at = end + 1
    if len(found) > 1 and not all(one.value for one in found):
        values = [text[one.place.start : one.place.end] for one in found if one.value]
        end = found[-1].place.end
        if not found[-1].value and (following := _NEXT_WORD.match(text, end)) and not _is_mark(following[1]):
            values.append(following[1])
            end = following.end()
        instead = f"{keyword}:{operator}{','.join(values)}" if values else None
        hint = "Separate values by a comma without blanks: port:22,80. Quote a value that contains a comma."
        raise bad_search(text, TextSpan(start, end), "A value is missing beside a comma", hint=hint, instead=instead)
    return found


def _value(text: str, at: int, bare: re.Pattern[str]) -> tuple[str, bool, int]:
    """Read one value. Return its text, whether it was quoted, and its end."""
    opening = text[at : at + 1]
    if opening in OPENING and opening:
        quoted = QUOTED[opening].match(text, at)
        if quoted is None:
            _refuse_open(text, at)
        # Store a double quote with a backslash, which it does not need inside other quotes.
        return escape_quotes(quoted[1]), True, quoted.end()
    found = bare.match(text, at)
    return (found[0], False, found.end()) if found else ("", False, at)


def escape_quotes(text: str) -> str:
    """Put a backslash before each double quote that has none."""
    return _UNESCAPED.sub(lambda found: found[1] or '\\"', text)


def _refuse_open(text: str, at: int) -> NoReturn:
    """Refuse an unclosed quote.

    Raises:
        BadSearch: always.
    """
    if text[at] in _SINGLE:
        end = found.end() if (found := _BARE.match(text, at + 1)) else at + 1
        hint = f"Put a word that begins with {text[at]} in double quotes."
        instead: str | None = quote_bare(text[at:end])
    else:
        hint, rest, end = 'Write \\" for a quote in a value.', text[at + 1 :], len(text)
        instead = f'"{escape_quotes(rest)}"' if rest.strip() and not rest.endswith("\\") else None
    raise bad_search(text, TextSpan(at, end), "The closing quote is missing", hint=hint, instead=instead)


def _is_mark(word: str) -> bool:
    return word.upper() in _MARKS


def _refuse_foreign(text: str, start: int, keyword: str, at: int) -> None:
    """Refuse an operator or a list in the notation of another language.

    Raises:
        BadSearch: one follows the colon.
    """
    if sign := _FOREIGN_SIGN.match(text, at):
        value, _, end = _value(text, sign.end(), _BARE)
        meant = SIGNS[sign[0]]
        negation, operator = (meant, "") if meant == "NOT " else ("", meant)
        instead = f"{negation}{keyword}:{operator}{text[sign.end() : end]}" if value else None
        suggested = f"{negation}{keyword}:{operator}{shown(text[sign.end() : end]) or 'value'}"
        hint = f"Write {suggested}; to search for {sign[0]} itself, quote it."
        raise bad_search(
            text, TextSpan(start, end), f"{sign[0]} is not an operator of this language", hint=hint, instead=instead
        )
    if inside := _BRACKETS.match(text, at):
        _refuse_brackets(text, TextSpan(start, inside.end()), keyword, next(filter(None, inside.groups()), "").strip())


def _refuse_brackets(text: str, place: TextSpan, keyword: str, inner: str) -> None:
    message = "A list of values takes no brackets"
    if _ALL.fullmatch(inner):
        instead = " AND ".join(f"{keyword}:{word}" for word in inner.split()[::2])
        raise bad_search(text, place, message, hint=f"Write ({shown(instead)}).", instead=f"({instead})")
    if _COMBINED.search(inner):
        return
    if _RANGE.search(inner):
        hint = f"Write two terms, {shown(keyword)}:>=value and {shown(keyword)}:<=value."
        raise bad_search(text, place, message, hint=hint)
    instead = f"{keyword}:{values_in(inner) or '='}"
    hint = f"Write {shown(instead)} for any of these values."
    raise bad_search(text, place, message, hint=hint, instead=instead)


def values_in(inner: str) -> str:
    """Convert the inside of another language's list, separated by commas or ORs, to values of a list here."""
    found = (one for one in _INNER.findall(inner) if one.upper() != "OR")
    return ",".join(filter(None, (quote_bare(one.removeprefix("OR ").removeprefix("or ")) for one in found)))


def quote_bare(word: str) -> str:
    """Quote a text that is to be one value, if it needs quotes."""
    word = word.strip()
    if len(word) > 1 and word[-1] in (_DOUBLE | _SINGLE).get(word[0], ""):
        word = word[1:-1]
    if not word or re.fullmatch(r"[\w.%@:/+-]+", word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _refuse_nothing(text: str, place: TextSpan, keyword: str) -> None:
    """Refuse a keyword without a value."""
    keyword = shown(keyword)
    missing = f"For a missing value write {keyword}:= instead."
    hint, instead, end = missing, None, place.end
    if text[end : end + 1] == "(":
        hint = f"Repeat the keyword: ({keyword}:one OR {keyword}:another). A value with parentheses needs quotes."
    elif (following := _NEXT_WORD.match(text, end)) and not _is_mark(following[1]):
        hint = f"Write {keyword}:{shown(following[1])} without the space. {missing}"
        instead, end = text[place.start : end] + following[1], following.end()
    else:
        instead = text[place.start : end] + "="
    place = TextSpan(place.start, end)
    raise bad_search(
        text, place, "A value is missing after the colon", hint=hint, instead=instead, expected=["a value"]
    )


def _refuse_space(text: str, place: TextSpan, value: str) -> None:
    """Refuse a colon after a blank."""
    before = "".join(text[: place.start].split()[-1:])
    is_named = before.isidentifier()
    suggested = f"{shown(before) if is_named else 'keyword'}{shown(value)}"
    start = text.rindex(before, 0, place.start) if is_named else place.start
    hint = f"Write {suggested} without the space; quote a text that begins with a colon."
    raise bad_search(
        text,
        TextSpan(start, place.end),
        "A keyword is missing before the colon",
        hint=hint,
        instead=before + value if is_named and len(value) > 1 else None,
        expected=[suggested],
    )


def _refuse_rest(text: str, at: int) -> None:
    place = TextSpan(at, at + 1)
    if text[at] == "\\":
        raise bad_search(text, place, "Nothing follows the backslash", hint="Write \\\\ for a backslash.", instead="")
    if text.count('"', at) == 1:
        hint = 'Write \\" for a quote in a value.'
        raise bad_search(text, TextSpan(at, len(text)), "The closing quote is missing", hint=hint)
    hint = "Quotes must enclose the whole value."
    raise bad_search(text, place, "A space is missing between two terms", hint=hint, instead=" " + text[at])
