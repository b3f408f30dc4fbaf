"""Who may do what: one table, default deny, checked for the whole document before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, parse

from schema.access import TABLE, Role, check, least_role, required
from sync.errors import Forbidden
from tests.api.lists import SCHEMA
from tests.api.world import World

OBJECTS = {
    name: type_
    for name, type_ in SCHEMA.type_map.items()
    if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)) and not name.startswith("__")
}
COORDINATES = [f"{name}.{field}" for name, type_ in OBJECTS.items() for field in type_.fields]
ROOTS = ["Query.__schema", "Query.__type"]

# The promise, written once more by hand: operation → its least role, and a document that asks for nothing else.
MATRIX: dict[str, tuple[Role, str]] = {
    "Query.__schema": (Role.VIEWER, "{ __schema { queryType { name } } }"),
    "Query.__type": (Role.VIEWER, '{ __type(name: "User") { name } }'),
    "Query.viewer": (Role.VIEWER, "{ viewer { name } }"),
    "Query.server": (Role.VIEWER, "{ server { version } }"),
    "Query.node": (Role.VIEWER, '{ node(id: "asset_1") { id } }'),
    "Query.nodes": (Role.VIEWER, '{ nodes(ids: ["asset_1"]) { id } }'),
    "Query.assetsAggregate": (Role.VIEWER, "{ assetsAggregate { count } }"),
    "Query.usersAggregate": (Role.VIEWER, "{ usersAggregate { groups { count keys { value } } } }"),
    "Query.groupsAggregate": (Role.VIEWER, "{ groupsAggregate { groupCount } }"),
    "Query.assets": (Role.VIEWER, "{ assets { totalCount } }"),
    "Query.asset": (Role.VIEWER, '{ asset(by: {id: "asset_1"}) { id } }'),
    "Query.users": (Role.VIEWER, "{ users { totalCount } }"),
    "Query.user": (Role.VIEWER, '{ user(by: {id: "user_1"}) { id } }'),
    "Query.groups": (Role.VIEWER, "{ groups { totalCount } }"),
    "Query.group": (Role.VIEWER, '{ group(by: {id: "group_1"}) { id } }'),
    "Query.changes": (Role.VIEWER, "{ changes(inventory: USERS, first: 1) { pageInfo { hasNextPage } } }"),
    "Query.duplicates": (Role.VIEWER, "{ duplicates(first: 1) { nodes { key value } } }"),
    "Query.sites": (Role.VIEWER, "{ sites { totalCount } }"),
    "Query.site": (Role.VIEWER, '{ site(id: "site_1") { id } }'),
    "Query.organizations": (Role.VIEWER, "{ organizations { totalCount } }"),
    "Query.organization": (Role.VIEWER, '{ organization(id: "org_1") { id } }'),
    "Query.tasks": (Role.VIEWER, "{ tasks { totalCount } }"),
    "Query.task": (Role.VIEWER, '{ task(id: "task_1") { id } }'),
    "Query.taskRuns": (Role.VIEWER, "{ taskRuns { totalCount } }"),
    "Query.taskRun": (Role.VIEWER, '{ taskRun(id: "run_1") { id } }'),
    "Query.credentials": (Role.USER, "{ credentials { totalCount } }"),
    "Query.credential": (Role.USER, '{ credential(id: "cred_1") { id } }'),
    "Query.apiTokens": (Role.ADMINISTRATOR, "{ apiTokens { totalCount } }"),
    "Query.apiToken": (Role.ADMINISTRATOR, '{ apiToken(id: "token_1") { id } }'),
    "Query.auditEvent": (Role.ADMINISTRATOR, '{ auditEvent(id: "event_1") { id } }'),
    "Query.auditEvents": (Role.ADMINISTRATOR, "{ auditEvents { totalCount } }"),
    "Query.retentionPreview": (Role.ADMINISTRATOR, "{ retentionPreview { subject count } }"),
    "Query.searchKeywords": (Role.VIEWER, "{ searchKeywords(inventory: ASSETS) { name } }"),
    "Query.completeSearch": (Role.VIEWER, '{ completeSearch(inventory: ASSETS, text: "o") { start } }'),
    "Query.parseSearch": (Role.VIEWER, '{ parseSearch(inventory: ASSETS, query: "a") { normalized } }'),
    "Query.toggleTerm": (Role.VIEWER, '{ toggleTerm(inventory: ASSETS, text: "", keyword: "os", value: "a") }'),
    "Query.webhooks": (Role.ADMINISTRATOR, "{ webhooks { id } }"),
    "Query.webhook": (Role.ADMINISTRATOR, '{ webhook(id: "hook_1") { id } }'),
    # Inputs that are refused as data, so that nothing is made by whoever gets through.
    "Mutation.createOrganization": (
        Role.SUPERUSER, 'mutation { createOrganization(input: {name: ""}) { errors { code } } }',
    ),
    "Mutation.createSite": (Role.ADMINISTRATOR, 'mutation { createSite(input: {name: ""}) { errors { code } } }'),
    "Mutation.updateSite": (Role.ADMINISTRATOR, 'mutation { updateSite(input: {site: ""}) { errors { code } } }'),
    "Mutation.importScan": (Role.USER, 'mutation { importScan(input: {site: "", xml: ""}) { errors { code } } }'),
    "Mutation.createToken": (
        Role.ADMINISTRATOR, 'mutation { createToken(input: {name: "", role: VIEWER}) { errors { code } } }',
    ),
    "Mutation.revokeToken": (
        Role.ADMINISTRATOR, 'mutation { revokeToken(input: {token: ""}) { errors { code } } }',
    ),
    "Mutation.createCredential": (
        Role.ADMINISTRATOR,
        'mutation { createCredential(input: {name: "", kind: {azureClientSecret: '
        '{clientId: "", tenantId: "", clientSecret: ""}}}) { errors { code } } }',
    ),
    "Mutation.updateCredential": (
        Role.ADMINISTRATOR, 'mutation { updateCredential(input: {credential: ""}) { errors { code } } }',
    ),
    "Mutation.rotateSecret": (
        Role.ADMINISTRATOR, 'mutation { rotateSecret(input: {credential: "", secret: ""}) { errors { code } } }',
    ),
    "Mutation.deleteCredential": (
        Role.ADMINISTRATOR, 'mutation { deleteCredential(input: {credential: ""}) { errors { code } } }',
    ),
    "Mutation.verifyCredential": (
        Role.ADMINISTRATOR, 'mutation { verifyCredential(input: {credential: ""}) { errors { code } } }',
    ),
    "Mutation.testCredential": (
        Role.ADMINISTRATOR,
        'mutation { testCredential(input: {kind: {azureClientSecret: {clientId: "", tenantId: "", '
        'clientSecret: ""}}}) { errors { code } } }',
    ),
    "Mutation.createTask": (
        Role.USER,
        'mutation { createTask(input: {name: "", site: "", connector: {azureAd: {credential: ""}}}) '
        "{ errors { code } } }",
    ),
    "Mutation.updateRetention": (
        Role.ADMINISTRATOR, "mutation { updateRetention(input: {runs: 0}) { errors { code } } }",
    ),
    "Mutation.mergeAssets": (
        Role.USER, 'mutation { mergeAssets(input: {into: "", assets: []}) { errors { code } } }',
    ),
    "Mutation.splitAsset": (
        Role.USER, 'mutation { splitAsset(input: {asset: "", records: []}) { errors { code } } }',
    ),
    "Mutation.updateTask": (Role.USER, 'mutation { updateTask(input: {task: ""}) { errors { code } } }'),
    "Mutation.deleteTask": (Role.USER, 'mutation { deleteTask(input: {task: ""}) { errors { code } } }'),
    "Mutation.pauseTask": (Role.USER, 'mutation { pauseTask(input: {task: ""}) { errors { code } } }'),
    "Mutation.pauseTasks": (
        Role.USER, 'mutation { pauseTasks(input: {where: {name: {eq: "?"}}}) { errors { code } } }',
    ),
    "Mutation.resumeTask": (Role.USER, 'mutation { resumeTask(input: {task: ""}) { errors { code } } }'),
    "Mutation.resumeTasks": (
        Role.USER, 'mutation { resumeTasks(input: {where: {name: {eq: "?"}}}) { errors { code } } }',
    ),
    "Mutation.hideTask": (Role.USER, 'mutation { hideTask(input: {task: ""}) { errors { code } } }'),
    "Mutation.stopRun": (Role.USER, 'mutation { stopRun(input: {run: ""}) { errors { code } } }'),
    "Mutation.stopRuns": (
        Role.USER, 'mutation { stopRuns(input: {where: {attempt: {lt: 0}}}) { errors { code } } }',
    ),
    "Mutation.retryRun": (Role.USER, 'mutation { retryRun(input: {run: ""}) { errors { code } } }'),
    "Mutation.triggerTask": (Role.USER, 'mutation { triggerTask(input: {task: ""}) { errors { code } } }'),
    "Mutation.confirmRemoval": (
        Role.ADMINISTRATOR, 'mutation { confirmRemoval(input: {run: ""}) { errors { code } } }',
    ),
    "Mutation.createWebhook": (
        Role.ADMINISTRATOR,
        'mutation { createWebhook(input: {name: "", url: "", events: [], secret: ""}) { errors { code } } }',
    ),
    "Mutation.updateWebhook": (
        Role.ADMINISTRATOR, 'mutation { updateWebhook(input: {webhook: ""}) { errors { code } } }',
    ),
    "Mutation.deleteWebhook": (
        Role.ADMINISTRATOR, 'mutation { deleteWebhook(input: {webhook: ""}) { errors { code } } }',
    ),
    "Mutation.testWebhook": (Role.ADMINISTRATOR, 'mutation { testWebhook(input: {webhook: ""}) { errors { code } } }'),
    # Of a run that is not there: whoever gets through is told so.
    "Subscription.taskRun": (Role.VIEWER, 'subscription { taskRun(id: "run_9999") { id } }'),
    "Subscription.taskLog": (Role.VIEWER, 'subscription { taskLog(run: "run_9999") { id } }'),
    "Subscription.inventoryChanged": (Role.VIEWER, "subscription { inventoryChanged { version } }"),
}  # fmt: skip


def test_every_field_of_the_schema_has_a_least_role() -> None:
    """No field of any type is reachable without a row that says by whom."""
    assert [coordinate for coordinate in COORDINATES if least_role(coordinate) is None] == []


def test_every_row_of_the_table_names_something_in_the_schema() -> None:
    """A row for a field that is gone would one day open another field of that name."""
    assert [row for row in TABLE if row not in COORDINATES + ROOTS and row not in OBJECTS] == []


# Rows without another that would stand in for them: not a field of a type with a row, not a type open by its name.
ALONE = [row for row in TABLE if row.partition(".")[0] not in TABLE or "." not in row]
ALONE.remove("RunError")


@pytest.mark.parametrize("row", ALONE)
def test_field_is_denied_to_everyone_when_its_row_is_missing(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Default deny: without its row a field, or a whole type, is out of reach even for a superuser."""
    covered = [c for c in COORDINATES + ROOTS if c == row or (c.startswith(f"{row}.") and c not in TABLE)]
    assert covered
    monkeypatch.delitem(TABLE, row)
    assert {least_role(coordinate) for coordinate in covered} == {None}
    with pytest.raises(Forbidden) as caught:
        check({least_role(covered[0]): covered[0]}, Role.SUPERUSER)
    assert "Nobody may" in str(caught.value.hint)


async def test_operation_is_denied_when_its_row_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document with a field that has no row is refused as a whole."""
    monkeypatch.delitem(TABLE, "Query.sites")
    # Another text than in other tests: what a document needs is found once and remembered.
    answer = await world.caller(Role.SUPERUSER).ask("{ viewer { name } unlisted: sites { totalCount } }")
    assert (answer.code, answer.data) == ("FORBIDDEN", None)
    assert answer.problems[0].facts == {"coordinate": "Query.sites"}


def test_matrix_holds_every_operation_of_the_schema() -> None:
    """A new root field fails here until somebody writes down who may use it."""
    operations = {c for c in COORDINATES + ROOTS if c.startswith(("Query.", "Mutation.", "Subscription."))}
    assert operations == set(MATRIX)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("operation", MATRIX)
async def test_operation_is_answered_only_when_the_role_reaches(office: World, operation: str, role: Role) -> None:
    """Each operation with each role: refused before it runs, naming the field, or not refused at all."""
    least, document = MATRIX[operation]
    answer = await office.caller(role).ask(document)
    if list(Role).index(role) < list(Role).index(least):
        assert (answer.code, answer.data) == ("FORBIDDEN", None)
        assert answer.problems[0].facts == {"coordinate": operation}
        assert least.name in str(answer.problems[0].hint)
    elif "run_9999" in document:
        assert answer.code == "NOT_FOUND"
    else:
        assert answer.ok() is not None


HIDDEN_IN: dict[str, str] = {
    "plain": "{ tasks { nodes { credential { name } } } }",
    "alias": "{ t: tasks { n: nodes { innocent: credential { name } } } }",
    "typename only": "{ tasks { nodes { credential { __typename } } } }",
    "edges": "{ tasks { edges { node { credential { id } } } } }",
    "fragment": "{ tasks { nodes { ...F } } } fragment F on Task { credential { name } }",
    "fragment in fragment": "{ tasks { ...A } } fragment A on TaskConnection { nodes { ...B } } "
    "fragment B on Task { credential { name } }",
    "inline fragment": "{ tasks { nodes { ... on Task { ... { credential { name } } } } } }",
    "through a run": "{ taskRuns { nodes { task { credential { name } } } } }",
    "through a site": "{ sites { nodes { tasks { nodes { credential { name } } } } } }",
    "skipped": "query($no: Boolean = false) { tasks { nodes { name credential @include(if: $no) { name } } } }",
    "in a union": "{ groups { nodes { members { nodes { ... on User { site { ...S } } } } } } } "
    "fragment S on Site { tasks { nodes { credential { id } } } }",
    "second operation": "query A { viewer { name } } query B { tasks { nodes { credential { name } } } }",
}


@pytest.mark.parametrize("name", HIDDEN_IN)
def test_field_is_refused_wherever_in_a_document_it_hides(name: str) -> None:
    """A viewer reads tasks but not their credentials, however the document gets there; a user may."""
    needed = required(SCHEMA, parse(HIDDEN_IN[name]))
    with pytest.raises(Forbidden) as caught:
        check(needed, Role.VIEWER)
    assert caught.value.facts == {"coordinate": "Task.credential"}
    check(needed, Role.USER)


def test_document_is_admitted_when_it_asks_for_what_the_role_may() -> None:
    """Fragments and aliases of open fields are no obstacle."""
    text = "{ a: tasks { ...F } } fragment F on TaskConnection { nodes { name lastRun { status } __typename } }"
    check(required(SCHEMA, parse(text)), Role.VIEWER)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("least", list(Role))
def test_role_reaches_what_lesser_roles_reach(role: Role, least: Role) -> None:
    """Roles are a ladder, in the order they are declared."""
    order = ["VIEWER", "ANNOTATOR", "USER", "ADMINISTRATOR", "SUPERUSER"]
    assert role.reaches(least) is (order.index(role) >= order.index(least))


@pytest.mark.parametrize("role", Role)
async def test_viewer_lists_what_its_role_may_do(office: World, role: Role) -> None:
    """The operations are those of the matrix above; the fields beside them are those that some role may not read."""
    viewer = (await office.caller(role=role).data("{ viewer { permissions } }"))["viewer"]
    listed = {name for name in viewer["permissions"] if name.partition(".")[0] in ("Query", "Mutation", "Subscription")}
    assert listed == {operation for operation, (least, _) in MATRIX.items() if role.reaches(least)}
    fields = {*viewer["permissions"]} - listed
    assert fields == ({"Task.credential"} if role.reaches(Role.USER) else set())


@pytest.mark.parametrize(
    ("role", "given", "expected"),
    [(role, given, list(Role).index(given) <= list(Role).index(role)) for role in list(Role)[3:] for given in Role],
)
async def test_token_is_never_stronger_than_who_makes_it(
    office: World, role: Role, given: Role, expected: bool
) -> None:
    """An administrator hands out roles up to administrator, a superuser all; judged before the bad lifetime is."""
    text = 'mutation($r: Role!) { createToken(input: {name: "t", role: $r, lifetimeDays: 0}) { errors { code } } }'
    data: dict[str, Any] = await office.caller(role).data(text, r=given.value)
    assert data["createToken"]["errors"] == [{"code": "INVALID" if expected else "FORBIDDEN"}]
