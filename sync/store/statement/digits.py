"""Reads JSON without losing digits: orjson alone makes a float of a whole number that 64 bits do not hold.

Such a number becomes an `orjson.Fragment`: orjson writes it as the same digits again, and it is of no type that a
field has. Bodies with one are rare, and read by the slower standard parser.
"""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any, Never

import orjson

_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
# The shortest whole number that 64 bits may not hold has 19 digits. A body is searched for so many digits in a row
# first, which takes a fifth of the time that parsing takes, and only then for a number that has them.
_LONG = b"0" * 19
_LONG_NUMBER = re.compile(rb"(?:^|[:,\[])\s*-?[0-9]{19}")
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


class NumberTooLarge(ValueError):
    """A number that no double holds: most programs could not read an answer with it."""


def read_json(text: bytes | str) -> Any:
    """Parse JSON text; its whole numbers keep their digits.

    Raises:
        ValueError: it is not JSON, or has a number that is too large.
    """
    body = text.encode() if isinstance(text, str) else text
    return read_exactly(body) if has_long_number(body) else orjson.loads(body)


def has_long_number(body: bytes) -> bool:
    """Tell whether there may be a whole number in it that 64 bits do not hold."""
    return _LONG in body.translate(_ZEROS) and _LONG_NUMBER.search(body) is not None


def read_exactly(text: bytes | str) -> Any:
    """Parse JSON text as `read_json` does, the slow way; lone surrogates are let pass.

    Raises:
        NumberTooLarge: no double holds a number in it.
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_int=_whole, parse_float=_fraction, parse_constant=_refuse_constant)


def _whole(digits: str) -> int | orjson.Fragment:
    if len(digits) <= 20 and _INT_MIN <= (number := int(digits)) <= _INT_MAX:
        return number
    _fraction(digits)
    return orjson.Fragment(digits)


def _fraction(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise NumberTooLarge("a number is too large")
    return number


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
