"""From a parsed search to the expression it means over an inventory, and what is wrong with it."""

from __future__ import annotations

from functools import lru_cache

from schema.field.registry import NOUNS, Noun
from schema.filter.expr import EVERYTHING, And, Expr, Not, Or
from schema.search.habit import refuse_habit
from schema.search.parser import Joined, Negated, Syntax, parse
from schema.search.table import known, worded
from schema.search.token import Term
from schema.search.value import Reading, condition
from sync.errors import BadSearch

MISTAKES_MAX = 20


@lru_cache(maxsize=256)
def parse_search(noun: str, text: str) -> Expr:
    """Turn a search text into an expression over a noun; an empty text is everything.

    Raises:
        BadSearch: says where the mistake is, what is expected there, and which keywords are near.
    """
    syntax = parse(text)
    return EVERYTHING if syntax is None else meaning(NOUNS[noun], text, syntax)


def meaning(noun: Noun, text: str, syntax: Syntax) -> Expr:
    """Turn a parsed search into an expression.

    Raises:
        BadSearch: a keyword or a value is unknown.
    """
    match syntax:
        case Term():
            return _term(noun, Reading(text, syntax))
        case Negated(part):
            return Not(meaning(noun, text, part))
        case Joined(operator, parts):
            found = tuple(meaning(noun, text, part) for part in parts)
            return And(found) if operator == "AND" else Or(found)


def mistakes(noun: Noun, text: str) -> tuple[Syntax | None, list[BadSearch]]:
    """Parse a search text and list what is wrong with it, in the order of the text."""
    try:
        syntax = parse(text)
    except BadSearch as error:
        return None, [error]
    found = []
    for term in terms(syntax):
        try:
            _term(noun, Reading(text, term))
        except BadSearch as error:
            found.append(error)
        if len(found) == MISTAKES_MAX:
            break
    return syntax, found


def terms(syntax: Syntax | None) -> list[Term]:
    """List the terms of a parsed search, in the order of the text."""
    match syntax:
        case Term():
            return [syntax]
        case Negated(part):
            return terms(part)
        case Joined(_, parts):
            return [term for part in parts for term in terms(part)]
    return []


def _term(noun: Noun, reading: Reading) -> Expr:
    name = reading.term.keyword
    if not name:
        return _word(noun, reading)
    return known(noun, reading, name).read(reading)


def _word(noun: Noun, reading: Reading) -> Expr:
    """Look for a word in the inventory's main texts."""
    refuse_habit(noun, reading)
    found = [condition(field, noun.prefix, reading) for field in noun.filterable().values() if field.is_text]
    found += [keyword.read(reading) for keyword in worded(noun.name)]
    if not found:
        reading.refuse("This inventory has no text to look for words in", ["keyword:value"])
    return Or(tuple(found))
