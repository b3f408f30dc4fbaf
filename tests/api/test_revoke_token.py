"""revokeToken: one's own organization's tokens, never one that is stronger; and the list they are found in."""

from __future__ import annotations

from schema.access import Role
from tests.api.mutation import assert_audited, perform
from tests.api.world import World
from tests.canary import watch


async def new_token(office: World, name: str, role: Role = Role.VIEWER) -> tuple[str, str]:
    """Make a token as a superuser; returns its id and its text."""
    outcome = await perform(office, office.caller(Role.SUPERUSER), "createToken", name=name, role=role.value)
    return str(outcome.made()["id"]), watch(str(outcome.payload["text"]))


async def test_revoked_token_is_known_no_more(office: World) -> None:
    """It stops at once, a second time changes nothing, and both times are audited."""
    id, text = await new_token(office, "Short-lived")
    tokens = office.runtime.tokens
    # A write in between would empty the list.
    await office.runtime.indexer.idle()
    assert await tokens.find(text) is not None and tokens.recall(text) is not None
    outcome = await perform(office, office.caller(), "revokeToken", token=id)
    revoked_at = outcome.made()["revokedAt"]
    assert revoked_at is not None and tokens.recall(text) is None and await tokens.find(text) is None
    assert_audited(outcome, office.caller(), "revokeToken", "OK", id)
    assert (await perform(office, office.caller(), "revokeToken", token=id)).made()["revokedAt"] == revoked_at


async def test_stronger_token_is_not_revoked_by_a_weaker_one(office: World) -> None:
    """An administrator cannot shut a superuser out."""
    id, text = await new_token(office, "Strong", Role.SUPERUSER)
    outcome = await perform(office, office.caller(), "revokeToken", token=id)
    assert outcome.refusal()[0] == "FORBIDDEN"
    assert await office.runtime.tokens.find(text) is not None


async def test_tokens_are_listed_without_their_text(office: World) -> None:
    """The list shows the first characters, and nothing that would sign in."""
    _, text = await new_token(office, "Listed")
    nodes = "nodes { name role prefix createdBy expiresAt revokedAt lastUsedAt }"
    data = await office.caller().data(f'{{ apiTokens(where: {{name: {{eq: "Listed"}}}}) {{ {nodes} }} }}')
    (node,) = data["apiTokens"]["nodes"]
    assert text.startswith(node["prefix"]) and len(node["prefix"]) < 16
    assert text not in str(data)
