"""docs/simulator.md says what the simulator can do: every fault, variant, plan and door, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from server.simulator import Simulator
from server.simulator.admin import Admin
from server.simulator.fault import FAULTS
from server.simulator.fault.plan import NAMED, plan_from
from server.simulator.variant import Variants
from tests.house.source import read

TEXT = read("docs/simulator.md")


def table(heading: str) -> list[str]:
    """Return the rows of the last table below a heading."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return section.rstrip().rpartition("|---|\n")[2].splitlines()


def test_document_lists_every_fault_as_declared() -> None:
    """Name, promise, sentence and forms are those of the declaration; this is the table to paste."""
    declared = [
        f"| `{fault.name}` | {fault.promise} | {fault.text} | {', '.join(f'`{form}`' for form in fault.forms)} |"
        for fault in FAULTS.values()
    ]
    assert table("Faults") == declared, "\n".join(declared)


def test_document_lists_every_variant_with_its_default() -> None:
    """Each switch with what it is when nobody touches it."""
    listed = [row.split(" | ")[:2] for row in table("Variants")]
    assert listed == [[f"| `{field.name}`", _written(field.default)] for field in fields(Variants)]


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("name", NAMED)
def test_document_names_every_plan(name: str) -> None:
    """A plan that can be asked for is described."""
    assert f"`{name}`" in TEXT


def test_plan_in_the_document_is_one() -> None:
    """The example can be saved and used."""
    (example,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert len(plan_from(json.loads(example)).rules) == 4


def test_document_lists_every_door() -> None:
    """Each path of the admin API stands there with each of its methods."""
    section = TEXT.partition("\n## The admin API\n")[2].partition("\nRelations")[0]
    documented: set[tuple[str, str]] = set()
    for row in section.splitlines():
        methods: list[str] = []
        for code in re.findall(r"`([^`]+)`", row.partition(" | ")[0]):
            method, _, path = code.partition(" ")
            methods.append(method)
            if path:
                documented |= {(one, _nameless(path.partition("?")[0])) for one in methods}
                methods = []
    routes = Admin(Simulator(users=1, devices=1, groups=1)).routes()
    declared = {(method, _nameless(r.path)) for r in routes for method in (r.methods or set()) - {"HEAD"}}
    assert declared == documented


def _nameless(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", path)
