"""Prints a parsed search in normal form, from which parsing makes the same tree."""

from __future__ import annotations

import re
from typing import Any

from schema.search.parser import Joined, Negated, Syntax
from schema.search.token import FOREIGN, OPENING, Listed, Term, escape_quotes, units

# A value that needs no quotes: it has no character that is syntax here or in other languages.
_PLAIN = re.compile(r'(?:[^\s()"\\:<>=*&|!,~^≠≥≤\[\]{}]|\\[^\s()"])+', re.DOTALL)
_SPECIAL, _QUOTED_SPECIAL = re.compile(r'[\\"%_]'), re.compile(r'[\\"]')
_SIGNS = ("=", "<", ">")
NOTHING_WORDS = {"none", "null", "nil", "empty", "missing", "undefined", "n/a", "not"}


def print_search(syntax: Syntax | None) -> str:
    """Write a search in its normal form."""
    if syntax is None:
        return ""
    match syntax:
        case Term():
            return _prefix(syntax) + print_value(syntax)
        case Listed(terms):
            return _prefix(terms[0]) + ",".join(map(print_value, terms))
        case Negated(part):
            return f"NOT {_inner(part)}"
        case Joined(operator, parts):
            # AND binds tighter than OR; only an OR inside an AND needs parentheses.
            texts = (_inner(part) if operator == "AND" else print_search(part) for part in parts)
            return f" {operator} ".join(texts)


def _inner(part: Syntax) -> str:
    text = print_search(part)
    return f"({text})" if isinstance(part, Joined) else text


def _prefix(term: Term) -> str:
    return f"{term.keyword}:{term.operator}" if term.keyword else ""


def print_value(term: Term) -> str:
    """Write the value of a term, quoted if needed."""
    value = term.value
    words = NOTHING_WORDS if term.keyword else FOREIGN | {"and", "or", "not"}
    if not value:
        return "" if term.keyword else '""'
    if _PLAIN.fullmatch(value) and value.casefold() not in words and value[0] not in OPENING:
        return value
    return f'"{escape_quotes(value)}"'


def literal_term(keyword: str, operator: str, value: str, *, is_text: bool = True) -> Term:
    """Make the term that searches for a literal value: escape wildcards, quotes and a leading operator.

    Args:
        keyword: empty for a word without keyword.
        operator: one of those of a term, or empty.
        value: without quotes.
        is_text: whether `%` and `_` are wildcards for the keyword.
    """
    written = (_SPECIAL if is_text else _QUOTED_SPECIAL).sub(r"\\\g<0>", value)
    if written[:1] in _SIGNS and not operator:
        written = f"\\{written}"
    return Term(keyword, operator, written)


def tree(text: str, syntax: Syntax | None) -> Any:
    """Return a search as JSON: `{and: [...]}`, `{or: [...]}`, `{not: ...}`, or a term with its position; None if empty.

    A list of values is an `or` with a term for each value.
    """
    match syntax:
        case Term(keyword, operator, value, place):
            found: dict[str, Any] = {"keyword": keyword or None, "operator": operator or None, "value": value}
            length = units(text[place.start : place.end])
            return found | {"offset": units(text[: place.start]), "length": length}
        case Listed(terms):
            return {"or": [tree(text, term) for term in terms]}
        case Negated(part):
            return {"not": tree(text, part)}
        case Joined(operator, parts):
            return {operator.lower(): [tree(text, part) for part in parts]}
        case None:
            return None
