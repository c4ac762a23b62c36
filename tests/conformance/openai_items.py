"""The Chat Completions API, item by item."""

from typing import Any

from tests.conformance.anthropic_items import (
    CALLED,
    CALLS,
    FUNCTION,
    SCHEMA,
    TALK,
    USED,
    USES,
    WEATHER,
)
from tests.conformance.table import (
    ASKED,
    COUNTED,
    Family,
    Item,
    Json,
    UpstreamAnswer,
    Way,
    lost,
    over,
    refused,
    same,
)
from tests.sdk.answers import (
    chat,
    chat_stream,
    chunk,
    encoded,
    message,
    message_stream,
    text,
    thought,
)

ADVANCED = "phase_3_openai_advanced"
CALLED_IN_CHAT: Json = {"content": None, "tool_calls": [CALLED], "finish_reason": "tool_calls"}
TEXT_ONLY = "this provider answers in text only"
LOGPROBS: Json = {
    "content": [{"token": "Hello", "logprob": -0.1, "bytes": None, "top_logprobs": []}]
}
CLOSED: Json = SCHEMA | {"required": ["city"], "additionalProperties": False}
SHAPE: Json = {
    "type": "json_schema", "json_schema": {"name": "place", "schema": CLOSED, "strict": True},
}  # fmt: skip
SPOKEN: Json = {
    "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "mp3"},
}  # fmt: skip
AUDIO: Json = {"id": "a1", "data": "UklGRg==", "expires_at": 1, "transcript": "Hello"}
SOUND = UpstreamAnswer(chat(None, audio=AUDIO), chat_stream({"audio": AUDIO}))
SYSTEM: Json = {"role": "system", "content": "Be brief."}
DEVELOPER: Json = {"role": "developer", "content": "Be brief."}
FEW: Json = {"user_location": {"type": "approximate", "approximate": {"city": "Oslo"}}}
SEARCH: Json = {
    "type": "web_search_20250305", "name": "web_search", "max_uses": 1,
    "user_location": {"type": "approximate", "city": "Oslo"},
}  # fmt: skip
REASONING: Json = {
    "reasoning_content": "Hm.",
    "reasoning_details": [
        {
            "type": "reasoning.text", "text": "Hm.", "signature": "sealed",
            "format": "anthropic-claude-v1", "index": 0,
        },
    ],
}  # fmt: skip
THOUGHT = UpstreamAnswer(
    message(thought("Hm.", "sig"), text("Hello")),
    message_stream(thought("Hm.", "sig"), text("Hello")),
)
PROBABLE = chat("Hello")
PROBABLE["choices"][0]["logprobs"] = LOGPROBS
SURE = UpstreamAnswer(
    PROBABLE,
    [
        frame.replace(b'"logprobs":null', b'"logprobs":' + encoded(LOGPROBS))
        for frame in chat_stream({"content": "Hello"})
    ],
)
TWO = chat("Hello")
TWO["choices"].append(TWO["choices"][0] | {"index": 1})
SECOND = chunk({"content": "Hello"}).replace(b'"index":0', b'"index":1')
ANSWERS = UpstreamAnswer(TWO, [SECOND, *chat_stream({"content": "Hello"})])


def both(sends: Json, reaches: Json | None = None, **more: Any) -> tuple[Way, ...]:
    """To a Chat upstream as it is, to a Messages upstream converted."""
    return (same("openai", sends), over("anthropic", sends, reaches, **more))


def told(name: str, value: object, **more: Any) -> tuple[Way, ...]:
    """A member that Messages has no word for: the client is told of its loss."""
    sends = {name: value}
    return (
        same("openai", sends, **more),
        lost("anthropic", sends, f"{name}:unsupported_by_target"),
    )


def chosen(sends: object, reaches: Json) -> tuple[Way, ...]:
    """A tool choice, answered with a call."""
    asked = {"tools": [FUNCTION], "tool_choice": sends}
    return (
        same("openai", asked, says=CALLS),
        over(
            "anthropic",
            asked,
            {"tools": [WEATHER], "tool_choice": reaches},
            says=USES,
            told=CALLED_IN_CHAT,
        ),
    )


ITEMS = (
    Item(
        "messages",
        (
            *both(
                {"messages": [SYSTEM, *TALK]},
                {"system": [text("Be brief.")], "messages": TALK},
            ),
            over("anthropic", {"messages": [DEVELOPER, *ASKED]}, {"system": [text("Be brief.")]}),
            over(
                "anthropic",
                {
                    "messages": [
                        *ASKED,
                        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
                        {"role": "tool", "tool_call_id": "call_1", "content": "Sun"},
                    ]
                },
                {
                    "messages": [
                        *ASKED,
                        {"role": "assistant", "content": [USED]},
                        {
                            "role": "user",
                            "content": [
                                {"type": "tool_result", "tool_use_id": "call_1", "content": "Sun"}
                            ],
                        },
                    ]
                },
            ),
        ),
    ),
    Item("model", both({})),
    Item("max_completion_tokens", both({"max_completion_tokens": 77}, {"max_tokens": 77})),
    Item(
        "temperature",
        (
            *both({"temperature": 0.5}, {"temperature": 0.5}),
            over(
                "anthropic",
                {"temperature": 1.5},
                {"temperature": 1.0},
                warns=("temperature:clamped_to_1",),
            ),
            lost(
                "anthropic",
                {"temperature": 0.5},
                "temperature:unsupported_by_model",
                model="claude-opus-4-8",
            ),
        ),
    ),
    Item("top_p", both({"top_p": 0.9}, {"top_p": 0.9})),
    Item(
        "n",
        (
            *both({"n": 1}),
            same("openai", {"n": 2}, says=ANSWERS),
            refused("anthropic", {"n": 2}, "n: this provider gives one answer a call"),
        ),
    ),
    Item(
        "stop",
        (
            *both({"stop": ["END", "FIN"]}, {"stop_sequences": ["END", "FIN"]}),
            over(
                "anthropic",
                {"stop": "END"},
                {"stop_sequences": ["END"]},
                says=UpstreamAnswer(
                    message(text("Hello"), stop="stop_sequence", stop_sequence="END"),
                    message_stream(text("Hello"), stop="stop_sequence", stop_sequence="END"),
                ),
            ),
        ),
    ),
    Item(
        "stream",
        (
            same("openai", {"stream": True}, streams="only", adds=COUNTED),
            over("anthropic", {"stream": True}, streams="only", told={"usage": None}),
        ),
    ),
    Item(
        "stream_options",
        (
            same(
                "openai",
                {"stream": True, "stream_options": {"include_usage": True}},
                streams="only",
            ),
            over(
                "anthropic",
                {"stream": True, "stream_options": {"include_usage": True}},
                streams="only",
            ),
        ),
    ),
    Item("presence_penalty", told("presence_penalty", 0.5), ADVANCED),
    Item("frequency_penalty", told("frequency_penalty", 0.5), ADVANCED),
    Item("logit_bias", told("logit_bias", {"50256": -100}), ADVANCED),
    Item("logprobs", told("logprobs", True, says=SURE), ADVANCED),
    Item(
        "top_logprobs",
        (
            same("openai", {"logprobs": True, "top_logprobs": 2}, says=SURE),
            lost(
                "anthropic",
                {"logprobs": True, "top_logprobs": 2},
                "logprobs:unsupported_by_target",
                "top_logprobs:unsupported_by_target",
            ),
        ),
        ADVANCED,
    ),
    Item("user", both({"user": "u1"}, {"metadata": {"user_id": "u1"}}), ADVANCED),
    Item("seed", told("seed", 7), ADVANCED),
    Item("tools", both({"tools": [FUNCTION]}, {"tools": [WEATHER]})),
    Item(
        "tool_choice",
        (
            *chosen("auto", {"type": "auto"}),
            *chosen("required", {"type": "any"}),
            *chosen(
                {"type": "function", "function": {"name": "get_weather"}},
                {"type": "tool", "name": "get_weather"},
            ),
            *both(
                {"tools": [FUNCTION], "tool_choice": "none"},
                {"tools": [WEATHER], "tool_choice": {"type": "none"}},
            ),
        ),
    ),
    Item(
        "parallel_tool_calls",
        both(
            {"tools": [FUNCTION], "parallel_tool_calls": False},
            {
                "tools": [WEATHER],
                "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            },
        ),
    ),
    Item(
        "response_format",
        (
            *both(
                {"response_format": SHAPE},
                {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
            ),
            same("openai", {"response_format": {"type": "json_object"}}),
            over(
                "anthropic",
                {"response_format": {"type": "json_object"}},
                {"system": [text("Respond with one JSON object and nothing else.")]},
                warns=("response_format:json_object_asked_for_in_the_system_prompt",),
            ),
        ),
    ),
    Item(
        "reasoning_effort",
        (
            same("openai", {"reasoning_effort": "high"}, model="gpt-5.1"),
            over(
                "anthropic",
                {"reasoning_effort": "high"},
                {
                    "thinking": {"type": "adaptive", "display": "summarized"},
                    "output_config": {"effort": "high"},
                },
                model="claude-opus-4-8",
                says=THOUGHT,
                told=REASONING,
            ),
            over(
                "anthropic",
                {"reasoning_effort": "high"},
                {"thinking": {"type": "enabled", "budget_tokens": 16384}},
                says=THOUGHT,
                told=REASONING,
            ),
        ),
        ADVANCED,
    ),
    Item(
        "modalities",
        (
            *both({"modalities": ["text"]}),
            same("openai", SPOKEN, says=SOUND),
            refused("anthropic", {"modalities": ["text", "audio"]}, f"modalities: {TEXT_ONLY}"),
        ),
    ),
    Item(
        "audio",
        (
            same("openai", SPOKEN, says=SOUND),
            refused("anthropic", {"audio": SPOKEN["audio"]}, f"audio: {TEXT_ONLY}"),
        ),
    ),
    Item("prediction", told("prediction", {"type": "content", "content": "Hello"}), ADVANCED),
    Item("store", (*told("store", True), *both({"store": False})), ADVANCED),
    Item(
        "metadata",
        (
            same("openai", {"metadata": {"topic": "greeting"}}),
            lost("anthropic", {"metadata": {"topic": "greeting"}}, "metadata:not_stored"),
        ),
        ADVANCED,
    ),
    Item(
        "service_tier",
        (
            *both({"service_tier": "auto"}, {"service_tier": "auto"}),
            *both({"service_tier": "default"}, {"service_tier": "standard_only"}),
            *told("service_tier", "flex"),
        ),
        ADVANCED,
    ),
    Item(
        "web_search_options",
        (
            same("openai", {"web_search_options": FEW | {"search_context_size": "low"}}),
            over(
                "anthropic",
                {"web_search_options": FEW | {"search_context_size": "low"}},
                {"tools": [SEARCH]},
                warns=("web_search.search_context_size:approximated_by_max_uses",),
            ),
        ),
        ADVANCED,
    ),
)
OPENAI = Family("openai", "OpenAI Chat Completions", "chat", ITEMS)
