"""The place of the cursor in a search text that is being typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.search.completion.place import CursorPlace, place_at, place_of
from schema.search.token import units

# The text with | at the cursor → what is replaced, and what of it is typed.
PLACES = [
    ("|", "", CursorPlace(0, 0, "", is_first=True)),
    ("ow|", "ow", CursorPlace(0, 2, "ow", is_first=True)),
    ("ow|ner", "owner", CursorPlace(0, 5, "ow", is_first=True)),
    ("ow|ner:adele", "owner", CursorPlace(0, 5, "ow", is_first=True, is_named=True)),
    ("os:win|", "win", CursorPlace(3, 6, "win", "os")),
    ("os:win|dows x", "windows", CursorPlace(3, 10, "win", "os")),
    ("os:=win|", "win", CursorPlace(4, 7, "win", "os", "=")),
    ("os:|=win", "=win", CursorPlace(3, 7, "", "os")),
    ('os:"win|', '"win', CursorPlace(3, 7, "win", "os")),
    ('os:"windows 1|1" x', '"windows 11"', CursorPlace(3, 15, "windows 1", "os")),
    ('os:"a\\"b|', '"a\\"b', CursorPlace(3, 8, 'a"b', "os")),
    ("type:laptop,de|", "de", CursorPlace(12, 14, "de", "type")),
    ("type:la|,desktop", "la", CursorPlace(5, 7, "la", "type")),
    ('type:"lap top",de|', "de", CursorPlace(15, 17, "de", "type")),
    ("name:'ab cd|", "'ab cd", CursorPlace(5, 11, "ab cd", "name")),
    ("name:“ab cd|” x", "“ab cd”", CursorPlace(5, 12, "ab cd", "name")),
    ("-sour|", "sour", CursorPlace(1, 5, "sour", is_first=True)),
    ("!owner.acc|", "owner.acc", CursorPlace(1, 10, "owner.acc", is_first=True)),
    ("-os:wi|", "wi", CursorPlace(4, 6, "wi", "os")),
    ("NOT os:|", "", CursorPlace(7, 7, "", "os")),
    ("(os:w|)", "w", CursorPlace(4, 5, "w", "os")),
    ("(|)", "", CursorPlace(1, 1, "", is_first=True)),
    ("os:windows |", "", CursorPlace(11, 11, "")),
    ("os:windows AND |", "", CursorPlace(15, 15, "", is_first=True)),
    ("a | b", "", CursorPlace(2, 2, "")),
    ("last_seen:<|", "", CursorPlace(11, 11, "", "last_seen", "<")),
    ("@azuread.dev.tr|", "@azuread.dev.tr", CursorPlace(0, 15, "@azuread.dev.tr", is_first=True)),
]


@pytest.mark.parametrize(("marked", "replaced", "place"), PLACES)
def test_place_is_the_word_at_the_cursor(marked: str, replaced: str, place: CursorPlace) -> None:
    """The range is what an editor replaces; what is typed is what the items must fit."""
    cursor, text = marked.index("|"), marked.replace("|", "")
    found = place_of(text, cursor)
    expected = CursorPlace(found.start, found.end, place.typed, place.keyword, place.operator)
    flags = {"is_first": place.is_first, "is_named": place.is_named} if place.keyword is None else {}
    assert (found.typed, found.keyword, found.operator) == (expected.typed, expected.keyword, expected.operator)
    assert {name: getattr(found, name) for name in flags} == flags
    assert text[found.start : found.end] == replaced


@given(st.text(alphabet="ab:\"\\(),<>=@. NOT😀-!“”'«", max_size=30), st.integers(0, 40))
def test_place_is_found_in_any_text(text: str, cursor: int) -> None:
    """Whatever is typed: the range lies in the text and holds the cursor, and nothing fails."""
    cursor = min(cursor, len(text))
    found = place_of(text, cursor)
    assert 0 <= found.start <= cursor <= found.end <= len(text)


@given(st.text(max_size=20))
def test_places_are_counted_as_editors_do(text: str) -> None:
    """A character beyond the first 65,536 counts two; a place in the middle of one is the place before it."""
    for place in range(len(text) + 1):
        assert place_at(text, units(text[:place])) == place
    assert place_at("😀a", 1) == 0 and place_at("😀a", 99) == 2 and units("😀") == 2
