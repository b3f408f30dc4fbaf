"""Microsoft's Graph SDK for Python lists, pages, follows delta, reads errors and batches, without special treatment.

Run with `make sdk`; the SDK is 390 MB, so it is not among the usual requirements.
"""

from __future__ import annotations

import ssl
import time
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from server.simulator import Simulator, running

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

REASON = (
    "SKIPPED LOUDLY: msgraph-sdk is not installed, so nothing proves here that Microsoft's own SDK accepts "
    "the simulator; run `make sdk`"
)
pytest.importorskip("msgraph", reason=REASON)

with warnings.catch_warnings():  # the SDK uses what its own libraries deprecate
    warnings.simplefilter("ignore")
    from azure.core.credentials import AccessToken
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_authentication_azure.azure_identity_authentication_provider import (
        AzureIdentityAuthenticationProvider,
    )
    from msgraph import GraphRequestAdapter, GraphServiceClient
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder
    from msgraph_core import GraphClientFactory, PageIterator
    from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
    from msgraph_core.requests.batch_request_content import BatchRequestContent


class Credential:
    """What azure-identity is to the SDK: something with get_token."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Return a token of the secret app."""
        return AccessToken(self._simulator.issue_token(), int(time.time()) + 3600)  # the SDK asks for wall-clock time


@dataclass
class Sdk:
    """The SDK, pointed at a simulator."""

    graph: GraphServiceClient
    adapter: GraphRequestAdapter
    simulator: Simulator
    origin: str


@pytest.fixture
async def sdk() -> AsyncIterator[Sdk]:
    """Return the SDK's client of a running simulator."""
    simulator = Simulator(users=450, devices=260, groups=60, seed=7)
    async with running(simulator) as origin:
        context = ssl.create_default_context(cafile=str(origin.ca_file))
        base_url = f"{origin}/v1.0"
        # The SDK wraps the transport and does not close it, so that is done here.
        transport = httpx.AsyncHTTPTransport(verify=context)
        async with transport, httpx.AsyncClient(transport=transport, base_url=base_url) as http:
            client = GraphClientFactory.create_with_default_middleware(client=http)
            provider = AzureIdentityAuthenticationProvider(
                Credential(simulator), scopes=[f"{origin}/.default"], allowed_hosts=["localhost"]
            )
            adapter = GraphRequestAdapter(provider, client=client)
            adapter.base_url = base_url
            yield Sdk(GraphServiceClient(request_adapter=adapter), adapter, simulator, str(origin))


async def test_sdk_lists_and_pages_every_user(sdk: Sdk) -> None:
    """The SDK's own page iterator visits each user once."""
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(select=["id", "displayName"], top=100)
    first = await sdk.graph.users.get(request_configuration=RequestConfiguration(query_parameters=query))
    seen: list[str] = []

    def visit(user: Any) -> bool:
        seen.append(user.id)
        return True

    await PageIterator(first, sdk.adapter).iterate(visit)
    assert seen == list(sdk.simulator.directory.ids("users"))
    assert sdk.simulator.requests.count(template="/v1.0/users", status=200) == 5


async def test_sdk_parses_every_property_of_devices(sdk: Sdk) -> None:
    """Typed properties arrive typed: dates, booleans, nested objects; undeclared ones as additional data."""
    device = (await sdk.graph.devices.get()).value[0]
    truth = next(sdk.simulator.directory.truth("devices"))
    assert device.display_name == truth["displayName"]
    assert device.registration_date_time.isoformat().startswith(truth["registrationDateTime"][:19])
    assert device.alternative_security_ids[0].type == 2
    assert "extensionAttributes" in device.additional_data


async def test_sdk_follows_delta_to_its_end_and_sees_removals(sdk: Sdk) -> None:
    """Delta pages lead to a delta link; the next round shows the removed user."""
    page = await sdk.graph.users.delta.get()
    seen = len(page.value)
    while page.odata_next_link:
        page = await sdk.graph.users.delta.with_url(page.odata_next_link).get()
        seen += len(page.value)
    assert seen == 450
    user = sdk.simulator.directory.slot_id("users", 3)
    sdk.simulator.directory.delete("users", user)
    page = await sdk.graph.users.delta.with_url(page.odata_delta_link).get()
    assert [(u.id, u.additional_data["@removed"]["reason"]) for u in page.value] == [(user, "changed")]


async def test_sdk_reads_members_of_a_groups_delta(sdk: Sdk) -> None:
    """members@delta arrives in the SDK's additional data."""
    page = await sdk.graph.groups.delta.get()
    members = page.value[0].additional_data["members@delta"]
    assert len(members) == 225
    assert members[0]["@odata.type"] == "#microsoft.graph.user"


async def test_sdk_reads_relations_as_typed_objects(sdk: Sdk) -> None:
    """Members come as User objects, by @odata.type."""
    group = sdk.simulator.directory.slot_id("groups", 0)
    members = await sdk.graph.groups.by_group_id(group).members.get()
    assert type(members.value[0]).__name__ == "User"
    assert members.value[0].user_principal_name


async def test_sdk_raises_its_own_error_with_code_and_request_id(sdk: Sdk) -> None:
    """404, 403 and an expired delta token become ODataError with Graph's code and the inner error."""
    with pytest.raises(ODataError) as missing:
        await sdk.graph.users.by_user_id("unknown").get()
    assert missing.value.response_status_code == 404
    assert missing.value.error.code == "Request_ResourceNotFound"
    assert missing.value.error.inner_error.request_id
    link = (await sdk.graph.devices.delta.get()).odata_next_link
    sdk.simulator.expire_delta()
    with pytest.raises(ODataError) as expired:
        await sdk.graph.devices.delta.with_url(link).get()
    assert (expired.value.response_status_code, expired.value.error.code) == (410, "syncStateNotFound")
    sdk.simulator.registry.apps[sdk.simulator.secret_app.client_id].roles = set()
    with pytest.raises(ODataError) as denied:
        await sdk.graph.users.get()
    assert denied.value.error.code == "Authorization_RequestDenied"


async def test_sdk_reads_each_answer_of_a_batch(sdk: Sdk) -> None:
    """A $batch of the SDK is answered item by item."""
    batch = BatchRequestContent()
    users = [*(sdk.simulator.directory.slot_id("users", number) for number in range(3)), "unknown"]
    for user in users:
        batch.add_request_information(sdk.graph.users.by_user_id(user).to_get_request_information())
    expected = {item.id: 404 if item.url.endswith("unknown") else 200 for item in batch.requests.values()}
    answer = await BatchRequestBuilder(sdk.adapter).post(batch)
    assert len(expected) == 4
    assert answer.get_response_status_codes() == expected
