"""The golden cases of answers and streams; `cases.py` names them by number."""

import pytest

from tests.golden.shop import Shop, stream, whole
from tests.sdk.answers import (
    CHAT_USAGE,
    DONE,
    MESSAGES_USAGE,
    ROLE,
    START,
    argued,
    begun,
    block_start,
    call,
    chat,
    chat_frame,
    chat_stream,
    chunk,
    delta,
    message,
    message_stream,
    text,
)

ENDED = ["message_delta", "message_stop"]


async def test_01_interleaved_fragments_become_one_block_after_the_other(shop: Shop) -> None:
    told = await shop.ask("A", "compatible:m", stream(
        ROLE, chunk(begun(0, "c0", "f", '{"x":')), chunk(begun(1, "c1", "g", '{"y":')),
        chunk(argued(0, "1}")), chunk(argued(1, "2}")), chunk({}, "tool_calls"), DONE,
    ), stream=True)  # fmt: skip
    shown = [
        (event["type"], event.get("index"), event.get("delta", {}).get("partial_json"))
        for event in told.events
        if event["type"].startswith("content_block")
    ]
    assert shown == [
        ("content_block_start", 0, None), ("content_block_delta", 0, '{"x":'),
        ("content_block_delta", 0, "1}"), ("content_block_stop", 0, None),
        ("content_block_start", 1, None), ("content_block_delta", 1, '{"y":'),
        ("content_block_delta", 1, "2}"), ("content_block_stop", 1, None),
    ]  # fmt: skip
    assert told.events[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize("kind", ["compatible", "anthropic"])
async def test_02_a_cut_stream_ends_in_an_error(shop: Shop, kind: str) -> None:
    frames = {
        "compatible": [ROLE, chunk({"content": "Hel"})],
        "anthropic": [START, block_start(0, text("")), delta(0, "text_delta", text="Hel")],
    }
    told = await shop.ask("A", f"{kind}:m", stream(*frames[kind]), stream=True)
    assert told.events[-1]["type"] == "error"
    assert told.events[-1]["error"]["type"] == "api_error"
    assert not set(ENDED) & set(told.types)


async def test_03_usage_is_told_as_each_dialect_counts(shop: Shop) -> None:
    told = await shop.ask("A", "compatible:m", whole(chat()))
    assert told.json["usage"] == MESSAGES_USAGE
    told = await shop.ask("O", "anthropic:m", whole(message(text("Hi"))))
    assert told.json["usage"] == CHAT_USAGE


async def test_07_every_event_has_its_line(shop: Shop) -> None:
    told = await shop.ask("A", "compatible:m", stream(*chat_stream({"content": "Hi"})), stream=True)
    assert b'event: ping\ndata: {"type":"ping"}\n\n' in told.body
    blocks = told.body.rstrip(b"\n").split(b"\n\n")
    for event, block in zip(told.events, blocks, strict=True):
        assert block.startswith(f"event: {event['type']}\ndata: ".encode())


async def test_08_a_tool_only_answer_has_no_text_block(shop: Shop) -> None:
    told = await shop.ask("A", "compatible:m", stream(
        chunk(begun(0, "c0", "f", "{}")), chunk({}, "tool_calls"), DONE,
    ), stream=True)  # fmt: skip
    (started,) = [event for event in told.events if event["type"] == "content_block_start"]
    assert (started["index"], started["content_block"]["type"]) == (0, "tool_use")


async def test_09_what_is_repeated_is_told_once(shop: Shop) -> None:
    def again(arguments: str) -> bytes:
        return chunk({"role": "assistant", "content": None} | begun(0, "c0", "f", arguments))

    told = await shop.ask("O", "vllm:m", stream(
        again(""), again('{"a"'), again(":1}"), chunk({}, "tool_calls"), DONE,
    ), stream=True)  # fmt: skip
    fragments = [one for delta in told.deltas for one in delta.get("tool_calls", ())]
    assert [one["id"] for one in fragments if "id" in one] == ["c0"]
    assert [one["function"]["name"] for one in fragments if "name" in one["function"]] == ["f"]
    assert "".join(one["function"].get("arguments", "") for one in fragments) == '{"a":1}'
    assert [delta["role"] for delta in told.deltas if "role" in delta] == ["assistant"]


async def test_10_calls_of_one_index_and_two_ids_are_two(shop: Shop) -> None:
    told = await shop.ask("A", "compatible:m", stream(
        chunk(begun(0, "a", "f", "{}")), chunk(begun(0, "b", "g", "{}")), chunk({}, "stop"), DONE,
    ), stream=True)  # fmt: skip
    blocks = [event["content_block"] for event in told.events if "content_block" in event]
    assert [(block["id"], block["name"]) for block in blocks] == [("a", "f"), ("b", "g")]
    pieces = [e["delta"]["partial_json"] for e in told.events if e["type"] == "content_block_delta"]
    assert pieces == ["{}", "{}"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_11_a_stop_with_calls_is_a_tool_turn(shop: Shop, streamed: bool) -> None:
    answered = (
        stream(chunk(begun(0, "a", "f", "{}")), chunk({}, "stop"), DONE)
        if streamed
        else whole(chat(None, finish="stop", tool_calls=[call("a", "f", "{}")]))
    )
    told = await shop.ask("A", "vllm:m", answered, stream=streamed)
    last = told.events[-2]["delta"] if streamed else told.json
    assert last["stop_reason"] == "tool_use"


async def test_17_reasoning_in_two_members_is_told_once(shop: Shop) -> None:
    details = [{"type": "reasoning.text", "text": "x", "index": 0}]
    told = await shop.ask("A", "openrouter:m", stream(
        chunk({"reasoning": "x", "reasoning_details": details}), chunk({"content": "Hi"}),
        chunk({}, "stop"), DONE,
    ), stream=True)  # fmt: skip
    thoughts = [
        event["delta"]["thinking"]
        for event in told.events
        if event.get("delta", {}).get("type") == "thinking_delta"
    ]
    assert thoughts == ["x"]


async def test_18_a_renamed_reasoning_member_is_read(shop: Shop) -> None:
    told = await shop.ask("A", "vllm:m", stream(
        chunk({"reasoning": "hmm"}), chunk({"content": "Hi"}), chunk({}, "stop"), DONE,
    ), stream=True)  # fmt: skip
    assert told.events[3]["delta"] == {"type": "thinking_delta", "thinking": "hmm"}


async def test_19_usage_after_the_finish_is_in_the_one_message_delta(shop: Shop) -> None:
    told = await shop.ask("A", "compatible:m", stream(
        ROLE, chunk({"content": "Hi"}), chunk({}, "stop"),
        chat_frame({"choices": [], "usage": CHAT_USAGE}), DONE,
    ), stream=True)  # fmt: skip
    assert told.types[-2:] == ENDED
    assert told.types.count("message_delta") == 1
    assert told.events[-2]["usage"] == MESSAGES_USAGE


async def test_20_all_in_one_chunk_loses_nothing(shop: Shop) -> None:
    told = await shop.ask("A", "ollama:m", stream(
        chunk({"content": "Well."} | begun(0, "a", "f", '{"x":1}'), "stop"), DONE,
    ), stream=True)  # fmt: skip
    kinds = [event["content_block"]["type"] for event in told.events if "content_block" in event]
    assert kinds == ["text", "tool_use"]
    assert told.events[-2]["delta"]["stop_reason"] == "tool_use"


BOOM = chat_frame({
    "error": {"code": 502, "message": "boom"},
    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
})  # fmt: skip


async def test_21_an_error_in_a_200_stream_is_one(shop: Shop) -> None:
    frames = [ROLE, chunk({"content": "Hel"}), BOOM]
    told = await shop.ask("A", "openrouter:m", stream(*frames), stream=True)
    assert (told.events[-1]["type"], told.events[-1]["error"]["message"]) == ("error", "boom")
    assert told.events[-1]["error"]["type"] == "api_error"
    told = await shop.ask("O", "openrouter:m", stream(*frames), stream=True)
    assert told.events[-1]["error"]["code"] == 502
    assert "[DONE]" not in told.events


@pytest.mark.parametrize("client", ["A", "O", "R"])
async def test_22_an_error_in_a_whole_200_is_a_status(shop: Shop, client: str) -> None:
    slow = {"error": {"code": 429, "message": "slow"}}
    told = await shop.ask(client, "openrouter:m", whole(slow))
    assert (told.status, told.json["error"]["type"]) == (429, "rate_limit_error")
    assert told.json["error"]["message"].startswith("slow")


async def test_23_codex_gets_every_event_though_nothing_finished(shop: Shop) -> None:
    told = await shop.ask("R", "compatible:m", stream(
        ROLE, chunk({"content": "Hi"}), DONE,
    ), stream=True)  # fmt: skip
    assert told.types == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in told.events] == list(range(9))
    last = told.events[-1]["response"]
    assert last["id"]
    assert last["output"][0]["content"][0]["text"] == "Hi"


async def test_29_a_signature_in_two_pieces_is_told_whole(shop: Shop) -> None:
    def detail(**members: object) -> bytes:
        one = {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"} | members
        return chunk({"reasoning_details": [one]})

    told = await shop.ask("A", "openrouter:m", stream(
        detail(text="Hm."), detail(signature="c2ln"), detail(signature="bmF0dXJl"),
        chunk({"content": "Hi"}), chunk({}, "stop"), DONE,
    ), stream=True)  # fmt: skip
    kinds = [
        event["delta"]["type"] for event in told.events if event["type"] == "content_block_delta"
    ]
    assert kinds == ["thinking_delta", "signature_delta", "text_delta"]


async def test_31_lines_end_where_the_standard_says(shop: Shop) -> None:
    first = b'\xef\xbb\xbfdata: {"choices":[{"delta":{"content":"a\xe2\x80\xa8b"}}]}\r'
    told = await shop.ask(
        "A", "compatible:m", stream(first, b"\n\r\n", b"data: [DONE]"), stream=True
    )
    assert told.events[3]["delta"] == {"type": "text_delta", "text": "a\u2028b"}
    assert told.types[-1] == "message_stop"


async def test_32_a_stop_sequence_beyond_the_servers_limit_ends_the_answer(shop: Shop) -> None:
    frames = [
        ROLE,
        chunk({"content": "x E"}),
        chunk({"content": "ND y"}),
        *[chunk({"content": "z"})] * 9,
    ]
    stops = ["A", "B", "C", "D", "END"]
    told = await shop.ask("A", "compatible:m", stream(*frames), stream=True, stop_sequences=stops)
    words = [event["delta"].get("text", "") for event in told.events if "delta" in event]
    assert "".join(words) == "x "
    ended = told.events[-2]["delta"]
    assert (ended["stop_reason"], ended["stop_sequence"]) == ("stop_sequence", "END")
    assert shop.sent["stop"] == stops[:4]
    assert shop.source.closed


async def test_35_a_pause_is_no_end(shop: Shop) -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    told = await shop.ask(
        "O", "anthropic:m", whole(message(text("Well"), search, stop="pause_turn"))
    )
    (choice,) = told.json["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"] == "Well"
    assert not choice["message"].get("tool_calls")


DECLINED = {"type": "refusal", "category": None, "explanation": "bio"}


async def test_39_a_refusal_keeps_its_reason(shop: Shop) -> None:
    frames = message_stream(text("I"), stop="refusal", stop_details=DECLINED)
    told = await shop.ask("O", "anthropic:m", stream(*frames), stream=True)
    assert {"refusal": "bio"} in told.deltas
    assert "".join(delta.get("content") or "" for delta in told.deltas) == "I"
    finishes = [c["finish_reason"] for e in told.events[:-1] for c in e["choices"]]
    assert [finish for finish in finishes if finish] == ["content_filter"]
    frames = [ROLE, chunk({"refusal": "No."}), chunk({}, "stop"), DONE]
    told = await shop.ask("A", "compatible:m", stream(*frames), stream=True)
    assert told.events[3]["delta"] == {"type": "text_delta", "text": "No."}
    ended = told.events[-2]["delta"]
    assert (ended["stop_reason"], ended["stop_details"]["type"]) == ("refusal", "refusal")


async def test_28_one_signature_comes_back_on_its_own_call(shop: Shop) -> None:
    signed = call("f1", "f", "{}") | {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    calls = [signed, call("g1", "g", "{}")]
    tools = [{"type": "function", "function": {"name": name}} for name in "fg"]
    await shop.ask(
        "O",
        "gemini-openai:gemini-3-pro",
        whole(chat(None, finish="tool_calls", tool_calls=calls)),
        tools=tools,
    )
    plain = [call("f1", "f", "{}"), call("g1", "g", "{}")]
    back = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": None, "tool_calls": plain},
        {"role": "tool", "tool_call_id": "f1", "content": "1"},
        {"role": "tool", "tool_call_id": "g1", "content": "2"},
    ]
    await shop.ask("O", "gemini-openai:gemini-3-pro", whole(chat()), tools=tools, messages=back)
    first, second = shop.sent["messages"][1]["tool_calls"]
    assert first["extra_content"] == signed["extra_content"]
    assert "extra_content" not in second


async def test_05_reasoning_goes_back_to_its_maker_only(shop: Shop) -> None:
    reply = chat(
        None, finish="tool_calls", reasoning_content="Hm.", tool_calls=[call("c1", "f", "{}")]
    )
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    told = await shop.ask("A", "deepseek:deepseek-reasoner", whole(reply), tools=tools)
    assert told.json["content"][0]["signature"].startswith("~gw01.")
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "ok"}
    back = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": told.json["content"]},
        {"role": "user", "content": [result]},
    ]
    answered = whole(message(text("Hi")))
    await shop.ask("A", "anthropic:claude-opus-4-8", answered, tools=tools, messages=back)
    assert [block["type"] for block in shop.sent["messages"][1]["content"]] == ["tool_use"]
    await shop.ask("A", "deepseek:deepseek-reasoner", whole(chat()), tools=tools, messages=back)
    assert shop.sent["messages"][1]["reasoning_content"] == "Hm."
