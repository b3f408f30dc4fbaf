"""What a fault is: a name, a sentence, and how it changes an answer; reading a family adds its faults to the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from server.simulator.asked import Asked
from server.simulator.graph.reply import GraphReply
from sync.errors import BadInput

Damage = Callable[[GraphReply, str], None]
Act = Callable[[Asked, str], None]
Forms = Mapping[str, str] | Sequence[str]  # values by name, or values that are their own names


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which Microsoft Graph, the sign-in service or what lies between misbehaves.

    `forms` are the values it is usually given, by name; a fault without forms takes no value. `lasting` faults make
    sense only from some request on; the others happen once when a plan does not say how often. One `of_page` changes
    what a page says, so it waits for an answer that is one.
    """

    name: str
    promise: str  # the row of the reliability promises that it belongs to
    text: str
    damage: Damage
    forms: Mapping[str, str] = field(default_factory=dict)
    lasting: bool = False
    of_page: bool = False
    act: Act | None = None  # done to the tenant before it answers


FAULTS: dict[str, Fault] = {}


def fault(
    promise: str, forms: Forms = (), *, lasting: bool = False, of_page: bool = False
) -> Callable[[Damage], Damage]:
    """Declare a function as a fault: its name, with `-` for `_`, and its docstring are the fault's."""

    def declare(damage: Damage) -> Damage:
        _add(Fault(_name(damage), promise, _sentence(damage), damage, _named(forms), lasting, of_page))
        return damage

    return declare


def event(promise: str, forms: Forms) -> Callable[[Act], Act]:
    """Declare a function as something that happens to the tenant before a request; the answer itself is whole."""

    def declare(act: Act) -> Act:
        _add(Fault(_name(act), promise, _sentence(act), lambda reply, value: None, _named(forms), act=act))
        return act

    return declare


def _add(declared: Fault) -> None:
    FAULTS[declared.name] = declared


def _name(function: Damage | Act) -> str:
    return function.__name__.replace("_", "-")


def _sentence(function: Damage | Act) -> str:
    return " ".join((function.__doc__ or "").split())


def _named(forms: Forms) -> dict[str, str]:
    return dict(forms) if isinstance(forms, Mapping) else {form: form for form in forms}


def rows() -> list[str]:
    """Return the name of every fault in each of its forms: what a table of tests runs through."""
    return [
        row
        for name, declared in FAULTS.items()
        for row in ([f"{name}.{form}" for form in declared.forms] if declared.forms else [name])
    ]


def find(row: str) -> tuple[Fault, str]:
    """Return the fault that a row names, and the value it is given.

    Args:
        row: `name`, `name.form` with one of the fault's forms, or `name=value` with any value.

    Raises:
        BadInput: no such fault, no such form, or a value missing or too many.
    """
    name, _, value = row.partition("=")
    name, _, form = name.partition(".")
    declared = FAULTS.get(name)
    if declared is None:
        raise BadInput(f"There is no fault {name}; docs/simulator.md lists them all.")
    if not declared.forms and row == name:
        return declared, ""
    if declared.forms and form in declared.forms and "=" not in row:
        return declared, declared.forms[form]
    if declared.forms and not form and "=" in row:
        return declared, value
    takes = f"one of {', '.join(f'{name}.{form}' for form in declared.forms)}" if declared.forms else name
    raise BadInput(f"The fault {row} is not understood; write {takes}.")
