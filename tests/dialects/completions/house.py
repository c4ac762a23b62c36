"""Requests and answers of the legacy endpoint."""

from typing import Any

import msgspec

from gateway.capability.record import Capability
from gateway.dialect import Conversion
from gateway.dialects.completions import COMPLETIONS
from gateway.neutral.events import Prompt
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.wire.raw_json import split_object

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def fields(**body: object) -> dict[str, msgspec.Raw]:
    """The members of a request."""
    return split_object(msgspec.json.encode({"model": "m", "prompt": "Once upon"} | body))


def read(**body: object) -> tuple[Prompt, list[str]]:
    """A request in neutral form, and what was noted."""
    notes = LossReport()
    return COMPLETIONS.read_prompt(fields(**body), notes), notes.entries


def conversion(**body: object) -> Conversion:
    """The way of a call with that body."""
    prompt, _ = read(**body)
    return Conversion(prompt, "up", "theirs", "alias", Capability(), LossReport(), Seal(b"t"))


def whole(text: str = " a time", finish: str | None = "stop", **rest: object) -> dict[str, Any]:
    """`Completion`."""
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
    return {
        "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "up",
        "choices": [choice], "usage": USAGE,
    } | rest  # fmt: skip


def chunk(text: str, finish: str | None = None, **rest: object) -> bytes:
    """One chunk of a stream."""
    members = whole(text, finish) | rest
    if "usage" not in rest:
        del members["usage"]
    return b"data: " + msgspec.json.encode(members) + b"\n\n"
