"""Neutral events in, a Chat stream out (`ChatCompletionChunk`).

The SDK's accumulator joins strings, so the role, a call's id and its name are told once; lists of
objects carry `index`; the counts come in the last chunk before `[DONE]`.
"""

import msgspec

from gateway.dialect import Conversion, Writer
from gateway.dialects.chat.answer import DECLINED_TEXT
from gateway.dialects.chat.message_out import (
    make_chat_id,
    unix_time,
    write_annotation,
    write_hidden_detail,
    write_signed_detail,
    write_stop,
    write_stop_extras,
    write_usage_or_estimate,
)
from gateway.dialects.common.extra_content import write_extra_content
from gateway.dialects.common.signatures import (
    CALL_SIGNATURE,
    GEMINI_CALL_SIGNATURE,
    LONE_SIGNATURE,
    TEXT_SIGNATURE,
)
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    Ending,
    Event,
    KeepAlive,
    MessageEnd,
    MessageStart,
    PartEnd,
    RedactedThinking,
    RefusalDelta,
    Signature,
    TextDelta,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
    ToolStart,
)

PING = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


class ChatWriter(Writer):
    """The state of one stream; see `gateway.dialect.Writer`."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._legacy = conversion.prompt.legacy_functions
        self._include_usage = conversion.prompt.include_usage
        self._head = self._open = self._text_head = self._tail = b""
        self._tool_index = -1  # the index of the client's newest call
        self._mode = ""  # what arguments of the open call become
        self._has_arguments = False
        self._interrupted = False  # a part that is no text came after the last text
        self._length = 0  # of the content, in code points
        self._span_start = 0
        self._thinking: list[str] = []
        self._detail_count = 0
        self._citations: list[Citation] = []
        self._annotations: list[object] = []
        self._refused = False
        self._call_signature = ""  # of the next tool call
        self._text_signature = ""  # signature of the text, told once, at the end

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
                return self._render_delta({"reasoning_content": event.text})
            case ArgumentsDelta():
                return self._write_arguments(event.text)
            case MessageStart():
                return self._start_message(event)
            case TextStart():
                return self._start_text()
            case ThinkingStart():
                self._interrupted = True
                self._thinking.clear()
            case ToolStart():
                return self._start_tool(event)
            case RedactedThinking():
                return self._write_redacted(event)
            case Signature():
                text = "".join(self._thinking)
                return self._write_detail(
                    write_signed_detail(text, event.signature, event.origin, self._conversion)
                )
            case CitationAdded():
                self._citations.append(event.citation)
            case PartEnd():
                return self._end_part()
            case RefusalDelta():
                self._refused = True
                return self._render_delta({"refusal": event.text})
            case KeepAlive():
                return PING
            case MessageEnd():
                return self._end_message(event.ending)
        return b""

    def _start_message(self, event: MessageStart) -> bytes:
        identity = {
            "id": make_chat_id(event.id),
            "object": "chat.completion.chunk",
            "created": unix_time(),
            "model": self._conversion.alias or event.model,
        }
        self._head = b"data: " + _encode(identity)[:-1]
        self._open = self._head + b',"choices":[{"index":0,"delta":'
        self._text_head = self._open + b'{"content":'
        rest = b',"logprobs":null,"finish_reason":null}]' + self._render_null_usage() + b"}\n\n"
        self._tail = b"}" + rest
        return self._render_delta({"role": "assistant", "content": ""})

    def _render_null_usage(self) -> bytes:
        return b',"usage":null' if self._include_usage else b""

    def _render_delta(self, delta: dict[str, object]) -> bytes:
        return self._open + _encode(delta)[:-1] + self._tail

    def _start_text(self) -> bytes:
        between = b""
        if self._interrupted and self._length:
            # two texts with something between them would run into one another
            between = self.write(TextDelta("\n\n"))
        self._interrupted = False
        self._span_start = self._length
        return between

    def _write_detail(self, detail: dict[str, object]) -> bytes:
        detail["index"] = self._detail_count
        self._detail_count += 1
        return self._render_delta({"reasoning_details": [detail]})

    def _write_redacted(self, event: RedactedThinking) -> bytes:
        if event.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):  # it stands for no part of its own
            self._text_signature = self._conversion.sealed(event.origin, event.data)
            return b""
        self._interrupted = True
        if event.origin == CALL_SIGNATURE:
            self._call_signature = event.data
            return b""
        if event.origin == GEMINI_CALL_SIGNATURE:
            self._call_signature = self._conversion.sealed(CALL_SIGNATURE, event.data)
            return b""
        return self._write_detail(write_hidden_detail(event.data, event.origin, self._conversion))

    # --- tool calls -------------------------------------------------------------------------------

    def _start_tool(self, event: ToolStart) -> bytes:
        self._interrupted = True
        self._has_arguments = False
        extra, self._call_signature = write_extra_content(self._call_signature), ""
        if event.name == self._conversion.answer_tool:
            self._mode = "content"
            return b""
        self._tool_index += 1
        if self._legacy:
            if self._tool_index:
                self._conversion.notes.note("tool_calls", "only_the_first_told")
                self._mode = "untold"
                return b""
            self._mode = "function_call"
            return self._render_delta({"function_call": {"name": event.name, "arguments": ""}})
        self._mode = "custom" if event.custom else "function"
        called = {"name": event.name, "input" if event.custom else "arguments": ""}
        call = {"index": self._tool_index, "id": event.id, "type": self._mode, self._mode: called}
        return self._render_delta({"tool_calls": [call | extra]})

    def _write_arguments(self, text: str) -> bytes:
        if not text or self._mode == "untold":
            return b""
        self._has_arguments = True
        if self._mode == "content":
            self._length += len(text)
            return self._render_delta({"content": text})
        if self._mode == "function_call":
            return self._render_delta({"function_call": {"arguments": text}})
        key = "input" if self._mode == "custom" else "arguments"
        return self._render_delta(
            {"tool_calls": [{"index": self._tool_index, self._mode: {key: text}}]}
        )

    def _end_part(self) -> bytes:
        for citation in self._citations:
            if citation.url is None:
                self._conversion.notes.note("citations", "without_url_dropped")
            else:
                first, last = citation.span or (0, self._length - self._span_start)
                span = (self._span_start + first, self._span_start + last)
                self._annotations.append(write_annotation(citation.url, citation.title, *span))
        self._citations.clear()
        # no arguments at all would not parse as JSON at the client
        bare = self._mode in ("function", "function_call") and not self._has_arguments
        out = self._write_arguments("{}") if bare else b""
        self._mode = ""
        return out

    # --- the end ----------------------------------------------------------------------------------

    def _end_message(self, ending: Ending) -> bytes:
        out = b""
        if ending.stop == "refusal" and not self._refused:
            out = self._render_delta({"refusal": ending.explanation or DECLINED_TEXT})
        delta = write_extra_content(self._text_signature)
        if self._annotations:
            indexed = [
                {"index": at} | note  # type: ignore[operator]
                for at, note in enumerate(self._annotations)
            ]
            delta["annotations"] = indexed
        finish = write_stop(ending, self._conversion)
        if ending.stop == "tool_use" and self._tool_index < 0 and self._conversion.answer_tool:
            finish = "stop"
        rest = {"logprobs": None, "finish_reason": finish} | write_stop_extras(ending)
        out += self._open + _encode(delta) + b"," + _encode(rest)[1:] + b"]"
        out += self._render_null_usage() + b"}\n\n"
        if self._include_usage:
            counts = write_usage_or_estimate(ending.usage, self._length, self._conversion)
            out += self._head + b',"choices":[],"usage":' + _encode(counts) + b"}\n\n"
        return out + DONE
