"""Neutral events as the stream of a Responses client (`ResponseStreamEvent`).

An item opens with the first text in it and is given whole when it ends; the last event holds the
whole response, with the same items.
"""

from collections.abc import Callable
from typing import Any

from gateway.dialect import Conversion
from gateway.dialects.common.signatures import LONE_SIGNATURE, TEXT_SIGNATURE
from gateway.dialects.responses.answer import (
    DECLINED_TEXT,
    INCOMPLETE_REASON_OF_STOP,
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
    write_usage_or_estimate,
)
from gateway.dialects.responses.client_tools import index_client_tools
from gateway.dialects.responses.errors import write_error_object
from gateway.dialects.responses.event_frames import DELTA_EVENTS, EventFrames
from gateway.errors import GatewayError
from gateway.neutral.events import (
    ArgumentsDelta,
    Citation,
    CitationAdded,
    ClientToolKind,
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


class ResponsesWriter:
    """Writes one stream; see `gateway.dialect.Writer`."""

    def __init__(self, conversion: Conversion, frames: EventFrames | None = None) -> None:
        self._conversion = conversion
        self._frames = frames or EventFrames()
        self._envelope = ResponseEnvelope(conversion)
        self._client_tools = index_client_tools(conversion.prompt)
        self._has_started = False
        self._output: list[JsonItem] = []  # the items that are whole
        self._item_kind = ""  # the type of the open one
        self._item_id = ""
        self._part_kind = ""  # the kind of text that is open in it, a key of DELTA_EVENTS
        self._content: list[JsonItem] = []  # the parts of the open message that are whole
        self._pieces: list[str] = []  # the text of the open part
        self._written_chars = 0  # in parts that are whole
        self._citations: list[Citation] = []
        self._signature: tuple[str | None, str] = (None, "")
        self._open_call = ToolStart("", "")
        self._open_form: ClientToolKind | None = None  # what the client calls the called tool
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
        return self._start_message() + self._render_response(
            "failed", error=write_error_object(error)
        )

    def _start_message(self, event: MessageStart | None = None) -> bytes:
        if self._has_started:
            return b""
        self._has_started = True
        response = self._envelope.render("in_progress", [])
        return self._frames.response_event(
            "response.created", response
        ) + self._frames.response_event("response.in_progress", response)

    def _render_response(self, status: str, **members: Any) -> bytes:
        response = self._envelope.render(status, self._output, **members)
        return self._frames.response_event(f"response.{status}", response)

    # --- items ------------------------------------------------------------------------------------

    def _begin_item(self, kind: str) -> bytes:
        """Closes the open item and makes room for one of that type."""
        closed = self._close_item()
        self._item_kind = kind
        self._item_id = self._envelope.make_item_id(kind, len(self._output))
        self._pieces = []
        return closed

    def _render_item(self, change: str, item: JsonItem) -> bytes:
        members: dict[str, object] = {"output_index": len(self._output), "item": item}
        return self._frames.event(f"response.output_item.{change}", members)

    def _open_part(self, kind: str, **index: int) -> None:
        self._part_kind = kind
        self._pieces = []
        place: dict[str, object] = {"item_id": self._item_id, "output_index": len(self._output)}
        self._frames.open_part(kind, place | index)

    def _add_text(self, text: str) -> bytes:
        self._pieces.append(text)
        return self._frames.delta(text) if self._part_kind else b""

    def _take_text(self) -> str:
        text, self._pieces = "".join(self._pieces), []
        self._written_chars += len(text)
        return text

    def _render_text_done(self, members: dict[str, object]) -> bytes:
        return self._frames.part_event(f"{DELTA_EVENTS[self._part_kind]}.done", members)

    def _end_item(self, item: JsonItem) -> bytes:
        """The open item is whole."""
        done = self._render_item("done", item)
        self._output.append(item)
        self._item_kind = self._part_kind = ""
        return done

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
        if self._part_kind != "output_text":
            return self._open_content("output_text") + self._add_text(text)
        self._pieces.append(text)
        return self._frames.delta(text)

    def _open_content(self, kind: str) -> bytes:
        if self._item_kind == "message":
            begun = self._close_content()
        else:
            begun = self._begin_item("message")
            begun += self._render_item(
                "added", write_message_item(self._item_id, "in_progress", [])
            )
        self._open_part(kind, content_index=len(self._content))
        part = write_output_text("", []) if kind == "output_text" else write_refusal("")
        return begun + self._frames.part_event("response.content_part.added", {"part": part})

    def _close_content(self) -> bytes:
        """Ends the open part of the message, if one is open."""
        if not self._part_kind:
            return b""
        text, out = self._take_text(), b""
        if self._part_kind == "output_text":
            notes = self._take_annotations(len(text))
            for at, note in enumerate(notes):
                out += self._frames.part_event(
                    "response.output_text.annotation.added",
                    {"annotation_index": at, "annotation": note},
                )
            part = write_output_text(text, notes)
            out += self._render_text_done({"text": text, "logprobs": []})
        else:
            part = write_refusal(text)
            out += self._render_text_done({"refusal": text})
        self._content.append(part)
        self._part_kind = ""
        return out + self._frames.part_event("response.content_part.done", {"part": part})

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

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        if not event.text:
            return b""
        self._has_refusal = True
        begun = b"" if self._part_kind == "refusal" else self._open_content("refusal")
        return begun + self._add_text(event.text)

    # --- reasoning --------------------------------------------------------------------------------

    def _open_reasoning(self) -> bytes:
        self._signature = (None, "")
        return self._begin_item("reasoning") + self._render_item(
            "added", write_reasoning_item(self._item_id, "in_progress", "", None)
        )

    def _write_thinking_delta(self, event: ThinkingDelta) -> bytes:
        if not event.text:
            return b""
        begun = b"" if self._item_kind == "reasoning" else self._open_reasoning()
        if not self._part_kind:
            self._open_part("reasoning", summary_index=0)
            part = {"part": {"type": "summary_text", "text": ""}}
            begun += self._frames.part_event("response.reasoning_summary_part.added", {**part})
        return begun + self._add_text(event.text)

    def _hold_signature(self, event: Signature) -> bytes:
        begun = b"" if self._item_kind == "reasoning" else self._open_reasoning()
        self._signature = (event.signature, event.origin)
        return begun

    def _close_reasoning(self) -> bytes:
        text, out = self._take_text(), b""
        if self._part_kind:
            part = {"part": {"type": "summary_text", "text": text}}
            out = self._render_text_done({"text": text})
            out += self._frames.part_event("response.reasoning_summary_part.done", {**part})
        blob = seal_reasoning(*self._signature, text, self._conversion)
        return out + self._end_item(write_reasoning_item(self._item_id, "completed", text, blob))

    def _write_redacted(self, event: RedactedThinking) -> bytes:
        if event.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):
            return b""  # a reasoning item has to come before what it signs
        opened = self._open_reasoning()
        blob = seal_redacted(event.data, event.origin, self._conversion)
        return opened + self._end_item(write_reasoning_item(self._item_id, "completed", "", blob))

    # --- tool calls -------------------------------------------------------------------------------

    def _start_tool(self, event: ToolStart) -> bytes:
        if event.name == self._conversion.answer_tool:
            self._in_answer_tool = True
            return b""
        form = self._client_tools.get(event.name)
        closed = self._close_item()
        self._open_call = self._assign_call_id(event)
        return closed + self._open_call_item(choose_call_type(form, custom=event.custom), form)

    def _assign_call_id(self, event: ToolStart) -> ToolStart:
        """The call with an id that no other call of the answer has."""
        id = event.id
        if not id or id in self._call_ids:
            id = "call_" + self._envelope.make_item_id("function_call", len(self._output))[3:27]
        self._call_ids.add(id)
        return ToolStart(id, event.name, event.custom)

    def _open_call_item(self, kind: str, form: ClientToolKind | None) -> bytes:
        begun = self._begin_item(kind)
        self._open_form = form
        if kind not in DELTA_EVENTS:
            return begun  # only the arguments show whether it can be a call of that kind
        begun += self._render_item("added", self._make_call_item("", "in_progress"))
        self._open_part(kind)
        return begun

    def _make_call_item(self, arguments: str, status: str) -> JsonItem:
        return write_call_item(
            self._item_kind, self._item_id, self._open_call, self._open_form, arguments, status
        )

    def _write_arguments_delta(self, event: ArgumentsDelta) -> bytes:
        if self._in_answer_tool:
            return self._write_text(event.text)
        return self._add_text(event.text) if event.text else b""

    def _close_call(self) -> bytes:
        kind, text, out = self._item_kind, self._take_text(), b""
        if not self._part_kind:
            return self._close_action(kind, text)
        if not text and kind == "function_call":
            text = "{}"  # no arguments at all would not parse as JSON at the client
            out = self._frames.delta(text)
        out += self._render_text_done({"arguments" if kind == "function_call" else "input": text})
        return out + self._end_item(self._make_call_item(text, "completed"))

    def _close_action(self, kind: str, text: str) -> bytes:
        """A call whose item was held back; where its arguments make none, a function's call."""
        item = write_action_item(kind, self._item_id, self._open_call.id, text)
        if item is not None:
            added = self._render_item("added", item | {"status": "in_progress"})
            return added + self._end_item(item)
        self._conversion.notes.note("output", f"{kind}_as_function_call")
        self._item_kind = ""
        self._written_chars -= len(text)  # it is counted with the function's call
        opened = self._open_call_item("function_call", None)
        return opened + (self._add_text(text) if text else b"") + self._close_call()

    # --- ends -------------------------------------------------------------------------------------

    def _start_thinking(self, event: ThinkingStart) -> bytes:
        return b""  # its item opens when there is something in it

    def _start_text(self, event: TextStart) -> bytes:
        self._citations = []  # those of an empty text have nothing to point to
        return b""

    def _end_part(self, event: PartEnd) -> bytes:
        self._in_answer_tool = False
        if self._item_kind == "message":
            return self._close_content() if self._part_kind == "output_text" else b""
        return self._close_item()

    def _hold_citation(self, event: CitationAdded) -> bytes:
        self._citations.append(event.citation)
        return b""

    def _write_ping(self, event: KeepAlive) -> bytes:
        return PING

    def _end_message(self, event: MessageEnd) -> bytes:
        ending, out = event.ending, b""
        if ending.stop == "refusal" and not self._has_refusal:
            out = self._write_refusal(RefusalDelta(ending.explanation or DECLINED_TEXT))
        reason = INCOMPLETE_REASON_OF_STOP.get(ending.stop)
        status = "completed" if reason is None else "incomplete"
        out += self._close_item(status)
        usage = write_usage_or_estimate(ending.usage, self._written_chars, self._conversion)
        return out + self._render_response(status, usage=usage, reason=reason)


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
