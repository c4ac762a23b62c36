"""The official clients of OpenAI and Anthropic before a Gemini upstream."""

import random
from typing import Any

import anthropic as anthropic_errors
import openai as openai_errors
import pytest
from anthropic import Anthropic
from openai import OpenAI

from gateway.dialects.common.extra_content import SKIP_SIGNATURE
from tests.fakes.upstream import SSE, Chunk, Head, Json as Whole, Reset, Script
from tests.sdk.answers import PNG
from tests.sdk.clients import Which, connected
from tests.sdk.gemini import Json, answer, call, error, frame, stream, text, thought
from tests.sdk.stage import SdkGateway

MODEL = "gemini:gemini-3-pro-preview"
WORDS = "naïve 😀 \u2028 a\nb"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
SAFETY = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]
HELLO = [{"role": "user", "parts": [{"text": "hello"}]}]
COMMON = {b"accept-encoding": b"identity", b"content-type": b"application/json"}
both = pytest.mark.parametrize("which", ["openai", "anthropic"])
either = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])


def played(*parts: Json, streamed: bool, finish: str = "STOP") -> Script:
    """An answer of these parts, in either form."""
    return SSE(stream(*parts, finish=finish)) if streamed else Whole(answer(*parts, finish=finish))


# --- the calls of agents, by either client --------------------------------------------------------


class Talk:
    """A conversation with tools, kept by an official client as it keeps it."""

    def __init__(self, stage: SdkGateway, own: OpenAI | Anthropic, *, streamed: bool) -> None:
        self.stage = stage
        self.own: Any = own
        self.streamed = streamed
        self.history: list[Any] = [{"role": "user", "content": "hello"}]

    def say(self, **more: Any) -> Any:
        """The model's next turn, which goes into the history."""
        if isinstance(self.own, OpenAI):
            said = self._chat(**more)
            self.history.append(said.model_dump(exclude_none=True))
        else:
            said = self._messages(**more)
            content = [block.model_dump(exclude_none=True) for block in said.content]
            self.history.append({"role": "assistant", "content": content})
        return said

    def _chat(self, **more: Any) -> Any:
        functions = [
            {"type": "function", "function": {"name": name, "parameters": CITY}} for name in "fg"
        ]
        asked = {"model": MODEL, "messages": self.history, "tools": functions} | more
        if not self.streamed:
            return self.own.chat.completions.create(**asked).choices[0].message
        with self.own.chat.completions.stream(**asked) as told:
            return told.get_final_completion().choices[0].message

    def _messages(self, **more: Any) -> Any:
        functions = [{"name": name, "input_schema": CITY} for name in "fg"]
        asked = {"model": MODEL, "messages": self.history, "tools": functions, "max_tokens": 99}
        if not self.streamed:
            return self.own.messages.create(**(asked | more))
        with self.own.messages.stream(**(asked | more)) as told:
            return told.get_final_message()

    def answer(self, *results: str) -> None:
        """Answers the calls of the last turn."""
        last = self.history[-1]
        if isinstance(self.own, OpenAI):
            ids = [call["id"] for call in last["tool_calls"]]
            self.history += [
                {"role": "tool", "tool_call_id": id, "content": result}
                for id, result in zip(ids, results, strict=True)
            ]
            return
        ids = [block["id"] for block in last["content"] if block["type"] == "tool_use"]
        told = [
            {"type": "tool_result", "tool_use_id": id, "content": result}
            for id, result in zip(ids, results, strict=True)
        ]
        self.history.append({"role": "user", "content": told})

    def sent(self) -> list[Json]:
        """The contents of the last request."""
        contents: list[Json] = self.stage.body()["contents"]
        return contents


@pytest.fixture(params=["openai", "anthropic"])
def own(request: pytest.FixtureRequest, stage: SdkGateway) -> Any:
    with connected(request.param, stage) as client:
        yield client.own


@either
def test_case_28_signatures_go_back_on_the_parts_they_came_with(
    stage: SdkGateway, own: OpenAI | Anthropic, streamed: bool
) -> None:
    talk = Talk(stage, own, streamed=streamed)
    first, second = (
        call("f", {"city": "Oslo"}, "SIG+1/=", "c1"),
        call("g", {"city": "Rom"}, "", "c2"),
    )
    stage.play(played(first, second, streamed=streamed))
    talk.say()
    talk.answer("cold", '{"warm": true}')
    stage.play(played(text("Done.", "SIG+2/="), streamed=streamed))
    talk.say()
    assert talk.sent() == [
        *HELLO,
        {"role": "model", "parts": [first, second]},
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"output": "cold"}, "id": "c1"}},
                {"functionResponse": {"name": "g", "response": {"warm": True}, "id": "c2"}},
            ],
        },
    ]
    talk.history.append({"role": "user", "content": "thanks"})
    stage.play(played(text("Welcome."), streamed=streamed))
    talk.say()
    assert talk.sent()[3] == {"role": "model", "parts": [text("Done.", "SIG+2/=")]}


@either
def test_another_model_is_not_sent_its_siblings_signatures(
    stage: SdkGateway, own: OpenAI | Anthropic, streamed: bool
) -> None:
    talk = Talk(stage, own, streamed=streamed)
    stage.play(played(call("f", {}, "SIG", "c1"), streamed=streamed))
    talk.say()
    talk.answer("cold")
    for model, signature in (("gemini-3-flash-preview", SKIP_SIGNATURE), ("gemini-2.5-pro", None)):
        stage.play(played(text("ok"), streamed=streamed))
        talk.say(model=f"gemini:{model}")
        talk.history.pop()
        part = talk.sent()[1]["parts"][0]
        assert part.get("thoughtSignature") == signature
        assert ("id" in part["functionCall"]) == (model != "gemini-2.5-pro")


def test_a_client_that_drops_signatures_has_them_kept_for_it(stage: SdkGateway) -> None:
    with connected("openai", stage) as client:
        talk = Talk(stage, client.own, streamed=False)
        stage.play(Whole(answer(call("f", {}, "SIG", "kept-1"), call("g", {}, "", "kept-2"))))
        talk.say()
        for called in talk.history[-1]["tool_calls"]:
            called.pop("extra_content", None)
        talk.answer("a", "b")
        stage.play(Whole(answer(text("ok"))))
        talk.say()
    signatures = [part.get("thoughtSignature") for part in talk.sent()[1]["parts"]]
    assert signatures == ["SIG", None]


# --- OpenAI's client ------------------------------------------------------------------------------


def test_a_chat_request_in_geminis_words(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(Whole(answer(thought("hm"), text("Hello"))))
    answered = openai.chat.completions.create(
        model="gemini:gemini-2.5-flash",
        messages=[
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hello"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            },
        ],
        max_completion_tokens=20,
        temperature=0.5,
        seed=7,
        stop="END",
        reasoning_effort="low",
        response_format={"type": "json_object"},
        user="u1",
    )
    told = answered.model_dump(exclude_unset=True)
    assert told.pop("created") > 1_700_000_000
    assert told == {
        "id": "chatcmpl-r1",
        "object": "chat.completion",
        "model": "gemini:gemini-2.5-flash",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "refusal": None,
                    "reasoning_content": "hm",
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 30,
            "total_tokens": 1030,
            "prompt_tokens_details": {"cached_tokens": 900, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
    }
    assert stage.head() == (
        "POST",
        "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
        COMMON | {b"x-goog-api-key": b"upstream-key-gemini"},
    )
    image = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    assert stage.body() == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "hello"}, image]}],
        "generationConfig": {
            "maxOutputTokens": 20,
            "temperature": 0.5,
            "seed": 7,
            "stopSequences": ["END"],
            "responseMimeType": "application/json",
            "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True},
        },
        "safetySettings": SAFETY,
    }


def test_a_chat_stream_tells_thoughts_text_and_counts(stage: SdkGateway, openai: OpenAI) -> None:
    stage.play(SSE(stream(thought("hm, so"), text(WORDS))))
    with openai.chat.completions.stream(
        model=MODEL,
        messages=[{"role": "user", "content": "hello"}],
        stream_options={"include_usage": True},
    ) as told:
        whole = told.get_final_completion()
    message = whole.choices[0].message
    assert message.content == WORDS
    assert (message.model_extra or {})["reasoning_content"] == "hm, so"
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (1000, 30)
    assert stage.head()[1] == (
        "/gemini/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse"
    )
    assert stage.body() == {"contents": HELLO, "safetySettings": SAFETY}


def test_a_blocked_prompt_is_a_content_filter(stage: SdkGateway, openai: OpenAI) -> None:
    told = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "responseId": "r1"}
    stage.play(Whole(told))
    said = Talk(stage, openai, streamed=False).say()
    assert said.refusal == "The prompt was blocked (PROHIBITED_CONTENT)."
    assert not said.content
    stage.play(SSE([frame(told)]))
    with pytest.raises(openai_errors.ContentFilterFinishReasonError):
        Talk(stage, openai, streamed=True).say()


# --- Anthropic's client ---------------------------------------------------------------------------


def test_a_messages_request_in_geminis_words(stage: SdkGateway, anthropic: Anthropic) -> None:
    stage.play(Whole(answer(thought("hm"), text("Hello"))))
    answered = anthropic.messages.create(  # type: ignore[call-overload]
        model=MODEL,
        max_tokens=99,
        system="Be brief.",
        messages=[{"role": "user", "content": "hello"}],
        thinking={"type": "enabled", "budget_tokens": 1024},
        tools=[{"name": "my/tool", "input_schema": CITY}],
        tool_choice={"type": "tool", "name": "my/tool"},
    )
    kinds = [block.type for block in answered.content]
    assert kinds == ["thinking", "text"]
    assert answered.stop_reason == "end_turn"
    assert answered.model == MODEL
    counted = answered.usage
    assert (counted.input_tokens, counted.cache_read_input_tokens) == (100, 900)
    assert counted.output_tokens == 30
    assert stage.body() == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": HELLO,
        "tools": [{"functionDeclarations": [{"name": "my_tool", "parametersJsonSchema": CITY}]}],
        "toolConfig": {
            "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["my_tool"]}
        },
        "generationConfig": {
            "maxOutputTokens": 99,
            "thinkingConfig": {"thinkingLevel": "low", "includeThoughts": True},
        },
        "safetySettings": SAFETY,
    }


@either
def test_calls_are_blocks_under_the_clients_names(
    stage: SdkGateway, anthropic: Anthropic, streamed: bool
) -> None:
    stage.play(played(text("Let me see."), call("f", {"city": "Oslo"}), streamed=streamed))
    said = Talk(stage, anthropic, streamed=streamed).say()
    assert said.stop_reason == "tool_use"
    assert [block.type for block in said.content] == ["text", "tool_use"]
    assert (said.content[1].name, said.content[1].input) == ("f", {"city": "Oslo"})


@either
def test_an_answer_that_was_stopped_is_a_refusal(
    stage: SdkGateway, anthropic: Anthropic, streamed: bool
) -> None:
    stage.play(played(text("I"), streamed=streamed, finish="SAFETY"))
    said = Talk(stage, anthropic, streamed=streamed).say()
    assert said.stop_reason == "refusal"
    assert said.stop_details.explanation == "The answer was stopped (SAFETY)."
    assert said.content[0].text == "I"


# --- faults ---------------------------------------------------------------------------------------

LIMIT = error(
    429,
    "RESOURCE_EXHAUSTED",
    "You exceeded your current quota.",
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"},
    {"@type": "x", "metadata": {"consumer": "projects/12345"}},
)
BUSY = error(503, "UNAVAILABLE", "The model is overloaded.")
INVALID = error(
    400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
)  # fmt: skip
LONG = error(400, "INVALID_ARGUMENT", "The input token count (2000) exceeds the maximum (1000).")
SLIP = answer(finish="MALFORMED_FUNCTION_CALL")
FAULTS = (openai_errors.APIStatusError, anthropic_errors.APIStatusError)
REFUSED: dict[str, tuple[Script, int]] = {
    "limited": (Whole(LIMIT, 429), 429),
    "limited, in an array": (Whole([LIMIT], 429), 429),
    "limited, in a stream": (SSE([frame(LIMIT)]), 429),
    "busy": (Whole(BUSY, 503), 503),
    "an invalid key": (Whole(INVALID, 400), 401),
    "too long": (Whole(LONG, 400), 400),
    "a slip": (Whole(SLIP), 502),
    "a slip, in a stream": (SSE([frame(SLIP)]), 502),
    "nothing": (Whole({"usageMetadata": {}}), 502),
    "an empty stream": (SSE([]), 502),
    "a page": (Whole(b"<html>", 502), 502),
}


@both
@pytest.mark.parametrize("name", REFUSED)
def test_a_fault_before_the_answer_is_a_status(stage: SdkGateway, which: Which, name: str) -> None:
    script, status = REFUSED[name]
    stage.play(script)
    shown = {"x-gateway-key": stage.key}  # the client's own key: no error makes it rest
    with connected(which, stage, key="upstream-key-own", default_headers=shown) as client:
        for ask in [client.gather] if "stream" in name else [client.ask, client.gather]:
            with pytest.raises(FAULTS) as caught:
                ask("gemini-own:gemini-3-pro-preview")
            check(caught.value, which, name, status)


def check(fault: Any, which: Which, name: str, status: int) -> None:
    """What a client of either kind makes of an error."""
    # what a Messages client knows as overloaded has a status of its own
    assert fault.status_code == (529 if (which, name) == ("anthropic", "busy") else status)
    assert "12345" not in fault.response.text
    assert "upstream-key" not in fault.response.text
    if name.startswith("limited"):
        assert fault.response.headers["retry-after"] == "34"
    if name == "too long" and which == "anthropic":
        assert "prompt is too long: 2000 tokens > 1000 maximum" in fault.response.text
    if name == "too long" and which == "openai":
        assert fault.code == "context_length_exceeded"


BEGUN = frame(answer(text("Hel"), finish=None))
LATE: dict[str, Script] = {
    "an error": SSE([BEGUN, frame(BUSY)]),
    "an end without a finish reason": SSE([BEGUN]),
    "a reset": [
        Head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]),
        Chunk(BEGUN),
        Reset(),
    ],
    "nonsense": SSE([BEGUN, b"data: {oops\n\n"]),
}


@both
@pytest.mark.parametrize("name", LATE)
def test_case_2_a_fault_within_the_answer_is_never_a_polite_end(
    stage: SdkGateway, which: Which, name: str
) -> None:
    stage.play(LATE[name])
    said: list[str] = []
    with (
        connected(which, stage) as client,
        pytest.raises((openai_errors.APIError, anthropic_errors.APIError)),
    ):
        said.extend(client.stream(MODEL))
    assert said == ["Hel"]


# --- framing --------------------------------------------------------------------------------------

TOLD = b"".join(stream(thought("hm"), text(WORDS), call("f", {"a": "é"}, "S", "c1")))


@both
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_a_stream_of_single_bytes_is_read(stage: SdkGateway, which: Which, newline: bytes) -> None:
    told = TOLD.replace(b"\r\n", newline)
    stage.play(SSE([told[at : at + 1] for at in range(len(told))]))
    with connected(which, stage) as client:
        assert client.gather(MODEL) == WORDS


@both
@pytest.mark.parametrize("seed", range(3))
def test_a_stream_cut_at_random_is_read(stage: SdkGateway, which: Which, seed: int) -> None:
    dice = random.Random(seed)
    places = sorted(dice.sample(range(1, len(TOLD)), 40))
    stage.play(SSE([TOLD[a:b] for a, b in zip([0, *places], [*places, len(TOLD)], strict=True)]))
    with connected(which, stage) as client:
        assert client.gather(MODEL) == WORDS


@both
def test_a_whole_answer_to_a_stream_is_streamed(stage: SdkGateway, which: Which) -> None:
    stage.play(Whole(answer(text(WORDS))))
    with connected(which, stage) as client:
        assert client.gather(MODEL) == WORDS
