"""The official clients list and retrieve models of a running gateway."""

import asyncio
from pathlib import Path

from anthropic import Anthropic
from openai import OpenAI

from tests.admin.house import CONFIG, KEY, usual
from tests.fakes.running import run_gateway
from tests.fakes.upstream import ScriptedUpstream


def listed(url: str) -> None:
    with OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as openai:
        ids = [model.id for model in openai.models.list()]
        assert ids[:3] == ["gpt-4o-mini", "gpt-4o", "poe:gpt-4o"]
        for ident in ids:
            assert openai.models.retrieve(ident).id == ident
        assert openai.models.retrieve("gpt-4o").created == 1677610601
    with Anthropic(base_url=url, api_key=KEY, max_retries=0) as anthropic:
        pages = list(anthropic.models.list(limit=2))
        assert [model.id for model in pages] == ids
        assert pages[0].display_name == "gpt-4o-mini"
        for ident in ids:
            found = anthropic.models.retrieve(ident)
            assert (found.id, found.type, found.lifecycle) == (ident, "model", "active")
        assert found.created_at.year == 1970
        assert anthropic.models.list(limit=1000).data[0].id == "gpt-4o-mini"


async def test_the_official_clients_list_and_retrieve_models(tmp_path: Path) -> None:
    async with ScriptedUpstream(select=usual) as upstream:
        config = CONFIG.format(
            key=KEY, folder=tmp_path / "state", upstream=upstream.url, more="", catalogue="",
            timeout=2.5,
        )  # fmt: skip
        async with run_gateway(tmp_path, config) as running:
            await asyncio.to_thread(listed, running.url)
        assert len(upstream.requests) == 2  # one for each provider, however often clients ask
