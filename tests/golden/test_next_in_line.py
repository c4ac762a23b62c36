"""The golden cases after the forty; `cases.py` names them."""

import gzip
from typing import Any

import pytest

from tests.fakes.upstream import SSE
from tests.golden.shop import Shop, stream, whole
from tests.sdk import gemini
from tests.sdk.answers import (
    DONE,
    PDF,
    PNG,
    ROLE,
    call,
    chat,
    chat_error,
    chat_frame,
    chat_stream,
    chunk,
    message,
    text,
    use,
)
from tests.sdk.clients import anthropic_client
from tests.sdk.stage import SdkGateway

HELLO = {"role": "user", "content": "hello"}
TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def hi() -> Any:
    """A Messages upstream's plain answer."""
    return whole(message(text("Hi")))


async def test_azure(shop: Shop) -> None:
    first = chat_frame({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    frames = [first, *chat_stream({"content": "Hi"})]
    told = await shop.ask("A", "azure:m", stream(*frames), stream=True)
    assert (told.types[0], told.types[-1]) == ("message_start", "message_stop")


async def test_groq(shop: Shop) -> None:
    error = chat_error("Failed to call a function.", "invalid_request_error", "tool_use_failed")
    error["error"]["failed_generation"] = "<function=f{>"
    told = await shop.ask("A", "groq:m", whole(error, 400))
    assert (told.status, told.json["error"]["type"]) == (502, "api_error")


@pytest.mark.parametrize("calls", [[], [call("a", "f", "{}")]])
async def test_xai(shop: Shop, calls: list[Any]) -> None:
    answered = whole(chat("Hi", finish="", tool_calls=calls or None))
    told = await shop.ask("A", "xai:m", answered)
    assert told.json["stop_reason"] == ("tool_use" if calls else "end_turn")


@pytest.mark.parametrize("client", ["A", "O", "R"])
async def test_malformed(shop: Shop, client: str) -> None:
    broken = gemini.answer(finish="MALFORMED_FUNCTION_CALL")
    told = await shop.ask(client, "gemini:m", whole(broken))
    assert told.status == 502
    assert "MALFORMED_FUNCTION_CALL" in told.json["error"]["message"]


async def test_n(shop: Shop) -> None:
    told = await shop.ask("O", "anthropic:m", hi(), n=2)
    assert (told.status, told.json["error"]["param"]) == (400, "n")


async def test_functions(shop: Shop) -> None:
    answered = whole(message(use("a", "f", {"x": 1}), stop="tool_use"))
    told = await shop.ask(
        "O", "anthropic:m", answered, functions=[FUNCTION["function"]], function_call={"name": "f"}
    )
    assert shop.sent["tool_choice"] == {"type": "tool", "name": "f"}
    (choice,) = told.json["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"x":1}'}


async def test_custom(shop: Shop) -> None:
    grammar = {"syntax": "lark", "definition": "start: A"}
    tool = {"name": "patch", "format": {"type": "grammar", "grammar": grammar}}
    answered = whole(message(use("a", "patch", {"input": "x"}), stop="tool_use"))
    told = await shop.ask("O", "anthropic:m", answered, tools=[{"type": "custom", "custom": tool}])
    assert list(shop.sent["tools"][0]["input_schema"]["properties"]) == ["input"]
    assert "start: A" in shop.sent["tools"][0]["description"]
    (made,) = told.json["choices"][0]["message"]["tool_calls"]
    assert (made["type"], made["custom"]) == ("custom", {"name": "patch", "input": "x"})


async def test_data_pdf(shop: Shop) -> None:
    part = {"type": "image_url", "image_url": {"url": f"data:application/pdf;base64,{PDF}"}}
    await shop.ask("O", "anthropic:m", hi(), messages=[{"role": "user", "content": [part]}])
    (block,) = shop.sent["messages"][0]["content"]
    assert (block["type"], block["source"]["data"]) == ("document", PDF)


async def test_pdf_url(shop: Shop) -> None:
    source = {"type": "url", "url": "https://example.com/a.pdf"}
    parts = [{"type": "document", "source": source}, text("read")]
    messages = [{"role": "user", "content": parts}]
    told = await shop.ask("A", "compatible:m", whole(chat()), messages=messages)
    assert told.status == 400
    assert b"image_url" not in shop.raw


async def test_blank_stop(shop: Shop) -> None:
    told = await shop.ask("O", "anthropic:m", hi(), stop=["\n", "END"])
    assert shop.sent["stop_sequences"] == ["END"]
    assert "stop" in told.warnings


async def test_email(shop: Shop) -> None:
    await shop.ask("O", "anthropic:m", hi(), user="someone@example.com")
    assert len(shop.sent["metadata"]["user_id"]) == 64


async def test_prefill(shop: Shop) -> None:
    begun = [HELLO, {"role": "assistant", "content": "So: \n"}]
    await shop.ask("O", "anthropic:claude-sonnet-4-5", hi(), messages=begun)
    last = shop.sent["messages"][-1]
    assert last["content"] in ("So:", [text("So:")])


async def test_billing(shop: Shop) -> None:
    system = [text("x-anthropic-billing-header: cc_version=1;"), text("Be brief.")]
    await shop.ask("A", "compatible:m", whole(chat()), system=system)
    assert shop.sent["messages"][0] == {"role": "system", "content": "Be brief."}
    await shop.ask("A", "anthropic:m", hi(), system=system)
    assert shop.sent["system"] == system


async def test_marks(shop: Shop) -> None:
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    parts = [{"type": "text", "text": str(at)} | mark for at in range(6)]
    messages = [{"role": "user", "content": parts}]
    await shop.ask("O", "anthropic:m", hi(), messages=messages)
    blocks = shop.sent["messages"][0]["content"]
    assert [block["text"] for block in blocks if "cache_control" in block] == ["2", "3", "4", "5"]


async def test_redacted(shop: Shop) -> None:
    hidden = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    answered = message(hidden, use("a", "f", {}), stop="tool_use")
    told = await shop.ask("O", "anthropic:claude-opus-4-8", whole(answered), tools=[FUNCTION])
    turn = told.json["choices"][0]["message"]
    assert turn["reasoning_details"][0]["type"] == "reasoning.encrypted"
    result = {"role": "tool", "tool_call_id": "a", "content": "ok"}
    await shop.ask(
        "O", "anthropic:claude-opus-4-8", hi(), tools=[FUNCTION], messages=[HELLO, turn, result]
    )
    assert shop.sent["messages"][1]["content"][0] == hidden


async def test_media_type(shop: Shop) -> None:
    part = {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}"}}
    await shop.ask("O", "anthropic:m", hi(), messages=[{"role": "user", "content": [part]}])
    assert shop.sent["messages"][0]["content"][0]["source"]["media_type"] == "image/png"


async def test_duplicate(shop: Shop) -> None:
    results = [
        {"type": "tool_result", "tool_use_id": "a", "content": words} for words in ("one", "two")
    ]
    turns = [HELLO, {"role": "assistant", "content": [use("a", "f", {})]}]
    messages = [*turns, {"role": "user", "content": results}]
    await shop.ask("A", "compatible:m", whole(chat()), messages=messages, tools=[TOOL])
    told = [turn["content"] for turn in shop.sent["messages"] if turn["role"] == "tool"]
    assert told == ["two"]


async def test_choice(shop: Shop) -> None:
    await shop.ask("A", "compatible:m", whole(chat()), tool_choice={"type": "auto"})
    assert "tool_choice" not in shop.sent


async def test_parallel(shop: Shop) -> None:
    await shop.ask("O", "anthropic:m", hi(), parallel_tool_calls=False)
    assert "tool_choice" not in shop.sent


async def test_comment(shop: Shop) -> None:
    frame = b": keep-alive\n" + chunk({"content": "Hi"})
    told = await shop.ask(
        "A", "compatible:m", stream(ROLE, frame, chunk({}, "stop"), DONE), stream=True
    )
    assert told.events[3]["delta"]["text"] == "Hi"


def test_gzip(stage: SdkGateway) -> None:
    packed = gzip.compress(b"".join(chat_stream({"content": "Hi"})))
    stage.play(SSE([packed], headers=[("content-encoding", "gzip")]))
    with (
        anthropic_client(stage.url) as client,
        client.messages.stream(
            model="chat:m", max_tokens=9, messages=[{"role": "user", "content": "hello"}]
        ) as told,
    ):
        assert told.get_final_text() == "Hi"


async def test_overloaded(shop: Shop) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    told = await shop.ask("O", "anthropic:m", whole(error, 529))
    assert (told.status, told.json["error"]["code"]) == (503, "overloaded")
    told = await shop.ask("A", "compatible:m", whole(chat_error("Overloaded", "server_error"), 503))
    assert (told.status, told.json["error"]["type"]) == (529, "overloaded_error")
