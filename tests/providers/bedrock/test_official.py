"""The official client of this host as the measure: its requests, and its reading of our frames."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from anthropic import (
    AsyncAnthropic,
    AsyncAnthropicBedrock,
    AsyncAnthropicBedrockMantle,
    RateLimitError,
)
from botocore.eventstream import EventStreamBuffer
from httpx2 import ASGITransport, AsyncClient

from tests.fakes.hosting import run_in_process
from tests.fakes.upstream import SSE, Chunk, Head, Json, ReceivedRequest, ScriptedUpstream
from tests.faults.wires import TEXT, whole
from tests.providers.bedrock.frames import EVENTSTREAM, SAID, exception, said, sse

MODELS = ["anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-opus-4-6-v1"]
STREAMED = [
    Head(200, [EVENTSTREAM, ("transfer-encoding", "chunked")]), *map(Chunk, said()), Chunk(),
]  # fmt: skip
CONFIG = '[providers.bedrock]\nregion = "us-east-1"\nbase_url = "{url}"\n'
KEY = 'api_key = "bk-1"\n'
GIVEN = 'access_key_id = "AKID"\nsecret_access_key = "secret"\n'


async def theirs(model: str, upstream: ScriptedUpstream, **options: Any) -> ReceivedRequest:
    """What the host's own client sends for a stream, read to its end."""
    async with AsyncAnthropicBedrock(
        aws_region="us-east-1", base_url=upstream.url, max_retries=0, **options
    ) as client:
        stream = await client.messages.create(
            model=model, max_tokens=9, messages=[{"role": "user", "content": "hi"}], stream=True,
            extra_headers={"anthropic-beta": "context-1m-2025-08-07"},
        )  # fmt: skip
        events = [event.type async for event in stream]
    assert events[0] == "message_start"
    assert events[-1] == "message_stop"
    return upstream.requests[-1]


async def ours(model: str, folder: Path, credential: str) -> ReceivedRequest:
    """What the gateway sends for the same call of an Anthropic client."""
    async with run_in_process(folder, CONFIG + credential, STREAMED) as one:
        http = AsyncClient(transport=ASGITransport(one.app))
        async with AsyncAnthropic(
            base_url="http://gateway", api_key="any", max_retries=0, http_client=http
        ) as client, client.messages.stream(
            model=f"bedrock:{model}", max_tokens=9,
            messages=[{"role": "user", "content": "hi"}],
            extra_headers={"anthropic-beta": "context-1m-2025-08-07"},
        ) as stream:  # fmt: skip
            message = await stream.get_final_message()
        assert message.id == "msg_bdrk_1"
        assert message.content[0].type == "text"
        assert message.content[0].text == "Grüße, 世界"
        assert message.usage.output_tokens == 7
        return one.upstream.requests[-1]


@pytest.mark.parametrize("model", MODELS)
async def test_the_request_is_the_one_of_the_hosts_own_client(model: str, tmp_path: Path) -> None:
    async with ScriptedUpstream(STREAMED) as upstream:
        one = await theirs(model, upstream, api_key="bk-1")
    other = await ours(model, tmp_path, KEY)
    assert other.path == one.path.replace(":", "%3A")  # one resource, as AWS's own client writes it
    assert other.get_header(b"authorization") == one.get_header(b"authorization")
    bodies = [msgspec.json.decode(each.body) for each in (one, other)]
    versions = [body.pop("anthropic_version") for body in bodies]
    assert bodies[0] == bodies[1]
    assert versions[1] == "bedrock-2023-05-31"


async def test_at_the_messages_api_it_is_the_one_of_the_client_for_that(tmp_path: Path) -> None:
    events = SSE([sse(each) for each in SAID])
    asked: dict[str, Any] = {
        "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
        "extra_headers": {"anthropic-beta": "context-1m-2025-08-07"},
    }  # fmt: skip
    async with ScriptedUpstream(events) as upstream:
        async with AsyncAnthropicBedrockMantle(
            aws_region="us-east-1", api_key="bk-1", base_url=f"{upstream.url}/anthropic",
            max_retries=0,
        ) as client:  # fmt: skip
            stream = await client.messages.create(
                model="anthropic.claude-opus-4-8", stream=True, **asked
            )
            assert [event.type async for event in stream][-1] == "message_stop"
        (one,) = upstream.requests
    config = CONFIG.replace('"{url}"', '"{url}/anthropic/v1"') + KEY + 'api = "messages"\n'
    async with run_in_process(tmp_path, config, events) as gateway:
        http = AsyncClient(transport=ASGITransport(gateway.app))
        async with AsyncAnthropic(
            base_url="http://gateway", api_key="any", max_retries=0, http_client=http
        ) as ours_too:
            again = await ours_too.messages.create(
                model="bedrock:anthropic.claude-opus-4-8", stream=True, **asked
            )
            assert [event.type async for event in again][-1] == "message_stop"
        (other,) = gateway.upstream.requests
    assert other.path == one.path == "/anthropic/v1/messages"
    for name in (b"authorization", b"anthropic-version", b"anthropic-beta"):
        assert other.get_header(name) == one.get_header(name)
    assert msgspec.json.decode(other.body) == msgspec.json.decode(one.body)


async def test_the_same_parts_are_signed(tmp_path: Path) -> None:
    other = await ours(MODELS[0], tmp_path, GIVEN)
    signature = (other.get_header(b"authorization") or b"").decode()
    assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert other.get_header(b"x-amz-date") is not None


async def test_an_exception_frame_is_the_clients_own_exception(tmp_path: Path) -> None:
    throttled = [STREAMED[0], Chunk(exception("throttlingException", "slow")), Chunk()]
    async with run_in_process(tmp_path, CONFIG + KEY, throttled) as one:
        http = AsyncClient(transport=ASGITransport(one.app))
        async with AsyncAnthropic(
            base_url="http://gateway", api_key="any", max_retries=0, http_client=http
        ) as client:
            with pytest.raises(RateLimitError, match="slow"):
                await client.messages.create(
                    model=f"bedrock:{MODELS[0]}", max_tokens=9, stream=True,
                    messages=[{"role": "user", "content": "hi"}],
                )  # fmt: skip


async def test_a_whole_answer_is_a_message(tmp_path: Path) -> None:
    async with run_in_process(tmp_path, CONFIG + KEY, Json(whole("messages"))) as one:
        http = AsyncClient(transport=ASGITransport(one.app))
        async with AsyncAnthropic(
            base_url="http://gateway", auth_token="any", max_retries=0, http_client=http
        ) as client:
            answer = await client.messages.create(
                model=f"bedrock:{MODELS[0]}", max_tokens=9,
                messages=[{"role": "user", "content": "hi"}],
            )  # fmt: skip
        assert answer.content[0].type == "text"
        assert answer.content[0].text == TEXT


def test_our_frames_are_botocores() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(said()))
    kinds = [event.headers[":event-type"] for event in buffer]
    assert kinds == ["chunk"] * len(said())
