"""A parsed search as text again: in one form, from which parsing makes the same tree."""

from __future__ import annotations

import re
from typing import Any

from schema.search.parser import Joined, Negated, Syntax
from schema.search.token import FOREIGN, Term

_PLAIN = re.compile(r'(?:[^\s()"\\:<>=*&|!]|\\[^\s()"])+', re.DOTALL)
_QUOTE = re.compile(r'(\\.)|"', re.DOTALL)


def print_search(syntax: Syntax | None) -> str:
    """Write a search in its normal form."""
    if syntax is None:
        return ""
    match syntax:
        case Term():
            return _term(syntax)
        case Negated(part):
            return f"NOT {_inner(part)}"
        case Joined(operator, parts):
            # AND binds tighter than OR; only an OR inside an AND needs parentheses.
            texts = (_inner(part) if operator == "AND" else print_search(part) for part in parts)
            return f" {operator} ".join(texts)


def _inner(part: Syntax) -> str:
    text = print_search(part)
    return f"({text})" if isinstance(part, Joined) else text


def _term(term: Term) -> str:
    lead = f"{term.keyword}:{term.operator}" if term.keyword else ""
    return lead + _value(term)


def _value(term: Term) -> str:
    value = term.value
    is_mark = not term.keyword and (value.upper() in ("AND", "OR", "NOT") or value.casefold() in FOREIGN)
    if not value:
        return "" if term.keyword else '""'
    if _PLAIN.fullmatch(value) and not is_mark:
        return value
    return f'"{_QUOTE.sub(_escape, value)}"'


def _escape(found: re.Match[str]) -> str:
    """Put a backslash before a quote that has none; quotes in a bare value always have one."""
    return found[1] or '\\"'


def tree(syntax: Syntax | None) -> Any:
    """Return a search as JSON: `{and: [...]}`, `{or: [...]}`, `{not: ...}`, or a term with its place; None if empty."""
    match syntax:
        case Term(keyword, operator, value, place):
            found: dict[str, Any] = {"keyword": keyword or None, "operator": operator or None, "value": value}
            return found | {"offset": place.start, "length": place.end - place.start}
        case Negated(part):
            return {"not": tree(part)}
        case Joined(operator, parts):
            return {operator.lower(): [tree(part) for part in parts]}
        case None:
            return None
