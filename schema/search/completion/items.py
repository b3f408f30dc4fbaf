"""Lists the items to offer at the cursor: keywords, attributes, relations, operators, values and joiners."""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from schema.access import Principal, least_role
from schema.context import Context
from schema.field.attribute import attributes
from schema.field.registry import NOUNS, TEXTS, FieldKind, Noun, Relation
from schema.list.aggregate import is_groupable
from schema.search.completion.place import CursorPlace
from schema.search.completion.values import ExistingValues, existing
from schema.search.print import literal_term, print_value
from schema.search.token import Term
from schema.search.value import FORMS
from schema.search.vocabulary.keyword import Keyword, plain
from schema.search.vocabulary.table import PREFIXES_MAX, find, listed
from sync.inventory.asset.source import AZUREAD
from sync.store.statement.function import folded


class ItemKind(enum.Enum):
    """The kind of an item."""

    KEYWORD = "keyword"
    RELATION = "relation"
    ATTRIBUTE = "attribute"
    OPERATOR = "operator"
    VALUE = "value"
    JOINER = "joiner"


@dataclass(frozen=True)
class Item:
    """A text that may stand at the cursor.

    Args:
        kind: of the item.
        text: the replacement for the text there, quoted if needed.
        label: the text to show in a list.
        detail: a sentence about it.
        keyword: the keyword or attribute that the text names.
        relation: the relation that the text names.
        count: the number of rows that have the value; None if they were not counted.
    """

    kind: ItemKind
    text: str
    label: str
    detail: str = ""
    keyword: Keyword | None = None
    relation: Relation | None = None
    count: int | None = None

    @property
    def group_by(self) -> str | None:
        """The field of the aggregate that counts the keyword's values; None if there is none."""
        if not (self.keyword and self.keyword.is_own and self.keyword.field):
            return None
        noun, name = self.keyword.field
        return name.upper() if name in NOUNS[noun].fields and is_groupable(NOUNS[noun].fields[name]) else None


_JOINERS = {
    "AND": "Both sides must match; the same as a blank.",
    "OR": "At least one side must match.",
    "NOT": "The next term must not match.",
}
_SIGNS = {
    "=": "The whole value; without a value: the value is missing.",
    "<": "Less; of a duration: less than that from now, past or future.",
    "<=": "Less or equal.",
    ">": "More; of a duration: more than that from now, past or future.",
    ">=": "More or equal.",
}
_SPANS = {
    "<1day": "Less than a day ago or ahead.",
    "<7days": "Less than a week ago or ahead.",
    "<30days": "Less than 30 days ago or ahead.",
    ">90days": "More than 90 days ago or ahead.",
    "<now": "In the past.",
    ">now": "In the future.",
    "0": "Never.",
}
SHARED_CHARS_MIN = 2
"""The least characters typed to offer a word that several values share."""
_WORD = re.compile(r"\w{3,}")
_ORDERED = (FieldKind.INT, FieldKind.NUMBERS, FieldKind.TIME, FieldKind.VERSION)


async def items_at(context: Context, noun: Noun, place: CursorPlace) -> tuple[list[Item], bool]:
    """List the items to offer at the cursor, the most likely first.

    Returns:
        The items, and whether these are all.
    """
    if place.keyword is None:
        return list(_names(noun, place)), True
    keyword = find(noun, place.keyword) if place.keyword else None
    if keyword is None or keyword.uncollected:
        return [], True
    if keyword.name in ("has", "attribute"):
        return list(_named(noun, keyword.name, place.typed)), True
    return await _values(context, keyword, place)


def _named(noun: Noun, keyword: str, typed: str) -> Iterator[Item]:
    """List the names that are values of `has` (keywords) and of `attribute` (attributes)."""
    found = _keywords(noun, typed, "") if keyword == "has" else _attributes(noun, typed, "")
    for item in found:
        name = item.label.rpartition(".")[2] if keyword == "attribute" else item.label
        if name not in ("has", "attribute"):
            yield replace(item, text=print_value(Term(keyword, "", name)), label=name, kind=ItemKind.VALUE)


def _names(noun: Noun, place: CursorPlace) -> Iterator[Item]:
    """List the items that may start a term."""
    colon = "" if place.is_named else ":"
    if place.typed.startswith("@"):
        yield from _attributes(noun, place.typed[1:], colon)
        return
    *heads, typed = place.typed.split(".")
    for number, head in enumerate(heads[:PREFIXES_MAX]):
        relation = next(
            (one for one in noun.relations.values() if _singular(one) == plain(head).removesuffix("s")), None
        )
        if relation is None:
            # Some keywords have a dot in their names.
            heads, typed = heads[:number], ".".join([*heads[number:], typed])
            break
        noun = NOUNS[relation.target]
    path = ".".join([*heads, ""])
    found = [*_keywords(noun, typed, colon), *_relations(noun, typed), *_bare_attributes(noun, typed, colon)]
    for item in _ranked(found, typed):
        yield replace(item, text=path + item.text, label=path + item.label)
    if not heads and not place.is_named:
        joiners = [
            name for name in _JOINERS if name.startswith(typed.upper()) and (name == "NOT" or not place.is_first)
        ]
        yield from (Item(ItemKind.JOINER, f"{name} ", name, _JOINERS[name]) for name in joiners)


def _keywords(noun: Noun, typed: str, colon: str) -> Iterator[Item]:
    wanted = plain(typed)
    for keyword in listed(noun.name):
        if not keyword.uncollected and any(wanted in plain(name) for name in (keyword.name, *keyword.aliases)):
            yield Item(ItemKind.KEYWORD, keyword.name + colon, keyword.name, keyword.description, keyword)


def _relations(noun: Noun, typed: str) -> Iterator[Item]:
    for relation in noun.relations.values():
        name = relation.singular
        if plain(typed) in plain(name) and not relation.source:
            yield Item(ItemKind.RELATION, f"{name}.", f"{name}.", relation.description, relation=relation)


def _attributes(noun: Noun, typed: str, colon: str) -> Iterator[Item]:
    found = []
    sourced = [(one.source, one.target) for one in noun.relations.values() if one.source]
    if "external_id" in noun.fields and not sourced:
        # Users and groups are themselves records of the source.
        sourced.append(((AZUREAD, noun.prefix), noun.name))
    for source, target in sourced:
        for field in {field.name: field for field in attributes(target).values()}.values():
            name = ".".join((*source, field.graphql_name))
            if typed.casefold() in name.casefold() and (keyword := find(noun, f"@{name}")):
                found.append(Item(ItemKind.ATTRIBUTE, f"@{name}{colon}", f"@{name}", field.description, keyword))
    yield from _ranked(found, f"@{typed}")


def _bare_attributes(noun: Noun, typed: str, colon: str) -> Iterator[Item]:
    """List attributes by their bare names, unless a keyword has the name or nothing is typed."""
    taken = {plain(name) for keyword in listed(noun.name) for name in (keyword.name, *keyword.aliases)}
    for item in _attributes(noun, typed, colon) if typed else ():
        name = item.label.split(".", 2)[2]
        if plain(typed) in plain(name) and plain(name) not in taken and "." not in name:
            taken.add(plain(name))
            yield replace(item, text=name + colon, label=name)


def _ranked(items: Iterable[Item], typed: str) -> list[Item]:
    wanted = plain(typed)
    return sorted(items, key=lambda item: (not plain(item.label).startswith(wanted), item.kind.value, item.label))


def _singular(relation: Relation) -> str:
    return plain(relation.name).removesuffix("s")


async def _values(context: Context, keyword: Keyword, place: CursorPlace) -> tuple[list[Item], bool]:
    signs = [] if place.typed or place.operator else [sign for sign in _SIGNS if sign in _signs_of(keyword.kind)]
    operators = [Item(ItemKind.OPERATOR, sign, sign, _SIGNS[sign]) for sign in signs]
    if keyword.kind is FieldKind.TIME:
        sign = place.operator
        spans = [(span.removeprefix(sign), detail) for span, detail in _SPANS.items() if span.startswith(sign)]
        fitting = [Item(ItemKind.VALUE, span, span, text) for span, text in spans if place.typed in span]
        return [*operators, *fitting], True
    counts: dict[str, int | None] = dict.fromkeys(_closed(keyword))
    is_complete = True
    if keyword.field and _may_read(context.principal, keyword.field[0]):
        found = await _existing(context, keyword, place.typed)
        is_complete = found.is_complete
        counts = {name: 0 if is_complete else None for name in counts}
        counts |= found.counts
        if not keyword.is_own:
            counts = dict.fromkeys(counts)
    wanted = folded(place.typed)
    values = [
        Item(ItemKind.VALUE, _literal(keyword, place, value), value, count=count)
        for value, count in counts.items()
        if wanted in folded(value)
    ]
    return [*_shared_words(keyword, place, counts), *values, *operators], is_complete


async def _existing(context: Context, keyword: Keyword, typed: str) -> ExistingValues:
    """Find the existing values of a keyword's fields."""
    assert keyword.field is not None  # noqa: S101 - the caller has checked it
    noun = NOUNS[keyword.field[0]]
    found = await existing(context, noun, noun.condition(keyword.field[1]), typed)
    if not keyword.also:
        return found
    other = await existing(context, noun, noun.condition(keyword.also), typed)
    counts = dict(found.counts)
    for value, count in other.counts.items():
        known = counts.get(value, 0)
        counts[value] = None if count is None or known is None else known + count
    return ExistingValues(counts, found.is_complete and other.is_complete)


def _shared_words(keyword: Keyword, place: CursorPlace, values: Iterable[str]) -> Iterator[Item]:
    """List the words that begin as typed and occur in several values; each finds all these values."""
    wanted = folded(place.typed)
    if keyword.kind not in TEXTS or place.operator or len(wanted) < SHARED_CHARS_MIN:
        return
    words = [{folded(word): word for word in _WORD.findall(value)} for value in values]
    held = Counter(word for found in words for word in found if word.startswith(wanted))
    spelt = {form: word for found in words for form, word in found.items()}
    for form, number in held.most_common():
        if number > 1:
            text = print_value(literal_term(keyword.name, "", spelt[form]))
            yield Item(ItemKind.VALUE, text, spelt[form], f"Matches at least {number} values that contain it.")


def _closed(keyword: Keyword) -> tuple[str, ...]:
    return ("true", "false") if keyword.kind is FieldKind.BOOL else keyword.values


def _signs_of(kind: FieldKind) -> set[str]:
    """Return the operators that a kind of value takes."""
    return {sign for sign in _SIGNS if kind in _ORDERED or sign == "="} if len(FORMS[kind]) > 1 else set()


def _may_read(principal: Principal, noun: str) -> bool:
    least = least_role(noun)
    return least is not None and principal.role.reaches(least)


def _literal(keyword: Keyword, place: CursorPlace, value: str) -> str:
    """Write a value literally; add `=` to text without an operator, so that it matches the whole value."""
    if keyword.kind not in TEXTS:
        return value
    sign = "" if place.operator or place.is_listed or not keyword.is_own else "="
    return sign + print_value(literal_term(keyword.name, sign or place.operator, value))
