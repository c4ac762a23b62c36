"""Conversions to Gemini upstreams, and what such an upstream sends."""

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.capability.table import capability as table
from gateway.dialect import Conversion
from gateway.dialects.gemini import GEMINI
from gateway.neutral.events import Event, Part, Prompt, Text, Tool, Turn
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.sse import Frame

Json = dict[str, Any]
SEAL = Seal(b"key")
OLD, NEW, NEWEST = "gemini-2.5-flash", "gemini-3-pro-preview", "gemini-4-argon"


class Memory:
    """Signatures by the ids of their calls."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}

    def keep(self, id: str, signature: str) -> None:
        self.held[id] = signature

    def find(self, id: str) -> str | None:
        return self.held.get(id)


def conversion(
    prompt: Prompt | None = None, model: str = NEW, *, strict: bool = False, **capability: object
) -> Conversion:
    """From a client that calls the model `alias` to that model of the provider `up`."""
    return Conversion(
        prompt or Prompt("alias", [said("hi")]),
        "up",
        model,
        "alias",
        table("gemini", model, capability),
        LossReport(strict=strict),
        SEAL,
    )


def said(*texts: str, role: Any = "user", name: str | None = None) -> Turn:
    """A turn of these texts."""
    return Turn(role, [Text(text) for text in texts], name)


def asked(*turns: Turn, **members: Any) -> Prompt:
    """A prompt of these turns, or of one."""
    return Prompt("alias", list(turns) or [said("hi")], **members)


def written(way: Conversion) -> Json:
    """The upstream's request as plain values."""
    return {name: msgspec.json.decode(raw) for name, raw in GEMINI.write_prompt(way).items()}


def contents(*turns: Turn, model: str = NEW, way: Conversion | None = None, **members: Any) -> Any:
    """The `contents` of a request of these turns."""
    way = way or conversion(asked(*turns, **members), model)
    way.prompt = asked(*turns, **members)
    return written(way)["contents"]


def config(model: str = NEW, **members: Any) -> tuple[Json, list[str]]:
    """The `generationConfig` of a request with those members, and what was noted."""
    way = conversion(asked(**members), model)
    return written(way).get("generationConfig", {}), way.notes.entries


def event(*parts: Json, finish: str | None = None, **rest: object) -> Json:
    """`GenerateContentResponse` of these parts."""
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-real", "responseId": "r1"} | rest


def call(name: str, args: object, signature: str = "", id: str = "") -> Json:
    """A part that calls a function."""
    made: Json = {"functionCall": {"name": name, "args": args} | ({"id": id} if id else {})}
    return made | ({"thoughtSignature": signature} if signature else {})


def encoded(value: object) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)


def events(way: Conversion, *told: Json) -> list[Event]:
    """What a stream of these comes to."""
    reader = GEMINI.reader(way)
    found = [event for each in told for event in reader.read(Frame(b"", encoded(each)))]
    return found + reader.finish()


def parts(told: Json, way: Conversion | None = None) -> list[Part]:
    """The parts of a whole answer."""
    return GEMINI.read_message(encoded(told), way or conversion()).parts


def tools(*names: str) -> list[Tool]:
    """Tools of these names."""
    return [Tool(name) for name in names]


def kinds(found: Iterable[Event]) -> list[str]:
    """The names of events."""
    return [type(event).__name__ for event in found]
