"""Search texts: what parses, where a mistake is, the normal form, and that none of it takes long."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema import build_schema
from schema.field.registry import NOUNS
from schema.search import CHARS_MAX, NESTING_MAX, TERMS_MAX, parse_search
from schema.search.meaning import mistakes
from schema.search.parser import Joined, Negated, Syntax, parse
from schema.search.print import print_search
from schema.search.token import Listed, Term
from schema.search.vocabulary.table import keywords
from sync.errors import BadSearch
from tests.share import share
from tests.work import work_of

build_schema()
SEARCHED = ["Asset", "User", "Group", "Task", "TaskRun", "Credential", "Site", "Organization"]
# What one processor of 2024 does in the 10 ms that the longest text may take: eight million calls a second.
CALLS_MAX = 80_000
FUZZED = share(2_000, 20_000)

PIECES = (
        *'()"\\:=<>%_@. \n\t', "AND", "or", "Not", "os", "name:", "last_seen:", "source:azuread", "os_version:<1.2",
        "id:", "has:", "owner.", "@azuread.dev.", "trustType", "3days", "now", "0", "10.0.0.0/8", '"a b"', "\\\\", "ß",
        "İ", "\u2028", "日本", "🚀", "“", "”", "'", "\u2018x\u2019", "a,b", "port:22,80",
        "!=", "~", "is null", "[a, b]", "none", "*",
        "\x00", "\ud800", "9" * 30, "2026-13-45", "group_count:>1", "kind:", "é",
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join),
    st.text(alphabet='()":\\ aNOT<=>%', max_size=200),
)


@pytest.mark.slow
@given(text=TEXTS, noun=st.sampled_from(SEARCHED))
@settings(max_examples=share(150, 700, 2_000))
def test_search_is_understood_or_refused_with_a_place_whatever_it_holds(text: str, noun: str) -> None:
    """No text leads to anything but an expression or BAD_SEARCH, whose place lies in the text."""
    assert_understood_or_refused(noun, text)


@pytest.mark.slow
def test_search_is_understood_or_refused_with_a_place_twenty_thousand_times() -> None:
    """The same for many more texts, made of the language's own pieces; both outcomes are common."""
    chance = Random(3)  # noqa: S311 - the same texts in every run
    understood = 0
    for _ in range(FUZZED):
        pieces = chance.choices(PIECES, k=chance.randrange(1, 9))
        understood += assert_understood_or_refused(chance.choice(SEARCHED), chance.choice(["", " "]).join(pieces))
    assert FUZZED / 50 < understood < FUZZED / 2


def assert_understood_or_refused(noun: str, text: str) -> bool:
    """Assert that a text parses or is refused with a place in it; tell which."""
    try:
        parse_search(noun, text)
    except BadSearch as error:
        facts: dict[str, Any] = error.facts
        start, end = error.span
        assert 0 <= start <= end <= len(text)
        assert (facts["offset"], facts["length"]) == (utf16(text[:start]), utf16(text[start:end]))
        lines = text[:start].split("\n")
        assert (facts["line"], facts["column"]) == (len(lines), utf16(lines[-1]) + 1)
        assert facts["path"] == "search"
        return False
    return True


def utf16(text: str) -> int:
    """Return how many UTF-16 units a text has: two for each character beyond the first plane."""
    return sum(2 if ord(char) > 0xFFFF else 1 for char in text)


VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
    st.sampled_from(["AND", "not", "a b", "%x_", "<3days", "=x", ">=", "a:b", "(", "'", "10.0.0.0/8", "a,b", "“a”"]),
    st.sampled_from(["O'Brien", "'a'", "none", "!=x", "~x", "[a]", "is", "*", "🚀", "\u2018", "»a«", ","]),
)
KEYWORDS = st.sampled_from(["", "", "name", "os", "@azuread.dev.trustType", "owner.department", "NOT", "x-y", "<a"])
OPERATORS = st.sampled_from(["", "=", "<", "<=", ">", ">="])


@st.composite
def written_terms(draw: st.DrawFn) -> Term:
    """Draw a term as parsing could have made it."""
    keyword, operator = draw(KEYWORDS), draw(OPERATORS)
    value = draw(VALUES).replace("\\", "\\\\").replace('"', '\\"')
    if not keyword:
        return Term("", "", value)
    if draw(st.integers(0, 9)) == 0:
        return Term(keyword, operator or "=", "")
    # Between quotes an operator at the beginning would be the term's own.
    return Term(keyword, operator, f"\\{value}" if not operator and value[0] in "=<>" else value)


def joined(parts: list[Syntax], operator: Any) -> Syntax:
    """Join parts as the parser does: those joined the same way become one."""
    flat: list[Syntax] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Joined) and part.operator == operator else [part])
    return Joined(operator, tuple(flat))


@st.composite
def written_lists(draw: st.DrawFn) -> Listed:
    """Draw a list of values as parsing could have made it."""
    keyword, operator = draw(KEYWORDS.filter(bool)), draw(OPERATORS)
    values = draw(st.lists(VALUES, min_size=2, max_size=4))
    return Listed(tuple(Term(keyword, operator, v.replace("\\", "\\\\").replace('"', '\\"')) for v in values))


TREES = st.recursive(
    st.one_of(written_terms(), written_terms(), written_lists()),
    lambda inner: st.one_of(
        inner.map(Negated),
        st.builds(joined, st.lists(inner, min_size=2, max_size=3), st.sampled_from(["AND", "OR"])),
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(tree=TREES)
@settings(max_examples=share(150, 700, 2_000))
def test_search_is_the_same_tree_when_printed_and_parsed_again(tree: Syntax) -> None:
    """The normal form says the same, and it is its own normal form."""
    text = print_search(tree)
    assert parse(text) == tree
    assert print_search(parse(text)) == text


@pytest.mark.slow
@given(text=TEXTS)
@settings(max_examples=share(200, 1_000, 3_000))
def test_search_as_typed_is_the_same_tree_as_its_normal_form(text: str) -> None:
    """Whatever parses is printed to something that parses to the same tree."""
    try:
        tree = parse(text)
    except BadSearch:
        return
    assert parse(print_search(tree)) == tree


HEAVY = [
    "a", "(", ")", '"', "\\", "a ", "NOT ", "a:b ", "%_", "os:%", " ", "a.b", "ab:", '"a" ', "(a OR ", "\n", "<", "=",
    "unknown_keyword:x ", "x.y.z.w.v:1 ", "last_seen:>3days ", "@a.b.c:d ", "net:10.0.0.0/8 ", "owner:x ", "a\\ ",
    "last_seen:>2026-11-23T04:05:06Z ", "os_version:<1.2.3 ", "word ", "user.manager.manager.name:x ", "AND ", "@.",
    "'", "'a ", "“", "os:a,", "os:Windows 10 ", "os is null ", "os in (a) ", "🚀", "owner:none ", "department:x ",
    "risk:x ", "x:[", "os:!=a ", "ip:10.0.0.0-10.0.0.255 ", "os in (", "missing:os ", "Ann ",
]  # fmt: skip


@pytest.mark.slow(cases=32)
@pytest.mark.parametrize("piece", HEAVY)
@pytest.mark.parametrize("terms", [CHARS_MAX, TERMS_MAX - 1])
def test_search_takes_little_work_whatever_it_holds(
    piece: str, terms: int, record_property: Callable[[str, object], None]
) -> None:
    """4,000 characters are understood or refused, all mistakes listed; twice the text is not four times the work."""
    counts = [(min(terms, CHARS_MAX // len(piece)) // part) for part in (1, 2)]
    texts = [piece * count for count in counts]
    whole, half = (work_of(partial(mistakes, NOUNS["Asset"], text)) for text in texts)
    record_property("cpu_ms", round(whole.cpu_ms, 2))
    assert whole.calls <= CALLS_MAX
    assert whole.calls <= 2.5 * half.calls + 1_000


@pytest.mark.parametrize(
    "text", ["a" * CHARS_MAX, " ".join(["a"] * TERMS_MAX), "(" * NESTING_MAX + "a" + ")" * NESTING_MAX]
)
def test_search_is_understood_at_its_limits(text: str) -> None:
    """Length, number of terms and nesting are allowed up to the published limits."""
    assert parse(text) is not None


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("a" * (CHARS_MAX + 1), CHARS_MAX),
        (" ".join(["a"] * (TERMS_MAX + 1)), 2 * TERMS_MAX),
        ("(" * (NESTING_MAX + 1) + "a" + ")" * (NESTING_MAX + 1), NESTING_MAX),
        ("NOT " * (NESTING_MAX + 1) + "a", 4 * NESTING_MAX),
    ],
)
def test_search_is_refused_beyond_its_limits(text: str, offset: int) -> None:
    """One more is refused, where it begins."""
    with pytest.raises(BadSearch) as caught:
        parse(text)
    assert caught.value.facts["offset"] == offset


MISTAKES = [
    ("os:", 0, 3, None),
    ("os:linux )", 9, 1, None),
    ("os :linux", 0, 9, "os:linux"),
    (":linux", 0, 6, "keyword:linux"),
    ("port:ssh", 0, 8, ">=5"),
    ("(os:linux", 0, 1, ")"),
    ("os:linux AND", 12, 0, "a term"),
    ("AND os:linux", 0, 3, "a term"),
    ("a OR OR b", 5, 2, "a term"),
    ("NOT", 3, 0, "a term"),
    ("()", 1, 1, "a term"),
    ('os:"linux', 3, 6, None),
    ("🚀 os:“linux", 6, 6, None),
    ("🚀🚀\n🚀 os_vesrion:1", 8, 12, None),
    ("name:'tis", 5, 4, None),
    ("port:22,ssh", 8, 3, ">=5"),
    ("port:22,", 0, 8, None),
    ("os is null", 0, 10, None),
    ('os:"a"b', 6, 1, None),
    ("os:a\\", 4, 1, None),
    ('""', 0, 2, None),
    ("os\n os_vesrion:1", 4, 12, None),
    ("last_seen:3days", 0, 15, "<3days"),
    ("last_seen:<yesterday", 0, 20, "<3days"),
    ("last_seen:<2026-13-01", 0, 21, "<3days"),
    ("last_seen:<999999y", 0, 18, "<3days"),
    ("last_seen:<0", 0, 12, "last_seen:0"),
    ("last_seen:now", 0, 13, "<now"),
    ("alive:maybe", 0, 11, "true"),
    ("alive:>t", 0, 8, "true"),
    ("source_count:many", 0, 17, ">=5"),
    ("source_count:" + "9" * 19, 0, 32, ">=5"),
    ("os_version:<new", 0, 15, "<1.2.3"),
    ("os:>linux", 0, 9, "=text"),
    ("net:lan", 0, 7, "10.0.0.0/8"),
    ("source:jamf", 0, 11, "azuread"),
    ("id:user_1", 0, 9, "asset_…"),
    ("has:>owner", 0, 10, "has:owner"),
]


@pytest.mark.parametrize(("text", "offset", "length", "expected"), MISTAKES)
def test_search_says_where_it_is_wrong_and_what_is_expected(
    text: str, offset: int, length: int, expected: str | None
) -> None:
    """A mistake is refused with its place and with what could stand there."""
    with pytest.raises(BadSearch) as caught:
        parse_search("Asset", text)
    facts: dict[str, Any] = caught.value.facts
    assert (facts["offset"], facts["length"]) == (offset, length)
    assert expected is None or expected in facts["expected"]


@pytest.mark.parametrize(
    ("noun", "keyword", "near"),
    [
        ("Asset", "os_vesrion", "os_version"),
        ("Asset", "has:onwer", "owner"),
        ("Asset", "@azuread.dev.trustTyp", "@azuread.dev.trustType"),
        ("User", "departement", "department"),
        ("Group", "membercounts2", "member_count"),
        ("Credential", "secret_expire_at", "secret_expires"),
    ],
)
def test_search_names_the_nearest_keywords_when_one_is_unknown(noun: str, keyword: str, near: str) -> None:
    """An unknown keyword is an error that helps, never an empty list."""
    with pytest.raises(BadSearch) as caught:
        parse_search(noun, keyword if ":" in keyword else f"{keyword}:x")
    assert near in caught.value.facts["suggestions"]  # type: ignore[operator]
    assert near in (caught.value.hint or "")


HINTS = [
    ("os :windows", "Write os:windows without the space"),
    ("os: windows", "Write os:windows without the space"),
    ("os:", "For a missing value write os:= instead"),
    ("os: AND x", "For a missing value write os:= instead"),
    ("os:(a OR b)", "Write os:a,b for any of these values"),
    ("os:(a AND b)", "Write (os:a AND os:b)"),
    ("os:(a:b)", "Repeat the keyword: (os:one OR os:another)"),
    ("-source:scan", "write NOT source:value"),
    ("!os:linux", "write NOT os:value"),
]


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_search_says_what_to_write_when_another_language_was_written(text: str, hint: str) -> None:
    """What people write from habit is refused with what they mean, never answered with no rows."""
    with pytest.raises(BadSearch) as caught:
        parse_search("Asset", text)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize("text", ["::1", '":linux"', "::"])
def test_search_takes_a_word_that_begins_with_a_colon_when_it_is_one(text: str) -> None:
    """An address may begin with two colons; in quotes any text is a word."""
    assert parse_search("Asset", text)


def test_every_mistake_is_listed_when_a_text_has_several() -> None:
    """A person who types sees all wrong terms at once."""
    _, found = mistakes(NOUNS["Asset"], "os:linux nope:1 alive:x nada:2")
    assert [error.facts["offset"] for error in found] == [9, 16, 24]


@pytest.mark.parametrize("noun", SEARCHED)
def test_every_filterable_field_has_a_keyword_of_its_own(noun: str) -> None:
    """What can be filtered can be searched: no field's keyword is taken by another field."""
    fields = NOUNS[noun].filterable().values()
    taken = [field.keyword.replace("_", "").casefold() for field in fields]
    assert len(set(taken)) == len(taken)
    assert set(taken) <= set(keywords(noun))


@pytest.mark.parametrize("text", ["owner:ann", "OWNERS:ann", "Owner:ann", "o_w_n_e_r:ann"])
def test_keyword_is_known_whatever_its_case_underscores_or_number(text: str) -> None:
    """Letter case, underscores and plural of a keyword do not count."""
    assert parse_search("Asset", text) == parse_search("Asset", "owner:ann")
