"""Neutral events in, a Chat stream out (`ChatCompletionChunk`).

The SDK's accumulator joins strings, so the role, a call's id and its name are told once; lists of
objects carry `index`; the counts come in the last chunk before `[DONE]`.
"""

import msgspec

from gateway.dialect import Crossing
from gateway.dialects.chat.answer import DECLINED
from gateway.dialects.chat.message_out import (
    annotation,
    chat_id,
    ending_extras,
    finish_of,
    hidden_detail,
    now,
    signed_detail,
    written_usage,
)
from gateway.dialects.common.extra_content import extra_content
from gateway.dialects.common.signatures import ALONE, CALL, NATIVE_CALL, SAID
from gateway.neutral.events import (
    Alive,
    ArgumentsDelta,
    Began,
    Citation,
    CitationCame,
    Ended,
    Ending,
    Event,
    PartEnded,
    RedactedCame,
    Refused,
    SignatureCame,
    TextBegan,
    TextDelta,
    ThinkingBegan,
    ThinkingDelta,
    ToolBegan,
)

PING = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


class ChatWriter:
    """The state of one stream; see `gateway.dialect.Writer`."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._legacy = crossing.prompt.legacy_functions
        self._usage = crossing.prompt.include_usage
        self._head = self._open = self._text_head = self._tail = b""
        self._tool = -1  # the index of the client's newest call
        self._mode = ""  # what arguments of the open call become
        self._argued = False
        self._apart = False  # a part that is no text came after the last text
        self._length = 0  # of the content, in code points
        self._span_start = 0
        self._thinking: list[str] = []
        self._details = 0
        self._citations: list[Citation] = []
        self._annotations: list[object] = []
        self._refused = False
        self._signature = ""  # of the next tool call
        self._said = ""  # signature of the text, told once, at the end

    def around_text(self) -> tuple[bytes, bytes] | None:
        """What this writes around more text, as JSON."""
        return self._text_head, self._tail

    def wrote(self, length: int) -> None:
        """That much text was written so."""
        self._length += length

    def write(self, event: Event) -> bytes:  # noqa: C901  # one arm for each event
        """The chunks of one event; the last event's end with `[DONE]`."""
        match event:
            case TextDelta():
                self._length += len(event.text)
                return self._text_head + _encode(event.text) + self._tail
            case ThinkingDelta():
                self._thinking.append(event.text)
                return self._delta({"reasoning_content": event.text})
            case ArgumentsDelta():
                return self._arguments(event.text)
            case Began():
                return self._begin(event)
            case TextBegan():
                return self._text_began()
            case ThinkingBegan():
                self._apart = True
                self._thinking.clear()
            case ToolBegan():
                return self._tool_began(event)
            case RedactedCame():
                return self._redacted(event)
            case SignatureCame():
                text = "".join(self._thinking)
                return self._detail(
                    signed_detail(text, event.signature, event.origin, self._crossing)
                )
            case CitationCame():
                self._citations.append(event.citation)
            case PartEnded():
                return self._part_ended()
            case Refused():
                self._refused = True
                return self._delta({"refusal": event.text})
            case Alive():
                return PING
            case Ended():
                return self._end(event.ending)
        return b""

    def _begin(self, event: Began) -> bytes:
        identity = {
            "id": chat_id(event.id),
            "object": "chat.completion.chunk",
            "created": now(),
            "model": self._crossing.alias or event.model,
        }
        self._head = b"data: " + _encode(identity)[:-1]
        self._open = self._head + b',"choices":[{"index":0,"delta":'
        self._text_head = self._open + b'{"content":'
        rest = b',"logprobs":null,"finish_reason":null}]' + self._no_usage() + b"}\n\n"
        self._tail = b"}" + rest
        return self._delta({"role": "assistant", "content": ""})

    def _no_usage(self) -> bytes:
        return b',"usage":null' if self._usage else b""

    def _delta(self, delta: dict[str, object]) -> bytes:
        return self._open + _encode(delta)[:-1] + self._tail

    def _text_began(self) -> bytes:
        between = b""
        if self._apart and self._length:
            # two texts with something between them would run into one another
            between = self.write(TextDelta("\n\n"))
        self._apart = False
        self._span_start = self._length
        return between

    def _detail(self, detail: dict[str, object]) -> bytes:
        detail["index"] = self._details
        self._details += 1
        return self._delta({"reasoning_details": [detail]})

    def _redacted(self, event: RedactedCame) -> bytes:
        if event.origin in (SAID, ALONE):  # it stands for no part of its own
            self._said = self._crossing.sealed(event.origin, event.data)
            return b""
        self._apart = True
        if event.origin == CALL:
            self._signature = event.data
            return b""
        if event.origin == NATIVE_CALL:
            self._signature = self._crossing.sealed(CALL, event.data)
            return b""
        return self._detail(hidden_detail(event.data, event.origin, self._crossing))

    # --- tool calls -------------------------------------------------------------------------------

    def _tool_began(self, event: ToolBegan) -> bytes:
        self._apart = True
        self._argued = False
        extra, self._signature = extra_content(self._signature), ""
        if event.name == self._crossing.answer_tool:
            self._mode = "content"
            return b""
        self._tool += 1
        if self._legacy:
            if self._tool:
                self._crossing.notes.note("tool_calls", "only_the_first_told")
                self._mode = "untold"
                return b""
            self._mode = "function_call"
            return self._delta({"function_call": {"name": event.name, "arguments": ""}})
        self._mode = "custom" if event.custom else "function"
        called = {"name": event.name, "input" if event.custom else "arguments": ""}
        call = {"index": self._tool, "id": event.id, "type": self._mode, self._mode: called}
        return self._delta({"tool_calls": [call | extra]})

    def _arguments(self, text: str) -> bytes:
        if not text or self._mode == "untold":
            return b""
        self._argued = True
        if self._mode == "content":
            self._length += len(text)
            return self._delta({"content": text})
        if self._mode == "function_call":
            return self._delta({"function_call": {"arguments": text}})
        key = "input" if self._mode == "custom" else "arguments"
        return self._delta({"tool_calls": [{"index": self._tool, self._mode: {key: text}}]})

    def _part_ended(self) -> bytes:
        for citation in self._citations:
            if citation.url is None:
                self._crossing.notes.note("citations", "without_url_dropped")
            else:
                first, last = citation.span or (0, self._length - self._span_start)
                span = (self._span_start + first, self._span_start + last)
                self._annotations.append(annotation(citation.url, citation.title, *span))
        self._citations.clear()
        # no arguments at all would not parse as JSON at the client
        bare = self._mode in ("function", "function_call") and not self._argued
        out = self._arguments("{}") if bare else b""
        self._mode = ""
        return out

    # --- the end ----------------------------------------------------------------------------------

    def _end(self, ending: Ending) -> bytes:
        out = b""
        if ending.stop == "refusal" and not self._refused:
            out = self._delta({"refusal": ending.explanation or DECLINED})
        delta = extra_content(self._said)
        if self._annotations:
            indexed = [
                {"index": at} | note  # type: ignore[operator]
                for at, note in enumerate(self._annotations)
            ]
            delta["annotations"] = indexed
        finish = finish_of(ending, self._crossing)
        if ending.stop == "tool_use" and self._tool < 0 and self._crossing.answer_tool:
            finish = "stop"
        rest = {"logprobs": None, "finish_reason": finish} | ending_extras(ending)
        out += self._open + _encode(delta) + b"," + _encode(rest)[1:] + b"]"
        out += self._no_usage() + b"}\n\n"
        if self._usage:
            counts = written_usage(ending.usage, self._length, self._crossing)
            out += self._head + b',"choices":[],"usage":' + _encode(counts) + b"}\n\n"
        return out + DONE
