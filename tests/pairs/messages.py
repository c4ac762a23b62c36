"""Messages from either end."""

from typing import Any

import httpx2
import msgspec
from anthropic import Anthropic
from anthropic.types import Message

from tests.pairs.said import Ask, Called, Ear, Heard, ModelAnswer, Stop
from tests.sdk.answers import encoded, message, message_stream, messages_error, text, thought, use

REASON: dict[Stop, str] = {
    "end": "end_turn", "tools": "tool_use", "length": "max_tokens", "refusal": "refusal",
}  # fmt: skip
STOP: dict[str, Stop] = {word: stop for stop, word in REASON.items()} | {
    "stop_sequence": "end", "compaction": "end", "pause_turn": "length",
    "model_context_window_exceeded": "length",
}  # fmt: skip
SIGNATURE = "c2lnbmF0dXJl"


class Messages:
    """The row of `messages`."""

    name = "messages"
    family = "anthropic"
    capabilities = '{ thinking = ["enabled", "disabled", "adaptive"] }'

    def __init__(self) -> None:
        self._ear = Ear()
        http = httpx2.Client(transport=self._ear.transport)
        self._client = Anthropic(base_url="http://x", api_key="k", max_retries=0, http_client=http)

    def path(self, model: str, *, stream: bool) -> str:
        return "/v1/messages"

    def ask(self, ask: Ask, model: str, *, stream: bool) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [text(ask.text)]
        for data in ask.images:
            source = {"type": "base64", "media_type": "image/png", "data": data}
            parts.append({"type": "image", "source": source})
        turns: list[dict[str, Any]] = [{"role": "user", "content": parts}]
        if ask.calls:
            calls = [use(one.id, one.name, msgspec.json.decode(one.arguments)) for one in ask.calls]
            turns.append({"role": "assistant", "content": calls})
        if ask.results:
            results = [
                {"type": "tool_result", "tool_use_id": id, "content": t} for id, t in ask.results
            ]
            turns.append({"role": "user", "content": results})
        body: dict[str, Any] = {
            "model": model, "messages": turns, "stream": stream, "max_tokens": 20_000,
        }  # fmt: skip
        if ask.system:
            body["system"] = ask.system
        if ask.tools:
            schema = {"type": "object"}
            body["tools"] = [{"name": name, "input_schema": schema} for name in ask.tools]
        if ask.thinks:
            body["thinking"] = {"type": "enabled", "budget_tokens": 16_384}
        return body

    def asked(self, body: bytes) -> Ask:
        told = msgspec.json.decode(body)
        parts = [part for turn in told["messages"] for part in _parts(turn["content"])]
        mine = [part for part in parts if part["type"] == "text"]
        return Ask(
            "".join(part["text"] for part in mine),
            "".join(part["text"] for part in _parts(told.get("system", ""))),
            tuple(part["source"]["data"] for part in parts if part["type"] == "image"),
            tuple(tool["name"] for tool in told.get("tools", ())),
            tuple(
                Called(part["id"], part["name"], encoded(part["input"]).decode())
                for part in parts
                if part["type"] == "tool_use"
            ),
            tuple(
                (
                    part["tool_use_id"],
                    "".join(one["text"] for one in _parts(part.get("content", ""))),
                )
                for part in parts
                if part["type"] == "tool_result"
            ),
            "thinking" in told,
        )

    def turns(self, body: bytes) -> list[Any]:
        told: list[Any] = msgspec.json.decode(body)["messages"]
        return told

    def streams(self, path: str, body: bytes) -> bool:
        return msgspec.json.decode(body).get("stream") is True

    def whole(self, said: ModelAnswer) -> bytes:
        return encoded(message(*_blocks(said), stop=REASON[said.stop], **_details(said)))

    def stream(self, said: ModelAnswer) -> list[bytes]:
        return message_stream(*_blocks(said), stop=REASON[said.stop], **_details(said))

    def ends(self, frame: bytes) -> bool:
        return b'"stop_reason":"' in frame

    def fault(self) -> bytes:
        return encoded(messages_error("Slow down.", "rate_limit_error"))

    def fault_event(self) -> bytes:
        return b"event: error\ndata: " + self.fault() + b"\n\n"

    def hear(self, heard: Heard) -> ModelAnswer:
        self._ear.heard = heard
        if not heard.stream:
            return _said(self._client.messages.create(model="m", max_tokens=9, messages=[]))
        with self._client.messages.stream(model="m", max_tokens=9, messages=[]) as events:
            return _said(events.get_final_message())


def _blocks(said: ModelAnswer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thinking:
        blocks.append(thought(said.thinking, SIGNATURE))
    if said.text:
        blocks.append(text(said.text))
    decode = msgspec.json.decode
    return blocks + [use(one.id, one.name, decode(one.arguments)) for one in said.calls]


def _details(said: ModelAnswer) -> dict[str, Any]:
    if not said.refusal:
        return {}
    return {
        "stop_details": {"type": "refusal", "category": None, "explanation": said.refusal},
    }


def _said(whole: Message) -> ModelAnswer:
    assert whole.role == "assistant"
    assert whole.stop_reason is not None
    words = "".join(block.text for block in whole.content if block.type == "text")
    refusal = ""
    if whole.stop_reason == "refusal":  # told in its own member, or in the text
        told = whole.stop_details.explanation if whole.stop_details is not None else None
        refusal, words = (told, words) if told else (words, "")
    return ModelAnswer(
        words,
        "".join(block.thinking for block in whole.content if block.type == "thinking"),
        tuple(
            Called(block.id, block.name, encoded(block.input).decode())
            for block in whole.content
            if block.type == "tool_use"
        ),
        refusal,
        STOP[whole.stop_reason],
    )


def _parts(content: Any) -> list[dict[str, Any]]:
    return [text(content)] if isinstance(content, str) else list(content)
