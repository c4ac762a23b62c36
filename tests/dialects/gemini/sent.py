"""What the tests of the client's side share: requests, conversions, and what a stream says."""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialect import Conversion, Fields
from gateway.dialects.gemini import GEMINI
from gateway.neutral.events import Event, Part, Prompt, Turn
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.sse import Splitter

SEAL = Seal(b"a key of the tests")


def fields(**members: Any) -> Fields:
    """The fields of a small request with these members."""
    body = {"model": "m", "stream": False, "contents": [said("hi")], **members}
    return {name: Raw(msgspec.json.encode(value)) for name, value in body.items()}


def said(*parts: Any, role: str = "user") -> dict[str, Any]:
    """One content; a text stands for its part."""
    listed = [{"text": part} if isinstance(part, str) else part for part in parts]
    return {"role": role, "parts": listed}


def prompt_of(notes: LossReport | None = None, **members: Any) -> Prompt:
    """The prompt that a request with these members reads as."""
    given = fields(**members)
    GEMINI.check(given)
    return GEMINI.read_prompt(given, notes or LossReport())


def config_of(notes: LossReport | None = None, **members: Any) -> Prompt:
    """The prompt of a request with these members in its generationConfig."""
    return prompt_of(notes, generationConfig=members)


def turns_of(*contents: dict[str, Any], notes: LossReport | None = None) -> list[Turn]:
    """The turns that these contents read as."""
    return prompt_of(notes, contents=list(contents)).turns


def parts_of(*parts: Any, role: str = "user", notes: LossReport | None = None) -> list[Part]:
    """The parts of the only turn."""
    return turns_of(said(*parts, role=role), notes=notes)[0].parts


def conversion(prompt: Prompt | None = None, **members: Any) -> Conversion:
    """From a client that calls the model `alias` to the model `real` of the provider `up`."""
    asked = prompt or Prompt("alias", [])
    made: dict[str, Any] = {"capability": Capability(), "notes": LossReport(), "seal": SEAL}
    return Conversion(asked, "up", "real", "alias", **{**made, **members})


def answers_of(stream: bytes) -> list[Any]:
    """The data of a stream's events."""
    splitter = Splitter()
    frames = [*splitter.feed(stream), *splitter.finish()]
    return [msgspec.json.decode(frame.data) for frame in frames]


def written(events: list[Event], crossed: Conversion | None = None) -> list[Any]:
    """What a client's stream says of these events, frame by frame."""
    writer = GEMINI.writer(crossed or conversion())
    return answers_of(b"".join(writer.write(event) for event in events))
