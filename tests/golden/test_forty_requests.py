"""The golden cases of requests; `cases.py` names them by number."""

from typing import Any

import pytest

from tests.golden.shop import Shop, whole
from tests.sdk.answers import PNG, call, chat, chat_error, message, text, use

TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
HELLO = {"role": "user", "content": "hello"}
IMAGE = {
    "type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG},
}  # fmt: skip


def said() -> Any:
    """A Chat upstream's plain answer."""
    return whole(chat())


def answered() -> Any:
    """A Messages upstream's plain answer."""
    return whole(message(text("Hi")))


def used(*ids: str) -> dict[str, Any]:
    """A turn that calls tools under these ids."""
    return {"role": "assistant", "content": [use(id, "f", {}) for id in ids]}


def results(*parts: dict[str, Any]) -> dict[str, Any]:
    """The user turn after it."""
    return {"role": "user", "content": list(parts)}


def result(id: str, content: Any = "ok", **more: object) -> dict[str, Any]:
    """`tool_result`."""
    return {"type": "tool_result", "tool_use_id": id, "content": content} | more


def calling(*ids: str) -> dict[str, Any]:
    """The same turn in Chat."""
    return {"role": "assistant", "content": None, "tool_calls": [call(id, "f", "{}") for id in ids]}


def told(id: str, content: str = "ok") -> dict[str, Any]:
    """A result in Chat."""
    return {"role": "tool", "tool_call_id": id, "content": content}


async def test_04_an_image_of_a_result_follows_in_one_user_message(shop: Shop) -> None:
    parts = results(result("a", [text("ok"), IMAGE]), result("b", "x"))
    await shop.ask(
        "A", "compatible:m", said(), messages=[HELLO, used("a", "b"), parts], tools=[TOOL]
    )
    first, second, user = shop.sent["messages"][2:]
    assert first == told("a", "ok\n[image 1 attached in the next user message]")
    assert second == told("b", "x")
    assert [part["type"] for part in user["content"]] == ["text", "image_url"]
    assert user["content"][0]["text"] == "Output of tool call a:"
    assert user["content"][1]["image_url"]["url"].endswith(PNG)


async def test_06_deepseek_gets_reasoning_in_every_turn_that_calls(shop: Shop) -> None:
    messages = [HELLO, calling("a"), told("a")]
    model = "deepseek:deepseek-reasoner"
    await shop.ask("O", model, said(), messages=messages, tools=[FUNCTION])
    assert shop.sent["messages"][1]["reasoning_content"] == ""


async def test_12_a_modern_claude_gets_no_sampling(shop: Shop) -> None:
    model = "anthropic:claude-opus-4-8"
    heard = await shop.ask("O", model, answered(), temperature=0.2, top_p=0.9)
    assert not {"temperature", "top_p"} & shop.sent.keys()
    assert "temperature:unsupported_by_model" in heard.warnings


async def test_13_a_limit_is_made_up_and_never_nought(shop: Shop) -> None:
    await shop.ask("O", "anthropic:claude-opus-4-8", answered())
    assert shop.sent["max_tokens"] == 32_000


TALK = [
    {"role": "system", "content": "A"}, HELLO, {"role": "assistant", "content": "hi"},
    {"role": "system", "content": "B"}, {"role": "user", "content": "bye"},
]  # fmt: skip


async def test_14_a_later_system_message_keeps_its_place(shop: Shop) -> None:
    await shop.ask("O", "anthropic:claude-sonnet-4-5", answered(), messages=TALK)
    assert shop.sent["system"] in ("A", [text("A")])
    last = shop.sent["messages"][-1]
    words = [part["text"] for part in last["content"]]
    assert (last["role"], words) == ("user", ["<system-reminder>\nB\n</system-reminder>", "bye"])
    await shop.ask("O", "anthropic:claude-opus-4-8", answered(), messages=TALK)
    assert [turn["role"] for turn in shop.sent["messages"]] == [
        "user", "assistant", "user", "system",
    ]  # fmt: skip


async def test_15_an_error_is_told_and_none_is_invented(shop: Shop) -> None:
    parts = results(result("a", "ENOENT", is_error=True))
    await shop.ask("A", "compatible:m", said(), messages=[HELLO, used("a"), parts], tools=[TOOL])
    assert shop.sent["messages"][-1]["content"] == "Error: ENOENT"
    messages = [HELLO, calling("a"), told("a", '{"error":null,"data":1}')]
    await shop.ask("O", "anthropic:m", answered(), messages=messages, tools=[FUNCTION])
    (part,) = shop.sent["messages"][-1]["content"]
    assert not part.get("is_error")


async def test_16_invalid_arguments_are_kept_as_text(shop: Shop) -> None:
    broken = {"role": "assistant", "content": None, "tool_calls": [call("a", "f", '{"a":')]}
    heard = await shop.ask(
        "O", "anthropic:m", answered(), messages=[HELLO, broken, told("a")], tools=[FUNCTION]
    )
    (part,) = shop.sent["messages"][1]["content"]
    assert part["input"] == {"_raw_arguments": '{"a":'}
    assert "arguments" in heard.warnings


async def test_24_parallel_calls_of_items_are_one_message(shop: Shop) -> None:
    def made(id: str) -> list[dict[str, Any]]:
        return [
            {"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": id, "output": id},
        ]

    (first, of_first), (second, of_second) = made("a"), made("b")
    reasoning = {
        "type": "reasoning", "id": "rs_1", "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm."}],
    }  # fmt: skip
    items = [HELLO, reasoning, first, second, of_first, of_second]
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]
    await shop.ask("R", "deepseek:deepseek-reasoner", said(), input=items, tools=tools)
    assistant, *rest = shop.sent["messages"][1:]
    assert [one["id"] for one in assistant["tool_calls"]] == ["a", "b"]
    assert assistant["reasoning_content"] == "Hm."
    assert rest == [told("a", "a"), told("b", "b")]


async def test_25_names_are_rewritten_one_to_one_and_come_back(shop: Shop) -> None:
    long = "mcp__very_" + "x" * 70
    names = [long, "foo/bar", "foo_bar"]
    tools = [TOOL | {"name": name} for name in names]
    history = {"role": "assistant", "content": [use("a", "foo/bar", {})]}
    reply = chat(None, finish="tool_calls", tool_calls=[call("b", "foo_bar_2", "{}")])
    heard = await shop.ask(
        "A", "openai:gpt-4o", whole(reply), tools=tools, tool_choice={"type": "tool", "name": long},
        messages=[HELLO, history, results(result("a"))],
    )  # fmt: skip
    sent = [tool["function"]["name"] for tool in shop.sent["tools"]]
    assert sent[1:] == ["foo_bar_2", "foo_bar"]
    assert len(sent[0]) == 64
    assert sent[0].startswith(long[:55] + "_")
    assert shop.sent["tool_choice"]["function"]["name"] == sent[0]
    assert shop.sent["messages"][1]["tool_calls"][0]["function"]["name"] == "foo_bar_2"
    assert heard.json["content"][0]["name"] == "foo/bar"


async def test_26_ids_that_claude_refuses_are_respelled_alike(shop: Shop) -> None:
    id = "functions.Bash:0"
    reply = chat(None, finish="tool_calls", tool_calls=[call(id, "f", "{}")])
    heard = await shop.ask("A", "moonshot:kimi-k2", whole(reply), tools=[TOOL])
    assert heard.json["content"][0]["id"] == id
    await shop.ask(
        "O", "anthropic:m", answered(), messages=[HELLO, calling(id), told(id)], tools=[FUNCTION]
    )
    asked, given = (turn["content"][0] for turn in shop.sent["messages"][1:])
    assert asked["id"] == given["tool_use_id"]
    assert asked["id"].startswith("functions_Bash_0_")
    assert len(asked["id"]) == len("functions_Bash_0_") + 6


async def test_27_mistral_gets_ids_of_nine_characters(shop: Shop) -> None:
    ids = []
    for more in ([], [{"role": "user", "content": "and?"}]):
        talk = [HELLO, used("toolu_01ABC"), results(result("toolu_01ABC")), *more]
        await shop.ask("A", "mistral:m", said(), messages=talk, tools=[TOOL])
        asked, given = shop.sent["messages"][1:3]
        assert asked["tool_calls"][0]["id"] == given["tool_call_id"]
        ids.append(given["tool_call_id"])
    assert ids[0] == ids[1]
    assert len(ids[0]) == 9
    assert ids[0].isalnum()


async def test_30_half_a_surrogate_pair_is_replaced_or_passed(shop: Shop) -> None:
    body = rb'{"model":"%b:m","max_tokens":9,"messages":[{"role":"user","content":"a\ud83d"}]}'
    heard = await shop.post("A", "compatible:m", body % b"compatible", said())
    assert (heard.status, shop.sent["messages"]) == (200, [{"role": "user", "content": "a\ufffd"}])
    heard = await shop.post("A", "anthropic:m", body % b"anthropic", answered())
    assert (heard.status, shop.raw) == (200, body.replace(b"%b:m", b"m"))


async def test_33_text_before_a_result_comes_after_it(shop: Shop) -> None:
    parts = results(text("hi"), result("a"))
    await shop.ask("A", "compatible:m", said(), messages=[HELLO, used("a"), parts], tools=[TOOL])
    assert shop.sent["messages"][2:] == [told("a"), {"role": "user", "content": "hi"}]


async def test_34_a_missing_result_is_made_up(shop: Shop) -> None:
    talk = [HELLO, used("a", "b"), results(result("a"), text("go on"))]
    await shop.ask("A", "compatible:m", said(), messages=talk, tools=[TOOL])
    missing = "Error: No result was provided for this call."
    assert shop.sent["messages"][2:4] == [told("a"), told("b", missing)]
    talk = [HELLO, calling("a", "b"), told("a"), {"role": "user", "content": "go on"}]
    await shop.ask("O", "anthropic:m", answered(), messages=talk, tools=[FUNCTION])
    made = shop.sent["messages"][2]["content"][1]
    assert (made["tool_use_id"], made["is_error"]) == ("b", True)


async def test_36_a_model_that_cannot_be_forced_chooses(shop: Shop) -> None:
    heard = await shop.ask(
        "O", "anthropic:claude-opus-5-5", answered(), tools=[FUNCTION], tool_choice="required",
        reasoning_effort="high",
    )  # fmt: skip
    assert shop.sent["tool_choice"]["type"] == "auto"
    assert "tool_choice" in heard.warnings
    await shop.ask(
        "O", "anthropic:claude-sonnet-4-5", answered(), tools=[FUNCTION], tool_choice="required",
        reasoning_effort="high",
    )  # fmt: skip
    assert shop.sent["tool_choice"]["type"] == "any"
    assert shop.sent.get("thinking", {"type": "disabled"}) == {"type": "disabled"}


BRANCH = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"properties": None}, {"type": "object", "properties": {}}),
        ({"anyOf": [BRANCH, {"type": "object", "properties": {"b": {}}}]},
         {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}}),
    ],
)  # fmt: skip
async def test_37_a_schema_is_one_object(
    shop: Shop, parameters: dict[str, Any], schema: dict[str, Any]
) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    await shop.ask("O", "anthropic:m", answered(), tools=[tool])
    sent = shop.sent["tools"][0]["input_schema"]
    assert {name: sent[name] for name in schema} == schema
    assert not sent.get("required")


LONG = chat_error(
    "This model's maximum context length is 200000 tokens. However, your messages resulted in "
    "210000 tokens.", "invalid_request_error", "context_length_exceeded",
)  # fmt: skip


async def test_38_an_overflow_is_told_as_agents_know_it(shop: Shop) -> None:
    heard = await shop.ask("A", "compatible:m", whole(LONG, 400))
    assert heard.status == 400
    assert heard.json["error"]["type"] == "invalid_request_error"
    told_as = "prompt is too long: 210000 tokens > 200000 maximum"
    assert heard.json["error"]["message"].startswith(told_as)
    assert heard.headers["x-should-retry"] == "false"
    heard = await shop.ask("R", "compatible:m", whole(LONG, 400), stream=True)
    assert "context_length_exceeded" in heard.body.decode()


async def test_40_the_byte_lane_keeps_what_it_does_not_know(shop: Shop) -> None:
    asked = (
        b'{"model":"anthropic:m","max_tokens":9,"brand_new":1e3,"messages":[{"role":"user",'
        b'"content":[{"type":"brand_new","x":1.0},{"type":"tool_use","id":"a","name":"f",'
        b'"input":{"n":1e3}}]}]}'
    )
    reply = b'{"type":"message","x":1.0,"content":[{"type":"brand_new"}],"usage":{"n":1e3}}'
    heard = await shop.post("A", "anthropic:m", asked, whole(reply))
    assert shop.raw == asked.replace(b"anthropic:m", b"m")
    assert heard.body == reply
