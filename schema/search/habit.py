"""Words that other query languages would read as operators: refused with what to write, never looked for in silence."""

from __future__ import annotations

import re

from schema.field.registry import Noun
from schema.search.table import find
from schema.search.token import FOREIGN
from schema.search.value import Reading
from schema.suggestion import shown

_JOINED = {"&&": "AND", "&": "AND", "||": "OR", "|": "OR", "!": "NOT"}
_COMPARED = re.compile(r"(@?[A-Za-z][\w.]*)(==|!=|<>|<=|>=|=|<|>)(.*)", re.DOTALL)
_SIGNS = {"==": "=", "=": "=", "!=": "=", "<>": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_SIGNS |= {word: "" if word in ("like", "ilike", "contains") else "=" for word in FOREIGN}
_NEGATED = {"!=", "<>", "ne"}


def refuse_habit(noun: Noun, reading: Reading) -> None:
    """Refuse a word that is meant as an operator, or that begins a comparison; in quotes it is looked for.

    Raises:
        BadSearch: it is one.
    """
    word = reading.term.value
    if reading.is_quoted:
        return
    if word in _JOINED:
        reading.refuse(f"{word} does not join terms", hint=f'Write {_JOINED[word]}; "{word}" in quotes is looked for.')
    if (found := _COMPARED.fullmatch(word)) and find(noun, found[1]):
        _refuse(reading, found[1], found[2], found[3])
    following = reading.following()
    if following.casefold() in _SIGNS and find(noun, word):
        _refuse(reading, word, following.casefold(), "")


def _refuse(reading: Reading, keyword: str, sign: str, value: str) -> None:
    negation = "NOT " if sign in _NEGATED else ""
    said = f"{negation}{keyword}:{_SIGNS[sign]}{shown(value) or 'value'}"
    quoted = f'"{shown(reading.term.value)}"'
    hint = f"Write {said}, or {keyword}:= for a missing value. {quoted} in quotes is looked for."
    reading.refuse(f"A colon is missing behind the keyword {shown(keyword)}", hint=hint)
