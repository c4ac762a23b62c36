"""Neutral events as the stream of a Responses client (`ResponseStreamEvent`).

Every event has its name twice, as `event:` and as `type`, and a number without gaps. Items open
when they have something to say and are told whole when they end; the last event holds the whole
response with the very items that were streamed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.dialect import Conversion, Writer
from gateway.dialects.common.signatures import LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.responses.answer import (
    DECLINED_TEXT,
    JsonItem,
    ResponseEnvelope,
    choose_call_type,
    seal_reasoning,
    seal_redacted,
    write_action_item,
    write_annotation,
    write_call_item,
    write_message_item,
    write_output_text,
    write_reasoning_item,
    write_refusal,
    write_stop,
    write_usage_or_estimate,
)
from gateway.dialects.responses.client_tools import index_client_tools
from gateway.dialects.responses.errors import write_error_object
from gateway.errors import GatewayError
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
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
from gateway.wire.sse import frame

PING = b": keep-alive\n\n"
_DELTA_EVENTS = {
    "output_text": ("response.output_text", b',"logprobs":[]}\n\n'),
    "refusal": ("response.refusal", b"}\n\n"),
    "reasoning": ("response.reasoning_summary_text", b"}\n\n"),
    "function_call": ("response.function_call_arguments", b"}\n\n"),
    "custom_tool_call": ("response.custom_tool_call_input", b"}\n\n"),
}
"""The events of each kind of text: the name before `.delta` and `.done`, the end of a delta."""
_encode = msgspec.json.Encoder().encode


class ResponsesWriter(Writer):
    """The state of one stream; see `gateway.dialect.Writer`."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._envelope = ResponseEnvelope(conversion)
        self._client_tools = index_client_tools(conversion.prompt)
        self._sequence_number = 0
        self._output: list[JsonItem] = []  # the items that are whole
        self._item_kind = ""  # the kind of the open one: message, reasoning or a call's
        self._item_id = ""
        self._part_kind = ""  # the kind of text that is open in it
        self._content: list[JsonItem] = []  # the parts of the open message that are whole
        self._pieces: list[str] = []
        self._delta_prefix = self._delta_infix = self._delta_suffix = (
            b""  # around a delta's number and its text
        )
        self._written_chars = 0  # characters
        self._citations: list[Citation] = []
        self._signature: tuple[str | None, str] = (None, "")
        self._open_call = ToolStart("", "")
        self._call_ids: set[str] = set()
        self._in_answer_tool = False  # the open call's arguments are the answer's text
        self._has_refusal = False

    def write(self, event: Event) -> bytes:
        """The wire form of one event."""
        if type(event) is TextDelta:
            return self._write_text(event.text)
        return _EVENT_WRITERS[type(event)](self, event)

    def write_failure(self, error: GatewayError) -> bytes:
        """The end of a stream that the error cut: `response.failed`, with what came before it."""
        begun = b"" if self._sequence_number else self._render_start()
        return begun + self._render_response_event(
            "response.failed", error=write_error_object(error)
        )

    # --- events -----------------------------------------------------------------------------------

    def _render_event(self, name: str, members: dict[str, object]) -> bytes:
        data = {"type": name, "sequence_number": self._sequence_number} | members
        self._sequence_number += 1
        return frame(name.encode(), _encode(data))

    def _render_response_event(self, name: str, **members: Any) -> bytes:
        status = name.removeprefix("response.").replace("created", "in_progress")
        response = self._envelope.render(status, self._output, **members)
        data = b'{"type":"%b","sequence_number":%d,"response":%b}'
        data %= (name.encode(), self._sequence_number, response)
        self._sequence_number += 1
        return frame(name.encode(), data)

    def _render_start(self) -> bytes:
        return self._render_response_event("response.created") + self._render_response_event(
            "response.in_progress"
        )

    def _start_message(self, event: MessageStart) -> bytes:
        return b"" if self._sequence_number else self._render_start()

    def _render_delta(self, text: str) -> bytes:
        self._pieces.append(text)
        self._written_chars += len(text)
        number = self._sequence_number
        self._sequence_number = number + 1
        return (
            self._delta_prefix
            + b"%d" % number
            + self._delta_infix
            + _encode(text)
            + self._delta_suffix
        )

    # --- items ------------------------------------------------------------------------------------

    def _open_item(self, kind: str) -> bytes:
        """Closes the open item and makes room for one of that kind."""
        closed = self._close_item()
        self._item_kind = kind
        self._item_id = self._envelope.make_item_id(kind, len(self._output))
        return closed

    def _render_item_added(self, item: JsonItem) -> bytes:
        return self._render_event("response.output_item.added", self._index_item(item))

    def _index_item(self, item: JsonItem) -> dict[str, object]:
        return {"output_index": len(self._output), "item": item}

    def _open_part(self, part: str, **index: int) -> None:
        self._part_kind = part
        self._pieces = []
        name, self._delta_suffix = _DELTA_EVENTS[part]
        self._delta_prefix = b'event: %b.delta\ndata: {"type":"%b.delta","sequence_number":' % (
            (name.encode(),) * 2
        )
        place = _encode({"item_id": self._item_id, "output_index": len(self._output)} | index)
        self._delta_infix = b"," + place[1:-1] + b',"delta":'

    def _render_part_event(self, event: str, members: Mapping[str, object], **index: int) -> bytes:
        place = {"item_id": self._item_id, "output_index": len(self._output)} | index
        return self._render_event(event, {**place, **members})

    def _end_item(self, item: JsonItem) -> bytes:
        """The open item is whole."""
        told = self._render_event("response.output_item.done", self._index_item(item))
        self._output.append(item)
        self._item_kind = self._part_kind = ""
        return told

    def _close_item(self, status: str = "completed") -> bytes:
        if self._item_kind == "message":
            closed = self._close_content()
            item = write_message_item(self._item_id, status, self._content)
            self._content = []
            return closed + self._end_item(item)
        if self._item_kind == "reasoning":
            return self._close_reasoning()
        return self._close_call() if self._item_kind else b""

    # --- messages ---------------------------------------------------------------------------------

    def _write_text(self, text: str) -> bytes:
        if not text:
            return b""
        begun = b"" if self._part_kind == "output_text" else self._open_content("output_text")
        return begun + self._render_delta(text)

    def _open_content(self, kind: str) -> bytes:
        if self._item_kind == "message":
            begun = self._close_content()
        else:
            begun = self._open_item("message")
            begun += self._render_item_added(write_message_item(self._item_id, "in_progress", []))
        index = len(self._content)
        self._open_part(kind, content_index=index)
        part = write_output_text("", []) if kind == "output_text" else write_refusal("")
        return begun + self._render_part_event(
            "response.content_part.added", {"part": part}, content_index=index
        )

    def _close_content(self) -> bytes:
        """Ends the open part of the message, if one is open."""
        kind, text, index = self._part_kind, "".join(self._pieces), len(self._content)
        if not kind:
            return b""
        out = b""
        if kind == "output_text":
            notes = self._take_annotations(len(text))
            for at, note in enumerate(notes):
                out += self._render_part_event(
                    "response.output_text.annotation.added",
                    {"annotation_index": at, "annotation": note},
                    content_index=index,
                )
            part = write_output_text(text, notes)
            done: dict[str, object] = {"text": text, "logprobs": []}
        else:
            part, done = write_refusal(text), {"refusal": text}
        out += self._render_part_event(f"{_DELTA_EVENTS[kind][0]}.done", done, content_index=index)
        out += self._render_part_event(
            "response.content_part.done", {"part": part}, content_index=index
        )
        self._content.append(part)
        self._part_kind = ""
        return out

    def _take_annotations(self, length: int) -> list[JsonItem]:
        found = [
            write_annotation(citation, length)
            for citation in self._citations
            if citation.url is not None
        ]
        if len(found) < len(self._citations):
            self._conversion.notes.note("citations", "without_url_dropped")
        self._citations = []
        return found

    def _write_refusal_text(self, text: str) -> bytes:
        self._has_refusal = True
        begun = b"" if self._part_kind == "refusal" else self._open_content("refusal")
        return begun + self._render_delta(text)

    # --- reasoning --------------------------------------------------------------------------------

    def _open_reasoning(self) -> bytes:
        opened = self._open_item("reasoning")
        self._signature = (None, "")
        self._pieces = []
        return opened + self._render_item_added(
            write_reasoning_item(self._item_id, "in_progress", "", None)
        )

    def _write_thinking_delta(self, event: ThinkingDelta) -> bytes:
        if not event.text:
            return b""
        begun = b"" if self._item_kind == "reasoning" else self._open_reasoning()
        if not self._part_kind:
            self._open_part("reasoning", summary_index=0)
            part = {"part": {"type": "summary_text", "text": ""}}
            begun += self._render_part_event(
                "response.reasoning_summary_part.added", part, summary_index=0
            )
        return begun + self._render_delta(event.text)

    def _hold_signature(self, event: Signature) -> bytes:
        begun = b"" if self._item_kind == "reasoning" else self._open_reasoning()
        self._signature = (event.signature, event.origin)
        return begun

    def _close_reasoning(self) -> bytes:
        text, out = "".join(self._pieces), b""
        if self._part_kind:
            part = {"part": {"type": "summary_text", "text": text}}
            told = {"text": text}
            out = self._render_part_event(
                "response.reasoning_summary_text.done", told, summary_index=0
            )
            out += self._render_part_event(
                "response.reasoning_summary_part.done", part, summary_index=0
            )
        blob = seal_reasoning(*self._signature, text, self._conversion)
        return out + self._end_item(write_reasoning_item(self._item_id, "completed", text, blob))

    def _write_redacted(self, event: RedactedThinking) -> bytes:
        if event.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):
            return b""  # a reasoning item after what it signs would have nothing to lead to
        opened = self._open_reasoning()
        blob = seal_redacted(event.data, event.origin, self._conversion)
        return opened + self._end_item(write_reasoning_item(self._item_id, "completed", "", blob))

    # --- tool calls -------------------------------------------------------------------------------

    def _start_tool(self, event: ToolStart) -> bytes:
        if event.name == self._conversion.answer_tool:
            self._in_answer_tool = True
            return b""
        form = self._client_tools.get(event.name)
        custom = event.custom or (form is not None and form.kind == "custom")
        kind = choose_call_type(form, custom=custom)
        out = self._open_item(kind)
        call = self._open_call = self._assign_call_id(event)
        self._pieces = []
        if (
            kind in _DELTA_EVENTS
        ):  # of any other kind, only the arguments show whether it can be one
            out += self._render_item_added(
                write_call_item(kind, self._item_id, call.id, call.name, form, "", "in_progress")
            )
            self._open_part(kind)
        return out

    def _assign_call_id(self, event: ToolStart) -> ToolStart:
        """The call with an id that no other call of the answer has."""
        id = event.id
        if not id or id in self._call_ids:
            id = "call_" + self._envelope.make_item_id("function_call", len(self._output))[3:27]
        self._call_ids.add(id)
        return ToolStart(id, event.name, event.custom)

    def _write_arguments_delta(self, event: ArgumentsDelta) -> bytes:
        if self._in_answer_tool:
            return self._write_text(event.text)
        if not event.text:
            return b""
        if self._part_kind:
            return self._render_delta(event.text)
        self._pieces.append(event.text)
        self._written_chars += len(event.text)
        return b""

    def _close_call(self) -> bytes:
        kind, call, text = self._item_kind, self._open_call, "".join(self._pieces)
        form = self._client_tools.get(call.name)
        if kind not in _DELTA_EVENTS:
            return self._close_action(kind, text)
        out = b""
        if not text and kind == "function_call":
            text = "{}"  # no arguments at all would not parse as JSON at the client
            out = self._render_delta(text)
        member = "arguments" if kind == "function_call" else "input"
        out += self._render_part_event(f"{_DELTA_EVENTS[kind][0]}.done", {member: text})
        item = write_call_item(kind, self._item_id, call.id, call.name, form, text, "completed")
        return out + self._end_item(item)

    def _close_action(self, kind: str, text: str) -> bytes:
        """A call whose item was held back; where its arguments make none, a function's call."""
        call = self._open_call
        item = write_action_item(kind, self._item_id, call.id, text)
        if item is not None:
            return self._render_item_added(item | {"status": "in_progress"}) + self._end_item(item)
        self._item_kind = ""
        self._conversion.notes.note("output", f"{kind}_as_function_call")
        opened = self._open_item("function_call")
        began = write_call_item(
            "function_call", self._item_id, call.id, call.name, None, "", "in_progress"
        )
        opened += self._render_item_added(began)
        self._open_part("function_call")
        return opened + (self._render_delta(text) if text else b"") + self._close_call()

    # --- ends -------------------------------------------------------------------------------------

    def _start_thinking(self, event: ThinkingStart) -> bytes:
        return b""  # its item opens when there is something in it

    def _start_text(self, event: TextStart) -> bytes:
        self._citations = []  # those of a text that said nothing stand for nothing
        return b""

    def _end_part(self, event: PartEnd) -> bytes:
        self._in_answer_tool = False
        if self._item_kind == "message":
            return self._close_content() if self._part_kind == "output_text" else b""
        return self._close_item()

    def _hold_citation(self, event: CitationAdded) -> bytes:
        self._citations.append(event.citation)
        return b""

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        return self._write_refusal_text(event.text) if event.text else b""

    def _write_ping(self, event: KeepAlive) -> bytes:
        return PING

    def _end_message(self, event: MessageEnd) -> bytes:
        ending, out = event.ending, b""
        if ending.stop == "refusal" and not self._has_refusal:
            out = self._write_refusal_text(ending.explanation or DECLINED_TEXT)
        reason = write_stop(ending)
        out += self._close_item("completed" if reason is None else "incomplete")
        return out + self._render_response_event(
            "response.completed" if reason is None else "response.incomplete",
            usage=write_usage_or_estimate(ending.usage, self._written_chars, self._conversion),
            reason=reason,
        )


_EVENT_WRITERS: dict[type, Callable[[ResponsesWriter, Any], bytes]] = {
    KeepAlive: ResponsesWriter._write_ping,
    ArgumentsDelta: ResponsesWriter._write_arguments_delta,
    MessageStart: ResponsesWriter._start_message,
    CitationAdded: ResponsesWriter._hold_citation,
    MessageEnd: ResponsesWriter._end_message,
    PartEnd: ResponsesWriter._end_part,
    RedactedThinking: ResponsesWriter._write_redacted,
    RefusalDelta: ResponsesWriter._write_refusal,
    Signature: ResponsesWriter._hold_signature,
    TextStart: ResponsesWriter._start_text,
    ThinkingStart: ResponsesWriter._start_thinking,
    ThinkingDelta: ResponsesWriter._write_thinking_delta,
    ToolStart: ResponsesWriter._start_tool,
}
