import asyncio
from pathlib import Path

import pytest

from gateway.catalogue.lists import MAX_CLIENT_LISTS, ModelLists, _find_folder
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.plugin import Provider, ProviderStatus
from gateway.secret import Secret
from providers.azure import Azure
from providers.echo import Echo
from tests.fakes import calls


class Foreign(Provider):
    """A provider of another's making."""

    fault: bool = False
    own_keys: bool = False

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        return (CHAT,)

    def status(self) -> ProviderStatus:
        return ProviderStatus(passthrough=self.own_keys)

    async def models(self, credential: Secret | None) -> bytes | None:
        if self.fault:
            raise RuntimeError("a fault of its own")
        return b'[{"id":"m"}]' if self.own_keys else None


@pytest.mark.parametrize(
    ("env", "given", "folder"),
    [
        ({}, "", None),
        ({"HOME": "/h"}, "", "/h/.cache/interlingua/models"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "", "/c/interlingua/models"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "relative"}, "", "/h/.cache/interlingua/models"),
        ({"HOME": "/h", "STATE_DIRECTORY": "/s:/t"}, "", "/s/models"),
        ({"HOME": "/h", "STATE_DIRECTORY": "/s"}, "/own", "/own/models"),
    ],
)
def test_where_lists_are_kept(env: dict[str, str], given: str, folder: str | None) -> None:
    assert _find_folder(env, given) == (Path(folder) if folder else None)


async def test_a_provider_may_have_no_list_or_fail_in_its_own_way() -> None:
    lists = ModelLists(calls.runtime(providers={"none": Foreign(), "bad": Foreign(fault=True)}))
    found = await lists.get_lists(["none", "bad"])
    assert found["none"].models is None
    assert found["none"].error is None
    assert found["bad"].error is not None
    assert found["bad"].error.status == 502


async def test_there_is_no_end_of_clients_keys_but_of_what_is_kept_for_them() -> None:
    lists = ModelLists(calls.runtime(providers={"own": Foreign(own_keys=True)}))
    for place in range(MAX_CLIENT_LISTS + 20):
        assert (await lists.get_lists(["own"], Secret(f"key-{place}")))["own"].models == [
            {"id": "m"}
        ]
    assert len(lists._lists) == MAX_CLIENT_LISTS


async def test_what_is_under_way_ends_with_the_lists() -> None:
    class Slow(Foreign):
        async def models(self, credential: Secret | None) -> bytes | None:
            await asyncio.Event().wait()
            return None

    lists = ModelLists(calls.runtime(providers={"slow": Slow()}))
    async with lists.running():
        waiting = asyncio.get_running_loop().create_task(lists.get_lists(["slow"]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert lists._fetches
    assert not lists._fetches
    assert (await waiting)["slow"].models is None


async def test_the_echo_lists_itself_and_deployments_cannot_be_listed() -> None:
    lists = ModelLists(calls.runtime(providers={"echo": Echo()}))
    assert (await lists.get_lists(["echo"]))["echo"].models["data"][0]["id"] == "echo"
    azure = Azure(base_url="https://r.openai.azure.com", api_version="2024-10-21")
    assert await azure.models(None) is None
