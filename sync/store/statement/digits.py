"""Reads JSON without losing digits: orjson alone turns an integer beyond 64 bits into a float.

Such an integer becomes an `orjson.Fragment`: orjson writes it with the same digits, and no field takes it as a value.
Bodies with such an integer are rare; the slower standard parser reads them.
"""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any, Never

import orjson

_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
# An integer beyond 64 bits has at least 19 digits. Search a body for 19 digits in a row first, which takes a fifth of
# the time of parsing; only then search for a number that contains them.
_LONG = b"0" * 19
_LONG_NUMBER = re.compile(rb"(?:^|[:,\[])\s*-?[0-9]{19}")
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


class NumberTooLarge(ValueError):
    """A number beyond the range of a double: most clients could not read an answer with it."""


def read_json(text: bytes | str) -> Any:
    """Parse JSON text; its integers keep their digits.

    Raises:
        ValueError: the text is not JSON, or contains a number that is too large.
    """
    body = text.encode() if isinstance(text, str) else text
    return read_exactly(body) if has_long_number(body) else orjson.loads(body)


def has_long_number(body: bytes) -> bool:
    """Tell whether the body may contain an integer beyond 64 bits."""
    return _LONG in body.translate(_ZEROS) and _LONG_NUMBER.search(body) is not None


def read_exactly(text: bytes | str) -> Any:
    """Parse JSON text as `read_json` does, with the slower parser; it accepts lone surrogates.

    Raises:
        NumberTooLarge: a number is beyond the range of a double.
        ValueError: the text is not JSON.
        RecursionError: the text is nested too deeply.
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
