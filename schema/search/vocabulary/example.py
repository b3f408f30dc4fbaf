"""Examples of keywords: searches, with the number of rows they find in the inventory of `rollcall demo`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from schema.search.vocabulary.keyword import Keyword

WITHOUT = {
    ("ApiToken", "last_used_at"): "changes with use",
    ("Group", "id"): "differs in each demo",
    ("TaskRun", "phase"): "only while a run works",
    ("User", "id"): "differs in each demo",
}
"""Noun and keyword whose rows vary → why it has no example."""
_NONE = "none in the demo"
_FILE = "examples.tsv"


@dataclass(frozen=True)
class Example:
    """A search for one keyword, and the number of rows that it finds in the demo."""

    noun: str
    keyword: str
    search: str
    rows: int


@cache
def examples() -> dict[tuple[str, str], Example]:
    """Read the stored examples; noun and keyword → example."""
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    found = [Example(noun, keyword, search, int(rows)) for noun, keyword, search, rows in _rows(text)]
    return {(example.noun, example.keyword): example for example in found}


def example_row(noun: str, keyword: Keyword) -> tuple[str, str]:
    """Return an example and its number of rows for a table, or why there is none."""
    if keyword.uncollected:
        return "", ""
    found = examples().get((noun, keyword.name))
    return (f"`{found.search}`", f"{found.rows:,}") if found else (WITHOUT.get((noun, keyword.name), _NONE), "")


def write_examples(found: Iterable[Example]) -> str:
    """Write examples in the format of their file."""
    return "".join(f"{one.noun}\t{one.keyword}\t{one.search}\t{one.rows}\n" for one in found)


def _rows(text: str) -> Iterable[list[str]]:
    return (line.split("\t") for line in text.splitlines())
