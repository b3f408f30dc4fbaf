"""Patterns of LIKE, compared in any letter case, as elements of a statement that are written by hand.

A search has one of these for each word and column: put together of SQLAlchemy's own they took longer to write than
many a statement to run. LIKE by itself ignores letter case in plain ASCII. Folding is a call into Python, and most
texts need none: one of as many bytes as characters is ASCII.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from schema.field.registry import ANY_MEMBER

ESCAPE = "\\"
# Of a row of json_tree: it is a text or a number of an object in the list, and not one of what lies deeper.
MEMBER = "member.type IN ('text', 'integer', 'real') AND member.path <> '$' AND instr(member.path, '.') = 0"
# JSON writes these in another way.
_REWRITTEN = re.compile(r'[\x00-\x1f"\\]')
_PIECES = re.compile(r"\\(.)|[%_]|[^\\%_]+", re.DOTALL)


def escaped(text: str) -> str:
    """Return a text in the form that a pattern of LIKE takes for itself."""
    return text.replace(ESCAPE, ESCAPE * 2).replace("%", ESCAPE + "%").replace("_", ESCAPE + "_")


def literals(pattern: str) -> list[str]:
    """Return the texts between the wildcards of a pattern of LIKE."""
    found = [""]
    for piece in _PIECES.finditer(pattern):
        if piece[0] in ("%", "_"):
            found.append("")
        else:
            found[-1] += piece[1] or piece[0]
    return found


def like(text: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Compile "the text is of this pattern", which must be folded."""
    return _Like(text, pattern)


def like_any(texts: ColumnElement[Any], element: str | None, pattern: str) -> ColumnElement[bool]:
    """Compile "a text of the list is of this pattern", which must be folded.

    Args:
        texts: a list in JSON.
        element: the text's name in each member, if those are objects; never a caller's.
        pattern: folded.
    """
    parts = literals(pattern)
    # A list whose JSON holds them nowhere is not taken apart.
    whole = "%" if any(map(_REWRITTEN.search, parts)) else "%".join(["", *map(escaped, parts), ""])
    if element == ANY_MEMBER:
        return _LikeAny(texts, whole, literal_column(f"CASE WHEN {MEMBER} THEN member.value END"), pattern)
    # Of an element that is no object, SQLite would refuse to take a member, and the statement with it.
    of_object = f"CASE WHEN member.type = 'object' THEN json_extract(member.value, '$.{element}') END"
    member = "member.value" if element is None else of_object
    return _LikeAny(texts, whole, literal_column(member), pattern)


def matcher(pattern: str) -> re.Pattern[str]:
    """Return the expression of Python that holds for what a pattern of LIKE holds for."""
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
    return f"({_written(text, pattern)})"


@compiles(_LikeAny)
def _write_like_any(found: _LikeAny, compiler: Any, **how: Any) -> str:
    texts, whole, member, pattern = (compiler.process(clause, **how) for clause in found.clauses)
    # A tree has the members of its objects as well; of other lists, its rows are the elements and itself.
    walk = "json_tree" if "member.path" in member else "json_each"
    one = f"fold(CAST({member} AS TEXT)) LIKE {pattern} ESCAPE '{ESCAPE}'"
    # No value stands in it, only what the compiler has written: columns and the places of parameters.
    return f"({_written(texts, whole)} AND EXISTS (SELECT 1 FROM {walk}({texts}) AS member WHERE {one}))"  # noqa: S608


def _written(text: str, pattern: str) -> str:
    known = f"CASE WHEN length(CAST({text} AS BLOB)) > length({text}) THEN fold({text}) ELSE {text} END"
    return f"{known} LIKE {pattern} ESCAPE '{ESCAPE}'"
