"""Neutral events as deltas of a Chat message (`ChoiceDelta`), and deltas as the whole message.

A stream sends the deltas one by one, a whole answer is their sum: both say the same. The SDK's
accumulator joins strings, so a call's id and its name are in one delta only; lists of objects
carry `index`.
"""

from typing import Any

from gateway.dialect import Conversion
from gateway.dialects.chat.answer import DECLINED_TEXT
from gateway.dialects.chat.answer_out import (
    write_annotation,
    write_hidden_detail,
    write_signed_detail,
    write_stop,
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

JsonDelta = dict[str, Any]
"""A delta, or a message that deltas were added to."""


class DeltaWriter:
    """The deltas of one answer."""

    def __init__(self, conversion: Conversion) -> None:
        self.length = 0
        """Of the content so far, in code points."""
        self.interrupted = False
        """A part that is no text came after the last text: the next one starts a paragraph."""
        self._conversion = conversion
        self._legacy = conversion.prompt.legacy_functions
        self._tool_index = -1  # the index of the client's newest call
        self._argument_kind = ""  # the member that the open call's arguments become
        self._has_arguments = False
        self._span_start = 0  # of the open text, in the content
        self._thinking: list[str] = []
        self._detail_count = 0
        self._citations: list[Citation] = []
        self._annotations: list[JsonDelta] = []
        self._refused = False
        self._call_signature = ""  # of the next tool call
        self._text_signature = ""  # of the text; sent once, at the end

    def write(self, event: Event) -> JsonDelta:
        """What an event adds to the message; empty where it adds nothing. Not for MessageEnd."""
        match event:
            case ArgumentsDelta():
                return self._write_arguments(event.text)
            case ThinkingDelta():
                self._thinking.append(event.text)
                return {"reasoning_content": event.text}
            case TextDelta():
                return self._write_text(event.text)
            case TextStart():
                self._span_start = self.length
            case ThinkingStart():
                self.interrupted = True
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
                self.interrupted = self._refused = True
                return {"refusal": event.text}
        return {}

    def write_refusal(self, ending: Ending) -> JsonDelta:
        """The words of a refusal that had none until its end."""
        if ending.stop != "refusal" or self._refused:
            return {}
        return {"refusal": ending.explanation or DECLINED_TEXT}

    def write_last(self) -> JsonDelta:
        """What is known only at the end: the signature of the text, and its sources."""
        delta = write_extra_content(self._text_signature)
        if self._annotations:
            delta["annotations"] = [
                {"index": at} | note for at, note in enumerate(self._annotations)
            ]
        return delta

    def write_finish_reason(self, ending: Ending) -> str:
        """`finish_reason`; a call of the tool that stands for the answer is none to the client."""
        if ending.stop == "tool_use" and self._tool_index < 0 and self._conversion.answer_tool:
            return "stop"
        return write_stop(ending, self._conversion)

    # --- text and reasoning -----------------------------------------------------------------------

    def _write_text(self, text: str) -> JsonDelta:
        if self.interrupted and self.length:
            # two texts with something between them would run into one another
            text = "\n\n" + text
            self._span_start = self.length + 2
        self.interrupted = False
        self.length += len(text)
        return {"content": text}

    def _write_detail(self, detail: JsonDelta) -> JsonDelta:
        detail["index"] = self._detail_count
        self._detail_count += 1
        return {"reasoning_details": [detail]}

    def _write_redacted(self, event: RedactedThinking) -> JsonDelta:
        if event.origin in (TEXT_SIGNATURE, LONE_SIGNATURE):  # it stands for no part of its own
            self._text_signature = self._conversion.sealed(event.origin, event.data)
            return {}
        self.interrupted = True
        if event.origin == CALL_SIGNATURE:
            self._call_signature = event.data
            return {}
        if event.origin == GEMINI_CALL_SIGNATURE:
            self._call_signature = self._conversion.sealed(CALL_SIGNATURE, event.data)
            return {}
        return self._write_detail(write_hidden_detail(event.data, event.origin, self._conversion))

    # --- tool calls -------------------------------------------------------------------------------

    def _start_tool(self, event: ToolStart) -> JsonDelta:
        self.interrupted = True
        self._has_arguments = False
        extra, self._call_signature = write_extra_content(self._call_signature), ""
        if event.name == self._conversion.answer_tool:
            self._argument_kind = "content"
            return {}
        self._tool_index += 1
        if self._legacy:
            if self._tool_index:
                self._conversion.notes.note("tool_calls", "only_the_first_told")
                self._argument_kind = "dropped"
                return {}
            self._argument_kind = "function_call"
            return {"function_call": {"name": event.name, "arguments": ""}}
        kind = self._argument_kind = "custom" if event.custom else "function"
        called = {"name": event.name, "input" if event.custom else "arguments": ""}
        call = {"index": self._tool_index, "id": event.id, "type": kind, kind: called}
        return {"tool_calls": [call | extra]}

    def _write_arguments(self, text: str) -> JsonDelta:
        kind = self._argument_kind
        if not text or kind == "dropped":
            return {}
        if not self._has_arguments:
            self._has_arguments = not text.isspace()
        if kind == "content":
            self.length += len(text)
            return {"content": text}
        if kind == "function_call":
            return {"function_call": {"arguments": text}}
        member = "input" if kind == "custom" else "arguments"
        return {"tool_calls": [{"index": self._tool_index, kind: {member: text}}]}

    def _end_part(self) -> JsonDelta:
        for citation in self._citations:
            if citation.url is None:
                self._conversion.notes.note("citations", "without_url_dropped")
            else:
                first, last = citation.span or (0, self.length - self._span_start)
                span = (self._span_start + first, self._span_start + last)
                self._annotations.append(write_annotation(citation.url, citation.title, *span))
        self._citations.clear()
        # no arguments at all would not parse as JSON at the client
        bare = self._argument_kind in ("function", "function_call") and not self._has_arguments
        delta = self._write_arguments("{}") if bare else {}
        self._argument_kind = ""
        return delta


def add_delta(message: JsonDelta, delta: JsonDelta) -> None:
    """Add a delta to a message, as the official SDK's accumulator does."""
    for name, value in delta.items():
        before = message.get(name)
        if before is None:
            message[name] = value
        elif isinstance(value, str):
            message[name] = before + value
        elif isinstance(value, dict):
            add_delta(before, value)
        elif isinstance(value, list):
            _add_items(before, value)


def _add_items(items: list[JsonDelta], added: list[JsonDelta]) -> None:
    for item in added:
        if item["index"] < len(items):
            add_delta(items[item["index"]], item)
        else:
            items.append(item)
