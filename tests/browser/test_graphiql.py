"""GraphiQL in Chromium: signs in, runs a query, explores the schema, and talks to nobody else."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser

QUERY = "query FirstLook { __typename viewer { name role } assets(first: 1) { totalCount } }"


def test_page_shows_the_result_when_a_query_is_run_with_a_token(visit: Visit) -> None:
    """A newcomer opens the address, gives the token of the first start, runs a query and sees the answer."""
    visit.open()
    visit.sign_in(visit.server.token)
    result = visit.run(QUERY)
    assert '"first administrator"' in result
    assert '"totalCount": 0' in result


def test_subscription_shows_what_comes_until_it_is_stopped(visit: Visit) -> None:
    """From GraphiQL alone a person watches: each answer as it comes, and the same button ends it."""
    visit.open()
    visit.sign_in(visit.server.token)
    result = visit.run("subscription Watching { inventoryChanged(inventories: [USERS]) { inventory version } }")
    assert '"USERS"' in result
    stop = visit.page.get_by_role("button", name="Stop query")
    stop.click()
    visit.page.get_by_role("button", name="Execute query").wait_for()
    assert visit.complaints == []


def test_page_asks_no_other_host_and_complains_of_nothing_when_used(visit: Visit) -> None:
    """Every script, style, font and answer comes from the server itself, and the console stays clean."""
    visit.open()
    visit.sign_in(visit.server.token)
    visit.run(QUERY)
    visit.page.wait_for_load_state("networkidle")
    assert len(visit.requests) > 5
    assert visit.strangers() == []
    assert visit.complaints == []


def test_page_says_so_when_the_token_is_not_valid(visit: Visit) -> None:
    """A mistyped token is told at once, in words."""
    visit.open()
    visit.sign_in("rc_" + "0" * 49)
    assert "not valid" in visit.page.locator("#state").inner_text()


def test_documentation_lists_the_query_type_when_opened(visit: Visit) -> None:
    """Introspection works with the token: the documentation pane shows the schema's entry points."""
    visit.open()
    visit.sign_in(visit.server.token)
    visit.page.get_by_role("button", name="Show Documentation Explorer").click()
    visit.page.locator(".graphiql-doc-explorer").get_by_text("Query", exact=True).first.click()
    visit.page.locator(".graphiql-doc-explorer").get_by_text("assets", exact=True).first.wait_for()


def test_explorer_builds_a_query_when_a_field_is_clicked(visit: Visit) -> None:
    """The explorer pane is there and writes into the editor."""
    visit.open()
    visit.sign_in(visit.server.token)
    visit.page.get_by_role("button", name="Show GraphiQL Explorer").click()
    visit.page.locator(".graphiql-explorer-root").wait_for()
    visit.page.locator(".graphiql-explorer-root").get_by_text("viewer", exact=True).first.wait_for()


def test_token_outlives_a_reload_but_is_kept_nowhere_lasting(visit: Visit) -> None:
    """The token stays in this tab's session: a reload keeps it, local storage and cookies never hold it."""
    visit.open()
    visit.sign_in(visit.server.token)
    visit.page.reload()
    visit.page.wait_for_selector("#state[data-state=accepted]")
    assert visit.server.token not in visit.page.evaluate("JSON.stringify(window.localStorage)")
    assert visit.page.context.cookies() == []
