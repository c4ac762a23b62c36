"""Gemini's generateContent from either end; its official client has an environment of its own."""

from typing import Any

import msgspec

from gateway.wire.sse import Splitter
from tests.pairs.said import Ask, Called, Heard, HeardFault, ModelAnswer, Stop
from tests.sdk import gemini as wire
from tests.sdk.answers import encoded

FINISH: dict[Stop, str] = {
    "end": "STOP", "tools": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY",
}  # fmt: skip


class Gemini:
    """The row of `gemini`."""

    name = "gemini"
    family = "gemini"
    capabilities = "{}"

    def path(self, model: str, *, stream: bool) -> str:
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/v1beta/models/{model}:{verb}"

    def ask(self, ask: Ask, model: str, *, stream: bool) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"text": ask.text}]
        parts += [{"inlineData": {"mimeType": "image/png", "data": data}} for data in ask.images]
        contents: list[dict[str, Any]] = [{"role": "user", "parts": parts}]
        names = {one.id: one.name for one in ask.calls}
        if ask.calls:
            calls = [_call(one) for one in ask.calls]
            contents.append({"role": "model", "parts": calls})
        if ask.results:
            results = [
                {"functionResponse": {"id": id, "name": names[id], "response": {"output": t}}}
                for id, t in ask.results
            ]
            contents.append({"role": "user", "parts": results})
        body: dict[str, Any] = {"contents": contents}
        if ask.system:
            body["systemInstruction"] = {"parts": [{"text": ask.system}]}
        if ask.tools:
            schema = {"type": "object", "properties": {"a": {"type": "string"}}}
            declared = [{"name": name, "parametersJsonSchema": schema} for name in ask.tools]
            body["tools"] = [{"functionDeclarations": declared}]
        if ask.thinks:
            thinking = {"thinkingLevel": "high", "includeThoughts": True}
            body["generationConfig"] = {"thinkingConfig": thinking}
        return body

    def asked(self, body: bytes) -> Ask:
        told = msgspec.json.decode(body)
        parts = [(turn.get("role"), part) for turn in told["contents"] for part in turn["parts"]]
        mine = [part for role, part in parts if role != "model"]
        system = told.get("systemInstruction") or {"parts": []}
        return Ask(
            "".join(part["text"] for part in mine if "text" in part),
            "".join(part["text"] for part in system["parts"]),
            tuple(part["inlineData"]["data"] for part in mine if "inlineData" in part),
            tuple(
                one["name"]
                for tool in told.get("tools", ())
                for one in tool.get("functionDeclarations", ())
            ),
            tuple(_called(part) for _, part in parts if "functionCall" in part),
            tuple(
                (part["functionResponse"].get("id", ""), _output(part["functionResponse"]))
                for part in mine
                if "functionResponse" in part
            ),
            "thinkingConfig" in told.get("generationConfig", {}),
        )

    def turns(self, body: bytes) -> list[Any]:
        told: list[Any] = msgspec.json.decode(body)["contents"]
        return told

    def streams(self, path: str, body: bytes) -> bool:
        return ":streamGenerateContent" in path

    def whole(self, said: ModelAnswer) -> bytes:
        return encoded(wire.answer(*_parts(said), finish=FINISH[said.stop]))

    def stream(self, said: ModelAnswer) -> list[bytes]:
        return wire.stream(*_parts(said), finish=FINISH[said.stop])

    def ends(self, frame: bytes) -> bool:
        return b'"finishReason"' in frame

    def fault(self) -> bytes:
        return encoded(wire.error(429, "RESOURCE_EXHAUSTED", "Slow down."))

    def fault_event(self) -> bytes:
        return b"data: " + self.fault() + b"\r\n\r\n"

    def hear(self, heard: Heard) -> ModelAnswer:
        if not heard.stream:
            return _said([_checked(heard.status, heard.body)])
        splitter = Splitter()
        frames = [*splitter.feed(heard.body), *splitter.finish()]
        return _said([_checked(heard.status, frame.data) for frame in frames])


def _checked(status: int, data: bytes) -> dict[str, Any]:
    """A response, or the error in it raised, as the official client does."""
    told = msgspec.json.decode(data)
    assert isinstance(told, dict)
    if status >= 400 or "error" in told:
        error = told["error"]
        assert error.keys() >= {"code", "message", "status"}
        raise HeardFault(error["message"], error["code"])
    return told


def _said(pieces: list[dict[str, Any]]) -> ModelAnswer:
    words, thoughts, finish, declined = "", "", "", ""
    calls: list[Called] = []
    for piece in pieces:
        for candidate in piece.get("candidates", ()):
            finish = candidate.get("finishReason") or finish
            declined = candidate.get("finishMessage") or declined
            for part in candidate.get("content", {}).get("parts", ()):
                if "functionCall" in part:
                    calls.append(_called(part))
                elif part.get("thought"):
                    thoughts += part["text"]
                else:
                    words += part.get("text", "")
    if not finish:  # the official client takes any end for one: the gateway has to tell
        raise AssertionError("the stream ended without a word")
    stops: dict[str, Stop] = {"STOP": "end", "MAX_TOKENS": "length"}
    stop = "tools" if calls and finish == "STOP" else stops.get(finish, "refusal")
    if stop == "refusal":
        declined, words = (declined, words) if declined else (words, "")
    return ModelAnswer(words, thoughts, tuple(calls), declined if stop == "refusal" else "", stop)


def _parts(said: ModelAnswer) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if said.thinking:
        parts.append(wire.thought(said.thinking))
    if said.text or said.refusal:
        parts.append(wire.text(said.text or said.refusal))
    return parts + [_call(one) for one in said.calls]


def _call(one: Called) -> dict[str, Any]:
    return wire.call(one.name, msgspec.json.decode(one.arguments), id=one.id)


def _called(part: dict[str, Any]) -> Called:
    one = part["functionCall"]
    return Called(one.get("id", ""), one["name"], encoded(one.get("args") or {}).decode())


def _output(response: dict[str, Any]) -> str:
    told = response["response"]
    return str(told.get("output", told.get("result", told)))
