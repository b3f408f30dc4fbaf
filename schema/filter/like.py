"""Compiles LIKE patterns in any letter case, as SQL elements that are written by hand.

A search has a pattern for each word and column. Built from SQLAlchemy's own elements, they took longer to compile than
many statements take to run. LIKE ignores letter case only in ASCII. Folding calls Python, so ASCII texts skip it: they
have as many bytes as characters.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from schema.field.registry import ANY_MEMBER

ESCAPE = "\\"
# A row of json_tree is a text or number of an object in the list, not of a deeper value.
MEMBER = "member.type IN ('text', 'integer', 'real') AND member.path <> '$' AND instr(member.path, '.') = 0"
# JSON escapes these characters.
_REWRITTEN = re.compile(r'[\x00-\x1f"\\]')
_PIECES = re.compile(r"\\(.)|[%_]|[^\\%_]+", re.DOTALL)


def escaped(text: str) -> str:
    """Escape a text, so that a LIKE pattern matches it literally."""
    return text.replace(ESCAPE, ESCAPE * 2).replace("%", ESCAPE + "%").replace("_", ESCAPE + "_")


def literals(pattern: str) -> list[str]:
    """Return the texts between the wildcards of a LIKE pattern."""
    found = [""]
    for piece in _PIECES.finditer(pattern):
        if piece[0] in ("%", "_"):
            found.append("")
        else:
            found[-1] += piece[1] or piece[0]
    return found


def like(text: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Compile "the text matches this pattern"; the pattern must be folded."""
    return _Like(text, pattern)


def like_any(texts: ColumnElement[Any], element: str | None, pattern: str) -> ColumnElement[bool]:
    """Compile "a text of the list matches this pattern"; the pattern must be folded.

    Args:
        texts: a list in JSON.
        element: the member that has the text, if the elements are objects; never from a caller.
        pattern: folded.
    """
    parts = literals(pattern)
    # Compare the JSON of the whole list first: only a list that contains all parts is unpacked.
    whole = "%" if any(map(_REWRITTEN.search, parts)) else "%".join(["", *map(escaped, parts), ""])
    if element == ANY_MEMBER:
        return _LikeAny(texts, whole, literal_column(f"CASE WHEN {MEMBER} THEN member.value END"), pattern)
    # Take the member of objects only: json_extract of another element makes the statement fail.
    of_object = f"CASE WHEN member.type = 'object' THEN json_extract(member.value, '$.{element}') END"
    member = "member.value" if element is None else of_object
    return _LikeAny(texts, whole, literal_column(member), pattern)


def matcher(pattern: str) -> re.Pattern[str]:
    """Convert a LIKE pattern to a regular expression."""
    signs = {"%": ".*", "_": "."}
    pieces = (signs.get(piece[0]) or re.escape(piece[1] or piece[0]) for piece in _PIECES.finditer(pattern))
    return re.compile("".join(pieces), re.DOTALL)


class _Like(FunctionElement[bool]):
    inherit_cache = True


class _LikeAny(FunctionElement[bool]):
    inherit_cache = True


@compiles(_Like)
def _write_like(found: _Like, compiler: Any, **how: Any) -> str:
    text, pattern = (compiler.process(clause, **how) for clause in found.clauses)
    return f"({_like_sql(text, pattern)})"


@compiles(_LikeAny)
def _write_like_any(found: _LikeAny, compiler: Any, **how: Any) -> str:
    texts, whole, member, pattern = (compiler.process(clause, **how) for clause in found.clauses)
    # Only json_tree has the members of objects; for other lists it would add a row for the list itself.
    walk = "json_tree" if "member.path" in member else "json_each"
    one = f"fold(CAST({member} AS TEXT)) LIKE {pattern} ESCAPE '{ESCAPE}'"
    # The text has no values, only the compiler's output: columns and placeholders.
    return f"({_like_sql(texts, whole)} AND EXISTS (SELECT 1 FROM {walk}({texts}) AS member WHERE {one}))"  # noqa: S608


def _like_sql(text: str, pattern: str) -> str:
    known = f"CASE WHEN length(CAST({text} AS BLOB)) > length({text}) THEN fold({text}) ELSE {text} END"
    return f"{known} LIKE {pattern} ESCAPE '{ESCAPE}'"
