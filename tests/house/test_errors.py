"""The error tree drawn in sync/errors.py is the tree of its classes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from sync import errors
from sync.errors import RollcallError
from tests.house.source import listed, modules

BRANCH = re.compile(r"^    (?P<lead>(?:│   |    )*)[├└]── (?P<name>\w+)\s{2,}(?P<when>\S.*)$", re.MULTILINE)


def drawn() -> list[tuple[str, str]]:
    """Return (class, its base) in the order of the drawing."""
    path = [RollcallError.__name__]
    pairs = []
    for branch in BRANCH.finditer(errors.__doc__ or ""):
        depth = len(branch["lead"]) // 4 + 1
        path[depth:] = [branch["name"]]
        pairs.append((branch["name"], path[depth - 1]))
    return pairs


def declared(base: type[RollcallError] = RollcallError) -> Iterator[type[RollcallError]]:
    """Yield the subclasses that sync/errors.py declares, parents first, in the order of the file."""
    for child in base.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from declared(child)


def test_error_tree_drawing_equals_the_classes() -> None:
    """The drawing a newcomer reads first shows every class, under its base, in the order of the file."""
    assert drawn() == [(child.__name__, child.__bases__[0].__name__) for child in declared()]


def test_error_class_carries_a_code_of_its_own() -> None:
    """Programs tell errors apart by `code`, so no two classes share one and none inherits one."""
    codes = [vars(child).get("code", f"{child.__name__} has none") for child in declared()]
    assert sorted(codes) == sorted(set(codes))
    assert not [code for code in codes if not re.fullmatch(r"[A-Z][A-Z_]+[A-Z]", code)]


def test_error_message_is_a_sentence_when_none_is_given() -> None:
    """The first line of the docstring is what a person reads, so it is one full sentence."""
    problems = [child.__name__ for child in declared() if not re.fullmatch(r"[A-Z][^\n]{10,}\.", str(child()))]
    assert not problems, listed(problems)


def test_error_class_is_declared_only_in_the_tree() -> None:
    """An error of ours outside sync/errors.py would be missing from the drawing and from the API's codes."""
    names = {child.__name__ for child in declared()} | {RollcallError.__name__}
    problems = [
        f"{module.path}:{node.lineno} {node.name}"
        for module in modules("server/", "schema/", "sync/")
        if module.path != "sync/errors.py"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id in names for b in node.bases)
    ]
    assert not problems, listed(problems)
