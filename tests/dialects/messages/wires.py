"""What the tests of this dialect share: conversions, request fields, and streams in pieces."""

import itertools
from typing import Any

import msgspec
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialect import Conversion, Fields, Reader
from gateway.dialects.messages import MESSAGES
from gateway.neutral.events import ArgumentsDelta, Event, Prompt, TextDelta, ThinkingDelta, Turn
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.sse import Splitter

SEAL = Seal(b"a key of the tests")


def conversion(prompt: Prompt | None = None, **members: Any) -> Conversion:
    """A conversion; `capability` is given as a dict of what differs from the default."""
    capability = Capability(**members.pop("capability", {}))
    strict = members.pop("strict", False)
    settled: dict[str, Any] = {
        "prompt": prompt or Prompt("m", []),
        "provider": "p",
        "model": "upstream-model",
        "alias": "alias",
        "capability": capability,
        "notes": LossReport(strict=strict),
        "seal": SEAL,
    }
    return Conversion(**{**settled, **members})


def fields(**members: Any) -> Fields:
    """The fields of a small request with these members."""
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        **members,
    }
    return {name: Raw(msgspec.json.encode(value)) for name, value in body.items()}


def prompt_of(notes: LossReport | None = None, **members: Any) -> Prompt:
    """The prompt that a request with these members reads as."""
    return MESSAGES.read_prompt(fields(**members), notes or LossReport())


def parts_of(content: Any, role: str = "user", notes: LossReport | None = None) -> Any:
    """The parts of the only turn, whose content this is."""
    return prompt_of(notes, messages=[{"role": role, "content": content}]).turns[0].parts


def written(crossed: Conversion) -> dict[str, Any]:
    """The request that is written for the conversion's prompt, decoded."""
    request = MESSAGES.write_prompt(crossed)
    return {name: msgspec.json.decode(raw) for name, raw in request.items()}


def messages_of(turns: list[Turn], **members: Any) -> Any:
    """The `messages` that are written for these turns."""
    return written(conversion(Prompt("m", turns), **members))["messages"]


def sse(*events: dict[str, Any]) -> bytes:
    """A Messages stream of these events."""
    return b"".join(
        b"event: " + event["type"].encode() + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"
        for event in events
    )


def in_pieces(wire: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes cut at these places."""
    places = [0, *sorted({min(cut, len(wire)) for cut in cuts}), len(wire)]
    return [wire[a:b] for a, b in itertools.pairwise(places)]


def events_of(reader: Reader, chunks: list[bytes]) -> list[Event]:
    """The events of a whole stream, adjacent deltas of a kind joined."""
    splitter = Splitter()
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)] + splitter.finish()
    events = [event for frame in frames for event in reader.read(frame)]
    return joined([*events, *reader.finish()])


def joined(events: list[Event]) -> list[Event]:
    """The events with adjacent deltas of a kind joined."""
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, TextDelta | ThinkingDelta | ArgumentsDelta) and type(last) is type(
            event
        ):
            assert isinstance(last, TextDelta | ThinkingDelta | ArgumentsDelta)
            out[-1] = type(event)(last.text + event.text)
        else:
            out.append(event)
    return out
