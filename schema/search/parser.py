"""The grammar of search texts: terms joined by AND, OR and NOT, with the places of mistakes.

query := or ; or := and (OR and)* ; and := not (AND? not)* ; not := NOT not | ( query ) | term
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schema.search.token import MISTAKES_MAX, Listed, Mark, Term, TextSpan, Token, Written, bad_search, tokens
from sync.errors import BadSearch

# Each value of a list counts.
TERMS_MAX = 200
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


Syntax = Written | Joined | Negated


def parse(text: str) -> Syntax | None:
    """Read a search text; None if there is nothing in it.

    Raises:
        BadSearch: says where the first mistake is and what could stand there.
    """
    syntax, found = attempt(text)
    if found:
        raise found[0]
    return syntax


def attempt(text: str) -> tuple[Syntax | None, list[BadSearch]]:
    """Read a search text as far as it can be understood, and list its mistakes in their order.

    Where a term is wrong or missing, an empty one stands.
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
                hint = "Long lists are asked for with `where`: `in` takes 1,000 values."
                raise bad_search(text, token.place, f"The search has more than {TERMS_MAX} terms", hint=hint)

    def query(self) -> Syntax:
        found = self._either(0)
        while self.at < len(self.tokens):
            hint = "Leave it out, or open it before; a parenthesis in a value needs quotes round the value."
            place = self.tokens[self.at].place
            self._note(bad_search(self.text, place, "This parenthesis closes nothing", hint=hint, instead=""))
            self.at += 1
            self.at += self._next() in ("AND", "OR")
            if self._next() not in ("end", ")"):
                found = _join("AND", [found, self._either(0)])
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
            return self._missing(mark)
        token = self.tokens[self.at]
        self.at += 1
        if not isinstance(token, Mark):
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
            self._unclosed(token.place)
            return inner
        self.at += 1
        return inner

    def _missing(self, mark: str) -> Term:
        """Note that a term is missing before what comes next; return an empty one in its place."""
        end = TextSpan(len(self.text), len(self.text))
        place = end if mark == "end" else self.tokens[self.at].place
        message = f"{'The search ends' if mark == 'end' else f'{mark} stands'} where a term is expected"
        hint = "A term is keyword:value or a word. AND, OR and NOT themselves are looked for in quotes."
        error = bad_search(self.text, place, message, hint=hint, expected=["a term", "NOT", "("])
        before = self.tokens[self.at - 1].place if self.at else place
        # What joins or opens nothing is left out: before the end and ) what stands there, else the mark itself.
        cut = TextSpan(place.start if mark in ("AND", "OR") else before.start, place.end)
        if mark == ")" and not self._opens(self.at - 1):
            cut = before
        error.repaired = (self.text[: cut.start].rstrip() + self.text[cut.end :]).lstrip()
        self._note(error)
        return Term("", "", "", TextSpan(place.start, place.start))

    def _note(self, error: BadSearch) -> None:
        """Note a mistake and go on, unless there are enough.

        Raises:
            BadSearch: the mistake, if it is the last one that is told.
        """
        if len(self.found) >= MISTAKES_MAX - 1:
            raise error
        self.found.append(error)

    def _opens(self, at: int) -> bool:
        token = self.tokens[at] if at >= 0 else None
        return isinstance(token, Mark) and token.text == "("

    def _unclosed(self, place: TextSpan) -> None:
        hint = "Close it with ) behind the last term it is about."
        error = bad_search(self.text, place, "This parenthesis is not closed", hint=hint, expected=[")"])
        error.repaired = self.text.rstrip() + ")"
        self._note(error)


def _join(operator: Literal["AND", "OR"], parts: list[Syntax]) -> Syntax:
    if len(parts) == 1:
        return parts[0]
    flat: list[Syntax] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Joined) and part.operator == operator else [part])
    return Joined(operator, tuple(flat))
