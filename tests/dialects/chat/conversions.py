"""Conversions for the tests of the Chat dialect."""

import msgspec
from msgspec import Raw

from gateway.capability.record import Capability
from gateway.dialect import Conversion, Fields
from gateway.neutral.events import Prompt, Text, Turn
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal

SEAL = Seal(b"key")


def conversion(
    prompt: Prompt | None = None, capability: Capability | None = None, *, strict: bool = False
) -> Conversion:
    """From a client that calls the model `alias` to the model `real` of the provider `up`."""
    return Conversion(
        prompt or Prompt("alias", [Turn("user", [Text("hi")])]),
        "up",
        "real",
        "alias",
        capability or Capability(),
        LossReport(strict=strict),
        SEAL,
    )


def fields(**members: object) -> Fields:
    """The top level of a request body."""
    return {name: Raw(msgspec.json.encode(value)) for name, value in members.items()}


def plain(made: Fields) -> dict[str, object]:
    """A request body as plain values."""
    return {name: msgspec.json.decode(raw) for name, raw in made.items()}
