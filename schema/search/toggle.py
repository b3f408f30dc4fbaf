"""Adds a term to a search text or removes it, and keeps the rest as typed."""

from __future__ import annotations

from schema.field.registry import NOUNS, TEXTS
from schema.search.meaning import meaning, read_search
from schema.search.print import literal_term, print_search
from schema.search.token import Listed, Mark, Term, Token, tokens
from schema.search.vocabulary.table import find
from sync.errors import BadInput

OPERATORS = ("", "=", "<", "<=", ">", ">=")


def toggle_term(noun: str, text: str, keyword: str, value: str, operator: str) -> str:
    """Add a term by AND, or remove it if every match already has to satisfy it.

    Args:
        noun: the inventory to search.
        text: the search text.
        keyword: of the term; empty for a word without keyword.
        value: the unquoted value; empty for a missing value.
        operator: `=`, `<`, `<=`, `>`, `>=` or empty.

    Raises:
        BadSearch: the text has mistakes, alone or with this term.
        BadInput: the operator is unknown.
    """
    if operator not in OPERATORS:
        raise BadInput("operator is unknown.", hint="Operators: =, <, <=, >, >=.", path="operator")
    read_search(noun, text)
    term = _term(noun, keyword, value, operator)
    wanted, entry, found = read_search(noun, term).expr, NOUNS[noun], list(tokens(text))
    places = [
        at
        for at in _required(found)
        if isinstance(one := found[at], Term | Listed) and meaning(entry, text, one) == wanted
    ]
    for at in reversed(places):
        text = _without(text, found, at)
    toggled = text.strip() if places else _with(text, found, term)
    read_search(noun, toggled)
    return toggled


def _term(noun: str, keyword: str, value: str, operator: str) -> str:
    """Write a term that searches for the literal value, quoted if needed."""
    known = find(NOUNS[noun], keyword) if keyword else None
    operator = operator or ("=" if keyword and not value else "")
    return print_search(literal_term(keyword, operator, value, is_text=known is None or known.kind in TEXTS))


def _required(found: list[Token]) -> list[int]:
    """List the indexes of the terms that every match must satisfy: joined by AND alone, outside parentheses and NOT."""
    depth, places = 0, list[int]()
    for at, token in enumerate(found):
        if isinstance(token, Mark):
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.text == "OR" and not depth:
                return []
        elif not depth and not _is_mark(found, at - 1, "NOT"):
            places.append(at)
    return places


def _is_mark(found: list[Token], at: int, text: str) -> bool:
    token = found[at] if 0 <= at < len(found) else None
    return isinstance(token, Mark) and token.text == text


def _without(text: str, found: list[Token], at: int) -> str:
    """Remove a term and its AND; join its neighbours by AND if nothing else separates them."""
    is_last = at == len(found) - 1
    start = at - (is_last and _is_mark(found, at - 1, "AND"))
    end = at + 1 + _is_mark(found, at + 1, "AND")
    before, behind = text[: found[start].place.start].rstrip(), text[found[end - 1].place.end :].lstrip()
    if start > 0 and not is_last and end == at + 1 and not _is_mark(found, at - 1, "AND"):
        found[at] = Mark("AND", found[at].place)
        return f"{before} AND {behind}"
    del found[start:end]
    return before + (" " if before and behind else "") + behind


def _with(text: str, found: list[Token], term: str) -> str:
    if not found:
        return term
    depth = 0
    for token in found:
        if isinstance(token, Mark):
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.text == "OR" and not depth:
                return f"({text.strip()}) AND {term}"
    return f"{text.rstrip()} AND {term}"
