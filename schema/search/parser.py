"""Parses search texts: terms joined by AND, OR and NOT. Reports each mistake with its position.

query := or ; or := and (OR and)* ; and := not (AND? not)* ; not := NOT not | ( query ) | term
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schema.search.token import MISTAKES_MAX, AnyTerm, Listed, Mark, Term, TextSpan, Token, bad_search, tokens
from sync.errors import BadSearch

# Each value of a list counts.
TERMS_MAX = 200
NESTING_MAX = 10


@dataclass(frozen=True)
class Joined:
    """At least two parts: all (AND) or any (OR) must hold. No part is itself joined by the same operator."""

    operator: Literal["AND", "OR"]
    parts: tuple[Syntax, ...]


@dataclass(frozen=True)
class Negated:
    """A part that must not hold."""

    part: Syntax


Syntax = AnyTerm | Joined | Negated


def parse(text: str) -> Syntax | None:
    """Parse a search text; None if it is empty.

    Raises:
        BadSearch: the first mistake, with its position and the texts expected there.
    """
    syntax, found = attempt(text)
    if found:
        raise found[0]
    return syntax


def attempt(text: str) -> tuple[Syntax | None, list[BadSearch]]:
    """Parse a search text as far as possible, and list its mistakes in text order.

    An empty term replaces each wrong or missing one.
    """
    found: list[BadSearch] = []
    try:
        parser = _Parser(text, found)
        syntax = parser.query() if parser.tokens else None
    except BadSearch as error:
        return None, sorted([*found, error], key=lambda one: one.span)
    return syntax, sorted(found, key=lambda one: one.span)


class _Parser:
    def __init__(self, text: str, found: list[BadSearch]) -> None:
        self.text, self.found = text, found
        self.tokens: list[Token] = list(tokens(text, found))
        self.at = 0
        number = 0
        for token in self.tokens:
            number += len(token.terms) if isinstance(token, Listed) else isinstance(token, Term)
            if number > TERMS_MAX:
                hint = "For long lists use `where`: `in` takes 1,000 values."
                raise bad_search(text, token.place, f"The search has more than {TERMS_MAX} terms", hint=hint)

    def query(self) -> Syntax:
        found = self._or(0)
        while self.at < len(self.tokens):
            hint = "Remove it, or add the opening one; quote a value that contains a parenthesis."
            place = self.tokens[self.at].place
            self._record(bad_search(self.text, place, "This parenthesis closes nothing", hint=hint, instead=""))
            self.at += 1
            self.at += self._next() in ("AND", "OR")
            if self._next() not in ("end", ")"):
                found = _join("AND", [found, self._or(0)])
        return found

    def _next(self) -> str:
        """Return the next mark: empty for a term, `end` after the last token."""
        if self.at == len(self.tokens):
            return "end"
        token = self.tokens[self.at]
        return token.text if isinstance(token, Mark) else ""

    def _or(self, depth: int) -> Syntax:
        parts = [self._and(depth)]
        while self._next() == "OR":
            self.at += 1
            parts.append(self._and(depth))
        return _join("OR", parts)

    def _and(self, depth: int) -> Syntax:
        parts = [self._not(depth)]
        while (mark := self._next()) in ("", "AND", "NOT", "("):
            self.at += mark == "AND"
            parts.append(self._not(depth))
        return _join("AND", parts)

    def _not(self, depth: int) -> Syntax:
        mark = self._next()
        if mark in ("end", ")", "AND", "OR"):
            return self._missing(mark)
        token = self.tokens[self.at]
        self.at += 1
        if not isinstance(token, Mark):
            return token
        if depth == NESTING_MAX:
            hint = "NOT and parentheses each count as a level; remove redundant ones."
            raise bad_search(
                self.text, token.place, f"The search is nested more than {NESTING_MAX} levels deep", hint=hint
            )
        if mark == "NOT":
            return Negated(self._not(depth + 1))
        inner = self._or(depth + 1)
        if self._next() != ")":
            self._unclosed(token.place)
            return inner
        self.at += 1
        return inner

    def _missing(self, mark: str) -> Term:
        """Record a missing term before the next token; return an empty one."""
        end = TextSpan(len(self.text), len(self.text))
        place = end if mark == "end" else self.tokens[self.at].place
        message = f"{'The search ends' if mark == 'end' else f'{mark} stands'} where a term is expected"
        hint = "A term is keyword:value or a word. To search for the words AND, OR and NOT, put them in quotes."
        error = bad_search(self.text, place, message, hint=hint, expected=["a term", "NOT", "("])
        before = self.tokens[self.at - 1].place if self.at else place
        # Remove the token that lacks a term: before the end and `)` the previous token, else the mark itself.
        cut = TextSpan(place.start if mark in ("AND", "OR") else before.start, place.end)
        if mark == ")" and not self._opens(self.at - 1):
            cut = before
        error.repaired = (self.text[: cut.start].rstrip() + self.text[cut.end :]).lstrip()
        self._record(error)
        return Term("", "", "", TextSpan(place.start, place.start))

    def _record(self, error: BadSearch) -> None:
        """Record a mistake and continue.

        Raises:
            BadSearch: the mistake, if it is the last one to report.
        """
        if len(self.found) >= MISTAKES_MAX - 1:
            raise error
        self.found.append(error)

    def _opens(self, at: int) -> bool:
        token = self.tokens[at] if at >= 0 else None
        return isinstance(token, Mark) and token.text == "("

    def _unclosed(self, place: TextSpan) -> None:
        hint = "Add ) after the last term inside it."
        error = bad_search(self.text, place, "This parenthesis is not closed", hint=hint, expected=[")"])
        error.repaired = self.text.rstrip() + ")"
        self._record(error)


def _join(operator: Literal["AND", "OR"], parts: list[Syntax]) -> Syntax:
    if len(parts) == 1:
        return parts[0]
    flat: list[Syntax] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Joined) and part.operator == operator else [part])
    return Joined(operator, tuple(flat))
