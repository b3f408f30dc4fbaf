"""Turns a parsed search into an expression over an inventory, and lists its mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from schema.field.registry import NOUNS, Noun
from schema.filter.expr import EVERYTHING, NOTHING, And, Expr, Not, Or, either
from schema.search.foreign import refuse_foreign_word, refuse_value, resolved
from schema.search.parser import Joined, Negated, Syntax, attempt
from schema.search.token import MISTAKES_MAX, AnyTerm, Listed, Term
from schema.search.value import Reading, condition
from schema.search.vocabulary.keyword import Keyword
from schema.search.vocabulary.table import text_keywords
from sync.errors import BadSearch


@dataclass(frozen=True)
class Searched:
    """The meaning of a search text.

    Args:
        expr: the condition on the inventory's rows.
        unknown: the unknown terms as typed; they match nothing.
    """

    expr: Expr
    unknown: tuple[str, ...] = ()


def parse_search(noun: str, text: str) -> Expr:
    """Turn a search text into an expression over a noun; an empty text matches everything.

    Raises:
        BadSearch: the first mistake, with its position, the texts expected there and similar keywords.
    """
    return read_search(noun, text).expr


@lru_cache(maxsize=256)
def read_search(noun: str, text: str, *, takes_unknown: bool = False) -> Searched:
    """Turn a search text into an expression over a noun; with `takes_unknown`, list its unknown terms.

    Raises:
        BadSearch: the first mistake. Unknown terms are mistakes without `takes_unknown`, and always under NOT and OR.
    """
    (syntax, found), unknown = attempt(text), list[str]()
    if found:
        # Collect all mistakes: a check for another language's notation gives a better hint than the parser.
        raise mistakes(NOUNS[noun], text)[1][0]
    if syntax is None:
        return Searched(EVERYTHING)
    expr = meaning(NOUNS[noun], text, syntax, unknown if takes_unknown else None)
    return Searched(expr, tuple(unknown))


def meaning(noun: Noun, text: str, syntax: Syntax, unknown: list[str] | None = None) -> Expr:
    """Turn a parsed search into an expression.

    Args:
        noun: the inventory to search.
        text: the whole search text.
        syntax: the part to convert.
        unknown: collects unknown terms, which then match nothing; None makes them mistakes.

    Raises:
        BadSearch: a keyword or a value is wrong.
    """
    match syntax:
        case Term() | Listed():
            try:
                return _condition(noun, text, syntax)
            except BadSearch as error:
                # An unknown value in a list is a mistake, because OR joins the values.
                is_whole = error.span == (syntax.place.start, syntax.place.end)
                if unknown is None or not error.is_unknown or not is_whole:
                    raise
                unknown.append(text[syntax.place.start : syntax.place.end])
                return NOTHING
        case Negated(part):
            # Unknown terms are mistakes under NOT and OR: they would match everything, or the other parts.
            return Not(meaning(noun, text, part))
        case Joined("AND", parts):
            return And(tuple(meaning(noun, text, part, unknown) for part in parts))
        case Joined(_, parts):
            return either(meaning(noun, text, part) for part in parts)


def mistakes(noun: Noun, text: str) -> tuple[Syntax | None, list[BadSearch]]:
    """Parse a search text as far as possible, and list all its mistakes in text order."""
    syntax, found = attempt(text)
    for one in terms_of(syntax):
        if len(found) >= MISTAKES_MAX:
            break
        if not any(error.span[0] <= one.place.start < error.span[1] for error in found):
            found += _mistakes(noun, text, one)
    reported: list[BadSearch] = []
    for error in sorted(found, key=lambda one: (one.span[0], -one.span[1])):
        # Skip mistakes inside another one.
        if not reported or error.span[0] >= reported[-1].span[1]:
            reported.append(error)
    return syntax, reported[:MISTAKES_MAX]


def _mistakes(noun: Noun, text: str, one: AnyTerm) -> list[BadSearch]:
    """List the mistakes of a term, or of each value in a list."""
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


def terms_of(syntax: Syntax | None) -> list[AnyTerm]:
    """List the terms of a parsed search in text order; a list of values is one term."""
    match syntax:
        case Term("", _, ""):
            return []
        case Term() | Listed():
            return [syntax]
        case Negated(part):
            return terms_of(part)
        case Joined(_, parts):
            return [term for part in parts for term in terms_of(part)]
    return []


def _condition(noun: Noun, text: str, one: AnyTerm) -> Expr:
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
    """Search for a word in the inventory's main texts."""
    refuse_foreign_word(noun, reading)
    found = [condition(field, noun.prefix, reading) for field in noun.filterable().values() if field.is_text]
    found += [keyword.read(reading) for keyword in text_keywords(noun.name)]
    if not found:
        reading.refuse("This inventory has no text fields to search for a word", ["keyword:value"])
    return Or(tuple(found))
