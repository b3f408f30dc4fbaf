"""Turns a term's value into a condition, by kind of field: text, number, version, time, address, yes or no."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from ipaddress import ip_network
from typing import NoReturn

from schema.field.attribute import ALIASES
from schema.field.ids import decode_id
from schema.field.registry import Field, FieldKind
from schema.field.scalars import STORED_CHARS, bound, parse_duration, parse_time
from schema.filter.expr import EVERYTHING, And, Compare, Expr, Op
from schema.filter.like import escaped
from schema.search.notation import (
    address_range,
    instead_of_address,
    instead_of_number,
    instead_of_star,
    instead_of_time,
    is_one_number,
    mac_text,
)
from schema.search.token import Term, TextSpan, bad_search
from schema.suggestion import did_you_mean, shown
from sync.clock import timestamp
from sync.errors import BadInput
from sync.store.statement.function import folded, version_key

_ORDER = {"<": Op.LT, "<=": Op.LTE, ">": Op.GT, ">=": Op.GTE}
_YES, _NO = {"true", "t", "1", "yes", "y"}, {"false", "f", "0", "no", "n"}
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PIECES = re.compile(r"(\\.|[%_])", re.DOTALL)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_MONTH_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_WORD = re.compile(r"\s+([^\s()]+)")
_SQUEEZED = str.maketrans("", "", "_- ")
FORMS = {
    FieldKind.ID: ["an id"],
    FieldKind.TEXT: ["text", "=text", "text with % and _"],
    FieldKind.VERSION: ["text", "=text", "<1.2.3", "<=1.2.3", ">1.2.3", ">=1.2.3"],
    FieldKind.BOOL: ["true", "false"],
    FieldKind.INT: ["5", "=5", "<5", "<=5", ">5", ">=5"],
    FieldKind.TIME: ["<3days", ">2weeks", "<2026-11-23", ">2026-11-23T04:05:06Z", "2026-11", "now", "0", ">0"],
    FieldKind.ENUM: ["one of its values"],
    FieldKind.LIST: ["text", "=text", "text with % and _"],
    FieldKind.ADDRESSES: ["10.0.0.5", "10.0.0.0/8", "10.0.0.1-10.0.0.20", "text", "=text"],
    FieldKind.NUMBERS: ["5", "=5", "<5", "<=5", ">5", ">=5"],
    FieldKind.SOURCES: ["azuread", "scan"],
}


@dataclass(frozen=True)
class Reading:
    """A term to be read, and the whole search text."""

    text: str
    term: Term

    @cached_property
    def literal(self) -> str:
        """The value without the backslashes that make the next character literal."""
        return _ESCAPED.sub(r"\1", self.term.value)

    @cached_property
    def pattern(self) -> str | None:
        """The value as a LIKE pattern; None if it has no wildcard."""
        pieces = _PIECES.split(self.term.value)
        if all(piece not in ("%", "_") for piece in pieces[1::2]):
            return None
        # Split at wildcards and escaped characters: every second piece is one of them.
        found, run = "", ""
        for at, piece in enumerate(pieces):
            if at % 2 and len(piece) == 1:
                found, run = found + escaped(folded(run)) + piece, ""
            else:
                run += piece[at % 2 :]
        return found + escaped(folded(run))

    @property
    def is_missing(self) -> bool:
        """Whether the term asks for a missing value: `keyword:=`."""
        return self.term.operator == "=" and not self.term.value

    @property
    def quoted(self) -> str:
        """The keyword and value as an error quotes them."""
        return f'{shown(self.term.keyword)}{": " * bool(self.term.keyword)}"{shown(self.literal)}"'

    @property
    def is_quoted(self) -> bool:
        """Whether the value is quoted; a quoted value is not checked for notations of other languages."""
        return self.term.is_quoted

    @property
    def prefix(self) -> str:
        """The keyword with its colon and operator, before the value."""
        return f"{self.term.keyword}:{self.term.operator}" if self.term.keyword else ""

    @property
    def raw(self) -> str:
        """The value as typed, with operator and quotes."""
        start = self.term.place.start
        behind = len(self.term.keyword) + 1 if self.term.keyword and not self.term.is_element else 0
        return self.text[start + behind : self.term.place.end]

    def following(self) -> str:
        """Return the next word after the term; empty if there is none."""
        word = _WORD.match(self.text, self.term.place.end)
        return word[1] if word else ""

    def refuse(
        self,
        message: str,
        expected: Iterable[str] = (),
        *,
        hint: str | None = None,
        instead: str | None = None,
        end: int | None = None,
        is_unknown: bool = False,
        **facts: object,
    ) -> NoReturn:
        """Refuse the term.

        Args:
            message: the mistake.
            expected: texts that would be valid there.
            hint: how to fix it; the default is made from `instead` or `expected`.
            instead: the replacement for the term.
            end: the end of the mistake, if it reaches beyond the term.
            is_unknown: whether the term's keyword or value is unknown here.
            facts: further facts of the error.

        Raises:
            BadSearch: always.
        """
        expected = list(expected)
        otherwise = f"Expected: {', '.join(expected)}." if expected else None
        hint = hint or (otherwise if instead is None else f"Write {self.shortened(instead)}.")
        place = TextSpan(self.term.place.start, end or self.term.place.end)
        if instead is not None and self.term.is_element:
            instead = instead.removeprefix(self.prefix) if instead.startswith(self.prefix) else None
        facts |= {"expected": expected}
        raise bad_search(self.text, place, message, hint=hint, instead=instead, is_unknown=is_unknown, **facts)

    def shortened(self, instead: str) -> str:
        """Return the replacement as a hint quotes it, with a long value shortened."""
        return instead.replace(self.term.value, shown(self.term.value)) if self.term.value else instead

    def refuse_order(self, what: str, kind: FieldKind) -> None:
        """Refuse `<`, `<=`, `>` and `>=` for values that have no order.

        Raises:
            BadSearch: the term has one of these operators.
        """
        if self.term.operator in _ORDER:
            self.refuse(f"{what} cannot be compared with {self.term.operator}", FORMS[kind])

    def refuse_thousands(self) -> None:
        """Refuse a list that is one number with thousands separators, such as `>1,000`.

        Raises:
            BadSearch: the list is such a number.
        """
        if self.term.operator in _ORDER and is_one_number(number := self.raw.lstrip("<>=")):
            self.refuse("A number has no commas", instead=self.prefix + number.replace(",", ""))


def condition(field: Field, prefix: str, reading: Reading) -> Expr:
    """Turn a term into a condition on a field.

    Args:
        field: the field to compare.
        prefix: the prefix of the noun's ids.
        reading: the term.

    Raises:
        BadSearch: the value does not fit the field's kind.
    """
    if reading.is_missing:
        return Compare(field.name, Op.IS_EMPTY, True)
    if field.kind is FieldKind.ID:
        return _id(field, prefix, reading)
    return _KINDS[field.kind](field, reading)


def present(field: Field) -> Expr:
    """Return the condition that a field has a value."""
    return EVERYTHING if field.kind is FieldKind.ID else Compare(field.name, Op.IS_EMPTY, False)


def text(field: Field, reading: Reading) -> Expr:
    """Match part of a text, or all of it after `=`, in any letter case; `%` and `_` are wildcards."""
    reading.refuse_order("Text", FieldKind.TEXT)
    _refuse_star(reading)
    pattern, literal = reading.pattern, reading.literal
    if field.name == "macs":
        literal = mac_text(literal, is_whole=not reading.term.keyword)
    if reading.term.operator == "=":
        return Compare(field.name, Op.MATCHES, pattern or escaped(folded(literal)))
    if pattern is None:
        return Compare(field.name, Op.CONTAINS, literal)
    return Compare(field.name, Op.MATCHES, f"%{pattern}%")


def _refuse_star(reading: Reading) -> None:
    """Refuse an unquoted `*`, the wildcard of other languages.

    Raises:
        BadSearch: the value has one.
    """
    if "*" not in reading.literal or reading.is_quoted:
        return
    hint, instead = instead_of_star(reading.term.keyword, reading.term.operator, reading.term.value)
    reading.refuse(f"{reading.quoted}: * is no wildcard, % is", hint=hint, instead=instead)


def _id(field: Field, prefix: str, reading: Reading) -> Expr:
    reading.refuse_order("An id", FieldKind.ID)
    try:
        return Compare(field.name, Op.EQ, decode_id(reading.literal, prefix, ""))
    except BadInput:
        reading.refuse(f"{reading.quoted} is not an id of this kind", [f"{prefix}_…"])


def yes(reading: Reading) -> bool:
    """Read a yes or no."""
    reading.refuse_order("Yes or no", FieldKind.BOOL)
    word = reading.literal.casefold()
    if word not in _YES | _NO:
        reading.refuse(
            f"{reading.quoted} is neither yes nor no", [*FORMS[FieldKind.BOOL], "t", "f", "1", "0", "yes", "no"]
        )
    return word in _YES


def _bool(field: Field, reading: Reading) -> Expr:
    return Compare(field.name, Op.EQ, yes(reading))


def number(reading: Reading) -> tuple[Op, int]:
    """Read a number and its operator."""
    if not _NUMBER.fullmatch(reading.literal):
        hint, instead = instead_of_number(reading.term.keyword, reading.literal)
        reading.refuse(f"{reading.quoted} is not a whole number", FORMS[FieldKind.INT], instead=instead, hint=hint)
    return _ORDER.get(reading.term.operator, Op.EQ), int(reading.literal)


def _int(field: Field, reading: Reading) -> Expr:
    return Compare(field.name, *number(reading))


def _numbers(field: Field, reading: Reading) -> Expr:
    op, wanted = number(reading)
    return Compare(field.name, Op.HAS if op is Op.EQ else op, wanted)


def _version(field: Field, reading: Reading) -> Expr:
    op = _ORDER.get(reading.term.operator)
    if op is None:
        return text(field, reading)
    if version_key(reading.literal) is None:
        reading.refuse(f"{reading.quoted} is not a version", FORMS[FieldKind.VERSION])
    return Compare(field.name, op, reading.literal)


def choose(reading: Reading, values: Iterable[str]) -> str:
    """Find a value of a closed list; ignore letter case, underscores, hyphens and blanks."""
    reading.refuse_order("A value of a closed list", FieldKind.ENUM)
    known = {value.casefold().translate(_SQUEEZED): value for value in values}
    wanted = reading.literal.casefold().translate(_SQUEEZED)
    if wanted not in known:
        reading.refuse(f"{reading.quoted} is none of the values", sorted(value.lower() for value in known.values()))
    return known[wanted]


def _enum(field: Field, reading: Reading) -> Expr:
    values = [member.value for member in field.enum or ()]
    return Compare(field.name, Op.EQ, choose(reading, values))


def _addresses(field: Field, reading: Reading) -> Expr:
    reading.refuse_order("An address", FieldKind.ADDRESSES)
    literal = reading.literal
    try:
        return Compare(field.name, Op.IN_NETWORK, (str(ip_network(literal, strict=False)),))
    except ValueError:
        pass
    if networks := address_range(literal):
        return Compare(field.name, Op.IN_NETWORK, networks)
    if not reading.is_quoted and (instead := instead_of_address(literal)):
        message = f"{reading.quoted} is neither an address, a network nor a range of addresses"
        reading.refuse(message, FORMS[FieldKind.ADDRESSES], instead=f"{reading.term.keyword}:{instead}")
    return text(field, reading)


def source(reading: Reading) -> str:
    """Read the name of a source."""
    reading.refuse_order("A source", FieldKind.SOURCES)
    found = ALIASES.get(reading.literal.casefold())
    if found is None:
        hint = did_you_mean(reading.literal, set(ALIASES.values()), f"Sources: {', '.join(ALIASES)}.")
        reading.refuse(f"{reading.quoted} is not a source", sorted(ALIASES), hint=hint)
    return found


def _sources(field: Field, reading: Reading) -> Expr:
    return Compare(field.name, Op.HAS, source(reading))


def time(name: str, reading: Reading) -> Expr:
    """Compare a time with a moment, a day, a duration from now, `now`, or `0` for never."""
    operator, value = reading.term.operator, reading.literal.strip().casefold()
    if value in ("0", "never"):
        if operator == ">":
            # `>0` means any known time.
            return Compare(name, Op.IS_NULL, False)
        if operator in _ORDER:
            expected = [f"{reading.term.keyword}:0", f"{reading.term.keyword}:>0"]
            reading.refuse("0 means never: nothing is before it", expected)
        return Compare(name, Op.IS_NULL, True)
    if value == "now":
        if operator not in _ORDER:
            instead = f"{reading.term.keyword}:<now"
            reading.refuse("now needs < (past) or > (future)", ["<now", ">now"], instead=instead)
        return Compare(name, Op.OLDER_THAN if operator[0] == "<" else Op.NEWER_THAN, 0)
    seconds = _seconds(reading.literal.strip())
    if seconds is not None:
        if operator not in _ORDER:
            keyword = reading.term.keyword
            hint = f"Write {keyword}:<{shown(value)} for within that time, {keyword}:>{shown(value)} for longer ago."
            instead = f"{keyword}:<{value.replace(' ', '')}"
            message = "A duration needs < (within) or > (longer ago)"
            reading.refuse(message, [f"<{value}", f">{value}"], hint=hint, instead=instead)
        return Compare(name, Op.WITHIN if operator[0] == "<" else Op.BEYOND, seconds)
    return _moment(name, reading)


def _seconds(value: str) -> int | None:
    try:
        return parse_duration(value)
    except BadInput:
        return None


def _moment(name: str, reading: Reading) -> Expr:
    value, span = reading.literal.strip().upper(), _SECOND
    if match := _MONTH_FIRST.fullmatch(value):
        value = f"{match[3]}-{int(match[1]):02}-{int(match[2]):02}"
    is_month = _MONTH.fullmatch(value)
    if is_month:
        value += "-01"
    if _DATE.fullmatch(value):
        span = _DAY
    try:
        start = bound(parse_time(value))
    except BadInput:
        _refuse_time(reading)
    if op := _ORDER.get(reading.term.operator):
        return Compare(name, op, start)
    try:
        if is_month:
            # The first of a month plus 31 days lies in the next month.
            span = (datetime.fromisoformat(start) + 31 * _DAY).replace(day=1) - datetime.fromisoformat(start)
        # Append the digits beyond the stored precision again, so that the end is exactly one span later.
        end = timestamp(datetime.fromisoformat(start[:STORED_CHARS]) + span) + start[STORED_CHARS:]
    except OverflowError:
        return Compare(name, Op.GTE, start)
    return And((Compare(name, Op.GTE, start), Compare(name, Op.LT, end)))


def _refuse_time(reading: Reading) -> NoReturn:
    following = reading.following()
    is_span = bool(following) and _seconds(f"{reading.literal.strip()} {following.casefold()}") is not None
    unit = following if is_span else ""
    hint, instead = instead_of_time(reading.term.keyword, reading.term.operator, reading.literal.strip(), unit)
    # The mistake covers the number and the unit.
    end = reading.text.index(unit, reading.term.place.end) + len(unit) if unit else None
    reading.refuse(f"{reading.quoted} is not a time", FORMS[FieldKind.TIME], hint=hint, instead=instead, end=end)


_KINDS: dict[FieldKind, Callable[[Field, Reading], Expr]] = {
    FieldKind.TEXT: text,
    FieldKind.VERSION: _version,
    FieldKind.BOOL: _bool,
    FieldKind.INT: _int,
    FieldKind.TIME: lambda field, reading: time(field.name, reading),
    FieldKind.ENUM: _enum,
    FieldKind.LIST: text,
    FieldKind.ADDRESSES: _addresses,
    FieldKind.NUMBERS: _numbers,
    FieldKind.SOURCES: _sources,
}
