"""Responses from either end."""

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
from openai import APIError, OpenAI
from openai.types.responses import Response

from tests.fakes.responses import (
    make_function_call,
    make_message,
    make_reasoning,
    make_refusal,
    make_response,
    make_script,
    render_event,
)
from tests.pairs.said import Ask, Called, Ear, Heard, ModelAnswer, Stop
from tests.sdk.answers import chat_error, encoded


class Responses:
    """The row of `responses`."""

    name = "responses"
    family = "openai"
    capabilities = '{ effort = ["low", "medium", "high"] }'

    def __init__(self) -> None:
        self._ear = Ear()
        http = httpx2.Client(transport=self._ear.transport)
        self._client = OpenAI(base_url="http://x/v1", api_key="k", max_retries=0, http_client=http)

    def path(self, model: str, *, stream: bool) -> str:
        return "/v1/responses"

    def ask(self, ask: Ask, model: str, *, stream: bool) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"type": "input_text", "text": ask.text}]
        for data in ask.images:
            url = f"data:image/png;base64,{data}"
            parts.append({"type": "input_image", "image_url": url, "detail": "auto"})
        items: list[dict[str, Any]] = [{"type": "message", "role": "user", "content": parts}]
        items += [
            {
                "type": "function_call",
                "call_id": one.id,
                "name": one.name,
                "arguments": one.arguments,
            }
            for one in ask.calls
        ]
        items += [
            {"type": "function_call_output", "call_id": id, "output": t} for id, t in ask.results
        ]
        body: dict[str, Any] = {
            "model": model, "input": items, "stream": stream, "store": False,
            "include": ["reasoning.encrypted_content"],
        }  # fmt: skip
        if ask.system:
            body["instructions"] = ask.system
        if ask.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": name,
                    "parameters": {"type": "object"},
                    "strict": False,
                }
                for name in ask.tools
            ]
        if ask.thinks:
            body["reasoning"] = {"effort": "high", "summary": "auto"}
        return body

    def asked(self, body: bytes) -> Ask:
        told = msgspec.json.decode(body)
        items = self.turns(body)
        mine = [part for item in items if item.get("role") == "user" for part in _parts(item)]
        system = [
            part
            for item in items
            if item.get("role") in ("system", "developer")
            for part in _parts(item)
        ]
        return Ask(
            "".join(part["text"] for part in mine if part["type"] == "input_text"),
            (told.get("instructions") or "") + "".join(part["text"] for part in system),
            tuple(
                part["image_url"].removeprefix("data:image/png;base64,")
                for part in mine
                if part["type"] == "input_image"
            ),
            tuple(_named(told.get("tools") or [])) + tuple(_added(items)),
            tuple(
                Called(item["call_id"], item["name"], item["arguments"])
                for item in items
                if item["type"] == "function_call"
            ),
            tuple(
                (item["call_id"], "".join(part["text"] for part in _parts(item, "output")))
                for item in items
                if item["type"] == "function_call_output"
            ),
            bool((told.get("reasoning") or {}).get("effort")),
        )

    def turns(self, body: bytes) -> list[Any]:
        told = msgspec.json.decode(body)["input"]
        one = {"type": "message", "role": "user", "content": told}
        return [one] if isinstance(told, str) else [{"type": "message"} | item for item in told]

    def streams(self, path: str, body: bytes) -> bool:
        return msgspec.json.decode(body).get("stream") is True

    def whole(self, said: ModelAnswer) -> bytes:
        return encoded(make_response(*_items(said), **_ending(said)))

    def stream(self, said: ModelAnswer) -> list[bytes]:
        return make_script(*_items(said), **_ending(said)).frames

    def ends(self, frame: bytes) -> bool:
        return frame.startswith((b"event: response.completed", b"event: response.incomplete"))

    def fault(self) -> bytes:
        return encoded(chat_error("Slow down.", "rate_limit_error", "rate_limit_exceeded"))

    def fault_event(self) -> bytes:
        error = {"code": "rate_limit_exceeded", "message": "Slow down."}
        failed = make_response(status="failed", error=error, usage=None)
        return render_event({"type": "response.failed", "sequence_number": 9, "response": failed})

    def hear(self, heard: Heard) -> ModelAnswer:
        self._ear.heard = heard
        if not heard.stream:
            return _said(self._client.responses.create(model="m", input="x"))
        with self._client.responses.stream(model="m", input="x") as events:
            for event in events:
                match event.type:
                    case "response.completed":
                        return _said(event.response)
                    case "response.incomplete":
                        return _said(event.response)
                    case "response.failed":
                        assert event.response.error is not None
                        raise APIError(event.response.error.message, _ASKED, body=None)
                    case "error":
                        raise APIError(event.message, _ASKED, body=None)
        raise AssertionError("the stream ended without a word")


_ASKED = httpx2.Request("POST", "http://x/v1/responses")


def _items(said: ModelAnswer) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if said.thinking:
        items.append(make_reasoning(said.thinking))
    if said.text:
        items.append(make_message(said.text))
    if said.refusal:
        items.append(make_message(make_refusal(said.refusal)))
    return items + [make_function_call(one.id, one.name, one.arguments) for one in said.calls]


def _ending(said: ModelAnswer) -> dict[str, Any]:
    if said.stop != "length":
        return {}
    return {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


def _said(whole: Response) -> ModelAnswer:
    words, refused, thoughts = "", "", ""
    calls: list[Called] = []
    for item in whole.output:
        match item.type:
            case "message":
                for part in item.content:
                    if part.type == "output_text":
                        words += part.text
                    else:
                        refused += part.refusal
            case "reasoning":
                thoughts += "".join(part.text for part in [*item.summary, *(item.content or ())])
            case "function_call":
                calls.append(Called(item.call_id, item.name, item.arguments))
            case _:
                pass  # what the upstream ran itself
    return ModelAnswer(words, thoughts, tuple(calls), refused, _stop(whole, calls, refused))


def _stop(whole: Response, calls: list[Called], refused: str) -> Stop:
    if whole.status == "incomplete":
        assert whole.incomplete_details is not None
        return "length" if whole.incomplete_details.reason == "max_output_tokens" else "refusal"
    assert whole.status == "completed"
    if refused:
        return "refusal"
    return "tools" if calls else "end"


def _parts(item: dict[str, Any], name: str = "content") -> list[dict[str, Any]]:
    content = item.get(name) or []
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


def _named(tools: list[dict[str, Any]]) -> Iterator[str]:
    for tool in tools:
        if tool["type"] in ("function", "custom"):
            yield tool["name"]
        elif tool["type"] == "namespace":
            yield from _named(tool["tools"])


def _added(items: list[dict[str, Any]]) -> Iterator[str]:
    for item in items:
        if item["type"] == "additional_tools":
            yield from _named(item["tools"])
