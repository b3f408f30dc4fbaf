"""Refuses operators, values and keywords of other search languages, and suggests the text to write here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schema.field.registry import NOUNS, TEXTS, FieldKind, Noun
from schema.search.notation import instead_of_text
from schema.search.print import NOTHING_WORDS
from schema.search.token import FOREIGN, OPENING, SIGNS, quote_bare, values_in
from schema.search.value import Reading
from schema.search.vocabulary.keyword import Keyword, plain
from schema.search.vocabulary.table import find, known
from schema.search.vocabulary.uncollected import refuse_foreign_source, refuse_uncollected
from schema.suggestion import Suggestion, shown

_JOINED = {"&&": "AND", "&": "AND", "||": "OR", "|": "OR", "!": "NOT"}
_COMPARED = re.compile(r"(@?[A-Za-z][\w.]*)(==|!=|<>|=~|!~|~=|<=|>=|=|<|>|~)(.*)", re.DOTALL)
_OPERATORS = SIGNS | {"=": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_PARTIAL = {"like", "ilike", "contains", "matches", "startswith", "endswith"}
_OPERATORS |= {word: "" if word in _PARTIAL else "=" for word in FOREIGN} | {"ne": "NOT ", "between": "", "not": ""}
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|“[^”]*”"
# The text after a keyword: an operator, perhaps negated, then a list or one value.
_COMPARISON = re.compile(
    rf"\s*(?P<sign>is|not|==|!=|<>|=~|!~|~=|<=|>=|=|<|>|~|between|{'|'.join(sorted(FOREIGN - {'is'}))})(?P<not>\s+not)?"
    rf"(?:\s+(?P<more>in|like|ilike|contains|matches))?(?:\s*[(\[](?P<list>[^()\[\]]*)[)\]]|\s*(?P<value>{_QUOTED}|[^\s()]+))?"
    r"(?:\s+and\s+(?P<last>[^\s()]+))?",
    re.IGNORECASE,
)
_NOTHING = NOTHING_WORDS - {"not"}
_NUMBERED = re.compile(r"\d[0-9A-Za-z]*(?:\.\d+){0,2}")
_WORDS_MAX = 6
_NEXT_WORD = re.compile(r"\s+([^\s():\"\\]+)(?=[\s)]|\Z)")
_MISSING = {"missing", "without", "no", "empty", "null", "hasnot", "lacks"}
_PRESENT = {"exists", "with", "present", "defined", "notnull", "notempty"}
# Value of `is:` → the terms that mean it, separated by `|`; the first whose keyword the inventory has is used.
_STATES = {
    "guest": "user_type:guest", "member": "user_type:member", "external": "user_type:guest",
    "enabled": "accountEnabled:t", "disabled": "is_disabled:t|accountEnabled:f", "online": "alive:t",
    "offline": "alive:f", "compliant": "@azuread.dev.isCompliant:t", "managed": "@azuread.dev.isManaged:t",
    "unmanaged": "NOT @azuread.dev.isManaged:t", "stale": "last_seen:>90days", "recurring": "recur:t",
}  # fmt: skip
# Keyword of other products → ours, separated by `|` and tried in order; `!` marks the opposite: its value is inverted.
_SYNONYMS = {
    "disabled": "is_disabled|owner.is_disabled|!owner.account_enabled|!account_enabled",
    "isdisabled": "is_disabled|owner.is_disabled|!owner.account_enabled|!account_enabled",
    "active": "alive|account_enabled", "isenabled": "account_enabled",
    "compliant": "@azuread.dev.isCompliant", "managed": "@azuread.dev.isManaged", "memberof": "member_of|group",
    "groups": "group", "username": "upn", "login": "upn", "user": "upn", "mail": "email",
    "ipaddress": "address", "host": "name", "computer": "name", "devicename": "name", "device": "name|asset",
    "platform": "os", "operatingsystem": "os", "version": "os_version", "lastactivity": "last_seen",
    "department": "owner.department|manager.department", "assettype": "type", "category": "type",
    "vendor": "manufacturer", "serialnumber": "serial", "size": "member_count",
    "lastscan": "last_seen",
}  # fmt: skip
_OPPOSITE = {"t": "f", "true": "false", "1": "0", "yes": "no", "f": "t", "false": "true", "0": "1", "no": "yes"}


def refuse_foreign_word(noun: Noun, reading: Reading) -> None:
    """Refuse an unquoted word that is an operator of another language, or the start of a comparison in one.

    Raises:
        BadSearch: the word is one of these.
    """
    word = reading.term.value
    if reading.is_quoted:
        return
    if word in _JOINED:
        hint = f'Write {_JOINED[word]}; to search for the text, quote it: "{word}".'
        reading.refuse(f"{word} does not join terms", hint=hint, instead=_JOINED[word])
    if (found := _COMPARED.fullmatch(word)) and find(noun, found[1]):
        start = reading.term.place.start + len(found[1])
        _refuse_comparison(reading, found[1], _COMPARISON.match(reading.text, start))
    following = reading.following().casefold()
    if (following.rstrip("([") in _OPERATORS or following[:1] in ("=", "<", ">", "~")) and find(noun, word):
        behind = _COMPARISON.match(reading.text, reading.term.place.end)
        if following != "not" or (behind and behind["more"]):
            _refuse_comparison(reading, word, behind)


def _refuse_comparison(reading: Reading, keyword: str, found: re.Match[str] | None) -> None:
    instead, end = None, None
    if found is not None:
        instead, end = _as_terms(keyword, found), found.end()
    quoted = f'"{shown(reading.term.value)}"'
    suggested = shown(instead) if instead else f"{keyword}:value"
    missing = "" if "has:" in suggested else f", or NOT has:{keyword} for a missing value"
    hint = f"Write {suggested}{missing}. To search for the text, quote it: {quoted}."
    message = f"A colon is missing after the keyword {shown(keyword)}"
    reading.refuse(message, hint=hint, instead=instead, end=end)


def _as_terms(keyword: str, found: re.Match[str]) -> str | None:
    """Convert a comparison of another language to terms; None if it is incomplete."""
    sign, more = found["sign"].casefold(), (found["more"] or "").casefold()
    negated = "NOT " if bool(found["not"]) or sign == "not" or _OPERATORS.get(sign) == "NOT " else ""
    operator = _OPERATORS.get(more or sign, "").replace("NOT ", "=")
    value = _plain_value(found["value"] or "")
    if found["list"] is not None:
        values = values_in(found["list"])
        return f"{negated}{keyword}:{values}" if values else None
    if value.casefold() in _NOTHING and sign in ("is", "=", "==", "!=", "<>", "eq", "ne", "equals", "not"):
        return f"has:{keyword}" if negated else f"NOT has:{keyword}"
    if not value:
        return f"{negated}has:{keyword}" if sign == "is" else None
    if sign == "between":
        return f"({keyword}:>={value} AND {keyword}:<={found['last']})" if found["last"] else None
    if sign in ("startswith", "endswith"):
        inner = value[1:-1] if value[0] == '"' else value
        return f'{negated}{keyword}:="{inner}%"' if sign == "startswith" else f'{negated}{keyword}:="%{inner}"'
    # The word after `and` is a condition of its own.
    return f"{negated}{keyword}:{operator}{value}" + (f" AND {found['last']}" if found["last"] else "")


def _plain_value(value: str) -> str:
    if value[:1] in OPENING:
        return quote_bare(value[1:-1])
    return value if re.fullmatch(r"[^\s()\"\\,]*", value) else quote_bare(value)


def refuse_value(keyword: Keyword, reading: Reading) -> None:
    """Refuse a value in another language's notation, such as `none`, and an unquoted value of several words.

    Raises:
        BadSearch: the value is one of these.
    """
    if keyword.kind is FieldKind.SOURCES:
        refuse_foreign_source(reading)
    if reading.is_quoted or reading.is_missing:
        return
    name, value = reading.term.keyword, reading.term.value
    word = value.casefold()
    if word in _NOTHING and word not in keyword.values and keyword.kind is not FieldKind.ENUM:
        instead = f"NOT has:{name}"
        hint = f'Write {instead} for a missing value; to search for the text, write {name}:"{word}".'
        reading.refuse(f"{reading.quoted} does not mean a missing value here", hint=hint, instead=instead)
    if plain(keyword.name) not in ("has", "attribute") and keyword.kind in TEXTS:
        _refuse_words(reading)
        meant = instead_of_text(name, reading.term.operator, value, is_version=keyword.kind is FieldKind.VERSION)
        if meant is not None:
            hint = f'Write {reading.shortened(meant)}; to search for the text, write {name}:"{shown(value)}".'
            reading.refuse(f"{reading.quoted} is in the notation of another language", hint=hint, instead=meant)


def _refuse_words(reading: Reading) -> None:
    words, at = list[str](), reading.term.place.end
    while len(words) < _WORDS_MAX and (found := _NEXT_WORD.match(reading.text, at)) and _continues(reading, found[1]):
        words.append(found[1])
        at = found.end()
    value = reading.term.value
    if not words:
        return
    if value.casefold() == "not":
        instead = f"NOT {reading.term.keyword}:{' '.join(words)}"
        reading.refuse("NOT goes before the keyword", instead=instead, end=at)
    whole = f'{reading.prefix}"{" ".join([value, *words])}"'
    parts = " AND ".join([f"{reading.prefix}{value}", *words])
    hint = f"Write {shown(whole)} for one value, {shown(parts)} for several conditions."
    reading.refuse("A value of several words needs quotes", hint=hint, instead=whole, end=at)


def _continues(reading: Reading, word: str) -> bool:
    """Tell whether a word continues the value before it: a number, or a capitalized word after another one."""
    if word.upper() in ("AND", "OR", "NOT") or word[0] in OPENING:
        return False
    value = reading.term.value
    if value.casefold() == "not" or _NUMBERED.fullmatch(word):
        return True
    return all(_is_name(one) for one in (value, word))


def _is_name(word: str) -> bool:
    letters = re.sub(r"['\u2019.-]", "", word)
    return letters.isalpha() and letters[0].isupper() and letters[1:] != letters[1:].upper()


def resolved(noun: Noun, reading: Reading) -> Keyword:
    """Find the keyword of a term.

    Raises:
        BadSearch: the keyword is unknown or belongs to another language; suggests a term if one fits.
    """
    name = reading.term.keyword
    found = find(noun, name)
    if found is None:
        _refuse_unknown(noun, reading, name)
        return known(noun, reading, name)
    if plain(name) == "has" and not reading.is_missing and not reading.term.operator.strip("="):
        if find(noun, reading.literal) is None:
            refuse_uncollected(noun, reading, reading.literal)
            _suggest(reading, [f"has:{other}" for other, _ in _alternatives(noun, reading.literal)])
    return found


def _refuse_unknown(noun: Noun, reading: Reading, name: str) -> None:
    if name[0] in "-!\u2013\u2014\u2212" and find(noun, name[1:]):
        hint = f"To exclude rows, write NOT {name[1:]}:value."
        instead = f"NOT {name[1:]}:{reading.raw}"
        reading.refuse(f"{name[0]} does not negate a term", hint=hint, instead=instead, suggestions=[name[1:]])
    _refuse_question(noun, reading, plain(name))
    refuse_uncollected(noun, reading, name)
    ways = []
    for other, is_opposite in _alternatives(noun, name):
        value = reading.raw
        if is_opposite:
            value = _OPPOSITE.get(reading.literal.casefold(), "")
        if value:
            ways.append(f"{other}:{value}")
    _suggest(reading, ways)


def _refuse_question(noun: Noun, reading: Reading, name: str) -> None:
    """Refuse keywords of other languages that ask for presence or a state, such as `missing:` and `is:`."""
    asked = reading.literal
    if name in _MISSING and find(noun, asked):
        reading.refuse(f"{name}: is not a keyword", instead=f"NOT has:{asked}")
    if name in _PRESENT and find(noun, asked):
        reading.refuse(f"{name}: is not a keyword", instead=f"has:{asked}")
    if name == "not" and find(noun, asked):
        reading.refuse("NOT takes no colon", instead=f"NOT has:{asked}")
    if name != "is":
        return
    ways = [f"is_{asked}:t", *_STATES.get(plain(asked), "").split("|"), f"{asked}:t"]
    for way in filter(None, ways):
        keyword = find(noun, way.removeprefix("NOT ").rpartition(":")[0])
        if keyword and (":t" not in way or keyword.kind is FieldKind.BOOL):
            reading.refuse("is: is not a keyword", hint=Suggestion(f"Write {way}."), instead=way)
    refuse_uncollected(noun, reading, asked)


def _suggest(reading: Reading, ways: list[str]) -> None:
    """Refuse an unknown keyword and suggest terms in its place.

    Raises:
        BadSearch: there is at least one suggestion.
    """
    if not ways:
        return
    ways = ways[:2]
    instead = ways[0] if len(ways) == 1 else f"({' OR '.join(ways)})"
    hint = Suggestion(f"Write {reading.shortened(instead)}. To search for text that has a colon, quote it.")
    names = [way.rpartition(":")[0] if way.startswith("has:") else way.partition(":")[0] for way in ways]
    message = "There is no keyword of that name here"
    reading.refuse(message, hint=hint, instead=instead, is_unknown=True, suggestions=names)


def _alternatives(noun: Noun, name: str) -> list[tuple[str, bool]]:
    """Return the keywords that an unknown one may mean, and whether each means the opposite."""
    head, dot, rest = name.partition(".")
    if dot:
        # Name a relation by its target: `user.department` of assets means owners and registered users.
        ways = [way.singular for way in noun.relations.values() if plain(way.target) == plain(head).removesuffix("s")]
        return [(found, False) for way in ways if find(noun, found := f"{way}.{rest}")]
    for other in _SYNONYMS.get(plain(name), "").split("|"):
        if other and plain(other.lstrip("!")) != plain(name) and find(noun, other.lstrip("!")):
            return [(other.lstrip("!"), other.startswith("!"))]
    for other in (f"is_{name}", f"has_{name}", f"{name}_at", f"{name}_count", f"{name}_date_time"):
        if find(noun, other):
            return [(other, False)]
    return [(found, False) for found in _related(noun, name)][:1]


def _related(noun: Noun, name: str) -> Iterator[str]:
    """Yield `relation.name` for each relation whose target has a keyword of this name."""
    for way in noun.relations.values():
        if way.source is None and way.target in NOUNS and find(NOUNS[way.target], name, prefixes=2):
            yield f"{way.singular}.{name}"
