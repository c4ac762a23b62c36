"""The official client of this host as the measure of our requests."""

from pathlib import Path

import msgspec
import pytest
from anthropic import AsyncAnthropic, AsyncAnthropicVertex
from httpx2 import ASGITransport, AsyncClient

from tests.fakes.hosting import run_in_process
from tests.fakes.upstream import SSE, Json, ReceivedRequest, ScriptedUpstream
from tests.providers.bedrock.frames import SAID, sse

MODEL = "claude-sonnet-4-5@20250929"
EVENTS = SSE([sse(each) for each in SAID])
CONFIG = '[providers.vertex]\nproject = "p-1"\nlocation = "us-east5"\napi_key = "t"\n'


async def theirs(upstream: ScriptedUpstream, *, counting: bool) -> ReceivedRequest:
    """What the host's own client sends."""
    async with AsyncAnthropicVertex(
        region="us-east5", project_id="p-1", access_token="t", base_url=f"{upstream.url}/v1",
        max_retries=0,
    ) as client:  # fmt: skip
        if counting:
            await client.messages.count_tokens(
                model=MODEL, messages=[{"role": "user", "content": "hi"}]
            )
        else:
            stream = await client.messages.create(
                model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}],
                stream=True, extra_headers={"anthropic-beta": "context-1m-2025-08-07"},
            )  # fmt: skip
            async for _ in stream:
                pass
    return upstream.requests[-1]


async def ours(folder: Path, *, counting: bool) -> ReceivedRequest:
    """What the gateway sends for the same call of an Anthropic client."""
    script = Json({"input_tokens": 3}) if counting else EVENTS
    async with run_in_process(folder, CONFIG + 'base_url = "{url}/v1"\n', script) as one:
        http = AsyncClient(transport=ASGITransport(one.app))
        async with AsyncAnthropic(
            base_url="http://gateway", api_key="any", max_retries=0, http_client=http
        ) as client:
            if counting:
                counted = await client.messages.count_tokens(
                    model=f"vertex:{MODEL}", messages=[{"role": "user", "content": "hi"}]
                )
                assert counted.input_tokens == 3
            else:
                async with client.messages.stream(
                    model=f"vertex:{MODEL}", max_tokens=9,
                    messages=[{"role": "user", "content": "hi"}],
                    extra_headers={"anthropic-beta": "context-1m-2025-08-07"},
                ) as stream:  # fmt: skip
                    assert (await stream.get_final_message()).usage.output_tokens == 7
        return one.upstream.requests[-1]


@pytest.mark.parametrize("counting", [False, True])
async def test_the_request_is_the_one_of_the_hosts_own_client(
    tmp_path: Path, counting: bool
) -> None:
    script = Json({"input_tokens": 3}) if counting else EVENTS
    async with ScriptedUpstream(script) as upstream:
        one = await theirs(upstream, counting=counting)
    other = await ours(tmp_path, counting=counting)
    assert other.path == one.path
    for name in (b"authorization", b"anthropic-beta"):
        assert other.get_header(name) == one.get_header(name)
    bodies = [msgspec.json.decode(each.body) for each in (one, other)]
    if counting:  # the host counts models without their date only
        assert bodies[0].pop("model") == MODEL
        assert bodies[1].pop("model") == MODEL.partition("@")[0]
    versions = [body.pop("anthropic_version") for body in bodies]
    assert bodies[0] == bodies[1]
    assert versions[1] == "vertex-2023-10-16"
