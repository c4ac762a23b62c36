"""Every member of a request that the official SDKs know, on its way to the other dialect.

Each is carried, or its loss is told in a note or a refusal, or it is one of those that cannot
change the answer. A member that a new SDK brings fails here until somebody has decided.
"""

from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
import pytest
from anthropic.types import (
    DocumentBlockParam,
    ImageBlockParam,
    MessageCreateParams,
    SearchResultBlockParam,
    TextBlockParam,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
    message_create_params as messages_params,
)
from anthropic.types.beta import message_create_params as beta_params
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionContentPartImageParam,
    ChatCompletionContentPartTextParam,
    ChatCompletionToolMessageParam,
    ChatCompletionUserMessageParam,
    completion_create_params as chat_params,
)
from openai.types.shared_params import FunctionDefinition

from gateway.capability.table import capability
from gateway.dialect import Conversion, Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.gemini import GEMINI
from gateway.dialects.messages import MESSAGES
from gateway.dialects.responses import RESPONSES
from gateway.errors import InvalidRequest
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.raw_json import split_object

Json = dict[str, Any]

SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}
MARK = {"type": "ephemeral"}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
SHAPE = {"type": "json_schema", "schema": SCHEMA | {"additionalProperties": False}}

GEMINIS = (
    ("gemini", "gemini-2.5-flash"), ("gemini", "gemini-3-pro-preview"),
    ("gemini", "gemini-4-argon"),
)  # fmt: skip
CHATS = (
    ("openai", "gpt-4o"), ("openai", "gpt-5.6"), ("openrouter", "anthropic/claude-sonnet-4.5"),
    ("gemini-openai", "gemini-3-pro"), ("mistral", "mistral-large"), ("deepseek", "deepseek-chat"),
    ("groq", "llama"), ("lmstudio", "m"), ("vllm", "m"), ("moonshot", "kimi-k2"),
    ("compatible", "m"),
)  # fmt: skip
CLAUDES = (
    ("anthropic", "claude-opus-4-8"), ("anthropic", "claude-sonnet-5"),
    ("anthropic", "claude-3-5-haiku"),
)  # fmt: skip

RESPONDERS = (
    ("openai", "gpt-5-pro"), ("openai", "gpt-5.6-codex"), ("azure", "o3-pro"),
    ("compatible", "of-responses"),
)  # fmt: skip

HELLO: Json = {"model": "m", "max_tokens": 900, "messages": [{"role": "user", "content": "hi"}]}
TOOL: Json = {"name": "f", "input_schema": SCHEMA}
TOOLS: Json = HELLO | {"tools": [TOOL]}

# What is asked for, beside a request that does not ask for it.
ASKED_OF_MESSAGES: dict[str, tuple[Json, Json]] = {
    "betas": (HELLO, {"betas": ["x"]}),
    "billing_policy": (HELLO, {"billing_policy": {"x": 1}}),
    "cache_control": (HELLO, {"cache_control": MARK}),
    "compaction": (HELLO, {"compaction": {"type": "summarize"}}),
    "container": (HELLO, {"container": "c"}),
    "context_management": (HELLO, {"context_management": {"edits": [{"type": "x"}]}}),
    "diagnostics": (HELLO, {"diagnostics": {"x": 1}}),
    "fallback_credit_token": (HELLO, {"fallback_credit_token": "x"}),
    "fallbacks": (HELLO, {"fallbacks": [{"model": "x"}]}),
    "inference_geo": (HELLO, {"inference_geo": "eu"}),
    "max_tokens": (HELLO, {"max_tokens": 800}),
    "mcp_servers": (HELLO, {"mcp_servers": [{"name": "x"}]}),
    "messages": (HELLO, {"messages": [{"role": "user", "content": "ho"}]}),
    "metadata": (HELLO, {"metadata": {"user_id": "u"}}),
    "output_config": (HELLO, {"output_config": {"effort": "high"}}),
    "output_config.format": (HELLO, {"output_config": {"format": SHAPE}}),
    "output_config.task_budget": (HELLO, {"output_config": {"task_budget": {"type": "tokens"}}}),
    "service_tier": (HELLO, {"service_tier": "standard_only"}),
    "speed": (HELLO, {"speed": "fast"}),
    "stop_sequences": (HELLO, {"stop_sequences": ["END"]}),
    "stream": (HELLO, {"stream": True}),
    "system": (HELLO, {"system": "be brief"}),
    "temperature": (HELLO, {"temperature": 0.5}),
    "thinking": (HELLO, {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
    "thinking.disabled": (HELLO, {"thinking": {"type": "disabled"}}),
    "thread": (HELLO, {"thread": {"id": "x"}}),
    "tool_choice": (TOOLS, {"tool_choice": {"type": "any"}}),
    "tool_choice.parallel": (
        TOOLS, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    ),
    "tools": (HELLO, {"tools": [TOOL]}),
    "top_k": (HELLO, {"top_k": 4}),
    "top_p": (HELLO, {"top_p": 0.5}),
    "user_profile_id": (HELLO, {"user_profile_id": "x"}),
    "workspace_id": (HELLO, {"workspace_id": "x"}),
    "of_tomorrow": (HELLO, {"of_tomorrow": 1}),
}  # fmt: skip
ASKED_OF_CHAT: dict[str, tuple[Json, Json]] = {
    "audio": (HELLO, {"audio": {"voice": "x", "format": "wav"}}),
    "frequency_penalty": (HELLO, {"frequency_penalty": 0.5}),
    "function_call": (HELLO | {"functions": [{"name": "f"}]}, {"function_call": {"name": "f"}}),
    "functions": (HELLO, {"functions": [{"name": "f"}]}),
    "logit_bias": (HELLO, {"logit_bias": {"1": 2}}),
    "logprobs": (HELLO, {"logprobs": True}),
    "max_completion_tokens": (HELLO, {"max_completion_tokens": 800}),
    "max_tokens": (HELLO, {"max_tokens": 800}),
    "messages": (HELLO, {"messages": [{"role": "user", "content": "ho"}]}),
    "metadata": (HELLO, {"metadata": {"a": "b"}}),
    "modalities": (HELLO, {"modalities": ["text", "audio"]}),
    "moderation": (HELLO, {"moderation": {"model": "x"}}),
    "n": (HELLO, {"n": 2}),
    "parallel_tool_calls": (
        HELLO | {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"parallel_tool_calls": False},
    ),
    "prediction": (HELLO, {"prediction": {"type": "content", "content": "x"}}),
    "presence_penalty": (HELLO, {"presence_penalty": 0.5}),
    "prompt_cache_key": (HELLO, {"prompt_cache_key": "x"}),
    "prompt_cache_options": (HELLO, {"prompt_cache_options": {"mode": "implicit"}}),
    "prompt_cache_retention": (HELLO, {"prompt_cache_retention": "24h"}),
    "reasoning_effort": (HELLO, {"reasoning_effort": "high"}),
    "response_format": (
        HELLO,
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", **SHAPE}}},
    ),
    "response_format.json_object": (HELLO, {"response_format": {"type": "json_object"}}),
    "safety_identifier": (HELLO, {"safety_identifier": "u"}),
    "seed": (HELLO, {"seed": 7}),
    "service_tier": (HELLO, {"service_tier": "flex"}),
    "service_tier.fast": (HELLO, {"service_tier": "fast"}),
    "stop": (HELLO, {"stop": ["END"]}),
    "store": (HELLO, {"store": True}),
    "stream": (HELLO, {"stream": True}),
    "stream_options": (HELLO, {"stream_options": {"include_obfuscation": True}}),
    "temperature": (HELLO, {"temperature": 0.5}),
    "temperature.high": (HELLO, {"temperature": 1.5}),
    "tool_choice": (
        HELLO | {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tool_choice": "required"},
    ),
    "tools": (HELLO, {"tools": [{"type": "function", "function": {"name": "f"}}]}),
    "top_k": (HELLO, {"top_k": 4}),
    "top_logprobs": (HELLO, {"top_logprobs": 2}),
    "top_p": (HELLO, {"top_p": 0.5}),
    "user": (HELLO, {"user": "u"}),
    "verbosity": (HELLO, {"verbosity": "low"}),
    "web_search_options": (HELLO, {"web_search_options": {}}),
    "of_tomorrow": (HELLO, {"of_tomorrow": 1}),
}
SILENT = {
    MESSAGES.name: {
        "diagnostics": "asks about the call, not of the model",
        "service_tier": "the standard tier is what every other provider gives",
    },
    CHAT.name: {
        "prompt_cache_key": "a hint to a cache that keeps its own keys",
        "prompt_cache_retention": "a hint to a cache that keeps its own time",
        "stream_options": "padding, which no other dialect has",
    },
}
"""Members without effect on the answer, and why."""


def reached(dialect: Dialect, body: Json, kind: str, model: str) -> tuple[Json | None, list[str]]:
    """What the upstream gets of a request, nothing where it is refused; and the notes."""
    theirs = GEMINI if kind == "gemini" else MESSAGES if dialect is CHAT else CHAT
    if (kind, model) in RESPONDERS:
        theirs = RESPONSES
    notes, found = LossReport(), capability(kind, model)
    try:
        prompt = dialect.read_prompt(split_object(msgspec.json.encode(body)), notes)
        way = Conversion(prompt, kind, model, "m", found, notes, Seal(b"key"))
        fields = theirs.write_prompt(way)
    except InvalidRequest:
        return None, notes.entries
    found_here = {name: msgspec.json.decode(raw) for name, raw in fields.items()}
    return found_here | {"enforced by the gateway": way.local_stops}, notes.entries


def told(dialect: Dialect, base: Json, more: Json, kind: str, model: str) -> bool:
    """Whether what is asked for reaches the upstream, or the client hears that it does not."""
    plain, before = reached(dialect, base, kind, model)
    asked, after = reached(dialect, base | more, kind, model)
    return asked is None or asked != plain or after != before


def ways() -> Iterator[Any]:
    for dialect, table, targets in (
        (MESSAGES, ASKED_OF_MESSAGES, CHATS + GEMINIS + RESPONDERS),
        (CHAT, ASKED_OF_CHAT, CLAUDES + GEMINIS + RESPONDERS),
    ):  # fmt: skip
        for name, (base, more) in table.items():
            yield pytest.param(dialect, name, base, more, targets, id=f"{dialect.name}: {name}")


@pytest.mark.parametrize(("dialect", "name", "base", "more", "targets"), list(ways()))
def test_a_member_is_carried_or_told_of(
    dialect: Dialect, name: str, base: Json, more: Json, targets: tuple[tuple[str, str], ...]
) -> None:
    silent = [
        f"{kind}:{model}" for kind, model in targets if not told(dialect, base, more, kind, model)
    ]
    if name in SILENT[dialect.name]:
        assert silent, "it is carried or told of everywhere: no reason is needed"
    else:
        assert silent == []


def members(*types: Any) -> set[str]:
    return {name for each in types for name in get_type_hints(each)}


def test_every_member_of_the_official_clients_is_here() -> None:
    known = members(messages_params.MessageCreateParamsBase, beta_params.MessageCreateParamsBase)
    assert known - {"model"} <= ASKED_OF_MESSAGES.keys()
    assert members(chat_params.CompletionCreateParamsBase) - {"model"} <= ASKED_OF_CHAT.keys()
    assert MessageCreateParams is not None


# --- within messages and tools --------------------------------------------------------------------


def asks(*turns: Json, **more: object) -> Json:
    return {"model": "m", "max_tokens": 9, "messages": list(turns), **more}


def said(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


USE: Json = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"}


def used(block: Json) -> Json:
    return asks(said({"type": "text", "text": "hi"}), {"role": "assistant", "content": [block]},
                said(RESULT), tools=[TOOL])  # fmt: skip


def answered(block: Json) -> Json:
    return asks(said({"type": "text", "text": "hi"}), {"role": "assistant", "content": [USE]},
                said(block), tools=[TOOL])  # fmt: skip


def offered(tool: Json) -> Json:
    return HELLO | {"tools": [tool]}


def one(block: Json) -> Json:
    return asks(said(block))


CITATION = {"type": "char_location", "cited_text": "x", "document_index": 0,
            "document_title": None, "start_char_index": 0, "end_char_index": 1}  # fmt: skip
TEXT: Json = {"type": "text", "text": "hi"}
IMAGE: Json = {"type": "image", "source": PNG}
DOCUMENT: Json = {"type": "document", "source": PDF}
PASSAGE: Json = {
    "type": "search_result", "source": "s", "title": "t", "content": [TEXT],
}  # fmt: skip

BLOCKS: dict[str, tuple[Any, Any, Json, dict[str, object]]] = {
    "text": (TextBlockParam, one, TEXT, {"cache_control": MARK, "citations": [CITATION]}),
    "image": (ImageBlockParam, one, IMAGE, {
        "cache_control": MARK, "transformations": [{"type": "x"}]}),
    "document": (DocumentBlockParam, one, DOCUMENT, {
        "cache_control": MARK, "citations": {"enabled": True}, "context": "c", "title": "t"}),
    "search_result": (SearchResultBlockParam, one, PASSAGE, {
        "cache_control": MARK, "citations": {"enabled": True}}),
    "tool_use": (ToolUseBlockParam, used, USE, {
        "cache_control": MARK, "caller": {"type": "direct"}, "toolset_name": "x"}),
    "tool_result": (ToolResultBlockParam, answered, RESULT, {
        "cache_control": MARK, "is_error": True, "toolset_name": "x"}),
    "tool": (ToolParam, offered, TOOL, {
        "cache_control": MARK, "allowed_callers": ["code_execution_20250825"],
        "defer_loading": True, "description": "d", "eager_input_streaming": True,
        "input_examples": [{"n": 1}], "strict": True, "type": "custom"}),
}  # fmt: skip
UNSEEN = {
    ("tool_use", "caller"): "who called says nothing to another model",
    ("tool_use", "toolset_name"): "the name alone is what another model called",
    ("tool_result", "toolset_name"): "as with its call",
    ("tool", "defer_loading"): "the tool is loaded at once",
    ("tool", "eager_input_streaming"): "how it streams, not what",
    ("tool", "type"): "every tool is a custom one",
}


@pytest.mark.parametrize("kind", BLOCKS)
def test_members_of_messages_blocks(kind: str) -> None:
    type_, request, block, more = BLOCKS[kind]
    assert members(type_) <= block.keys() | more.keys()
    for name, value in more.items():
        base, asked = request(block), request(block | {name: value})
        silent = [
            f"{row}:{model}"
            for row, model in CHATS + GEMINIS + RESPONDERS
            if not told(MESSAGES, base, asked, row, model)
        ]
        if (kind, name) in UNSEEN:
            assert silent, f"{name} is carried or told of everywhere: no reason is needed"
        else:
            assert silent == [], name


FUNCTION: Json = {"name": "f"}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
POINT = {"mode": "explicit"}


def heard(turn: Json) -> Json:
    return asks({"role": "user", "content": "hi"}, turn)


def replied(turn: Json) -> Json:
    return asks({"role": "user", "content": "hi"}, turn, {"role": "user", "content": "ho"})


def returned(turn: Json) -> Json:
    calls = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    tools = [{"type": "function", "function": FUNCTION}]
    return asks({"role": "user", "content": "hi"}, calls, turn, tools=tools)


def defined(function: Json) -> Json:
    return HELLO | {"tools": [{"type": "function", "function": function}]}


TURNS: dict[str, tuple[Any, Any, Json, dict[str, object]]] = {
    "text": (ChatCompletionContentPartTextParam, one, TEXT, {"prompt_cache_breakpoint": POINT}),
    "image": (ChatCompletionContentPartImageParam, one, {
        "type": "image_url", "image_url": {"url": "https://x.test/a.png"}}, {
        "prompt_cache_breakpoint": POINT}),
    "user": (ChatCompletionUserMessageParam, heard, {"role": "user", "content": "x"}, {
        "name": "ann"}),
    "assistant": (ChatCompletionAssistantMessageParam, replied, {
        "role": "assistant", "content": "x"}, {
        "audio": {"id": "a"}, "function_call": {"name": "f", "arguments": "{}"}, "name": "bob",
        "refusal": "no", "tool_calls": [CALL]}),
    "tool": (ChatCompletionToolMessageParam, returned, {
        "role": "tool", "content": "1", "tool_call_id": "call_1"}, {}),
    "function": (FunctionDefinition, defined, FUNCTION, {
        "description": "d", "parameters": SCHEMA, "strict": True}),
}  # fmt: skip
UNHEARD = {
    ("user", "name"): "one speaker needs no name; several have theirs in the text",
    ("assistant", "name"): "there is one assistant",
}


@pytest.mark.parametrize("kind", TURNS)
def test_members_of_chat_messages(kind: str) -> None:
    type_, request, part, more = TURNS[kind]
    assert members(type_) <= part.keys() | more.keys()
    for name, value in more.items():
        base, asked = request(part), request(part | {name: value})
        silent = [
            f"{row}:{model}"
            for row, model in CLAUDES + GEMINIS + RESPONDERS
            if not told(CHAT, base, asked, row, model)
        ]
        if (kind, name) in UNHEARD:
            assert silent, f"{name} is carried or told of everywhere: no reason is needed"
        else:
            assert silent == [], name
