"""Chat Completions from either end."""

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
from openai import ContentFilterFinishReasonError, LengthFinishReasonError, OpenAI
from openai.lib.streaming.chat import ChatCompletionStream
from openai.types.chat import ChatCompletion

from tests.pairs.said import Ask, Called, Ear, Heard, ModelAnswer, Stop
from tests.sdk.answers import argued, begun, call, chat, chat_error, chat_stream, encoded

FINISH: dict[Stop, str] = {
    "end": "stop", "tools": "tool_calls", "length": "length", "refusal": "content_filter",
}  # fmt: skip
STOP: dict[str, Stop] = {word: stop for stop, word in FINISH.items()} | {"function_call": "tools"}


class Chat:
    """The row of `chat`."""

    name = "chat"
    family = "compatible"
    capabilities = '{ effort = ["low", "medium", "high"] }'

    def __init__(self) -> None:
        self._ear = Ear()
        http = httpx2.Client(transport=self._ear.transport)
        self._client = OpenAI(base_url="http://x/v1", api_key="k", max_retries=0, http_client=http)

    def path(self, model: str, *, stream: bool) -> str:
        return "/v1/chat/completions"

    def ask(self, ask: Ask, model: str, *, stream: bool) -> dict[str, Any]:
        turns: list[dict[str, Any]] = []
        if ask.system:
            turns.append({"role": "system", "content": ask.system})
        parts: list[dict[str, Any]] = [{"type": "text", "text": ask.text}]
        for data in ask.images:
            url = f"data:image/png;base64,{data}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        turns.append({"role": "user", "content": parts if ask.images else ask.text})
        if ask.calls:
            calls = [call(one.id, one.name, one.arguments) for one in ask.calls]
            turns.append({"role": "assistant", "content": None, "tool_calls": calls})
        turns += [{"role": "tool", "tool_call_id": id, "content": t} for id, t in ask.results]
        body: dict[str, Any] = {"model": model, "messages": turns, "stream": stream}
        if ask.tools:
            body["tools"] = [
                {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
                for name in ask.tools
            ]
        if ask.thinks:
            body["reasoning_effort"] = "high"
        return body

    def asked(self, body: bytes) -> Ask:
        told = msgspec.json.decode(body)
        turns = told["messages"]
        parts = [part for turn in turns if turn["role"] == "user" for part in _parts(turn)]
        return Ask(
            "".join(part["text"] for part in parts if part["type"] == "text"),
            "".join(
                part["text"]
                for turn in turns
                if turn["role"] in ("system", "developer")
                for part in _parts(turn)
            ),
            tuple(
                part["image_url"]["url"].removeprefix("data:image/png;base64,")
                for part in parts
                if part["type"] == "image_url"
            ),
            tuple(tool["function"]["name"] for tool in told.get("tools", ())),
            tuple(one for turn in turns for one in _called(turn)),
            tuple(
                (turn["tool_call_id"], "".join(part["text"] for part in _parts(turn)))
                for turn in turns
                if turn["role"] == "tool"
            ),
            "reasoning_effort" in told,
        )

    def turns(self, body: bytes) -> list[Any]:
        told: list[Any] = msgspec.json.decode(body)["messages"]
        return told

    def streams(self, path: str, body: bytes) -> bool:
        return msgspec.json.decode(body).get("stream") is True

    def whole(self, said: ModelAnswer) -> bytes:
        members: dict[str, Any] = {}
        if said.thinking:
            members["reasoning_content"] = said.thinking
        if said.calls:
            members["tool_calls"] = [call(one.id, one.name, one.arguments) for one in said.calls]
        if said.refusal:
            members["refusal"] = said.refusal
        return encoded(chat(said.text or None, finish=FINISH[said.stop], **members))

    def stream(self, said: ModelAnswer) -> list[bytes]:
        deltas: list[dict[str, Any]] = []
        deltas += [{"reasoning_content": piece} for piece in _halves(said.thinking)]
        deltas += [{"content": piece} for piece in _halves(said.text)]
        deltas += [{"refusal": piece} for piece in _halves(said.refusal)]
        for index, one in enumerate(said.calls):
            deltas.append(begun(index, one.id, one.name))
            deltas += [argued(index, piece) for piece in _halves(one.arguments)]
        return chat_stream(*deltas, finish=FINISH[said.stop])

    def ends(self, frame: bytes) -> bool:
        return b'"finish_reason":"' in frame

    def fault(self) -> bytes:
        return encoded(chat_error("Slow down.", "rate_limit_error", "rate_limit_exceeded"))

    def fault_event(self) -> bytes:
        return b"data: " + self.fault() + b"\n\n"

    def hear(self, heard: Heard) -> ModelAnswer:
        self._ear.heard = heard
        if not heard.stream:
            return _said(self._client.chat.completions.create(model="m", messages=[]))
        with self._client.chat.completions.stream(model="m", messages=[]) as events:
            return _said(_final(events))


def _final(events: ChatCompletionStream[None]) -> ChatCompletion:
    try:
        return events.get_final_completion()
    except (LengthFinishReasonError, ContentFilterFinishReasonError) as ending:
        if ending.completion is None:
            raise
        return ending.completion  # what the client gathered until it ended so


def _said(whole: ChatCompletion) -> ModelAnswer:
    (choice,) = whole.choices
    message = choice.message
    assert message.role == "assistant"
    assert choice.finish_reason is not None
    return ModelAnswer(
        message.content or "",
        (message.model_extra or {}).get("reasoning_content") or "",
        tuple(
            Called(one.id, one.function.name, one.function.arguments)
            for one in message.tool_calls or ()
            if one.type == "function"
        ),
        message.refusal or "",
        STOP[choice.finish_reason],
    )


def _parts(turn: dict[str, Any]) -> list[dict[str, Any]]:
    content = turn["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _called(turn: dict[str, Any]) -> Iterator[Called]:
    for one in turn.get("tool_calls") or ():
        yield Called(one["id"], one["function"]["name"], one["function"]["arguments"])


def _halves(text: str) -> list[str]:
    half = len(text) // 2
    return [piece for piece in (text[:half], text[half:]) if piece]
