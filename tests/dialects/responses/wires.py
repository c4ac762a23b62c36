"""What tests of the client side share: conversions, requests, and streams as clients see them."""

from typing import Any

import msgspec
from msgspec import Raw
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.capability.record import Capability
from gateway.dialect import Conversion, Fields
from gateway.dialects.responses import RESPONSES
from gateway.neutral.events import Event, Prompt
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.sse import Splitter

SEAL = Seal(b"a key of the tests")
_EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def conversion(prompt: Prompt | None = None, **members: Any) -> Conversion:
    """A conversion; `capability` is given as a dict of what differs from the default."""
    settled: dict[str, Any] = {
        "prompt": prompt or Prompt("m", []),
        "provider": "p",
        "model": "upstream-model",
        "alias": "alias",
        "capability": Capability(**members.pop("capability", {})),
        "notes": LossReport(strict=members.pop("strict", False)),
        "seal": SEAL,
    }
    return Conversion(**{**settled, **members})


def fields(**members: Any) -> Fields:
    """The fields of a small request with these members; those that are None are left out."""
    body = {"model": "m", "input": "hi", **members}
    return {
        name: Raw(msgspec.json.encode(value)) for name, value in body.items() if value is not None
    }


def prompt_of(notes: LossReport | None = None, **members: Any) -> Prompt:
    """The prompt that a request with these members reads as."""
    given = fields(**members)
    RESPONSES.check(given)
    return RESPONSES.read_prompt(given, notes or LossReport())


def turns_of(*items: Any, notes: LossReport | None = None) -> Any:
    """The turns that these input items read as."""
    return prompt_of(notes, input=list(items)).turns


def written(events: list[Event], crossed: Conversion | None = None) -> bytes:
    """The stream of these events."""
    writer = RESPONSES.writer(crossed or conversion())
    return b"".join(writer.write(event) for event in events)


def frames_of(wire: bytes) -> list[dict[str, Any]]:
    """The data of every event, once its name, its number and its type were found right."""
    splitter = Splitter()
    frames = splitter.feed(wire)
    assert not splitter.finish()
    data: list[dict[str, Any]] = []
    for number, frame in enumerate(frames):
        found = msgspec.json.decode(frame.data)
        assert found["type"].encode() == frame.event
        assert found["sequence_number"] == number
        _EVENTS.validate_python(_typed(found))
        data.append(found)
    return data


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    """The event with a code that the SDK's types list: Codex acts on some that they do not."""
    response = found.get("response")
    if not response or not response.get("error"):
        return found
    error = response["error"] | {"code": "server_error"}
    return found | {"response": response | {"error": error}}


def names_of(wire: bytes) -> list[str]:
    """The events' types, without their common first word."""
    return [found["type"].removeprefix("response.") for found in frames_of(wire)]


def response_of(wire: bytes) -> dict[str, Any]:
    """The response that the stream ends with, as the official client has it too."""
    last: dict[str, Any] = frames_of(wire)[-1]["response"]
    accumulated(wire)
    return last


def accumulated(wire: bytes) -> Any:
    """What the official client's accumulator has at the end; None where nothing was completed."""
    state: Any = ResponseStreamState(input_tools=omit, text_format=omit)
    for found in frames_of(wire):
        state.handle_event(_EVENTS.validate_python(_typed(found)))
    return state._completed_response
