"""What clients ask and what the upstream answers, byte for byte."""

from functools import cache
from typing import Any, Literal

import msgspec

Dialect = Literal["chat", "messages"]

KEY = "bench-client-key-0123456789abcdef"
"""The gateway's key: it must not reach the upstream."""
UPSTREAM_KEY = "sk-bench-NOtaKEY4QmZ7RvXw2LpTc9HsYb3KdFg8JnWt5Vh6"
MODEL = "bench-model"
EVENTS = 200
"""Events of one stream, the first and the last included."""
PATHS: dict[Dialect, str] = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}

STAMP = b"@%016d"
"""The text of a stamped event: when it was sent, in microseconds of the monotonic clock."""
BLANK = STAMP % 0

_WORDS = [
    "The", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", ".\n",
    ' "Quoted"', " and", " é", "scaped", ";", " then", " a", " longer-token", "\n\n", " 42",
]  # fmt: skip
_TEXT = " ".join(["An answer of the usual length, with a few sentences that say nothing."] * 9)
# A delta of a stream has no text in the events that open and close it.
_SILENT: dict[Dialect, int] = {"chat": 3, "messages": 6}


@cache
def whole_text() -> str:
    """The text of a whole answer."""
    return _TEXT


@cache
def stream_text(dialect: Dialect) -> str:
    """The text of a stream, all deltas joined."""
    return "".join(_deltas(dialect))


def _deltas(dialect: Dialect) -> list[str]:
    return [_WORDS[n % len(_WORDS)] for n in range(EVENTS - _SILENT[dialect])]


# --- answers --------------------------------------------------------------------------------------


@cache
def answer(dialect: Dialect) -> bytes:
    """A whole answer of about 1 KB."""
    return msgspec.json.encode(_chat_answer() if dialect == "chat" else _messages_answer())


def _chat_answer() -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": _TEXT,
        "refusal": None,
        "annotations": [],
    }
    return {
        "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
        "object": "chat.completion",
        "created": 1790000000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _chat_usage(),
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }


def _chat_usage() -> dict[str, Any]:
    return {
        "prompt_tokens": 190,
        "completion_tokens": 150,
        "total_tokens": 340,
        "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _messages_answer() -> dict[str, Any]:
    return {
        "id": "msg_01BenchBenchBenchBenchBench",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": _TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _messages_usage(150),
    }


def _messages_usage(output: int) -> dict[str, Any]:
    return {
        "input_tokens": 126,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 64,
        "output_tokens": output,
        "service_tier": "standard",
    }


@cache
def events(dialect: Dialect, *, stamped: bool = False) -> list[bytes]:
    """The 200 events of a stream; what ends a Chat stream stands with the last."""
    texts = _deltas(dialect)
    if stamped:
        texts = [BLANK.decode()] * len(texts)
    return _chat_events(texts) if dialect == "chat" else _messages_events(texts)


def _chat_events(texts: list[str]) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": text} for text in texts]
    found = [_chat_chunk([_choice(delta, None)]) for delta in deltas]
    found.append(_chat_chunk([_choice({}, "stop")]))
    found.append(_chat_chunk([], _chat_usage()) + b"data: [DONE]\n\n")
    return found


def _choice(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _chat_chunk(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def _messages_events(texts: list[str]) -> list[bytes]:
    message = _messages_answer() | {
        "content": [],
        "stop_reason": None,
        "usage": _messages_usage(1),
    }
    block = {"type": "text", "text": ""}
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    data: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
    ]
    data += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in texts
    ]
    data += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ending, "usage": _messages_usage(150)},
        {"type": "message_stop"},
    ]
    return [
        b"event: %b\ndata: %b\n\n" % (one["type"].encode(), msgspec.json.encode(one))
        for one in data
    ]


# --- requests -------------------------------------------------------------------------------------


def question(dialect: Dialect, model: str, *, stream: bool, agent: bool) -> bytes:
    """The body of a request: about 1 KB, or the 270 KB of a coding agent deep in its work."""
    body = _agent_body() if agent else _short_body(dialect)
    if stream:
        body["stream"] = True
        if dialect == "chat":
            body["stream_options"] = {"include_usage": True}
    return msgspec.json.encode({"model": model} | body)


def _short_body(dialect: Dialect) -> dict[str, Any]:
    system = "You answer shortly and to the point. " * 8
    user = {"role": "user", "content": "Tell me once more what the fox did to the dog. " * 9}
    if dialect == "messages":
        return {"max_tokens": 1024, "temperature": 0.7, "system": system, "messages": [user]}
    turns = [{"role": "system", "content": system}, user]
    return {"max_completion_tokens": 1024, "temperature": 0.7, "messages": turns}


def _agent_body() -> dict[str, Any]:
    """120 messages and 40 tools in the form of the Messages API."""
    mark = {"type": "ephemeral"}
    system = {"type": "text", "text": "You are a coding agent. " * 400, "cache_control": mark}
    turns: list[dict[str, Any]] = []
    for number in range(60):
        turns.append({"role": "user", "content": _agent_user(number)})
        turns.append({"role": "assistant", "content": _agent_assistant(number)})
    # The last word must be the user's.
    turns[-1] = {"role": "user", "content": [{"type": "text", "text": "Go on."}]}
    return {
        "max_tokens": 8192,
        "system": [system],
        "tools": [_tool(number) for number in range(40)],
        "tool_choice": {"type": "auto"},
        "metadata": {"user_id": "user_0123456789abcdef_account__session_0123456789"},
        "messages": turns,
    }


def _agent_user(number: int) -> list[dict[str, Any]]:
    if number == 0:
        return [{"type": "text", "text": "Please fix the failing test. " * 20}]
    result = "".join(f"{line}: def f_{line}(x):\n\treturn x\n" for line in range(72))
    return [{"type": "tool_result", "tool_use_id": f"toolu_{number:024}", "content": result}]


def _agent_assistant(number: int) -> list[dict[str, Any]]:
    call = {"path": f"/src/module_{number}.py", "old": "x = 1\n" * 60, "new": "x = 2\n" * 60}
    return [
        {"type": "text", "text": "I read the file and change the line that is wrong. " * 6},
        {"type": "tool_use", "id": f"toolu_{number + 1:024}", "name": "tool_3", "input": call},
    ]


def _tool(number: int) -> dict[str, Any]:
    text = {"type": "string", "description": "What this argument of the tool means. " * 4}
    properties = {f"argument_{n}": text for n in range(4)}
    schema = {"type": "object", "properties": properties, "required": ["argument_0"]}
    return {
        "name": f"tool_{number}",
        "description": "Does one thing to a file and says what came of it. " * 12,
        "input_schema": schema,
    }
