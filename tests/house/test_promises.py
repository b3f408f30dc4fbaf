"""docs/promises.md names tests that exist: a promise without its test is only a wish."""

from __future__ import annotations

import re

from tests.house.source import listed, modules, read

TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROW = re.compile(r"^\| [A-Z]\d+\S* \|.*$", re.MULTILINE)
ELSEWHERE = "make bench"


def test_promise_names_tests_that_exist() -> None:
    """Each row has at least one, or says what measures it; each one is a function that pytest collects."""
    rows = ROW.findall(read("docs/promises.md"))
    assert len(rows) >= 60
    problems = [row.partition("|")[2][:60] for row in rows if not TEST.search(row) and ELSEWHERE not in row]
    there = {(module.path, function.name) for module in modules("tests/") for function in module.functions()}
    for path, name in TEST.findall(read("docs/promises.md")):
        if (path, name) not in there or not name.startswith("test_"):
            problems.append(f"{path}::{name}")
    assert not problems, listed(problems)
