"""Gemini from either end. Its official client has an environment of its own, so it is played."""

from typing import Any

import msgspec

from gateway.sse import Splitter
from tests.pairs.said import Ask, Called, Heard, Said, Stop
from tests.sdk.answers import encoded
from tests.sdk.gemini import answer, frame

FINISH: dict[Stop, str] = {
    "end": "STOP", "tools": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY",
}  # fmt: skip
STOP: dict[str, Stop] = {"MAX_TOKENS": "length", "SAFETY": "refusal"}
SIGNATURE = "c2lnbmF0dXJl"


class GeminiError(Exception):
    """What the client raises for an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class LimitedError(GeminiError):
    """A 429."""


class ServerError(GeminiError):
    """A 5xx."""


class Gemini:
    """The row of `gemini`."""

    name = "gemini"
    family = ""
    capabilities = "{}"

    def path(self, model: str, *, stream: bool) -> str:
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/v1beta/models/{model}:{verb}"

    def ask(self, ask: Ask, model: str, *, stream: bool) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"text": ask.text}]
        parts += [{"inlineData": {"mimeType": "image/png", "data": data}} for data in ask.images]
        contents: list[dict[str, Any]] = [{"role": "user", "parts": parts}]
        if ask.calls:
            contents.append({"role": "model", "parts": [_call(one) for one in ask.calls]})
        if ask.results:
            names = {one.id: one.name for one in ask.calls}
            results = [
                {"functionResponse": {"id": id, "name": names[id], "response": {"output": told}}}
                for id, told in ask.results
            ]
            contents.append({"role": "user", "parts": results})
        body: dict[str, Any] = {"contents": contents}
        if ask.system:
            body["systemInstruction"] = {"parts": [{"text": ask.system}]}
        if ask.tools:
            schema = {"type": "OBJECT"}
            body["tools"] = [
                {"functionDeclarations": [{"name": name, "parameters": schema}]}
                for name in ask.tools
            ]
        if ask.thinks:
            thinking = {"includeThoughts": True, "thinkingBudget": 16_384}
            body["generationConfig"] = {"thinkingConfig": thinking}
        return body

    def asked(self, body: bytes) -> Ask:
        told = msgspec.json.decode(body)
        parts = [part for content in told["contents"] for part in content["parts"]]
        mine = [part for content in told["contents"] for part in content["parts"]
                if content["role"] == "user"]  # fmt: skip
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        return Ask(
            "".join(part["text"] for part in mine if "text" in part),
            "".join(part["text"] for part in told.get("systemInstruction", {}).get("parts", ())),
            tuple(part["inlineData"]["data"] for part in mine if "inlineData" in part),
            tuple(
                one["name"]
                for tool in told.get("tools", ())
                for one in tool["functionDeclarations"]
            ),
            tuple(Called(one["id"], one["name"], encoded(one["args"]).decode()) for one in calls),
            tuple((one["id"], one["response"]["output"]) for one in results),
            "thinkingConfig" in told.get("generationConfig", {}),
        )

    def turns(self, body: bytes) -> list[Any]:
        told: list[Any] = msgspec.json.decode(body)["contents"]
        return told

    def streams(self, path: str, body: bytes) -> bool:
        return ":streamGenerateContent" in path

    def whole(self, said: Said) -> bytes:
        told = answer(*_parts(said), finish=FINISH[said.stop])
        return encoded(_explained(told, said))

    def stream(self, said: Said) -> list[bytes]:
        pieces = [answer(part, finish=None) for part in _halved(_parts(said))]
        last = answer({"text": ""}, finish=FINISH[said.stop])
        return [frame(told) for told in (*pieces, _explained(last, said))]

    def ends(self, frame: bytes) -> bool:
        return b'"finishReason"' in frame

    def fault(self) -> bytes:
        error = {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED"}
        return encoded({"error": error})

    def fault_event(self) -> bytes:
        return b"data: " + self.fault() + b"\r\n\r\n"

    def hear(self, heard: Heard) -> Said:
        if heard.stream:
            splitter = Splitter()
            frames = [*splitter.feed(heard.body), *splitter.finish()]
            return _said([_decoded(frame.data, heard.status) for frame in frames])
        return _said([_decoded(heard.body, heard.status)])


def _call(called: Called) -> dict[str, Any]:
    arguments = msgspec.json.decode(called.arguments)
    return {"functionCall": {"id": called.id, "name": called.name, "args": arguments}}


def _parts(said: Said) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if said.thinking:
        parts.append({"text": said.thinking, "thought": True})
    if said.text:
        parts.append({"text": said.text})
    calls = [_call(one) for one in said.calls]
    if calls:  # the first of parallel calls is signed, and no other
        calls[0]["thoughtSignature"] = SIGNATURE
    return parts + calls


def _halved(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    halves: list[dict[str, Any]] = []
    for part in parts:
        words = part.get("text", "")
        half = len(words) // 2
        told = [part | {"text": words[:half]}, part | {"text": words[half:]}] if half else [part]
        halves += told
    return halves


def _explained(told: dict[str, Any], said: Said) -> dict[str, Any]:
    if said.refusal:
        told["candidates"][0]["finishMessage"] = said.refusal
    return told


def _decoded(data: bytes, status: int) -> Any:
    """One answer; the client raises for an error, and for what is no JSON."""
    try:
        told = msgspec.json.decode(data)
    except msgspec.DecodeError as fault:
        raise GeminiError(status, str(fault)) from None
    if isinstance(told, dict) and "error" in told:
        code, message = told["error"]["code"], told["error"]["message"]
        kind = LimitedError if code == 429 else ServerError if code >= 500 else GeminiError
        raise kind(code, message)
    return told


def _said(answers: list[Any]) -> Said:
    candidates = [told["candidates"][0] for told in answers]
    parts = [part for one in candidates for part in one["content"].get("parts", ())]
    last = candidates[-1]
    assert "usageMetadata" in answers[-1]
    assert [one["finishReason"] for one in candidates if "finishReason" in one] == [
        last["finishReason"]
    ]
    words = "".join(part["text"] for part in parts if "text" in part and not part.get("thought"))
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    stop = STOP.get(last["finishReason"], "tools" if calls else "end")
    refusal = ""
    if stop == "refusal":  # told in the text, or in its own member
        refusal, words = words or last["finishMessage"], ""
    return Said(
        words,
        "".join(part["text"] for part in parts if part.get("thought")),
        tuple(Called(one["id"], one["name"], encoded(one["args"]).decode()) for one in calls),
        refusal,
        stop,
    )
