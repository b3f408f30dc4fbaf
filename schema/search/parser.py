"""The grammar of search texts: terms joined by AND, OR and NOT, with the places of mistakes.

query := or ; or := and (OR and)* ; and := not (AND? not)* ; not := NOT not | ( query ) | term
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schema.search.token import Mark, Term, TextSpan, Token, bad_search, tokens

TERMS_MAX = 100
NESTING_MAX = 10


@dataclass(frozen=True)
class Joined:
    """At least two parts, of which all (AND) or some (OR) must hold; no part is joined in the same way."""

    operator: Literal["AND", "OR"]
    parts: tuple[Syntax, ...]


@dataclass(frozen=True)
class Negated:
    """A part that must not hold."""

    part: Syntax


Syntax = Term | Joined | Negated


def parse(text: str) -> Syntax | None:
    """Read a search text; None if there is nothing in it.

    Raises:
        BadSearch: says where the mistake is and what could stand there.
    """
    parser = _Parser(text)
    return parser.query() if parser.tokens else None


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = list(tokens(text))
        self.at = 0
        terms = [token for token in self.tokens if isinstance(token, Term)]
        if len(terms) > TERMS_MAX:
            hint = "Long lists are asked for with `where`: `in` takes 1,000 values."
            raise bad_search(text, terms[TERMS_MAX].place, f"The search has more than {TERMS_MAX} terms", hint=hint)

    def query(self) -> Syntax:
        found = self._either(0)
        if self.at < len(self.tokens):
            hint = "Leave it out, or open it before; a parenthesis in a value needs quotes round the value."
            raise bad_search(self.text, self.tokens[self.at].place, "This parenthesis closes nothing", hint=hint)
        return found

    def _next(self) -> str:
        """Return the mark that comes next: empty for a term, `end` behind the last token."""
        if self.at == len(self.tokens):
            return "end"
        token = self.tokens[self.at]
        return token.text if isinstance(token, Mark) else ""

    def _either(self, depth: int) -> Syntax:
        parts = [self._all(depth)]
        while self._next() == "OR":
            self.at += 1
            parts.append(self._all(depth))
        return _join("OR", parts)

    def _all(self, depth: int) -> Syntax:
        parts = [self._one(depth)]
        while (mark := self._next()) in ("", "AND", "NOT", "("):
            self.at += mark == "AND"
            parts.append(self._one(depth))
        return _join("AND", parts)

    def _one(self, depth: int) -> Syntax:
        mark = self._next()
        if mark in ("end", ")", "AND", "OR"):
            place = TextSpan(len(self.text), len(self.text)) if mark == "end" else self.tokens[self.at].place
            found = "The search ends" if mark == "end" else f"{mark} stands"
            expected = ["a term", "NOT", "("]
            hint = "A term is keyword:value or a word. AND, OR and NOT themselves are looked for in quotes."
            raise bad_search(self.text, place, f"{found} where a term is expected", hint=hint, expected=expected)
        token = self.tokens[self.at]
        self.at += 1
        if isinstance(token, Term):
            return token
        if depth == NESTING_MAX:
            hint = "NOT and parentheses each count; leave out those that change nothing."
            raise bad_search(
                self.text, token.place, f"The search is nested more than {NESTING_MAX} levels deep", hint=hint
            )
        if mark == "NOT":
            return Negated(self._one(depth + 1))
        inner = self._either(depth + 1)
        if self._next() != ")":
            hint = "Close it with ) behind the last term it is about."
            raise bad_search(self.text, token.place, "This parenthesis is not closed", hint=hint, expected=[")"])
        self.at += 1
        return inner


def _join(operator: Literal["AND", "OR"], parts: list[Syntax]) -> Syntax:
    if len(parts) == 1:
        return parts[0]
    flat: list[Syntax] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Joined) and part.operator == operator else [part])
    return Joined(operator, tuple(flat))
