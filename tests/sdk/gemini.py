"""What a scripted Gemini upstream answers, whole and streamed."""

from typing import Any

from tests.sdk.answers import encoded

Json = dict[str, Any]

USAGE: Json = {
    "promptTokenCount": 1000,
    "candidatesTokenCount": 10,
    "thoughtsTokenCount": 20,
    "cachedContentTokenCount": 900,
    "totalTokenCount": 1030,
}


def answer(*parts: Json, finish: str | None = "STOP", **rest: object) -> Json:
    """`GenerateContentResponse` of these parts."""
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    identity = {"modelVersion": "gemini-real", "responseId": "r1", "usageMetadata": USAGE}
    return {"candidates": [candidate]} | identity | rest


def frame(told: Json) -> bytes:
    """One event of a stream."""
    return b"data: " + encoded(told) + b"\r\n\r\n"


def stream(*parts: Json, finish: str = "STOP") -> list[bytes]:
    """A whole stream, a part in each event; texts come in two."""
    told: list[Json] = []
    for part in parts:
        words = part.get("text", "")
        if len(words) < 2 or "thoughtSignature" in part:
            told.append(answer(part, finish=None))
            continue
        half = len(words) // 2
        told += [
            answer(part | {"text": each}, finish=None) for each in (words[:half], words[half:])
        ]
    return [frame(each) for each in [*told, answer({"text": ""}, finish=finish)]]


def text(words: str, signature: str = "") -> Json:
    """A text."""
    return {"text": words} | ({"thoughtSignature": signature} if signature else {})


def thought(words: str) -> Json:
    """A summary of the model's thoughts."""
    return {"text": words, "thought": True}


def call(name: str, args: Json, signature: str = "", id: str = "") -> Json:
    """A function call."""
    made: Json = {"functionCall": {"name": name, "args": args} | ({"id": id} if id else {})}
    return made | ({"thoughtSignature": signature} if signature else {})


def error(code: int, status: str, message: str, *details: Json) -> Json:
    """`google.rpc.Status` in its wrapper."""
    return {"error": {"code": code, "message": message, "status": status, "details": details}}
