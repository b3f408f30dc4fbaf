"""Random changes to a directory, like those of a real tenant in a day; the same seed gives the same changes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from server.simulator.tenant.directory import LIVE, TenantDirectory
from server.simulator.tenant.population import KINDS
from server.simulator.tenant.relation import RELATIONS
from sync.errors import Conflict, NotFound

TRIES_MAX = 50


class Churn:
    """Applies random changes to one directory."""

    def __init__(self, directory: TenantDirectory, seed: int) -> None:
        self._directory = directory
        self._random = Random(seed)  # noqa: S311 - repeatable test data, not a secret
        self._deleted: list[tuple[str, str]] = []
        self._actions: tuple[tuple[int, Callable[[], None]], ...] = (
            (40, self._update),
            (15, self._link),
            (15, self._unlink),
            (10, self._create),
            (12, self._delete),
            (8, self._restore),
            (4, self._purge),
        )

    def apply(self, count: int) -> None:
        """Make `count` changes; an attempt that finds nothing to change counts, too."""
        actions = [action for _, action in self._actions]
        weights = [weight for weight, _ in self._actions]
        for action in self._random.choices(actions, weights, k=count):
            try:
                action()
            except (NotFound, Conflict):
                continue  # the chosen object is no longer live

    def _pick(self, kind: str) -> str:
        count = self._directory.slot_count(kind)
        for _ in range(TRIES_MAX if count else 0):
            object_id = self._directory.slot_id(kind, self._random.randrange(count))
            if self._directory.state_of(object_id) == LIVE:
                return object_id
        raise NotFound(f"There are no live {kind}.")

    def _update(self) -> None:
        kind = self._random.choice(KINDS)
        number = self._random.randrange(10_000)
        choices: dict[str, dict[str, object]] = {
            "users": {"jobTitle": f"Role {number}", "mobilePhone": None, "accountEnabled": number % 2 == 0},
            "devices": {
                "operatingSystemVersion": f"10.0.{number}",
                "isCompliant": None,
                "displayName": f"pc-{number}",
                "accountEnabled": number % 3 > 0,
            },
            "groups": {"description": f"Changed {number}", "displayName": f"Group {number} ✨", "classification": None},
        }
        name, value = self._random.choice(sorted(choices[kind].items()))
        self._directory.update(kind, self._pick(kind), **{name: value})

    def _link(self) -> None:
        relation = self._random.choice(sorted(RELATIONS))
        target = self._random.choice(RELATIONS[relation].targets)
        self._directory.link(relation, self._pick(RELATIONS[relation].source), self._pick(target))

    def _unlink(self) -> None:
        relation = self._random.choice(sorted(RELATIONS))
        source = self._pick(RELATIONS[relation].source)
        links = self._directory.visible(relation, source)
        if links:
            self._directory.unlink(relation, source, self._random.choice(links)[1])

    def _create(self) -> None:
        kind = self._random.choice(KINDS)
        self._directory.create(kind, displayName=f"Nouveau {self._random.randrange(10_000)} 🆕")

    def _delete(self) -> None:
        kind = self._random.choice(KINDS)
        object_id = self._pick(kind)
        self._directory.delete(kind, object_id, permanently=self._random.random() < 0.3)
        self._deleted.append((kind, object_id))

    def _restore(self) -> None:
        if self._deleted:
            kind, object_id = self._deleted.pop(self._random.randrange(len(self._deleted)))
            self._directory.restore(kind, object_id)

    def _purge(self) -> None:
        if self._deleted:
            kind, object_id = self._deleted.pop(self._random.randrange(len(self._deleted)))
            self._directory.delete(kind, object_id, permanently=True)
