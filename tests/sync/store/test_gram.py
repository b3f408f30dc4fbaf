"""The index of parts of texts: it leads to every row that can be meant, whatever the text."""

from __future__ import annotations

import sqlite3
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text, update

from sync.store import Store, gram
from sync.store.migrate import migrate
from sync.store.statement.function import folded
from sync.store.tables import assets, gram_marks, metadata, organizations
from tests.sync.entra.clock import FakeClock

NAME = assets.c.name
EMPTY = {"deleted_at": None, **dict.fromkeys(gram.COLUMNS[assets])}


def leads(whole: str | list[str], *parts: str) -> bool:
    """Tell whether the index leads from some parts to a row with this name."""
    connection = sqlite3.connect(":memory:")
    assert gram.has_full_text(connection)
    tokens = gram.tokens_of(assets, EMPTY | {"name": whole})
    connection.execute("INSERT INTO grams(rowid, tokens) VALUES (7, ?)", [tokens])
    wanted = gram.match(NAME, parts)
    assert wanted is not None
    found = connection.execute("SELECT rowid FROM grams WHERE grams MATCH ?", [wanted]).fetchall()
    connection.close()
    return found == [(7,)]


@given(whole=st.text(min_size=3), start=st.integers(0, 30), length=st.integers(3, 40))
def test_index_leads_to_a_text_from_any_part_of_it(whole: str, start: int, length: int) -> None:
    """Any three or more characters, of any script, letter case, punctuation or control, find their row.

    A mark that is cut off from its letter is no part of the text: it is written with its letter as one.
    """
    start = min(start, len(whole) - 3)
    part = whole[start : start + length]
    for written in (part, part.swapcase(), normalize("NFD", part), normalize("NFC", part)):
        if len(folded(written)) >= gram.GRAM_CHARS and folded(written) in folded(whole):
            assert leads(["other", whole], written)


def test_index_leads_to_a_text_in_either_normal_form() -> None:
    """An accent is part of its letter, whether it was stored, or is asked for, as one or as two."""
    one, other = "Dvo\u0159\u00e1k", "Dvor\u030ca\u0301k"
    assert leads(one, other.upper()) and leads(other, one)
    assert not leads("Dvorak", one)


@pytest.mark.parametrize("part", ["HOST-00", "ost", "STRASSE", "0123", "a b", 'say "', "host-00123 straße a b"])
def test_index_tells_texts_apart(part: str) -> None:
    """What holds the part is led to, what does not is not."""
    assert leads('host-00123 straße a b say "x"', part)
    assert not leads("hos os-01 stra asse ab", part)


@pytest.mark.parametrize("parts", [[], [""], ["ab"], ["%_", "a"]])
def test_index_says_nothing_of_texts_too_short(parts: list[str]) -> None:
    """Two characters are in too many rows: they are looked for in the rows themselves."""
    assert gram.match(NAME, parts) is None


def test_index_says_nothing_of_columns_it_does_not_hold() -> None:
    """A column that is not in it, and what is made of one."""
    assert gram.match(assets.c.first_seen, ["2026"]) is None
    assert gram.match(assets.c.names["0"].as_string(), ["host"]) is None


def test_tokens_of_a_removed_row_are_none() -> None:
    """A tombstone is nobody's answer."""
    assert gram.tokens_of(assets, EMPTY | {"name": "host", "deleted_at": "2026-11-23T04:05:06.123Z"}) == ""


def test_every_column_has_a_sign_of_its_own() -> None:
    """Two columns with one sign would be one to the index; the tables have each column."""
    assert len(set(gram.SIGNS.values())) == len(gram.SIGNS) == sum(map(len, gram.COLUMNS.values()))
    for owner, names in gram.COLUMNS.items():
        assert owner is metadata.tables[owner.name]
        assert {"organization_id", "version", "deleted_at", *names} <= set(owner.c.keys())


def test_database_without_full_text_is_recognised() -> None:
    """Where the module cannot be used, the index is left out and nothing fails."""
    connection = sqlite3.connect(":memory:")
    refused = sqlite3.SQLITE_CREATE_VTABLE
    connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == refused else sqlite3.SQLITE_OK)
    assert not gram.has_full_text(connection)
    connection.close()


@pytest.mark.parametrize("is_other", [True, False])
async def test_index_is_emptied_when_it_was_filled_from_other_columns(store: Store, is_other: bool) -> None:
    """A program that searches other columns starts the index anew; the same program keeps it."""
    async with store.write() as tx:
        now = FakeClock().now().isoformat()
        await tx.execute(insert(organizations).values(id=1, name="A", created_at=now, updated_at=now))
        await gram.add(tx, {7: gram.tokens_of(assets, EMPTY | {"name": "host"})})
        await gram.mark(tx, 1, assets, 5, 0)
        if is_other:
            await tx.execute(update(gram_marks).values(shape="another"))
    await migrate(store)
    async with store.read() as tx:
        found = list(await tx.scalars(gram.candidates(assets, str(gram.match(NAME, ["host"])), 1, None)))
        marks = list(await tx.scalars(select(gram_marks.c.version)))
        page = (await tx.execute(text("SELECT v FROM grams_config WHERE k = 'pgsz'"))).scalar()
    assert (found, marks) == (([], []) if is_other else ([7], [5]))
    assert page == 500
