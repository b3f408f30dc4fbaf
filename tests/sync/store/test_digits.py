"""JSON whose whole numbers keep their digits, however many these are."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.store.statement.digits import NumberTooLarge, has_long_number, read_json

EDGES = (0, 2**53, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**20, -(10**20), 10**300)
NUMBERS = st.sampled_from(EDGES) | st.integers(-(2**200), 2**200)
# Texts that look like long numbers, and like the ends of some.
TEXTS = st.text() | NUMBERS.map(str) | NUMBERS.map(lambda number: f'",{number}:[{number}')
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(value=VALUES, blank=st.sampled_from(["", " ", "\n\t"]))
def test_json_is_written_with_the_same_digits_when_it_was_read(value: Any, blank: str) -> None:
    """Read and written again, by the parser and the writer that the program uses, nothing has changed."""
    text = json.dumps(value, separators=(f"{blank},{blank}", f"{blank}:{blank}"))
    for form in (text, text.encode()):
        assert json.loads(orjson.dumps(read_json(form))) == value


@pytest.mark.parametrize("number", EDGES, ids=str)
def test_whole_number_is_a_number_of_python_only_when_64_bits_hold_it(number: int) -> None:
    """What orjson can write stays an ordinary number; the others are of no type that a field has."""
    found = read_json(f'{{"a":{number}}}')["a"]
    if -(2**63) <= number < 2**64:
        assert type(found) is int and found == number
    else:
        assert type(found) is orjson.Fragment


@pytest.mark.parametrize("text", ["9" * 310, "-" + "9" * 400, "9" * 5_000, '{"a":[1,' + "9" * 400 + "]}"])
def test_number_that_no_double_holds_is_refused(text: str) -> None:
    """An answer with it could not be read by most programs."""
    with pytest.raises(NumberTooLarge):
        read_json(text)


@pytest.mark.parametrize("text", ["", "{", '{"a":' + "1" * 25, "1" * 25 + "x", "NaN", "[1" + "0" * 30 + ",NaN]"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    """Whichever parser reads it, the error is of one kind."""
    with pytest.raises(ValueError):
        read_json(text)


@pytest.mark.parametrize("text", [b'{"a":"12345678901234567890"}', b'{"a":"x12345678901234567890"}', b"[1234567890]"])
def test_digits_in_texts_do_not_cost_the_slow_parser(text: bytes) -> None:
    """Identifiers of many digits are common; they are texts."""
    assert not has_long_number(text)
