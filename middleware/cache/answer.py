"""Answers as they are kept: heard as they pass in the client's dialect, stored, said again.

An answer is kept in the neutral form, so that it can be said whole or as a stream, in any dialect.
One that the neutral form cannot hold, or that did not come to an ordinary end, is not kept.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from gateway.call import Call
from gateway.capability.record import Capability
from gateway.dialect import Crossing, Dialect
from gateway.errors import BadAnswer, GatewayError, UpstreamError
from gateway.neutral.events import (
    Citation,
    Ending,
    Message,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from gateway.neutral.fold import Fold, unfold
from gateway.neutral.notes import Notes
from gateway.neutral.seal import Seal
from gateway.reply import Here, Reply, Stream
from gateway.wire.sse import Splitter
from middleware.cache.store import Form, Told

VERSION = 1
_ORDINARY = frozenset({"end_turn", "stop_sequence", "tool_use"})
_STAND_INS = {
    "messages": Raw(b'[{"role":"user","content":"-"}]'),
    "contents": Raw(b'[{"parts":[{"text":"-"}]}]'),
}
_INSTRUCTIONS = frozenset({"system", "systemInstruction", "system_instruction"})
_BYTES_PER_TOKEN = 4
_UNREADABLE = (GatewayError, msgspec.MsgspecError, ValueError, RecursionError)


class Answer(Struct):
    """A whole answer, and what has to be known to say it again."""

    dialect: str
    """The dialect it was heard in: signatures and hidden reasoning are in its form."""
    message: Message
    counted: bool
    """It holds all the counts that there are: some streams tell none."""
    warnings: list[str]

    @property
    def ordinary(self) -> bool:
        """Whether the model said something and then ended of its own accord."""
        return self.message.ending.stop in _ORDINARY and bool(self.message.parts)

    def suits(self, call: Call, crossing: Crossing) -> bool:
        """Whether nothing of it is lost or missing when it is said to this call."""
        if not self.counted and told_counts(call, crossing):
            return False
        return self.dialect == call.dialect.name or not any(map(_bound, self.message.parts))


def _bound(part: Part) -> bool:
    return isinstance(part, Redacted) or (isinstance(part, Thinking) and bool(part.signature))


def told_counts(call: Call, crossing: Crossing) -> bool:
    """Whether the answer to this call has the tokens used in it."""
    return not call.stream or not call.dialect.usage_asked or crossing.prompt.include_usage


# --- heard ----------------------------------------------------------------------------------------


def crossing(call: Call, seal: Seal) -> Crossing:
    """The way of an answer from the client's dialect into the neutral form, and back.

    InvalidRequest where the dialect itself would have refused the request.
    """
    # The conversation says nothing of how its answer is read or written, and it can be long.
    fields = {
        name: _STAND_INS.get(name, raw)
        for name, raw in call.fields.items()
        if name not in _INSTRUCTIONS
    }
    target = call.targets[0]
    return Crossing(
        prompt=call.dialect.read_prompt(fields, Notes()),
        provider=target.provider,
        model=target.model,
        alias=call.model,
        capability=Capability(),  # of the upstream's; the client's dialect has no gaps
        notes=Notes(),
        seal=seal,
        input_estimate=sum(len(bytes(raw)) for raw in call.fields.values()) // _BYTES_PER_TOKEN,
        stored=call.record.stored,
        previous=call.record.previous,
    )


class Listener:
    """Hears one stream of a client's dialect; `message` is set once the answer is whole."""

    def __init__(self, dialect: Dialect, crossing: Crossing, limit: int) -> None:
        self.message: Message | None = None
        self.verdict: Literal["failed", "unshared"] | None = None
        """Why there will be no message: the stream told of an error, or it cannot be heard."""
        self._splitter = Splitter()
        self._reader = dialect.reader(crossing)
        self._fold = Fold()
        self._left = limit

    def hear(self, chunk: bytes) -> None:
        """Takes in the next chunk; the empty one is the stream's end."""
        self._left -= len(chunk)
        try:
            frames = self._splitter.feed(chunk) if chunk else self._splitter.finish()
            for frame in frames:
                for event in self._reader.read(frame):
                    self._fold.add(event)
            if not chunk:
                for event in self._reader.finish():
                    self._fold.add(event)
        except UpstreamError:
            self.verdict = "failed"
        except _UNREADABLE:
            self.verdict = "unshared"
        else:
            self.message = self._fold.message
            if self._left < 0 or (not chunk and self.message is None):
                self.message, self.verdict = None, "unshared"


def heard(body: bytes, dialect: Dialect, crossing: Crossing) -> Message | None:
    """The message of a whole answer, None where there is none in it."""
    try:
        return dialect.read_message(body, crossing)
    except _UNREADABLE:
        return None


# --- said again -----------------------------------------------------------------------------------


def said(answer: Answer, call: Call, crossing: Crossing) -> Told:
    """The answer as this call wants it: whole or as a stream, in its dialect."""
    message, dialect = answer.message, call.dialect
    crossing.alias = message.model or call.model
    if call.stream:
        write = dialect.writer(crossing).write
        body = b"".join(map(write, unfold(message)))
    else:
        body = dialect.write_message(message, crossing)
    return Told(body, [*answer.warnings, *crossing.notes.entries])


def replay(told: Told, call: Call) -> Reply:
    """The reply to this call."""
    call.record.usage = Usage()  # no upstream counted anything for this call
    call.record.warnings = told.warnings
    return Reply(200, call.dialect, Stream(Here(told.body)) if call.stream else told.body)


def form(call: Call) -> Form:
    """How this call wants its answer."""
    options = call.fields.get("stream_options") if call.stream else None
    return call.dialect.name, call.stream, bytes(options) if options is not None else b""


# --- stored ---------------------------------------------------------------------------------------
# msgspec needs tags to tell structs apart, and its msgpack has no place for raw JSON.


class _Citation(Struct, array_like=True):
    raw: bytes
    url: str | None
    title: str | None
    cited_text: str | None


class _Text(Struct, array_like=True, tag=1):
    text: str
    citations: list[_Citation]


class _Thinking(Struct, array_like=True, tag=2):
    text: str
    signature: str | None
    origin: str


class _Redacted(Struct, array_like=True, tag=3):
    data: str
    origin: str


class _ToolCall(Struct, array_like=True, tag=4):
    id: str
    name: str
    arguments: str
    custom: bool


class _Refusal(Struct, array_like=True, tag=5):
    text: str


_Part = _Text | _Thinking | _Redacted | _ToolCall | _Refusal


class _Stored(Struct, array_like=True):
    version: int
    dialect: str
    id: str
    model: str
    parts: list[_Part]
    ending: Ending
    counted: bool
    warnings: list[str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


def packed(answer: Answer) -> bytes | None:
    """The answer as bytes; None where it has a part that cannot be stored."""
    parts = [_packed(part) for part in answer.message.parts]
    kept = [part for part in parts if part is not None]
    if len(kept) < len(parts):
        return None
    message = answer.message
    stored = _Stored(
        VERSION, answer.dialect, message.id, message.model, kept, message.ending, answer.counted,
        answer.warnings,
    )  # fmt: skip
    return _encode(stored)


def unpacked(value: bytes) -> Answer:
    """The answer that was stored so. BadAnswer where it was not stored by this version."""
    try:
        stored = _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadAnswer("a stored answer cannot be read") from None
    if stored.version != VERSION:
        raise BadAnswer("a stored answer is of another version")
    message = Message(stored.id, stored.model, _unpacked(stored.parts), stored.ending)
    return Answer(stored.dialect, message, stored.counted, stored.warnings)


def _packed(part: Part) -> _Part | None:
    match part:
        case Text():
            cited = [
                _Citation(bytes(each.raw), each.url, each.title, each.cited_text)
                for each in part.citations
            ]
            return _Text(part.text, cited)
        case Thinking():
            return _Thinking(part.text, part.signature, part.origin)
        case Redacted():
            return _Redacted(part.data, part.origin)
        case ToolCall():
            return _ToolCall(part.id, part.name, part.arguments, part.custom)
        case Refusal():
            return _Refusal(part.text)
    return None


def _unpacked(parts: Sequence[_Part]) -> list[Part]:
    made: list[Part] = []
    for part in parts:
        match part:
            case _Text():
                cited = [
                    Citation(Raw(each.raw), each.url, each.title, each.cited_text)
                    for each in part.citations
                ]
                made.append(Text(part.text, citations=cited))
            case _Thinking():
                made.append(Thinking(part.text, part.signature, part.origin))
            case _Redacted():
                made.append(Redacted(part.data, part.origin))
            case _ToolCall():
                made.append(ToolCall(part.id, part.name, part.arguments, part.custom))
            case _Refusal():
                made.append(Refusal(part.text))
    return made
