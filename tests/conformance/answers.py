"""What a client reads of an answer, whole or streamed: the same members from both."""

from typing import Any

import msgspec

from gateway.wire.sse import Splitter
from tests.conformance.table import Dialect, Json


def read(dialect: Dialect, body: bytes, *, streamed: bool) -> Json:
    """The members that `Way.told` names, with the model; AssertionError for a broken answer."""
    if not streamed:
        whole = msgspec.json.decode(body)
        return _completion(whole) if dialect == "chat" else _message(whole)
    splitter = Splitter()
    frames = [frame.data for frame in (*splitter.feed(body), *splitter.finish())]
    if dialect == "chat":
        assert frames[-1] == b"[DONE]", "the stream has no end"
        return _chunks([msgspec.json.decode(data) for data in frames[:-1]])
    return _events([msgspec.json.decode(data) for data in frames])


def _completion(whole: Json) -> Json:
    assert whole["object"] == "chat.completion", whole
    (choice,) = whole["choices"]
    message: Json = choice["message"]
    assert message.pop("role") == "assistant"
    told = {name: value for name, value in message.items() if value is not None}
    if "reasoning_details" in told:
        told["reasoning_details"] = [_unsealed(each) for each in told["reasoning_details"]]
    return _ended(whole, choice, {"content": message.get("content")} | told)


def _ended(whole: Json, choice: Json, told: Json) -> Json:
    extra = {"logprobs": choice["logprobs"]} if choice.get("logprobs") else {}
    ending = {"finish_reason": choice["finish_reason"], "usage": whole.get("usage")}
    return told | extra | ending | {"model": whole["model"]}


def _chunks(chunks: list[Json]) -> Json:
    told: Json = {"content": None}
    calls: dict[int, Json] = {}
    finish, usage = None, None
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk", chunk
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            delta: Json = choice["delta"]
            finish = choice["finish_reason"] or finish
            for name, value in delta.items():
                if name == "tool_calls":
                    _call(calls, value)
                elif name != "role" and isinstance(value, str) and value:
                    told[name] = (told.get(name) or "") + value
                elif name == "reasoning_details":
                    told[name] = [_unsealed(each) for each in value]
    if calls:
        told["tool_calls"] = list(calls.values())
    return _ended({"usage": usage} | chunks[0], {"finish_reason": finish}, told) | {"usage": usage}


def _call(calls: dict[int, Json], deltas: list[Json]) -> None:
    for delta in deltas:
        found = calls.get(delta["index"])
        if found is None:
            calls[delta["index"]] = {name: delta[name] for name in delta if name != "index"}
        else:
            found["function"]["arguments"] += delta["function"]["arguments"]


_MEMBERS = ("content", "stop_reason", "stop_sequence", "usage", "model")


def _message(whole: Json) -> Json:
    assert (whole["type"], whole["role"]) == ("message", "assistant"), whole
    told = {name: whole[name] for name in _MEMBERS}
    return told | {"content": [_unsealed(block) for block in told["content"]]}


def _unsealed(block: Json) -> Json:
    signature = block.get("signature", "")
    return block | {"signature": "sealed"} if signature.startswith("~gw01.") else block


def _events(events: list[Json]) -> Json:
    whole: Json = {}
    arguments = ""
    for event in events:
        match event["type"]:
            case "message_start":
                whole = event["message"] | {"content": []}
            case "content_block_start":
                assert event["index"] == len(whole["content"])
                whole["content"].append(event["content_block"])
                arguments = ""
            case "content_block_delta":
                arguments += _add(whole["content"][-1], event["delta"])
            case "content_block_stop" if arguments:
                whole["content"][-1]["input"] = msgspec.json.decode(arguments)
                arguments = ""
            case "message_delta":
                whole |= event["delta"]
                whole["usage"] = whole["usage"] | event["usage"]
    assert events[-1]["type"] == "message_stop", "the stream has no end"
    return _message(whole)


def _add(block: Json, delta: dict[str, Any]) -> str:
    """Adds a delta to the block; returns what of a tool's arguments it is."""
    kind = delta["type"]
    if kind == "input_json_delta":
        return str(delta["partial_json"])
    if kind == "signature_delta":
        block["signature"] = delta["signature"]
    else:
        name = kind.removesuffix("_delta")
        block[name] += delta[name]
    return ""
