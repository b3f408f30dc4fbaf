"""Asks the schema as one principal and says what came back; never goes over HTTP.

A document is parsed, validated and checked for access once, then run by the executor: as the server does it, and
several times faster than validating it for each of the thousands of questions asked here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import lru_cache
from inspect import isawaitable
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    execute,
    get_nullable_type,
    is_list_type,
    parse,
    subscribe,
    validate,
    visit,
)
from graphql.execution.values import get_variable_values
from strawberry.execution import optimized_is_awaitable

from schema import build_schema
from schema.access import Principal, Role, check, required
from schema.context import Context
from schema.plan import Plans
from schema.plan.plans import AskedQuery
from sync.errors import BadInput, Forbidden, RollcallError
from sync.runtime import Runtime

# What has no form and is left to the executor, whole documents with it. Everything else must have a plan: a field is
# added here only with a reason why it cannot.
UNPLANNED = frozenset(
    [
        *("Query.__schema", "Query.__type", "Query.viewer", "Query.server", "Query.searchKeywords"),
        *(
            "Query.parseSearch",
            "Query.toggleTerm",
            "Query.completeSearch",
            "Query.retentionPreview",
            "Query.changes",
            "Query.duplicates",
            "Query.webhooks",
        ),
        *("Query.assetsAggregate", "Query.usersAggregate", "Query.groupsAggregate"),
        # They depend on the time, on the caller, or on a value that Python alone can spell out.
        *("Credential.createdBy", "Credential.secretState", "Task.nextRuns", "ScanRecord.services", "Webhook.events"),
    ]
)
# What the specification itself refuses, before any of our code runs.
INVALID_REQUEST = "INVALID_REQUEST"
# How often the plan and the executor are compared before they differ, and the wait between, in seconds.
READS_MAX, READ_AGAIN_S = 5, 0.02


@dataclass(frozen=True)
class Problem:
    """One error of an answer, without its request id."""

    code: str
    message: str
    path: tuple[str | int, ...] = ()
    hint: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a caller sees: data and errors."""

    data: Any
    problems: tuple[Problem, ...] = ()

    @property
    def code(self) -> str | None:
        """Return the code of the one problem; None when all went well."""
        assert len(self.problems) <= 1, self.problems
        return self.problems[0].code if self.problems else None

    def ok(self) -> Any:
        """Return the data of an answer without errors."""
        assert not self.problems, self.problems
        return self.data


@dataclass(frozen=True)
class Caller:
    """One principal of one open runtime."""

    runtime: Runtime
    principal: Principal

    async def ask(self, document: str, **variables: Any) -> Answer:
        """Run a document, unless the role may not."""
        prepared = _prepare(document)
        if prepared.errors:
            return Answer(None, tuple(map(_problem, prepared.errors)))
        try:
            check(prepared.needed, self.principal.role)
        except Forbidden as forbidden:
            return Answer(None, (_ours(forbidden, ()),))
        for _ in range(READS_MAX):
            answer = await self.execute(document, **variables)
            planned = await self._planned(prepared, variables, answer)
            if planned is None or planned == answer:
                return answer
            # A run may have written between the two reads: only a difference that stays is a fault.
            await asyncio.sleep(READ_AGAIN_S)
        raise AssertionError(f"the plan answers {planned}, the executor {answer}")

    async def execute(self, document: str, **variables: Any) -> Answer:
        """Run a document by the executor alone, whatever the role may."""
        async with Context(self.runtime, self.principal, "request-1") as context:
            if _prepare(document).is_subscription:
                return await _first_event(document, context, variables)
            result = execute(
                build_schema()._schema,
                _prepare(document).tree,
                context_value=context,
                variable_values=variables,
                executor_class=build_schema().execution_context_class,
                is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # Strawberry types it as bool
            )
            finished = await result if isawaitable(result) else result
        return Answer(finished.data, tuple(map(_problem, finished.errors or ())))

    async def _is_mistaken(self, asked: AskedQuery) -> bool:
        """Tell whether an argument is wrong where no row leads: plans read all of them, the executor those it meets."""
        try:
            await plans_of(self.runtime)._binding(asked, self.principal)
        except BadInput:
            return True
        return False

    async def _planned(self, prepared: _Prepared, variables: dict[str, Any], answer: Answer) -> Answer | None:
        """Return what a plan answers, None if the document has no plan; assert that a plan does not give up."""
        if prepared.query is None:
            return None
        coerced = get_variable_values(build_schema()._schema, prepared.query.variable_definitions or (), variables)
        if isinstance(coerced, list):
            return None
        given = repr(variables).encode("utf-8", "surrogatepass")
        asked = AskedQuery(prepared.digest, prepared.tree, prepared.query, coerced, given)
        planned = await plans_of(self.runtime).answer(asked, self.principal)
        if planned is None:
            # A plan that gives up silently costs what it was to save, and nobody sees it.
            told = answer.problems or not prepared.has_plan or await self._is_mistaken(asked)
            assert told, "no plan answered this document"
            return None
        return Answer(orjson.loads(planned.body)["data"])

    async def data(self, document: str, **variables: Any) -> Any:
        """Run a document that must succeed and return its data."""
        return (await self.ask(document, **variables)).ok()

    def of(self, role: Role) -> Caller:
        """Return a caller of the same organization with another role."""
        return replace(self, principal=replace(self.principal, role=role))


@dataclass(frozen=True)
class _Prepared:
    tree: DocumentNode
    errors: tuple[GraphQLError, ...]
    needed: dict[Role | None, str]
    digest: bytes
    query: OperationDefinitionNode | None
    is_subscription: bool
    has_plan: bool


async def _first_event(document: str, context: Context, variables: dict[str, Any]) -> Answer:
    """Return the first answer of a subscription, and end it."""
    found = subscribe(build_schema()._schema, _prepare(document).tree, context_value=context, variable_values=variables)
    stream = await found if isawaitable(found) else found
    if isinstance(stream, ExecutionResult):
        return Answer(stream.data, tuple(map(_problem, stream.errors or ())))
    try:
        result = await anext(stream)
    except RollcallError as error:
        return Answer(None, (_ours(error, ()),))
    finally:
        await stream.aclose()  # type: ignore[attr-defined] # graphql-core types its generator as an iterator
    return Answer(result.data, tuple(map(_problem, result.errors or ())))


@lru_cache(maxsize=2_000)
def _prepare(document: str) -> _Prepared:
    tree = parse(document)
    errors = tuple(validate(build_schema()._schema, tree))
    (operation,) = (node for node in tree.definitions if isinstance(node, OperationDefinitionNode))
    query = operation if operation.operation is OperationType.QUERY else None
    needed = {} if errors else required(build_schema()._schema, tree)
    digest = document.encode("utf-8", "surrogatepass")
    is_subscription = operation.operation is OperationType.SUBSCRIPTION
    has_plan = query is not None and not errors and must_have_plan(tree)
    return _Prepared(tree, errors, needed, digest, query, is_subscription, has_plan)


def must_have_plan(tree: DocumentNode) -> bool:
    """Tell whether nothing in a valid query is left to the executor."""
    walk = _Fields(TypeInfo(build_schema()._schema))
    visit(tree, TypeInfoVisitor(walk.info, walk))
    return not walk.found & UNPLANNED and not walk.is_late


class _Fields(Visitor):
    """Finds the fields of a document.

    `is_late`: one that is computed of gathered rows takes an argument that is known only when it runs.
    """

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self.info, self.found, self.is_late = info, set[str](), False

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, type_ = self.info.get_parent_type(), self.info.get_type()
        if parent is not None:
            self.found.add(f"{parent.name}.{node.name.value}")
        is_list = type_ is not None and is_list_type(get_nullable_type(type_))
        is_root = parent is build_schema()._schema.query_type
        given = [argument.value for argument in node.arguments or ()]
        self.is_late |= is_list and not is_root and any(isinstance(value, VariableNode) for value in given)


def plans_of(runtime: Runtime) -> Plans:
    """Return the plans of a runtime; the same ones each time, as a server has them."""
    if runtime not in _plans:
        _plans[runtime] = Plans(build_schema(), runtime)
    return _plans[runtime]


_plans: WeakKeyDictionary[Runtime, Plans] = WeakKeyDictionary()


def _problem(error: GraphQLError) -> Problem:
    origin: BaseException | None = error.original_error
    while isinstance(origin, GraphQLError):
        origin = origin.original_error
    if origin is None:
        return Problem(INVALID_REQUEST, error.message, tuple(error.path or ()))
    # Anything else would be an INTERNAL error: never the right outcome of a test.
    assert isinstance(origin, RollcallError), f"{type(origin).__name__}: {origin}"
    return _ours(origin, tuple(error.path or ()))


def _ours(error: RollcallError, path: tuple[str | int, ...]) -> Problem:
    return Problem(error.code, error.message, path, error.hint, error.facts)
