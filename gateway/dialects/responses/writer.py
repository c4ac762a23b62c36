"""Neutral events as the stream of a Responses client (`ResponseStreamEvent`).

Every event has its name twice, as `event:` and as `type`, and a number without gaps. Items open
when they have something to say and are told whole when they end; the last event holds the whole
response with the very items that were streamed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.dialect import Crossing
from gateway.dialects.common.signatures import ALONE, SAID
from gateway.dialects.responses.answer import (
    DECLINED,
    Frame,
    Item,
    action_item,
    annotation,
    call_item,
    call_type,
    counted,
    encrypted,
    hidden,
    message_item,
    output_text,
    reason_of,
    reasoning_item,
    refusal,
)
from gateway.dialects.responses.errors import error_object
from gateway.dialects.responses.forms import forms_of
from gateway.errors import GatewayError
from gateway.neutral.events import (
    Alive,
    ArgumentsDelta,
    Began,
    Citation,
    CitationCame,
    Ended,
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
from gateway.wire.sse import frame

PING = b": keep-alive\n\n"
_DELTAS = {
    "output_text": ("response.output_text", b',"logprobs":[]}\n\n'),
    "refusal": ("response.refusal", b"}\n\n"),
    "reasoning": ("response.reasoning_summary_text", b"}\n\n"),
    "function_call": ("response.function_call_arguments", b"}\n\n"),
    "custom_tool_call": ("response.custom_tool_call_input", b"}\n\n"),
}
"""The events of each kind of text: the name before `.delta` and `.done`, the end of a delta."""
_encode = msgspec.json.Encoder().encode


class ResponsesWriter:
    """The state of one stream; see `gateway.dialect.Writer`."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._frame = Frame(crossing)
        self._forms = forms_of(crossing.prompt)
        self._number = 0
        self._output: list[Item] = []  # the items that are whole
        self._item = ""  # the kind of the open one: message, reasoning or a call's
        self._id = ""
        self._part = ""  # the kind of text that is open in it
        self._content: list[Item] = []  # the parts of the open message that are whole
        self._pieces: list[str] = []
        self._before = self._middle = self._after = b""  # around a delta's number and its text
        self._written = 0  # characters
        self._citations: list[Citation] = []
        self._signature: tuple[str | None, str] = (None, "")
        self._call = ToolBegan("", "")
        self._call_ids: set[str] = set()
        self._answering = False  # the open call's arguments are the answer's text
        self._refused = False

    def write(self, event: Event) -> bytes:
        """The wire form of one event."""
        if type(event) is TextDelta:
            return self._text(event.text)
        return _WRITINGS[type(event)](self, event)

    def failed(self, error: GatewayError) -> bytes:
        """The end of a stream that the error cut: `response.failed`, with what came before it."""
        begun = b"" if self._number else self._begin()
        return begun + self._state("response.failed", error=error_object(error))

    # --- events -----------------------------------------------------------------------------------

    def _event(self, name: str, members: dict[str, object]) -> bytes:
        data = {"type": name, "sequence_number": self._number} | members
        self._number += 1
        return frame(name.encode(), _encode(data))

    def _state(self, name: str, **members: Any) -> bytes:
        status = name.removeprefix("response.").replace("created", "in_progress")
        response = self._frame.written(status, self._output, **members)
        data = b'{"type":"%b","sequence_number":%d,"response":%b}'
        data %= (name.encode(), self._number, response)
        self._number += 1
        return frame(name.encode(), data)

    def _begin(self) -> bytes:
        return self._state("response.created") + self._state("response.in_progress")

    def _began(self, event: Began) -> bytes:
        return b"" if self._number else self._begin()

    def _delta(self, text: str) -> bytes:
        self._pieces.append(text)
        self._written += len(text)
        number = self._number
        self._number = number + 1
        return self._before + b"%d" % number + self._middle + _encode(text) + self._after

    # --- items ------------------------------------------------------------------------------------

    def _open(self, kind: str) -> bytes:
        """Closes the open item and makes room for one of that kind."""
        closed = self._close_item()
        self._item = kind
        self._id = self._frame.item_id(kind, len(self._output))
        return closed

    def _added(self, item: Item) -> bytes:
        return self._event("response.output_item.added", self._placed(item))

    def _placed(self, item: Item) -> dict[str, object]:
        return {"output_index": len(self._output), "item": item}

    def _open_part(self, part: str, **index: int) -> None:
        self._part = part
        self._pieces = []
        name, self._after = _DELTAS[part]
        self._before = b'event: %b.delta\ndata: {"type":"%b.delta","sequence_number":' % (
            (name.encode(),) * 2
        )
        place = _encode({"item_id": self._id, "output_index": len(self._output)} | index)
        self._middle = b"," + place[1:-1] + b',"delta":'

    def _told(self, event: str, members: Mapping[str, object], **index: int) -> bytes:
        place = {"item_id": self._id, "output_index": len(self._output)} | index
        return self._event(event, {**place, **members})

    def _done(self, item: Item) -> bytes:
        """The open item is whole."""
        told = self._event("response.output_item.done", self._placed(item))
        self._output.append(item)
        self._item = self._part = ""
        return told

    def _close_item(self, status: str = "completed") -> bytes:
        if self._item == "message":
            closed = self._close_content()
            item = message_item(self._id, status, self._content)
            self._content = []
            return closed + self._done(item)
        if self._item == "reasoning":
            return self._close_reasoning()
        return self._close_call() if self._item else b""

    # --- messages ---------------------------------------------------------------------------------

    def _text(self, text: str) -> bytes:
        if not text:
            return b""
        begun = b"" if self._part == "output_text" else self._open_content("output_text")
        return begun + self._delta(text)

    def _open_content(self, kind: str) -> bytes:
        if self._item == "message":
            begun = self._close_content()
        else:
            begun = self._open("message")
            begun += self._added(message_item(self._id, "in_progress", []))
        index = len(self._content)
        self._open_part(kind, content_index=index)
        part = output_text("", []) if kind == "output_text" else refusal("")
        return begun + self._told(
            "response.content_part.added", {"part": part}, content_index=index
        )

    def _close_content(self) -> bytes:
        """Ends the open part of the message, if one is open."""
        kind, text, index = self._part, "".join(self._pieces), len(self._content)
        if not kind:
            return b""
        out = b""
        if kind == "output_text":
            notes = self._annotations(len(text))
            for at, note in enumerate(notes):
                out += self._told(
                    "response.output_text.annotation.added",
                    {"annotation_index": at, "annotation": note},
                    content_index=index,
                )
            part = output_text(text, notes)
            done: dict[str, object] = {"text": text, "logprobs": []}
        else:
            part, done = refusal(text), {"refusal": text}
        out += self._told(f"{_DELTAS[kind][0]}.done", done, content_index=index)
        out += self._told("response.content_part.done", {"part": part}, content_index=index)
        self._content.append(part)
        self._part = ""
        return out

    def _annotations(self, length: int) -> list[Item]:
        found = [
            annotation(citation, length) for citation in self._citations if citation.url is not None
        ]
        if len(found) < len(self._citations):
            self._crossing.notes.note("citations", "without_url_dropped")
        self._citations = []
        return found

    def _refusal(self, text: str) -> bytes:
        self._refused = True
        begun = b"" if self._part == "refusal" else self._open_content("refusal")
        return begun + self._delta(text)

    # --- reasoning --------------------------------------------------------------------------------

    def _open_reasoning(self) -> bytes:
        opened = self._open("reasoning")
        self._signature = (None, "")
        self._pieces = []
        return opened + self._added(reasoning_item(self._id, "in_progress", "", None))

    def _thinking_delta(self, event: ThinkingDelta) -> bytes:
        if not event.text:
            return b""
        begun = b"" if self._item == "reasoning" else self._open_reasoning()
        if not self._part:
            self._open_part("reasoning", summary_index=0)
            part = {"part": {"type": "summary_text", "text": ""}}
            begun += self._told("response.reasoning_summary_part.added", part, summary_index=0)
        return begun + self._delta(event.text)

    def _signature_came(self, event: SignatureCame) -> bytes:
        begun = b"" if self._item == "reasoning" else self._open_reasoning()
        self._signature = (event.signature, event.origin)
        return begun

    def _close_reasoning(self) -> bytes:
        text, out = "".join(self._pieces), b""
        if self._part:
            part = {"part": {"type": "summary_text", "text": text}}
            told = {"text": text}
            out = self._told("response.reasoning_summary_text.done", told, summary_index=0)
            out += self._told("response.reasoning_summary_part.done", part, summary_index=0)
        blob = encrypted(*self._signature, text, self._crossing)
        return out + self._done(reasoning_item(self._id, "completed", text, blob))

    def _redacted_came(self, event: RedactedCame) -> bytes:
        if event.origin in (SAID, ALONE):
            return b""  # a reasoning item after what it signs would have nothing to lead to
        opened = self._open_reasoning()
        blob = hidden(event.data, event.origin, self._crossing)
        return opened + self._done(reasoning_item(self._id, "completed", "", blob))

    # --- tool calls -------------------------------------------------------------------------------

    def _tool_began(self, event: ToolBegan) -> bytes:
        if event.name == self._crossing.answer_tool:
            self._answering = True
            return b""
        form = self._forms.get(event.name)
        custom = event.custom or (form is not None and form.kind == "custom")
        kind = call_type(form, custom=custom)
        out = self._open(kind)
        call = self._call = self._named(event)
        self._pieces = []
        if kind in _DELTAS:  # of any other kind, only the arguments show whether it can be one
            out += self._added(
                call_item(kind, self._id, call.id, call.name, form, "", "in_progress")
            )
            self._open_part(kind)
        return out

    def _named(self, event: ToolBegan) -> ToolBegan:
        """The call with an id that no other call of the answer has."""
        id = event.id
        if not id or id in self._call_ids:
            id = "call_" + self._frame.item_id("function_call", len(self._output))[3:27]
        self._call_ids.add(id)
        return ToolBegan(id, event.name, event.custom)

    def _arguments_delta(self, event: ArgumentsDelta) -> bytes:
        if self._answering:
            return self._text(event.text)
        if not event.text:
            return b""
        if self._part:
            return self._delta(event.text)
        self._pieces.append(event.text)
        self._written += len(event.text)
        return b""

    def _close_call(self) -> bytes:
        kind, call, text = self._item, self._call, "".join(self._pieces)
        form = self._forms.get(call.name)
        if kind not in _DELTAS:
            return self._close_action(kind, text)
        out = b""
        if not text and kind == "function_call":
            text = "{}"  # no arguments at all would not parse as JSON at the client
            out = self._delta(text)
        member = "arguments" if kind == "function_call" else "input"
        out += self._told(f"{_DELTAS[kind][0]}.done", {member: text})
        item = call_item(kind, self._id, call.id, call.name, form, text, "completed")
        return out + self._done(item)

    def _close_action(self, kind: str, text: str) -> bytes:
        """A call whose item was held back; where its arguments make none, a function's call."""
        call = self._call
        item = action_item(kind, self._id, call.id, text)
        if item is not None:
            return self._added(item | {"status": "in_progress"}) + self._done(item)
        self._item = ""
        self._crossing.notes.note("output", f"{kind}_as_function_call")
        opened = self._open("function_call")
        began = call_item("function_call", self._id, call.id, call.name, None, "", "in_progress")
        opened += self._added(began)
        self._open_part("function_call")
        return opened + (self._delta(text) if text else b"") + self._close_call()

    # --- ends -------------------------------------------------------------------------------------

    def _thinking_began(self, event: ThinkingBegan) -> bytes:
        return b""  # its item opens when there is something in it

    def _text_began(self, event: TextBegan) -> bytes:
        self._citations = []  # those of a text that said nothing stand for nothing
        return b""

    def _part_ended(self, event: PartEnded) -> bytes:
        self._answering = False
        if self._item == "message":
            return self._close_content() if self._part == "output_text" else b""
        return self._close_item()

    def _citation_came(self, event: CitationCame) -> bytes:
        self._citations.append(event.citation)
        return b""

    def _refused_event(self, event: Refused) -> bytes:
        return self._refusal(event.text) if event.text else b""

    def _alive(self, event: Alive) -> bytes:
        return PING

    def _ended(self, event: Ended) -> bytes:
        ending, out = event.ending, b""
        if ending.stop == "refusal" and not self._refused:
            out = self._refusal(ending.explanation or DECLINED)
        reason = reason_of(ending)
        out += self._close_item("completed" if reason is None else "incomplete")
        return out + self._state(
            "response.completed" if reason is None else "response.incomplete",
            usage=counted(ending.usage, self._written, self._crossing),
            reason=reason,
        )


_WRITINGS: dict[type, Callable[[ResponsesWriter, Any], bytes]] = {
    Alive: ResponsesWriter._alive,
    ArgumentsDelta: ResponsesWriter._arguments_delta,
    Began: ResponsesWriter._began,
    CitationCame: ResponsesWriter._citation_came,
    Ended: ResponsesWriter._ended,
    PartEnded: ResponsesWriter._part_ended,
    RedactedCame: ResponsesWriter._redacted_came,
    Refused: ResponsesWriter._refused_event,
    SignatureCame: ResponsesWriter._signature_came,
    TextBegan: ResponsesWriter._text_began,
    ThinkingBegan: ResponsesWriter._thinking_began,
    ThinkingDelta: ResponsesWriter._thinking_delta,
    ToolBegan: ResponsesWriter._tool_began,
}
