"""Two turns with a Gemini server that signs its tool calls, through the running gateway."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import msgspec
import openai
import pytest
import pytest_asyncio

from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from tests.fakes.running import run_gateway
from tests.fakes.steps import SSE, Json, ReceivedRequest, Script
from tests.fakes.upstream import ScriptedUpstream
from tests.faults.scene import FaultGateway, model_of
from tests.faults.wires import ask, encode

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = {name: f"gw-key-of-{name}" for name in ("ann", "bob")}
CONFIG = f"""
[auth]
keys = [{{ name = "ann", key = "{KEYS["ann"]}" }}, {{ name = "bob", key = "{KEYS["bob"]}" }}]
[[middleware]]
use = "auth"
[[middleware]]
use = "alias"
[[middleware]]
use = "fallback"
attempts = 1
[[middleware]]
use = "convert"
[aliases]
agent = "gemini:gemini-3-pro"
[providers.gemini]
use = "compatible"
family = "gemini-openai"
base_url = "{{url}}/v1beta/openai"
api_key = "sk-upstream-of-gemini-1234"
[providers.mistral]
use = "compatible"
family = "mistral"
base_url = "{{url}}/v1"
api_key = "sk-upstream-of-mistral-1234"
"""
MODELS = ["gemini:gemini-3-pro", "agent", "gemini:gemini-2.5-flash"]
WEATHER = "mcp__weather.get/now"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
ASKED = {"role": "user", "content": "Weather in Oslo and Rome?"}
Wire = dict[str, Any]


def wire(id: str, name: str, city: str, signature: str = "") -> Wire:
    """A tool call as Gemini's compatible address writes it."""
    arguments = encode({"city": city}).decode()
    call: Wire = {"function": {"arguments": arguments, "name": name}, "id": id, "type": "function"}
    extra = {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
    return extra | call


class Gemini:
    """Answers each call with two parallel tool calls, the first of them signed."""

    def __init__(self) -> None:
        self.made = 0
        self.ids = True
        self.signed = True
        self.streams = True

    def __call__(self, request: ReceivedRequest) -> Script:
        body = msgspec.json.decode(request.body)
        name = body["tools"][0]["function"]["name"]
        self.made += 1
        calls = [
            wire(f"function-call-{self.made}-{at}" if self.ids else "", name, city,
                 f"signature+{self.made}/==" if self.signed and not at else "")
            for at, city in enumerate(("Oslo", "Rome"))
        ]  # fmt: skip
        if "gemini" not in body["model"]:
            calls = [call | {"index": at} for at, call in enumerate(calls)]
        said = {"role": "assistant", "tool_calls": calls}
        answer: Wire = {"id": "gem-1", "created": 1, "model": body["model"]}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        if not (self.streams and body.get("stream")):
            choice = {"finish_reason": "stop", "index": 0, "message": said}
            return Json(answer | {"object": "chat.completion", "choices": [choice], "usage": usage})
        chunks = [
            answer | {"object": "chat.completion.chunk", "choices": [choice]}
            for choice in (
                {"delta": said, "index": 0},
                {"delta": {"role": "assistant"}, "finish_reason": "stop", "index": 0},
            )
        ]
        frames = [b"data: " + encode(each) + b"\n\n" for each in chunks]
        return SSE([*frames, b"data: [DONE]\n\n"])


class SignatureGateway(FaultGateway):
    """A scene with the answers of a Gemini server."""

    gemini: Gemini

    @property
    def sent(self) -> list[Any]:
        """The messages of the last request that reached the upstream."""
        messages: list[Any] = msgspec.json.decode(self.upstream.requests[-1].body)["messages"]
        return messages

    @property
    def signatures(self) -> list[list[str | None]]:
        """The signatures of each turn's calls in that request."""
        return [
            [
                call.get("extra_content", {}).get("google", {}).get("thought_signature")
                for call in turn["tool_calls"]
            ]
            for turn in self.sent
            if turn.get("tool_calls")
        ]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SignatureGateway]:
    gemini = Gemini()
    async with ScriptedUpstream(select=gemini, seconds=60) as upstream:
        config = CONFIG.replace("{url}", upstream.url)
        async with run_gateway(tmp_path_factory.mktemp("signatures"), config) as made:
            stage = SignatureGateway(made, upstream)
            stage.gemini = gemini
            yield stage


@pytest.fixture
def stage(running: SignatureGateway) -> SignatureGateway:
    running.gemini.ids = running.gemini.signed = running.gemini.streams = True
    return running


def openai_of(stage: SignatureGateway, name: str = "ann") -> openai.AsyncOpenAI:
    url = f"{stage.gateway.url}/v1"
    return openai.AsyncOpenAI(base_url=url, api_key=KEYS[name], max_retries=0)


def anthropic_of(stage: SignatureGateway) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=stage.gateway.url, api_key=KEYS["ann"], max_retries=0)


FUNCTION: Any = {"type": "function", "function": {"name": WEATHER, "parameters": PARAMETERS}}


async def chat(
    stage: SignatureGateway, model: str, messages: list[Any], *, stream: bool, name: str = "ann"
) -> Wire:
    """The assistant message that an official client has after one turn."""
    async with openai_of(stage, name) as client:
        if stream:
            async with client.chat.completions.stream(
                model=model, messages=messages, tools=[FUNCTION]
            ) as live:
                answer: Any = await live.get_final_completion()
        else:
            answer = await client.chat.completions.create(
                model=model, messages=messages, tools=[FUNCTION]
            )
    said = answer.choices[0].message.to_dict()
    calls = [
        {name: call[name] for name in ("id", "type", "function", "extra_content") if name in call}
        for call in said["tool_calls"]
    ]
    for call in calls:
        call["function"].pop("parsed_arguments", None)
    return {"role": "assistant", "content": None, "tool_calls": calls}


def bare(said: Wire) -> Wire:
    """The message as a client replays it that knows no `extra_content`."""
    calls = [
        {name: member for name, member in call.items() if name != "extra_content"}
        for call in said["tool_calls"]
    ]
    return said | {"tool_calls": calls}


def results(said: Wire) -> list[Wire]:
    return [
        {"role": "tool", "tool_call_id": call["id"], "content": "3 °C"}
        for call in said["tool_calls"]
    ]


@pytest.mark.parametrize("stream", [False, True])
class TestChatClient:
    @pytest.mark.parametrize("model", MODELS)
    async def test_one_that_drops_the_signatures(
        self, stage: SignatureGateway, model: str, stream: bool
    ) -> None:
        said = await chat(stage, model, [ASKED], stream=stream)
        first = f"signature+{stage.gemini.made}/=="
        assert said["tool_calls"][0]["extra_content"]["google"]["thought_signature"] == first
        history = [ASKED, bare(said), *results(said)]
        again = await chat(stage, model, history, stream=not stream)
        assert stage.signatures == [[first, None]]
        second = f"signature+{stage.gemini.made}/=="
        await chat(stage, model, [*history, bare(again), *results(again)], stream=stream)
        assert stage.signatures == [[first, None], [second, None]]
        assert stage.sent[2:4] == results(said)

    async def test_one_that_keeps_them(self, stage: SignatureGateway, stream: bool) -> None:
        said = await chat(stage, "agent", [ASKED], stream=stream)
        said["tool_calls"][0]["extra_content"]["google"]["thought_signature"] = "its own"
        history = [ASKED, said, *results(said)]
        await chat(stage, "agent", history, stream=stream)
        assert stage.sent == history

    async def test_of_another_tenant_gets_none_of_them(
        self, stage: SignatureGateway, stream: bool
    ) -> None:
        said = await chat(stage, "agent", [ASKED], stream=stream)
        history = [ASKED, bare(said), *results(said)]
        await chat(stage, "agent", history, stream=stream, name="bob")
        assert stage.signatures == [[SKIP_SIGNATURE, None]]
        await chat(stage, "agent", history, stream=stream)
        assert stage.signatures != [[SKIP_SIGNATURE, None]]

    async def test_at_another_model_gets_none_of_them(
        self, stage: SignatureGateway, stream: bool
    ) -> None:
        said = await chat(stage, "gemini:gemini-3-flash", [ASKED], stream=stream)
        history = [ASKED, bare(said), *results(said)]
        await chat(stage, "agent", history, stream=stream)
        assert stage.signatures == [[SKIP_SIGNATURE, None]]
        await chat(stage, "gemini:gemini-2.5-flash", history, stream=stream)
        assert stage.signatures == [[None, None]]

    async def test_keeps_its_own_tool_names(self, stage: SignatureGateway, stream: bool) -> None:
        for model in ("agent", "mistral:mistral-large"):
            said = await chat(stage, model, [ASKED], stream=stream)
            sent = msgspec.json.decode(stage.upstream.requests[-1].body)
            assert sent["tools"] == [FUNCTION]
            assert [call["function"]["name"] for call in said["tool_calls"]] == [WEATHER] * 2


async def test_a_stream_of_calls_without_index_or_id_is_two_calls(stage: SignatureGateway) -> None:
    stage.gemini.ids = False
    said = await chat(stage, "agent", [ASKED], stream=True)
    assert [call["function"]["arguments"] for call in said["tool_calls"]] == [
        '{"city":"Oslo"}', '{"city":"Rome"}',
    ]  # fmt: skip
    assert len({call["id"] for call in said["tool_calls"]} - {""}) == 2
    first = f"signature+{stage.gemini.made}/=="
    await chat(stage, "agent", [ASKED, bare(said), *results(said)], stream=True)
    assert stage.signatures == [[first, None]]


async def test_a_whole_answer_without_ids_passes_and_is_known_by_what_it_calls(
    stage: SignatureGateway,
) -> None:
    stage.gemini.ids = False
    said = await chat(stage, "agent", [ASKED], stream=False)
    assert [call["id"] for call in said["tool_calls"]] == ["", ""]
    for stream in (False, True):
        latest = f"signature+{stage.gemini.made}/=="
        await chat(stage, "agent", [ASKED, bare(said), *results(said)], stream=stream)
        assert stage.signatures == [[latest, None]]


async def test_a_whole_answer_where_a_stream_was_asked_for(stage: SignatureGateway) -> None:
    stage.gemini.streams = False
    said = await chat(stage, "agent", [ASKED], stream=True)
    first = f"signature+{stage.gemini.made}/=="
    await chat(stage, "agent", [ASKED, bare(said), *results(said)], stream=True)
    assert stage.signatures == [[first, None]]
    answer = await messages(stage, "agent", [ASKED], stream=True)
    first = f"signature+{stage.gemini.made}/=="
    await messages(stage, "agent", [ASKED, *answered(answer.content)], stream=True)
    assert stage.signatures == [[first, None]]


TOOL: Any = {"name": WEATHER, "input_schema": PARAMETERS}


async def messages(stage: SignatureGateway, model: str, history: list[Any], *, stream: bool) -> Any:
    """The answer that an official client has after one turn."""
    async with anthropic_of(stage) as client:
        wanted: Any = {"model": model, "max_tokens": 64, "messages": history, "tools": [TOOL]}
        if not stream:
            return await client.messages.create(**wanted)
        async with client.messages.stream(**wanted) as live:
            return await live.get_final_message()


def answered(content: list[Any]) -> list[Wire]:
    """The turns that follow on an answer of tool calls."""
    blocks = [block.to_dict() for block in content]
    tool_results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "3 °C"}
        for block in blocks
        if block["type"] == "tool_use"
    ]
    return [{"role": "assistant", "content": blocks}, {"role": "user", "content": tool_results}]


@pytest.mark.parametrize("stream", [False, True])
class TestMessagesClient:
    @pytest.mark.parametrize("model", MODELS)
    async def test_one_that_replays_what_it_got(
        self, stage: SignatureGateway, model: str, stream: bool
    ) -> None:
        answer = await messages(stage, model, [ASKED], stream=stream)
        first = f"signature+{stage.gemini.made}/=="
        assert [block.type for block in answer.content] == [
            "redacted_thinking", "tool_use", "tool_use",
        ]  # fmt: skip
        assert answer.stop_reason == "tool_use"
        assert [block.name for block in answer.content[1:]] == [WEATHER] * 2
        history = [ASKED, *answered(answer.content)]
        again = await messages(stage, model, history, stream=not stream)
        assert stage.signatures == [[first, None]]
        second = f"signature+{stage.gemini.made}/=="
        await messages(stage, model, [*history, *answered(again.content)], stream=stream)
        assert stage.signatures == [[first, None], [second, None]]
        sent = [call["function"]["name"] for call in stage.sent[1]["tool_calls"]]
        assert sent == ["mcp__weather_get_now"] * 2

    async def test_one_that_drops_hidden_reasoning(
        self, stage: SignatureGateway, stream: bool
    ) -> None:
        answer = await messages(stage, "agent", [ASKED], stream=stream)
        history = [ASKED, *answered(answer.content[1:])]
        await messages(stage, "agent", history, stream=stream)
        assert stage.signatures == [[SKIP_SIGNATURE, None]]
        await messages(stage, "gemini:gemini-2.5-flash", history, stream=stream)
        assert stage.signatures == [[None, None]]

    async def test_another_model_gets_no_signature_and_no_warning(
        self, stage: SignatureGateway, stream: bool
    ) -> None:
        answer = await messages(stage, "agent", [ASKED], stream=stream)
        history = [ASKED, *answered(answer.content)]
        await messages(stage, "gemini:gemini-2.5-flash", history, stream=stream)
        assert stage.signatures == [[None, None]]
        told = await ask(
            stage.gateway.port, "messages", "gemini:gemini-2.5-flash", ("x-api-key", KEYS["ann"]),
            messages=history, tools=[TOOL],
        )  # fmt: skip
        assert told.status == 200
        assert b"x-gateway-warnings" not in told.headers

    async def test_without_ids_or_signatures(self, stage: SignatureGateway, stream: bool) -> None:
        stage.gemini.ids = stage.gemini.signed = False
        answer = await messages(stage, "agent", [ASKED], stream=stream)
        assert [block.type for block in answer.content] == ["tool_use", "tool_use"]
        assert len({block.id for block in answer.content} - {""}) == 2
        assert answer.stop_reason == "tool_use"
        await messages(stage, "agent", [ASKED, *answered(answer.content)], stream=stream)
        assert stage.signatures == [[SKIP_SIGNATURE, None]]


async def test_the_model_that_an_alias_stands_for_is_asked(stage: SignatureGateway) -> None:
    await chat(stage, "agent", [ASKED], stream=False)
    request = stage.upstream.requests[-1]
    assert (request.path, model_of(request)) == (
        "/v1beta/openai/chat/completions", "gemini-3-pro",
    )  # fmt: skip
