"""The declaration of a fault: its name, its description, and the function that changes an answer."""

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
    """A misbehaviour of Microsoft Graph, the sign-in service or the network between.

    `forms` are the usual values, by name; a fault without forms takes no value. Without `times` in its rule, a fault
    happens once, but a `lasting` one for all later requests. A fault `of_page` applies only to answers that are pages.
    """

    name: str
    promise: str  # the reliability promise that it tests, by number
    text: str
    damage: Damage
    forms: Mapping[str, str] = field(default_factory=dict)
    lasting: bool = False
    of_page: bool = False
    act: Act | None = None  # changes the tenant before it answers


FAULTS: dict[str, Fault] = {}


def fault(
    promise: str, forms: Forms = (), *, lasting: bool = False, of_page: bool = False
) -> Callable[[Damage], Damage]:
    """Declare a function as a fault, with the function's name (`-` for `_`) and docstring."""

    def declare(damage: Damage) -> Damage:
        _add(Fault(_name(damage), promise, _sentence(damage), damage, _named(forms), lasting, of_page))
        return damage

    return declare


def event(promise: str, forms: Forms) -> Callable[[Act], Act]:
    """Declare a function as a fault that changes the tenant before a request; the answer itself stays unchanged."""

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
    """Return the name of every fault in each of its forms."""
    return [
        row
        for name, declared in FAULTS.items()
        for row in ([f"{name}.{form}" for form in declared.forms] if declared.forms else [name])
    ]


def find(row: str) -> tuple[Fault, str]:
    """Return the fault that a row names, and its value.

    Args:
        row: `name`, `name.form` with one of the fault's forms, or `name=value` with any value.

    Raises:
        BadInput: the fault or its form is unknown, or a value is missing or not allowed.
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
