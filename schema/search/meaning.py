"""From a parsed search to the expression it means over an inventory, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from schema.field.registry import NOUNS, Noun
from schema.filter.expr import EVERYTHING, NOTHING, And, Expr, Not, Or, either
from schema.search.habit import refuse_habit, refuse_value, resolved
from schema.search.parser import Joined, Negated, Syntax, attempt
from schema.search.token import MISTAKES_MAX, Listed, Term, Written
from schema.search.value import Reading, condition
from schema.search.vocabulary.keyword import Keyword
from schema.search.vocabulary.table import worded
from sync.errors import BadSearch


@dataclass(frozen=True)
class Searched:
    """What a search text means.

    Args:
        expr: over the inventory.
        unknown: the terms, as they were typed, that nothing here answers; they find nothing.
    """

    expr: Expr
    unknown: tuple[str, ...] = ()


def parse_search(noun: str, text: str) -> Expr:
    """Turn a search text into an expression over a noun; an empty text is everything.

    Raises:
        BadSearch: says where the mistake is, what is expected there, and which keywords are near.
    """
    return read_search(noun, text).expr


@lru_cache(maxsize=256)
def read_search(noun: str, text: str, *, takes_unknown: bool = False) -> Searched:
    """Turn a search text into an expression over a noun, and list its unknown terms if they are taken.

    Raises:
        BadSearch: says where the mistake is; an unknown term is one unless it is taken, and under NOT and OR always.
    """
    (syntax, found), unknown = attempt(text), list[str]()
    if found:
        # What looks like a slip of the grammar may be a habit of another language, which knows better what to write.
        raise mistakes(NOUNS[noun], text)[1][0]
    if syntax is None:
        return Searched(EVERYTHING)
    expr = meaning(NOUNS[noun], text, syntax, unknown if takes_unknown else None)
    return Searched(expr, tuple(unknown))


def meaning(noun: Noun, text: str, syntax: Syntax, unknown: list[str] | None = None) -> Expr:
    """Turn a parsed search into an expression.

    Args:
        noun: the inventory that is searched.
        text: the search.
        syntax: the part of it that is meant.
        unknown: takes the terms that nothing here answers, which then find nothing; None if they are mistakes.

    Raises:
        BadSearch: a keyword or a value is unknown.
    """
    match syntax:
        case Term() | Listed():
            try:
                return _written(noun, text, syntax)
            except BadSearch as error:
                # One value of a list is joined to the others by OR.
                is_whole = error.span == (syntax.place.start, syntax.place.end)
                if unknown is None or not error.is_unknown or not is_whole:
                    raise
                unknown.append(text[syntax.place.start : syntax.place.end])
                return NOTHING
        case Negated(part):
            # Without its term, NOT would find everything, and OR the rest: both would be taken for an answer.
            return Not(meaning(noun, text, part))
        case Joined("AND", parts):
            return And(tuple(meaning(noun, text, part, unknown) for part in parts))
        case Joined(_, parts):
            return either(meaning(noun, text, part) for part in parts)


def mistakes(noun: Noun, text: str) -> tuple[Syntax | None, list[BadSearch]]:
    """Read a search text as far as it can be understood, and list what is wrong with it, in the order of the text."""
    syntax, found = attempt(text)
    for one in written(syntax):
        if len(found) >= MISTAKES_MAX:
            break
        if not any(error.span[0] <= one.place.start < error.span[1] for error in found):
            found += _mistakes(noun, text, one)
    told: list[BadSearch] = []
    for error in sorted(found, key=lambda one: (one.span[0], -one.span[1])):
        # What lies inside a mistake is a part of it.
        if not told or error.span[0] >= told[-1].span[1]:
            told.append(error)
    return syntax, told[:MISTAKES_MAX]


def _mistakes(noun: Noun, text: str, one: Written) -> list[BadSearch]:
    """List what is wrong with a term: of a list of values, with each of them."""
    found = []
    try:
        if isinstance(one, Term):
            _term(noun, Reading(text, one))
            return []
        keyword = _keyword_of(noun, text, one)
    except BadSearch as error:
        return [error]
    for term in one.terms:
        try:
            _value(keyword, Reading(text, term))
        except BadSearch as error:
            found.append(error)
    return found


def written(syntax: Syntax | None) -> list[Written]:
    """List the terms of a parsed search, in the order of the text; a list of values is one."""
    match syntax:
        case Term("", _, ""):
            return []
        case Term() | Listed():
            return [syntax]
        case Negated(part):
            return written(part)
        case Joined(_, parts):
            return [term for part in parts for term in written(part)]
    return []


def _written(noun: Noun, text: str, one: Written) -> Expr:
    if isinstance(one, Term):
        return _term(noun, Reading(text, one))
    keyword = _keyword_of(noun, text, one)
    return either(_value(keyword, Reading(text, term)) for term in one.terms)


def _keyword_of(noun: Noun, text: str, listed: Listed) -> Keyword:
    first = listed.terms[0]
    whole = Reading(text, Term(first.keyword, first.operator, first.value, listed.place, first.is_quoted))
    whole.refuse_thousands()
    return resolved(noun, whole)


def _term(noun: Noun, reading: Reading) -> Expr:
    if not reading.term.keyword:
        return _word(noun, reading)
    return _value(resolved(noun, reading), reading)


def _value(keyword: Keyword, reading: Reading) -> Expr:
    if not keyword.uncollected:
        refuse_value(keyword, reading)
    return keyword.read(reading)


def _word(noun: Noun, reading: Reading) -> Expr:
    """Look for a word in the inventory's main texts."""
    refuse_habit(noun, reading)
    found = [condition(field, noun.prefix, reading) for field in noun.filterable().values() if field.is_text]
    found += [keyword.read(reading) for keyword in worded(noun.name)]
    if not found:
        reading.refuse("This inventory has no text to look for words in", ["keyword:value"])
    return Or(tuple(found))
