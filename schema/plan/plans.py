"""Answers queries by plans: one for each document, operation, set of flags and kind of caller; the rarest are dropped.

Never logs a document, a variable or an answer.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from functools import partial

import orjson
import strawberry
from graphql import DocumentNode, FragmentDefinitionNode, GraphQLError, OperationDefinitionNode
from graphql.execution.values import VariableValues

from schema.access import Principal, Role
from schema.limit.budget import Budget, NoMemory, Tally
from schema.list.listing import CURSOR_PURPOSE
from schema.lru import Recent
from schema.plan.bound import Bound
from schema.plan.collect import Collector, flag_names
from schema.plan.lane_choice import Caution, LaneChoice, Where
from schema.plan.level import PlanRun
from schema.plan.program import Program, ProgramCompiler
from schema.plan.refusal import Gave, NotPlanned
from schema.plan.response import Response, Responses
from schema.plan.statement import anyone
from schema.worker import Worker
from sync.errors import AnswerTooLarge, BadInput, Forbidden, StoreCrowded, StoreSlow
from sync.runtime import Runtime
from sync.store.lane import Watch

PLANS_MAX = 256
# Sets of variables whose arguments are kept, and the longest that are.
BINDINGS_MAX = 1_024
VARIABLES_BYTES_MAX = 4_096
# Arguments are read in the event loop if those before took less, and the variables are shorter: a search may cross a
# relation in each of its terms.
BINDING_HERE_S, VARIABLES_HERE_BYTES = 0.01, 512
# The first reading of a plan's arguments, in the worker, also waits for the interpreter: only more than this is slow.
BINDING_FIRST_S = 0.1
# How much longer than an answer a text of the database may be.
SPARE_BYTES = 64 * 1024

_log = logging.getLogger("rollcall.plan")


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A valid query and its variables.

    Args:
        digest: tells the document from every other.
        tree: the document.
        operation: the one that is asked for.
        variables: coerced.
        given: the variables as they were sent, in one form, so that equal ones are known.
    """

    digest: bytes
    tree: DocumentNode
    operation: OperationDefinitionNode
    variables: VariableValues
    given: bytes

    @property
    def name(self) -> str | None:
        """The operation's name."""
        return self.operation.name.value if self.operation.name else None

    def key(self, principal: Principal) -> bytes:
        """Return what tells the answer for this caller from any other."""
        # The role too: it decides what may be filtered by.
        scope = [principal.organization_id, principal.role.name, self.name]
        return self.digest + orjson.dumps(scope) + self.given


@dataclass
class Binding:
    """A program with its arguments read."""

    program: Program
    bounds: tuple[Bound, ...]
    pace: LaneChoice


@dataclass
class DocumentPlan:
    """A program and how fast it has been, whatever its arguments were; `binding_s` is how long reading them took.

    Before they were read once, nobody knows.
    """

    program: Program
    pace: LaneChoice
    binding_s: float | None = None


class Plans:
    """Compiles and runs plans.

    Args:
        schema: what documents are valid against.
        runtime: the open process.
        plans_max: how many plans are kept.
        responses_bytes_max: how much memory responses may take; 0 keeps none.
        budget: what answers may come to.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        runtime: Runtime,
        *,
        plans_max: int = PLANS_MAX,
        responses_bytes_max: int = 0,
        budget: Budget | None = None,
    ) -> None:
        self._schema, self._runtime = schema, runtime
        self._cursor_key = runtime.vault.derive(CURSOR_PURPOSE)
        self._flags: Recent[tuple[str, ...]] = Recent(plans_max)
        # None is remembered too: a document that was refused once is not compiled again.
        self.kept: Recent[DocumentPlan | None] = Recent(plans_max)
        self._bindings: Recent[Binding] = Recent(BINDINGS_MAX)
        self._responses = Responses(responses_bytes_max)
        self._caution = Caution(runtime.clock)
        self._worker = Worker("plans")
        self._budget = budget or Budget()
        # How many queries were answered from a kept answer, asked for a plan, and had it compiled.
        self.recalled = self.asked = self.compiled = 0

    def recall(self, asked: AskedQuery, principal: Principal) -> Response | None:
        """Return an answer that is kept and still counts."""
        found = self._responses.get(asked.key(principal), self._runtime.store.commits)
        self.recalled += found is not None
        return found

    async def answer(self, asked: AskedQuery, principal: Principal) -> Response | None:
        """Answer a query; None leaves it to the executor.

        Raises:
            StoreSlow: it took too long, and would take the executor longer.
            StoreCrowded: too many others wait, for a reader or for memory.
            AnswerTooLarge: it is larger than an answer may be.
        """
        store, key = self._runtime.store, asked.key(principal)
        commits = store.commits
        try:
            binding = await self._binding(asked, principal)
            if binding is None:
                return None
            body, is_timed, tally = await self._run(binding, principal)
        except (StoreSlow, StoreCrowded, AnswerTooLarge):
            raise
        except (BadInput, Forbidden, Gave, GraphQLError):
            # The caller's mistake: the executor finds the same, and knows its path and place.
            return None
        except Exception:  # a boundary: whatever a plan stumbles over, the executor answers
            _log.warning("a plan failed; the executor answers instead", exc_info=True)
            return None
        if is_timed or commits != store.commits:
            return Response(body, "", tally)
        return self._responses.keep(key, commits, body, tally)

    async def _binding(self, asked: AskedQuery, principal: Principal) -> Binding | None:
        plan = await self._plan(asked, principal)
        if plan is None:
            return None
        key = (id(plan.program), asked.given)
        known = self._bindings.find(key)
        if known is not None:
            return known

        def bind() -> Binding:
            started = self._runtime.clock.monotonic()
            bounds = plan.program.bind(asked.variables)
            took_s = self._runtime.clock.monotonic() - started
            plan.binding_s = 0.0 if plan.binding_s is None and took_s < BINDING_FIRST_S else took_s
            # The statements of arguments that took long take as long to become SQL, at their first run: not here.
            is_long = took_s >= BINDING_HERE_S
            return Binding(plan.program, bounds, LaneChoice(self._caution, Where.QUICK) if is_long else plan.pace)

        was_quick = plan.binding_s is not None and plan.binding_s < BINDING_HERE_S
        is_quick = was_quick and len(asked.given) <= VARIABLES_HERE_BYTES
        binding = bind() if is_quick else await self._worker.run(bind)
        return self._bindings.keep(key, binding) if len(asked.given) <= VARIABLES_BYTES_MAX else binding

    async def _plan(self, asked: AskedQuery, principal: Principal) -> DocumentPlan | None:
        self.asked += 1
        names = self._flags.get(asked.digest, lambda: flag_names(asked.tree))
        values = asked.variables.coerced
        flags = {name: values[name] for name in names if name in values}
        key = (asked.digest, asked.name, principal.role, tuple(flags.items()))
        if key in self.kept:
            return self.kept.find(key)
        return self.kept.keep(key, await self._worker.run(lambda: self._compile(asked, flags, principal.role)))

    def _compile(self, asked: AskedQuery, flags: dict[str, bool | None], role: Role) -> DocumentPlan | None:
        self.compiled += 1
        fragments = {
            node.name.value: node for node in asked.tree.definitions if isinstance(node, FragmentDefinitionNode)
        }
        collector = Collector(self._schema._schema, fragments, flags)
        try:
            program = ProgramCompiler(self._schema, collector, anyone(role)).compile(asked.operation)
        except NotPlanned:
            return None
        return DocumentPlan(program, LaneChoice(self._caution, self._caution.first()))

    async def _run(self, binding: Binding, principal: Principal) -> tuple[bytes, bool, Tally | None]:
        """Return the response, whether it depends on the time, and what holds its memory.

        When the memory runs out, the plan gives up what it has and begins anew once there is more.
        """
        needed = 0
        while True:
            if needed:
                await self._budget.reserve(needed)
            tally = Tally(self._budget, needed)
            try:
                return await binding.pace.run(self._runtime.store, partial(self._work, binding, principal, tally))
            except NoMemory as short:
                needed = min(2 * short.needed_bytes, self._budget.bytes_max)
                tally.close()
            except BaseException:
                tally.close()
                raise

    def _work(
        self, binding: Binding, principal: Principal, tally: Tally, connection: sqlite3.Connection, watch: Watch
    ) -> tuple[bytes, bool, Tally | None]:
        now = self._runtime.clock.now()
        tally.restart()
        # The database gives up a text that is longer.
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._budget.limits.bytes_max + SPARE_BYTES)
        run = PlanRun(connection, principal.organization_id, binding.bounds, self._cursor_key, now, tally, watch.check)
        try:
            data = binding.program.run(run)
        except sqlite3.DataError as error:
            if error.sqlite_errorname == "SQLITE_TOOBIG":
                tally.reach(self._budget.limits.bytes_max + 1)
            raise
        except (AnswerTooLarge, NoMemory, StoreSlow) as error:
            # The traceback holds everything that was built, until the garbage collector comes to it.
            raise error.with_traceback(None) from None
        tally.hold(tally.written_bytes)
        body = orjson.dumps({"data": data})
        tally.finish(len(body))
        return body, run.is_timed, tally if tally.reserved_bytes else None
