"""Events of a Responses stream as bytes, numbered without gaps (`ResponseStreamEvent`)."""

import msgspec

from gateway.wire.sse import frame

_encode = msgspec.json.Encoder().encode
DELTA_EVENTS = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning": "response.reasoning_summary_text",
    "function_call": "response.function_call_arguments",
    "custom_tool_call": "response.custom_tool_call_input",
}
"""Names of the events of each kind of text, without `.delta` and `.done`."""


class EventFrames:
    """The events of one stream. Each has its name twice, as `event:` and as `type`."""

    def __init__(self, number: int = 0) -> None:
        self._number = number
        self._place: dict[str, object] = {}  # of the open part: its item and its index
        self._prefix = self._infix = self._suffix = b""  # around a delta's number and its text

    def event(self, name: str, members: dict[str, object]) -> bytes:
        """An event with those members."""
        data = {"type": name, "sequence_number": self._number} | members
        self._number += 1
        return frame(name.encode(), _encode(data))

    def response_event(self, name: str, response: bytes) -> bytes:
        """An event that holds the whole response, given as JSON."""
        data = b'{"type":"%b","sequence_number":%d,"response":%b}'
        data %= (name.encode(), self._number, response)
        self._number += 1
        return frame(name.encode(), data)

    def open_part(self, kind: str, place: dict[str, object]) -> None:
        """Sets what the events of a part have in common; the kind is a key of DELTA_EVENTS."""
        self._place = place
        name = DELTA_EVENTS[kind].encode()
        self._prefix = b'event: %b.delta\ndata: {"type":"%b.delta","sequence_number":' % (
            name,
            name,
        )
        self._infix = b"," + _encode(place)[1:-1] + b',"delta":'
        self._suffix = b',"logprobs":[]}\n\n' if kind == "output_text" else b"}\n\n"

    def part_event(self, name: str, members: dict[str, object]) -> bytes:
        """An event of the open part."""
        return self.event(name, self._place | members)

    def delta(self, text: str) -> bytes:
        """More text of the open part."""
        number = self._number
        self._number = number + 1
        return self._prefix + b"%d" % number + self._infix + _encode(text) + self._suffix


class ResponseOnly(EventFrames):
    """In place of the events of a stream, the response alone that the last of them holds."""

    def event(self, name: str, members: dict[str, object]) -> bytes:
        """Nothing."""
        return b""

    def response_event(self, name: str, response: bytes) -> bytes:
        """The response, once it is done."""
        return b"" if name in ("response.created", "response.in_progress") else response

    def open_part(self, kind: str, place: dict[str, object]) -> None:
        """Nothing to set."""

    def part_event(self, name: str, members: dict[str, object]) -> bytes:
        """Nothing."""
        return b""

    def delta(self, text: str) -> bytes:
        """Nothing."""
        return b""
