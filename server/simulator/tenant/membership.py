"""The initial members, owners, users and managers, computed from numbers, so that no edge is stored.

A group's users are an arithmetic progression. So member j is found without its predecessors, and one multiplication
tells whether a user is a member.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from server.simulator.tenant.draw import Draw
from server.simulator.tenant.group import CYCLE, DYNAMIC_DEVICES, EMPTY, EVERYONE

if TYPE_CHECKING:
    from server.simulator.tenant.size import Size

NESTED_EVERY = 9  # every ninth group holds the two before it
# Mean 30: most groups are small, a few are not.
USER_COUNTS = (0, 1, 2, 3, 5, 5, 8, 8, 10, 12, 12, 15, 20, 20, 25, 30, 40, 60, 90, 200)
Target = tuple[str, int]


class Roster(NamedTuple):
    """One group's direct members: nested groups, then devices, then users."""

    groups: tuple[int, ...]
    device_start: int
    devices: int
    user_start: int
    user_stride: int
    users: int

    def total(self) -> int:
        """Return how many members there are."""
        return len(self.groups) + self.devices + self.users


@lru_cache(maxsize=65_536)
def roster(seed: int, size: Size, number: int) -> Roster:
    """Return the members of a group in closed form."""
    draw = Draw(b"%d roster %d" % (seed, number))
    users = min(draw.pick(USER_COUNTS), size.users)
    devices = min(draw.below(20), size.devices) if draw.percent(15) else 0
    if number == EVERYONE:
        users, devices = size.largest_group, 0
    elif number == DYNAMIC_DEVICES:
        users, devices = 0, min(200, size.devices)
    elif number == EMPTY:
        users = devices = 0
    stride = 1 + draw.below(max(size.users // 7, 1))
    while size.users and gcd(stride, size.users) != 1:
        stride += 1
    return Roster(
        groups=_nested(size, number),
        device_start=draw.below(max(size.devices, 1)),
        devices=devices,
        user_start=draw.below(max(size.users, 1)),
        user_stride=stride,
        users=users,
    )


def _nested(size: Size, number: int) -> tuple[int, ...]:
    if number in CYCLE:  # A holds B, B holds C, C holds A
        following = CYCLE[(CYCLE.index(number) + 1) % len(CYCLE)]
        return (following,) if following < size.groups else ()
    if number > EMPTY and number % NESTED_EVERY == 0:
        return (number - 1, number - 2)
    return ()


@lru_cache(maxsize=1_024)
def _owners(seed: int, size: Size, number: int) -> tuple[int, ...]:
    if not size.users:
        return ()
    draw = Draw(b"%d owners %d" % (seed, number))
    first = draw.below(size.users)
    second = draw.below(size.users)
    return (first, second)[: draw.below(3)] if first != second else (first,)


@lru_cache(maxsize=1_024)
def _device_people(seed: int, size: Size, number: int) -> tuple[int, ...]:
    """Return the owner first, then further registered users; empty for shared machines."""
    draw = Draw(b"%d people %d" % (seed, number))
    if not size.users or draw.percent(12):
        return ()
    owner = draw.below(size.users)
    extra = (owner + 1 + draw.below(max(size.users - 1, 1))) % size.users
    return (owner, extra) if draw.percent(6) and extra != owner else (owner,)


def _manager(number: int) -> tuple[int, ...]:
    # Eight reports each; user 0 leads, and some people report to nobody.
    return () if number == 0 or number % 61 == 60 else ((number - 1) // 8,)


def _few(seed: int, size: Size, relation: str, number: int) -> tuple[int, ...]:
    if relation == "manager":
        return _manager(number)
    if relation == "groupOwners":
        return _owners(seed, size, number)
    people = _device_people(seed, size, number)
    return people[:1] if relation == "deviceOwners" else people


def link_count(seed: int, size: Size, relation: str, number: int) -> int:
    """Return how many links of the relation object `number` has."""
    if relation == "members":
        return roster(seed, size, number).total()
    return len(_few(seed, size, relation, number))


def links(seed: int, size: Size, relation: str, number: int, low: int, high: int) -> list[Target]:
    """Return links `low` to `high` (exclusive) as (kind, number)."""
    if relation != "members":
        return [("users", person) for person in _few(seed, size, relation, number)[low:high]]
    own = roster(seed, size, number)
    nested, machines = len(own.groups), len(own.groups) + own.devices
    found: list[Target] = [("groups", group) for group in own.groups[low:high]]
    for j in range(max(low, nested), min(high, machines)):
        found.append(("devices", (own.device_start + j - nested) % size.devices))
    for j in range(max(low, machines), min(high, own.total())):
        found.append(("users", (own.user_start + (j - machines) * own.user_stride) % size.users))
    return found


def has_link(seed: int, size: Size, relation: str, number: int, kind: str, target: int) -> bool:
    """Return whether object `number` has a link to the target, without listing its links."""
    if relation != "members":
        return kind == "users" and target in _few(seed, size, relation, number)
    own = roster(seed, size, number)
    if kind == "groups":
        return target in own.groups
    if kind == "devices":
        return (target - own.device_start) % size.devices < own.devices
    if own.users == 0:
        return False
    inverse = pow(own.user_stride, -1, size.users) if size.users > 1 else 0
    return (target - own.user_start) * inverse % size.users < own.users
