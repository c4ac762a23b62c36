"""The Messages API, item by item."""

from tests.conformance.table import ASKED, Family, Item, Json, UpstreamAnswer, Way, lost, over, same
from tests.sdk.answers import (
    MESSAGES_USAGE,
    PDF,
    PNG,
    argued,
    begun,
    call,
    chat,
    chat_stream,
    message,
    message_stream,
    text,
    thought,
    use,
)

MULTI_MODAL = "phase_1_multi_modal"
BETA = "phase_4_anthropic_beta"
EPHEMERAL = {"type": "ephemeral"}
BREAK = {"mode": "explicit"}
SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Json = {"name": "get_weather", "description": "Tells it.", "input_schema": SCHEMA}
FUNCTION: Json = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Tells it.", "parameters": SCHEMA},
}
PICTURE = f"data:image/png;base64,{PNG}"
CALLED = call("call_1", "get_weather", '{"city":"Oslo"}')
USED = use("call_1", "get_weather", {"city": "Oslo"})
CALLS = UpstreamAnswer(
    chat(None, finish="tool_calls", tool_calls=[CALLED]),
    chat_stream(
        begun(0, "call_1", "get_weather"), argued(0, '{"city":'), argued(0, '"Oslo"}'),
        finish="tool_calls",
    ),
)  # fmt: skip
USES = UpstreamAnswer(message(USED, stop="tool_use"), message_stream(USED, stop="tool_use"))
TOLD_USE: Json = {"content": [USED], "stop_reason": "tool_use"}


def user(*parts: Json) -> Json:
    """A request of one turn of those parts."""
    return {"messages": [{"role": "user", "content": list(parts)}]}


def both(sends: Json, reaches: Json | None = None) -> tuple[Way, ...]:
    """To a Messages upstream as it is, to a Chat upstream converted."""
    return (same("anthropic", sends), over("openai", sends, reaches))


def chosen(sends: Json, reaches: object) -> tuple[Way, ...]:
    """A tool choice, answered with a call where it does not forbid one."""
    asked = {"tools": [WEATHER], "tool_choice": sends}
    wanted = {"tools": [FUNCTION], "tool_choice": reaches}
    if sends["type"] == "none":
        return both(asked, wanted)
    return (
        same("anthropic", asked, says=USES),
        over("openai", asked, wanted, says=CALLS, told=TOLD_USE),
    )


def image(source: Json) -> Json:
    """`ImageBlockParam`."""
    return {"type": "image", "source": source}


TALK = [*ASKED, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Go on"}]
FIVE = {"stop_sequences": ["A1", "B1", "C1", "D1", "END"]}
PAST = UpstreamAnswer(chat("One END two"), chat_stream({"content": "One E"}, {"content": "ND two"}))
STOPPED: Json = {
    "content": [text("One ")], "stop_reason": "stop_sequence", "stop_sequence": "END",
}  # fmt: skip
BLOCKS = {"system": [text("Be brief."), text("Be kind.")]}
MARKED = {
    "system": [text("Be brief.") | {"cache_control": EPHEMERAL}],
    **user(text("hi") | {"cache_control": EPHEMERAL}),
}
THINK: Json = {"max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 2048}}
THOUGHT = message(thought("Hm.", "sig"), text("Hello"))
THOUGHTS = message_stream(thought("Hm.", "sig"), text("Hello"))
REASONED = UpstreamAnswer(
    chat("Hello", reasoning="Hm."), chat_stream({"reasoning": "Hm."}, {"content": "Hello"})
)
HISTORY = [
    *ASKED,
    {"role": "assistant", "content": [thought("Hm.", "sig"), text("Let me see."), USED]},
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "Sun"}],
    },
]
WORKED = [ASKED[0], {"role": "assistant", "content": [text("Let me see."), USED]}, HISTORY[2]]
RESULTS = [
    ASKED[0],
    {"role": "assistant", "content": [USED, use("call_2", "get_weather", {"city": "Rome"})]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "is_error": True, "content": "no sky"},
            {
                "type": "tool_result",
                "tool_use_id": "call_2",
                "content": [text("Rain"), image({"type": "url", "url": "https://x.test/a.png"})],
            },
        ],
    },
]
OSLO = {"role": "assistant", "content": "Let me see.", "tool_calls": [CALLED]}
SUN = {"role": "tool", "tool_call_id": "call_1", "content": "Sun"}
SHOWN = [
    {"type": "text", "text": "Output of tool call call_2:"},
    {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
]
ROME = call("call_2", "get_weather", '{"city":"Rome"}')
DOCUMENT: Json = {
    "type": "document", "title": "T",
    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
}  # fmt: skip
FILE = {"filename": "T", "file_data": f"data:application/pdf;base64,{PDF}"}
NOTE: Json = {
    "type": "document", "title": "T",
    "source": {"type": "text", "media_type": "text/plain", "data": "Words."},
}  # fmt: skip


def ended(reason: str, finish: str, told: Json) -> tuple[Way, ...]:
    """An ending, as either upstream tells it."""
    stopped = {"stop_sequence": "END"} if reason == "stop_sequence" else {}
    own = UpstreamAnswer(
        message(text("Hello"), stop=reason, **stopped),
        message_stream(text("Hello"), stop=reason, **stopped),
    )
    theirs = UpstreamAnswer(
        chat("Hello", finish=finish), chat_stream({"content": "Hello"}, finish=finish)
    )
    return (same("anthropic", {}, says=own), over("openai", {}, says=theirs, told=told))


ITEMS = (
    Item("model", (*both({}), over("openrouter", {}))),
    Item("messages", both({"messages": TALK}, {"messages": TALK})),
    Item(
        "max_tokens",
        (
            *both({"max_tokens": 77}, {"max_completion_tokens": 77}),
            over("openrouter", {"max_tokens": 77}, {"max_tokens": 77}),
        ),
    ),
    Item(
        "system string",
        both(
            {"system": "Be brief."},
            {"messages": [{"role": "system", "content": "Be brief."}, *ASKED]},
        ),
    ),
    Item(
        "system blocks",
        both(
            BLOCKS, {"messages": [{"role": "system", "content": "Be brief.\n\nBe kind."}, *ASKED]}
        ),
    ),
    Item("temperature", both({"temperature": 0.5}, {"temperature": 0.5})),
    Item("top_p", both({"top_p": 0.9}, {"top_p": 0.9})),
    Item(
        "top_k",
        (
            same("anthropic", {"top_k": 40}),
            lost("openai", {"top_k": 40}, "top_k:unsupported_by_target"),
            over("openrouter", {"top_k": 40}, {"top_k": 40}),
        ),
    ),
    Item(
        "stop_sequences",
        (
            *both({"stop_sequences": ["END"]}, {"stop": ["END"]}),
            over(
                "openai",
                FIVE,
                {"stop": ["A1", "B1", "C1", "D1"]},
                says=PAST,
                told=STOPPED,
                streams="never",
            ),
            over(
                "openai",
                FIVE | {"stream": True},
                {"stop": ["A1", "B1", "C1", "D1"]},
                says=PAST,
                # the counts would have come after the place where the stream is left
                told=STOPPED | {"usage": ...},
                streams="only",
            ),
        ),
    ),
    Item(
        "stream",
        (
            same("anthropic", {"stream": True}, streams="only"),
            over("openai", {"stream": True}, streams="only"),
        ),
    ),
    Item(
        "metadata.user_id",
        (
            *both({"metadata": {"user_id": "u1"}}, {"safety_identifier": "u1"}),
            over("openrouter", {"metadata": {"user_id": "u1"}}, {"user": "u1"}),
        ),
    ),
    Item("tools", both({"tools": [WEATHER]}, {"tools": [FUNCTION]})),
    Item("tool_choice auto", chosen({"type": "auto"}, "auto")),
    Item("tool_choice any", chosen({"type": "any"}, "required")),
    Item(
        "tool_choice tool",
        chosen(
            {"type": "tool", "name": "get_weather"},
            {"type": "function", "function": {"name": "get_weather"}},
        ),
    ),
    Item("tool_choice none", chosen({"type": "none"}, "none")),
    Item(
        "thinking",
        (
            same("anthropic", THINK, says=UpstreamAnswer(THOUGHT, THOUGHTS)),
            over(
                "openai",
                THINK,
                {"max_completion_tokens": 4096, "reasoning_effort": "medium"},
                model="gpt-5.1",
            ),
            over(
                "openrouter",
                THINK,
                {"max_tokens": 4096, "reasoning": {"max_tokens": 2048}},
                says=REASONED,
                told={"content": [thought("Hm.", "sealed"), text("Hello")]},
            ),
        ),
        BETA,
    ),
    Item(
        "cache_control",
        (
            same("anthropic", MARKED),
            over(
                "openai",
                MARKED,
                {
                    "messages": [
                        {
                            "role": "developer",
                            "content": [text("Be brief.") | {"prompt_cache_breakpoint": BREAK}],
                        },
                        {
                            "role": "user",
                            "content": [text("hi") | {"prompt_cache_breakpoint": BREAK}],
                        },
                    ],
                },
                model="gpt-5.6",
            ),
            over(
                "openrouter",
                MARKED,
                {
                    "messages": [
                        {"role": "system", "content": MARKED["system"]},
                        *user(text("hi") | {"cache_control": EPHEMERAL})["messages"],
                    ],
                },
            ),
        ),
        BETA,
    ),
    Item("text block", both(user(text("hi")))),
    Item(
        "image base64",
        both(
            user(text("See"), image({"type": "base64", "media_type": "image/png", "data": PNG})),
            user(text("See"), {"type": "image_url", "image_url": {"url": PICTURE}}),
        ),
        MULTI_MODAL,
    ),
    Item(
        "image url",
        both(
            user(image({"type": "url", "url": "https://x.test/a.png"})),
            user({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}),
        ),
        MULTI_MODAL,
    ),
    Item(
        "document block",
        (
            *both(user(DOCUMENT), user({"type": "file", "file": FILE})),
            over(
                "openrouter",
                user(NOTE),
                {
                    "messages": [
                        {"role": "user", "content": '<document title="T">\nWords.\n</document>'}
                    ]
                },
            ),
        ),
        MULTI_MODAL,
    ),
    Item(
        "tool_use block",
        (
            *both(
                {"messages": WORKED, "tools": [WEATHER]},
                {"messages": [*ASKED, OSLO, SUN], "tools": [FUNCTION]},
            ),
            over("openai", {"tools": [WEATHER]}, {"tools": [FUNCTION]}, says=CALLS, told=TOLD_USE),
        ),
    ),
    Item(
        "tool_result block",
        both(
            {"messages": RESULTS},
            {
                "messages": [
                    *ASKED,
                    {"role": "assistant", "content": None, "tool_calls": [CALLED, ROME]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "Error: no sky"},
                    {
                        "role": "tool",
                        "tool_call_id": "call_2",
                        "content": "Rain\n[image 1 attached in the next user message]",
                    },
                    {"role": "user", "content": SHOWN},
                ]
            },
        ),
    ),
    Item(
        "thinking blocks in history",
        (
            same("anthropic", {"messages": HISTORY, "tools": [WEATHER]}),
            over(
                "openai",
                {"messages": HISTORY},
                {"messages": [*ASKED, OSLO, SUN]},
                warns=("messages.thinking:unsupported_by_target",),
            ),
            over(
                "openrouter",
                {"messages": HISTORY},
                {"messages": [*ASKED, OSLO, SUN]},
                warns=("messages.thinking:foreign_reasoning_dropped",),
            ),
        ),
    ),
    Item(
        "usage incl. cache",
        (same("anthropic", {}), over("openai", {}, told={"usage": MESSAGES_USAGE})),
    ),
    Item(
        "stop_reason/stop_sequence",
        (
            *ended("max_tokens", "length", {"stop_reason": "max_tokens"}),
            *ended("refusal", "content_filter", {"stop_reason": "refusal"}),
            *ended("stop_sequence", "stop", {"stop_reason": "end_turn"}),
        ),
    ),
    Item(
        "count_tokens",
        (),
        BETA,
        "`POST /v1/messages/count_tokens`: a Messages upstream counts; for a Chat upstream the "
        "gateway estimates, and says so in `x-gateway-estimate: 1`",
    ),
    Item(
        "message batches",
        (),
        BETA,
        "`POST /v1/messages/batches`, to either upstream: created, retrieved, listed, canceled, "
        "deleted, results read",
    ),
)
ANTHROPIC = Family("anthropic", "Anthropic Messages", "messages", ITEMS)
