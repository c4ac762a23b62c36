"""A tool's arguments where the wire wants an object and the neutral form has text, and back."""

import msgspec
from msgspec import Raw

from gateway.dialect import Crossing
from gateway.wire import decode


def arguments(text: str) -> Raw | dict[str, str]:
    """A tool's input: the JSON object as it is spelled, or the text that is none, kept whole."""
    if not text.strip():
        return {}
    try:
        msgspec.json.decode(text, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return {"_raw_arguments": text}
    return Raw(text.encode())


def custom_names(crossing: Crossing) -> frozenset[str]:
    """The client's tools that take free text; upstream they take an object with one member."""
    return frozenset(tool.name for tool in crossing.prompt.tools if tool.custom)


class _FreeText(msgspec.Struct):
    input: str


def unwrapped(given: str) -> str:
    """The free text in the input of a custom tool; what has none is given as it is."""
    try:
        return decode(given.encode(), _FreeText).input
    except msgspec.MsgspecError:
        return given
