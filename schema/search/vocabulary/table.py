"""Finds an inventory's keywords by name: fields, derived keywords and attributes of sources; suggests similar ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cache
from typing import TypeVar

from schema.field.attribute import attribute, attributes, folded
from schema.field.registry import NOUNS, Field, FieldKind, Noun
from schema.search.value import Reading
from schema.search.vocabulary.derived import derived
from schema.search.vocabulary.directory import matched
from schema.search.vocabulary.has import attribute_named, has
from schema.search.vocabulary.keyword import Keyword, across, of_field, plain
from schema.search.vocabulary.service import checked_attribute
from schema.suggestion import Suggestion, likest, pairs

T = TypeVar("T")
PREFIXES_MAX = 4
# Least similarity at which an unknown keyword is a misspelling, which can be repaired.
_SAME_RATIO = 0.85


@cache
def keywords(noun: str) -> dict[str, Keyword]:
    """Return an inventory's keywords by plain name and alias; a derived one replaces a field's."""
    entry = NOUNS[noun]
    all_ = [has(entry, known), *attribute_named(entry), *derived(noun)]
    all_ += [_of_checked_field(entry, field) for field in entry.filterable().values()]
    found: dict[str, Keyword] = {}
    for keyword in all_:
        found.setdefault(plain(keyword.name), keyword)
    for keyword in all_:
        for alias in keyword.aliases:
            found.setdefault(plain(alias), keyword)
    # Other products append TS to the names of times.
    return {f"{name}ts": keyword for name, keyword in found.items() if keyword.kind is FieldKind.TIME} | found


def listed(noun: str) -> list[Keyword]:
    """List an inventory's keywords once each, sorted by name, without redundant aliases."""
    found = {keyword.name: keyword for keyword in keywords(noun).values()}
    return [replace(found[name], aliases=tuple(_aliases(noun, found[name]))) for name in sorted(found)]


@cache
def text_keywords(noun: str) -> list[Keyword]:
    """List the derived keywords in which a word without a keyword is searched for."""
    return [keyword for keyword in listed(noun) if keyword.is_text]


def _aliases(noun: str, keyword: Keyword) -> Iterable[str]:
    """Yield the aliases that belong to no other keyword and are more than the plural of the name."""
    for alias in keyword.aliases:
        is_own = keywords(noun)[plain(alias)].name == keyword.name
        if is_own and _lookup({plain(keyword.name): keyword}, alias) is None:
            yield alias


def known(noun: Noun, reading: Reading, name: str) -> Keyword:
    """Find a keyword by name.

    Raises:
        BadSearch: there is none; suggests similar keywords.
    """
    if found := find(noun, name):
        return found
    similar = nearest(noun, name)
    hint = "To search for text that has a colon, quote it."
    meant = f"Did you mean {' or '.join(similar)}?" if similar else "`searchKeywords` lists all of them."
    hint = f"{meant} {hint}"
    # Give the position but do not repeat the word: it may be part of a pasted text.
    message = f"{noun.name} has no keyword of that name"
    reading.refuse(
        message, hint=Suggestion(hint), instead=_respelt(reading, name, similar), is_unknown=True, suggestions=similar
    )


def _respelt(reading: Reading, name: str, similar: list[str]) -> str | None:
    """Return a term with its unknown keyword replaced by the most similar one; None if that is too different."""
    if not similar or SequenceMatcher(None, plain(name), plain(similar[0])).ratio() < _SAME_RATIO:
        return None
    if name == reading.term.keyword:
        return f"{similar[0]}:{reading.raw}"
    quoted = f'"{similar[0]}"' if similar[0].startswith("@") else similar[0]
    return f"{reading.term.keyword}:{quoted}"


def find(noun: Noun, name: str, prefixes: int = 0) -> Keyword | None:
    """Find the keyword that a name in a search text means; None if there is none.

    Args:
        noun: the inventory to search.
        name: `os`, `owner.department`, `@azuread.dev.trustType` or the name of an attribute of a source.
        prefixes: the number of prefixes already removed from the name.
    """
    if name.startswith("@"):
        return _attribute(noun, *name[1:].split(".", 2)) if name.count(".") >= 2 else None
    if found := _lookup(keywords(noun.name), name):
        return found
    head, dot, rest = name.partition(".")
    if not dot:
        return _bare_attribute(noun, name)
    if prefixes == PREFIXES_MAX:
        return None
    if plain(head) == plain(noun.name):
        return find(noun, rest, prefixes + 1)
    relation = _lookup({plain(relation.name): relation for relation in noun.relations.values()}, head)
    found = find(NOUNS[relation.target], rest, prefixes + 1) if relation else None
    return across(relation, found) if relation and found else None


def _lookup(table: Mapping[str, T], name: str) -> T | None:
    return next((table[form] for form in _forms(plain(name)) if form in table), None)


def _forms(name: str) -> Iterable[str]:
    """Return a plain name, then its singular and plural forms."""
    return (name, name.removesuffix("s"), name.removesuffix("es"), f"{name}s", f"{name}es")


def _attribute(noun: Noun, source: str, kind: str, name: str) -> Keyword | None:
    found = attribute(noun, source, kind, name)
    if found is None:
        return None
    relation, field = found
    target = NOUNS[relation.target] if relation else noun
    keyword = _of_checked_field(target, field)
    return across(relation, keyword) if relation else keyword


def _of_checked_field(noun: Noun, field: Field) -> Keyword:
    """Make the keyword of a field, which refuses values that the field never has."""
    keyword = checked_attribute(of_field(noun, field), field.name)
    return matched(keyword) if field.name == "matched_by" else keyword


def _bare_attribute(noun: Noun, name: str) -> Keyword | None:
    for relation in noun.relations.values():
        if relation.source and (field := attributes(relation.target).get(folded(name))):
            return across(relation, _of_checked_field(NOUNS[relation.target], field))
    return None


def nearest(noun: Noun, name: str) -> list[str]:
    """Return the keywords most similar to a name, the best first."""
    return likest(name, _spellings(noun.name))


@cache
def _spellings(noun: str) -> list[tuple[str, frozenset[str]]]:
    names = {spelling for keyword in listed(noun) for spelling in (keyword.name, *keyword.aliases)}
    for relation in NOUNS[noun].relations.values():
        if relation.source:
            at = f"@{relation.source[0]}.{relation.source[1]}."
            names |= {at + field.graphql_name for field in attributes(relation.target).values()}
    return [(name, pairs(name)) for name in sorted(names)]
