"""The tenant of the database that the first version made: built and changed in the same way each time."""

from __future__ import annotations

from server.simulator import FaultPlan, Rule, Simulator
from tests.sync.entra.clock import FakeClock

# An accent composed, the same accent on its own, a dotted capital, a sharp s, and a capital.
NAMES = ("Dvo\u0159\u00e1k", "Dvor\u030ca\u0301k", "\u0130nan", "Stra\u00dfe", "ZETA")


def tenant(clock: FakeClock) -> Simulator:
    """Return the tenant before its first sync."""
    simulator = Simulator(users=48, devices=36, groups=10, seed=16, clock=clock)
    for object_id, name in zip(simulator.directory.ids("users"), NAMES, strict=False):
        simulator.directory.update("users", object_id, displayName=f"{name} {object_id[:4]}", surname=name)
    return simulator


def change(simulator: Simulator) -> None:
    """Delete objects of each kind, for good and restorably, and move some edges."""
    directory = simulator.directory
    for kind, doomed in (("users", (7, 20)), ("groups", (3, 4)), ("devices", (5, 6, 9))):
        ids = list(directory.ids(kind))
        for number in doomed:
            directory.delete(kind, ids[number], permanently=number % 2 == 0)
    manager, report = list(directory.ids("users"))[10:12]
    directory.link("manager", report, manager)
    directory.unlink("members", *next(iter(directory.edges("members"))))


def break_groups(simulator: Simulator) -> None:
    """Let the groups be refused, so that a run ends with an error."""
    simulator.use(FaultPlan([Rule("refused.403", "groups", times=0)]))
