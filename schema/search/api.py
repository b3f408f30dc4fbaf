"""The search language for user interfaces: its keywords, and the meaning of a search text."""

from __future__ import annotations

import enum
from typing import Any, cast

import strawberry

from schema.field.registry import NOUNS
from schema.field.scalars import JSON
from schema.limit.expected import about
from schema.search.meaning import mistakes, terms_of
from schema.search.parser import attempt
from schema.search.print import print_search, tree
from schema.search.token import AnyTerm, Term, units
from schema.search.value import FORMS, Reading
from schema.search.vocabulary.keyword import Keyword
from schema.search.vocabulary.table import listed
from sync.errors import BadSearch

_INVENTORIES = {
    "ASSETS": strawberry.enum_value("Asset", description="Machines, each listed once for all its sources."),
    "USERS": strawberry.enum_value("User", description="Users of directories."),
    "GROUPS": strawberry.enum_value("Group", description="Groups of directories."),
    "TASKS": strawberry.enum_value("Task", description="Tasks: syncs of a directory and scans, with their schedules."),
    "TASK_RUNS": strawberry.enum_value("TaskRun", description="Runs of tasks, with their progress and errors."),
    "CREDENTIALS": strawberry.enum_value("Credential", description="Credentials to sign in with."),
    "SITES": strawberry.enum_value("Site", description="Sites that hold assets."),
    "API_TOKENS": strawberry.enum_value("ApiToken", description="API tokens of callers, without the secret text."),
    "AUDIT_EVENTS": strawberry.enum_value("AuditEvent", description="Actions of callers, including refused ones."),
    "ORGANIZATIONS": strawberry.enum_value("Organization", description="Organizations, each isolated from the others."),
}
Inventory: Any = strawberry.enum(
    cast(Any, enum.Enum("Inventory", _INVENTORIES)),
    description="Inventories that can be listed and searched.",
)
_VALUE_KINDS = {
    "ID": strawberry.enum_value("ID", description="An id."),
    "TEXT": strawberry.enum_value("TEXT", description="Text; `%` and `_` are wildcards."),
    "VERSION": strawberry.enum_value("VERSION", description="A version, compared number by number."),
    "BOOL": strawberry.enum_value("BOOL", description="Yes or no."),
    "INT": strawberry.enum_value("INT", description="A whole number."),
    "TIME": strawberry.enum_value("TIME", description="A moment, a day, or a time relative to now."),
    "ENUM": strawberry.enum_value("ENUM", description="A value of a closed list."),
    "LIST": strawberry.enum_value("LIST", description="A list of texts; any of them may match."),
    "ADDRESSES": strawberry.enum_value("ADDRESSES", description="A list of IP addresses; any of them may match."),
    "NUMBERS": strawberry.enum_value("NUMBERS", description="A list of whole numbers; any of them may match."),
    "SOURCES": strawberry.enum_value("SOURCES", description="The name of a source."),
}
SearchValueKind: Any = strawberry.enum(
    cast(Any, enum.Enum("SearchValueKind", _VALUE_KINDS)),
    description="The kind of a keyword's values.",
)


@strawberry.type(description="A keyword of the search language.")
class SearchKeyword:
    name: str = strawberry.field(description="The text before the colon.")
    aliases: list[str] = strawberry.field(
        description="Other names. Underscores and a plural ending make no difference."
    )
    kind: SearchValueKind = strawberry.field(description="The kind of its values.")
    description: str = strawberry.field(description="Its meaning.")
    forms: list[str] = strawberry.field(description="Ways to write a value.")
    values: list[str] = strawberry.field(description="All values, if the list is closed.")


@strawberry.type(description="A mistake in a search text.")
class SearchMistake:
    message: str = strawberry.field(description="The mistake, as a sentence.")
    hint: str | None = strawberry.field(description="How to fix it.")
    offset: int = strawberry.field(description="UTF-16 units before the mistake, as editors and JavaScript count.")
    length: int = strawberry.field(description="UTF-16 units of the mistake.")
    line: int = strawberry.field(description="The line, from 1.")
    column: int = strawberry.field(description="The column in UTF-16 units, from 1.")
    expected: list[str] = strawberry.field(description="Texts that would be valid there.")
    suggestions: list[str] = strawberry.field(description="The most similar keywords.")
    repaired: str | None = strawberry.field(
        description="The whole text with this mistake repaired; null if the intention is unclear."
    )


@strawberry.type(description="A term of a search text. A user interface can draw it as one piece.")
class SearchTerm:
    keyword: str | None = strawberry.field(description="The keyword as typed; null for a word without keyword.")
    operator: str | None = strawberry.field(description="`=`, `<`, `<=`, `>` or `>=`; null if there is none.")
    value: str = strawberry.field(
        description="The value to search for, without quotes; the values of a list are joined by commas."
    )
    values: list[str] = strawberry.field(description="The values of a list, or the single value.")
    offset: int = strawberry.field(description="UTF-16 units before the term.")
    length: int = strawberry.field(description="UTF-16 units of the term.")


@strawberry.type(description="The meaning of a search text.")
class SearchParse:
    normalized: str | None = strawberry.field(description="The text in normal form; null if it has mistakes.")
    tree: JSON | None = strawberry.field(
        description="`{and: […]}`, `{or: […]}`, `{not: …}` or `{keyword, operator, value, offset, length}`; "
        "null if the text is empty or cannot be parsed."
    )
    terms: list[SearchTerm] = strawberry.field(
        description="Its terms in text order, even if it has mistakes.", metadata=about(20)
    )
    errors: list[SearchMistake] = strawberry.field(
        description="Its mistakes; empty if it can be searched.", metadata=about(5)
    )


def search_keywords(inventory: Any) -> list[SearchKeyword]:
    """List the keywords of an inventory."""
    return [_shown(keyword) for keyword in listed(inventory.value)]


def _shown(keyword: Keyword) -> SearchKeyword:
    return SearchKeyword(
        name=keyword.name,
        aliases=list(keyword.aliases),
        kind=SearchValueKind[keyword.kind.name],
        description=keyword.description,
        forms=FORMS[keyword.kind],
        values=list(keyword.values),
    )


def parse_search_text(inventory: Any, query: str) -> SearchParse:
    """Parse a search text and list all its mistakes."""
    syntax, found = mistakes(NOUNS[inventory.value], query)
    terms = terms_of(syntax)
    is_whole = syntax is not None and not attempt(query)[1]
    return SearchParse(
        normalized=None if found else print_search(syntax),
        tree=JSON(tree(query, syntax)) if is_whole else None,
        terms=[_shown_term(query, term) for term in terms],
        errors=[_mistake(error) for error in found],
    )


def _shown_term(text: str, term: AnyTerm) -> SearchTerm:
    parts = (term,) if isinstance(term, Term) else term.terms
    values = [_shown_value(Reading(text, part)) for part in parts]
    start, end = term.place.start, term.place.end
    return SearchTerm(
        keyword=parts[0].keyword or None,
        operator=parts[0].operator or None,
        value=",".join(values),
        values=values,
        offset=units(text[:start]),
        length=units(text[start:end]),
    )


def _shown_value(reading: Reading) -> str:
    """Return a value without backslashes; keep those of a pattern, where they escape wildcards."""
    return reading.literal if reading.pattern is None else reading.term.value


def _mistake(error: BadSearch) -> SearchMistake:
    facts: dict[str, Any] = error.facts
    return SearchMistake(
        message=error.message,
        hint=error.hint,
        **{name: facts[name] for name in ("offset", "length", "line", "column")},
        expected=facts.get("expected", []),
        suggestions=facts.get("suggestions", []),
        repaired=error.repaired,
    )
