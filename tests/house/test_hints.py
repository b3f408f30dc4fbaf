"""Hints are true: what one promises to happen by itself has a test that shows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.source import PRODUCT, ROOT, listed, modules

# What a hint may promise, and the test that proves it.
PROVED = {
    "Rollcall then continues by itself": "tests/end_to_end/test_fault.py::"
    "test_run_recovers_by_itself_when_the_disk_was_full",
    "It goes on at that time": "tests/end_to_end/test_put_off.py::"
    "test_run_goes_on_by_itself_and_shows_what_it_asked_in_all_attempts",
}
PROMISE = re.compile(r"by itself|is (?:tried|asked|sent|read) again|goes on|is put off|mends", re.IGNORECASE)


def texts_of_hints() -> Iterator[tuple[str, str]]:
    """Yield (where, text) for each text of the program that becomes a hint: an argument, or a constant named for it."""
    for module in modules(*PRODUCT):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                for part in ast.walk(node.value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield f"{module.path}:{part.lineno}", part.value
            elif isinstance(node, ast.Assign) and "HINT" in ast.unparse(node.targets[0]).upper():
                yield f"{module.path}:{node.lineno}", ast.unparse(node.value)


def test_hint_promises_only_what_a_test_proves() -> None:
    """Whoever reads that something happens by itself waits for it: a retry that is not planned costs them a night."""
    found = list(texts_of_hints())
    assert len(found) > 50
    loose = [f"{where}: {text}" for where, text in found if PROMISE.search(text) and not any(p in text for p in PROVED)]
    assert not loose, listed(loose)


def test_promise_of_a_hint_names_a_test_that_exists() -> None:
    """The proof is there."""
    for proof in PROVED.values():
        path, _, name = proof.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text()
