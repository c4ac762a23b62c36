"""What scripted upstreams answer, whole and streamed, in both dialects."""

from typing import Any

import msgspec

Json = dict[str, Any]

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5E"
    "rkJggg=="
)
PDF = "JVBERi0xLjQKJcOkw7zDtsOfCg=="
CHAT_USAGE: Json = {
    "prompt_tokens": 1000,
    "completion_tokens": 30,
    "total_tokens": 1030,
    "prompt_tokens_details": {"cached_tokens": 900, "cache_write_tokens": 50},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
MESSAGES_USAGE: Json = {
    "input_tokens": 50,
    "cache_creation_input_tokens": 50,
    "cache_read_input_tokens": 900,
    "output_tokens": 30,
    "output_tokens_details": {"thinking_tokens": 20},
}
"""The same counts: one dialect's include what the cache gave, the other's do not."""


def encoded(value: object) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)


# --- Chat -----------------------------------------------------------------------------------------


def chat(content: str | None = "Hello", *, finish: str = "stop", **message: object) -> Json:
    """`ChatCompletion` with these members of its message."""
    said = {"role": "assistant", "content": content, "refusal": None} | message
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "upstream-model",
        "choices": [choice],
        "usage": CHAT_USAGE,
    }


def chunk(delta: Json, finish: str | None = None, **rest: object) -> bytes:
    """One `ChatCompletionChunk`."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return chat_frame({"choices": [choice], "usage": None} | rest)


def chat_frame(members: Json) -> bytes:
    """A chunk with these members beside its identity."""
    identity = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "upstream-model",
    }
    return b"data: " + encoded(identity | members) + b"\n\n"


DONE = b"data: [DONE]\n\n"
ROLE = chunk({"role": "assistant", "content": ""})


def chat_stream(*deltas: Json, finish: str = "stop") -> list[bytes]:
    """A whole stream of these deltas, its counts in the last chunk."""
    frames = [ROLE, *(chunk(delta) for delta in deltas), chunk({}, finish)]
    return [*frames, chat_frame({"choices": [], "usage": CHAT_USAGE}), DONE]


def call(id: str, name: str, arguments: str) -> Json:
    """A function call of a whole answer."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def begun(index: int, id: str, name: str, arguments: str = "") -> Json:
    """The delta that begins a function call."""
    return {"tool_calls": [{"index": index} | call(id, name, arguments)]}


def argued(index: int, arguments: str) -> Json:
    """A delta with more arguments."""
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


def chat_error(message: str, kind: str, code: str | None = None) -> Json:
    """`ErrorObject` in its wrapper."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


# --- Messages -------------------------------------------------------------------------------------


def text(words: str) -> Json:
    """`TextBlock`."""
    return {"type": "text", "text": words}


def thought(words: str, signature: str) -> Json:
    """`ThinkingBlock`."""
    return {"type": "thinking", "thinking": words, "signature": signature}


def use(id: str, name: str, input: Json) -> Json:
    """`ToolUseBlock`."""
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def message(*blocks: Json, stop: str = "end_turn", **rest: object) -> Json:
    """`Message` of these blocks."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "upstream-model",
        "content": list(blocks),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    } | rest


def event(type: str, **members: object) -> bytes:
    """One event of a stream."""
    return b"event: " + type.encode() + b"\ndata: " + encoded({"type": type} | members) + b"\n\n"


START = event(
    "message_start",
    message=message(stop="end_turn") | {"stop_reason": None, "usage": MESSAGES_USAGE},
)


def block_start(index: int, block: Json) -> bytes:
    """`content_block_start`."""
    return event("content_block_start", index=index, content_block=block)


def delta(index: int, type: str, **members: object) -> bytes:
    """`content_block_delta`."""
    return event("content_block_delta", index=index, delta={"type": type} | members)


def block_stop(index: int) -> bytes:
    """`content_block_stop`."""
    return event("content_block_stop", index=index)


def ending(stop: str = "end_turn", **rest: object) -> list[bytes]:
    """`message_delta` and `message_stop`."""
    told = {"stop_reason": stop, "stop_sequence": None} | rest
    return [event("message_delta", delta=told, usage=MESSAGES_USAGE), event("message_stop")]


def message_stream(*blocks: Json, stop: str = "end_turn", **rest: object) -> list[bytes]:
    """A whole stream of these blocks, each told in two pieces."""
    frames = [START, event("ping")]
    for index, block in enumerate(blocks):
        frames += _told(index, block)
    return frames + ending(stop, **rest)


def _told(index: int, block: Json) -> list[bytes]:
    match block["type"]:
        case "text":
            empty, kind, whole = text(""), "text", block["text"]
        case "thinking":
            empty, kind, whole = thought("", ""), "thinking", block["thinking"]
        case "tool_use":
            empty, kind = use(block["id"], block["name"], {}), "partial_json"
            whole = encoded(block["input"]).decode()
        case _:
            return [block_start(index, block), block_stop(index)]
    name = "input_json_delta" if kind == "partial_json" else f"{kind}_delta"
    half = len(whole) // 2
    frames = [
        block_start(index, empty),
        delta(index, name, **{kind: whole[:half]}),
        delta(index, name, **{kind: whole[half:]}),
    ]
    if "signature" in block:
        frames.append(delta(index, "signature_delta", signature=block["signature"]))
    return [*frames, block_stop(index)]


def messages_error(message: str, kind: str) -> Json:
    """`ErrorResponse`."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_up"}
