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
from gateway.dialect import Conversion, Dialect
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
from gateway.neutral.fold import MessageBuilder, message_events
from gateway.neutral.notes import LossReport
from gateway.neutral.seal import Seal
from gateway.reply import BytesSource, Reply, Stream
from gateway.wire.sse import Splitter
from middleware.cache.store import AnswerFormat, RenderedAnswer

FORMAT_VERSION = 1
_NORMAL_STOPS = frozenset({"end_turn", "stop_sequence", "tool_use"})
_PLACEHOLDERS = {
    "messages": Raw(b'[{"role":"user","content":"-"}]'),
    "contents": Raw(b'[{"parts":[{"text":"-"}]}]'),
}
_SYSTEM_MEMBERS = frozenset({"system", "systemInstruction", "system_instruction"})
_BYTES_PER_TOKEN = 4
_READ_ERRORS = (GatewayError, msgspec.MsgspecError, ValueError, RecursionError)


class CachedAnswer(Struct):
    """A whole answer, and what has to be known to say it again."""

    dialect: str
    """The dialect it was heard in: signatures and hidden reasoning are in its form."""
    message: Message
    has_usage: bool
    """It holds all the counts that there are: some streams tell none."""
    warnings: list[str]

    @property
    def has_normal_ending(self) -> bool:
        """Whether the model said something and then ended of its own accord."""
        return self.message.ending.stop in _NORMAL_STOPS and bool(self.message.parts)

    def can_serve(self, call: Call, conversion: Conversion) -> bool:
        """Whether nothing of it is lost or missing when it is said to this call."""
        if not self.has_usage and should_report_usage(call, conversion):
            return False
        return self.dialect == call.dialect.name or not any(
            map(_is_dialect_bound, self.message.parts)
        )


def _is_dialect_bound(part: Part) -> bool:
    return isinstance(part, Redacted) or (isinstance(part, Thinking) and bool(part.signature))


def should_report_usage(call: Call, conversion: Conversion) -> bool:
    """Whether the answer to this call has the tokens used in it."""
    return not call.stream or not call.dialect.usage_opt_in or conversion.prompt.include_usage


# --- heard ----------------------------------------------------------------------------------------


def make_conversion(call: Call, seal: Seal) -> Conversion:
    """The way of an answer from the client's dialect into the neutral form, and back.

    InvalidRequest where the dialect itself would have refused the request.
    """
    # The conversation says nothing of how its answer is read or written, and it can be long.
    fields = {
        name: _PLACEHOLDERS.get(name, raw)
        for name, raw in call.fields.items()
        if name not in _SYSTEM_MEMBERS
    }
    target = call.targets[0]
    return Conversion(
        prompt=call.dialect.read_prompt(fields, LossReport()),
        provider=target.provider,
        model=target.model,
        alias=call.model,
        capability=Capability(),  # of the upstream's; the client's dialect has no gaps
        notes=LossReport(),
        seal=seal,
        input_estimate=sum(len(bytes(raw)) for raw in call.fields.values()) // _BYTES_PER_TOKEN,
        stored=call.record.stored,
        previous=call.record.previous,
    )


class AnswerListener:
    """Hears one stream of a client's dialect; `message` is set once the answer is whole."""

    def __init__(self, dialect: Dialect, conversion: Conversion, limit: int) -> None:
        self.message: Message | None = None
        self.verdict: Literal["failed", "unshared"] | None = None
        """Why there will be no message: the stream told of an error, or it cannot be heard."""
        self._splitter = Splitter()
        self._reader = dialect.reader(conversion)
        self._builder = MessageBuilder()
        self._bytes_left = limit

    def feed(self, chunk: bytes) -> None:
        """Takes in the next chunk; the empty one is the stream's end."""
        self._bytes_left -= len(chunk)
        try:
            frames = self._splitter.feed(chunk) if chunk else self._splitter.finish()
            for frame in frames:
                for event in self._reader.read(frame):
                    self._builder.add(event)
            if not chunk:
                for event in self._reader.finish():
                    self._builder.add(event)
        except UpstreamError:
            self.verdict = "failed"
        except _READ_ERRORS:
            self.verdict = "unshared"
        else:
            self.message = self._builder.message
            if self._bytes_left < 0 or (not chunk and self.message is None):
                self.message, self.verdict = None, "unshared"


def parse(body: bytes, dialect: Dialect, conversion: Conversion) -> Message | None:
    """The message of a whole answer, None where there is none in it."""
    try:
        return dialect.read_message(body, conversion)
    except _READ_ERRORS:
        return None


# --- said again -----------------------------------------------------------------------------------


def render(answer: CachedAnswer, call: Call, conversion: Conversion) -> RenderedAnswer:
    """The answer as this call wants it: whole or as a stream, in its dialect."""
    message, dialect = answer.message, call.dialect
    conversion.alias = message.model or call.model
    if call.stream:
        write = dialect.writer(conversion).write
        body = b"".join(map(write, message_events(message)))
    else:
        body = dialect.write_message(message, conversion)
    return RenderedAnswer(body, [*answer.warnings, *conversion.notes.entries])


def replay(told: RenderedAnswer, call: Call) -> Reply:
    """The reply to this call."""
    call.record.usage = Usage()  # no upstream counted anything for this call
    call.record.warnings = told.warnings
    return Reply(200, call.dialect, Stream(BytesSource(told.body)) if call.stream else told.body)


def get_answer_format(call: Call) -> AnswerFormat:
    """How this call wants its answer."""
    options = call.fields.get("stream_options") if call.stream else None
    return call.dialect.name, call.stream, bytes(options) if options is not None else b""


# --- stored ---------------------------------------------------------------------------------------
# msgspec needs tags to tell structs apart, and its msgpack has no place for raw JSON.


class _StoredCitation(Struct, array_like=True):
    raw: bytes
    url: str | None
    title: str | None
    cited_text: str | None


class _StoredText(Struct, array_like=True, tag=1):
    text: str
    citations: list[_StoredCitation]


class _StoredThinking(Struct, array_like=True, tag=2):
    text: str
    signature: str | None
    origin: str


class _StoredRedacted(Struct, array_like=True, tag=3):
    data: str
    origin: str


class _StoredToolCall(Struct, array_like=True, tag=4):
    id: str
    name: str
    arguments: str
    custom: bool


class _StoredRefusal(Struct, array_like=True, tag=5):
    text: str


_StoredPart = _StoredText | _StoredThinking | _StoredRedacted | _StoredToolCall | _StoredRefusal


class _StoredAnswer(Struct, array_like=True):
    version: int
    dialect: str
    id: str
    model: str
    parts: list[_StoredPart]
    ending: Ending
    counted: bool
    warnings: list[str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_StoredAnswer).decode


def encode_stored(answer: CachedAnswer) -> bytes | None:
    """The answer as bytes; None where it has a part that cannot be stored."""
    parts = [_pack_part(part) for part in answer.message.parts]
    kept = [part for part in parts if part is not None]
    if len(kept) < len(parts):
        return None
    message = answer.message
    stored = _StoredAnswer(
        FORMAT_VERSION,
        answer.dialect,
        message.id,
        message.model,
        kept,
        message.ending,
        answer.has_usage,
        answer.warnings,
    )
    return _encode(stored)


def parse_stored(value: bytes) -> CachedAnswer:
    """The answer that was stored so. BadAnswer where it was not stored by this version."""
    try:
        stored = _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadAnswer("a stored answer cannot be read") from None
    if stored.version != FORMAT_VERSION:
        raise BadAnswer("a stored answer is of another version")
    message = Message(stored.id, stored.model, _unpack_parts(stored.parts), stored.ending)
    return CachedAnswer(stored.dialect, message, stored.counted, stored.warnings)


def _pack_part(part: Part) -> _StoredPart | None:
    match part:
        case Text():
            cited = [
                _StoredCitation(bytes(each.raw), each.url, each.title, each.cited_text)
                for each in part.citations
            ]
            return _StoredText(part.text, cited)
        case Thinking():
            return _StoredThinking(part.text, part.signature, part.origin)
        case Redacted():
            return _StoredRedacted(part.data, part.origin)
        case ToolCall():
            return _StoredToolCall(part.id, part.name, part.arguments, part.custom)
        case Refusal():
            return _StoredRefusal(part.text)
    return None


def _unpack_parts(parts: Sequence[_StoredPart]) -> list[Part]:
    made: list[Part] = []
    for part in parts:
        match part:
            case _StoredText():
                cited = [
                    Citation(Raw(each.raw), each.url, each.title, each.cited_text)
                    for each in part.citations
                ]
                made.append(Text(part.text, citations=cited))
            case _StoredThinking():
                made.append(Thinking(part.text, part.signature, part.origin))
            case _StoredRedacted():
                made.append(Redacted(part.data, part.origin))
            case _StoredToolCall():
                made.append(ToolCall(part.id, part.name, part.arguments, part.custom))
            case _StoredRefusal():
                made.append(Refusal(part.text))
    return made
