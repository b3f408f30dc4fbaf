"""A pytest plugin that says how much of what is long a run takes.

`make test` takes a small share, so that a newcomer waits for minutes; `make test-slow` takes what is marked `slow` in
the numbers that CI has time for, and `make night` in those that take hours. A test with a number of its own asks
`share`. Of one with many cases, `@pytest.mark.slow(cases=(9, 60))` keeps 9 in `make test` and 60 in `make test-slow`,
from all over the list and the same in every run; without a second number, or without any, nothing is left out there.
`cases=0` leaves a test that starts many processes to `make test-slow`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

import pytest


class Amount(IntEnum):
    """How much a run takes; named after the targets of the Makefile."""

    TEST = 0
    SLOW = 1
    NIGHT = 2


_amount = Amount.TEST


def share(test: int, slow: int, night: int | None = None) -> int:
    """Return the number that this run takes; at night the one of `make test-slow`, unless there is a greater one."""
    return (test, slow, slow if night is None else night)[_amount]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; the targets of the Makefile set it."""
    names = [amount.name.lower() for amount in Amount]
    parser.addoption("--amount", choices=names, default=names[0], help="how much of what is long to take")


def pytest_configure(config: pytest.Config) -> None:
    """Read the option before modules are imported: numbers stand in decorators too."""
    global _amount
    _amount = Amount[config.getoption("--amount").upper()]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases that are beyond the share; a case that is asked for by name is its own share."""
    dropped = set(_beyond_the_share(items))
    if dropped:
        config.hook.pytest_deselected(items=[item for item in items if item in dropped])
        items[:] = [item for item in items if item not in dropped]


def places(there: int, wanted: int) -> set[int]:
    """Return so many places of a list, from all over it."""
    return {(2 * number + 1) * there // (2 * wanted) for number in range(wanted)}


def _beyond_the_share(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        kept = places(len(cases), _wanted(cases[0], len(cases)))
        yield from (case for place, case in enumerate(cases) if place not in kept)


def _wanted(item: pytest.Item, there: int) -> int:
    marker = item.get_closest_marker("slow")
    given = marker.kwargs.get("cases", ()) if marker else ()
    numbers = given if isinstance(given, tuple) else (given,)
    return min(there, numbers[_amount]) if _amount < len(numbers) else there
